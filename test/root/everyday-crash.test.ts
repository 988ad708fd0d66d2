// The everyday verbs, and a process that ends in front of any system call of theirs: afterwards the tree is the one before the line or
// the one behind it, and never a mixture. One line is one change.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Preferences } from '../../shell/session/preferences.ts';
import { ShellSession } from '../../shell/session/session.ts';
import { homeOf } from '../../src/durable/home.ts';
import type { Value } from '../../src/operations/operation.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { isSameTree, treeOf } from '../../src/saved/rehearsal.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { trackedFiles } from '../support/power.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = 'iqn.2003-01.org.example:one';
const other = 'iqn.2003-01.org.example:two';
const [host1, host2] = ['iqn.1994-05.com.redhat:host1', 'iqn.1994-05.com.redhat:host2'];
const media = makeFolder(memoryFolder);
afterAll(() => removeFolder(media));
const file = (name: string) => join(media, name);

const setUp = [
  'set global auto_add_default_portal=false auto_cd_after_create=false',
  `/backstores/fileio create disk ${file('disk.img')} 1M`,
  `/iscsi create ${iqn}`,
  `/iscsi create ${other}`,
  `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/disk`,
  `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 13260`,
  ...[iqn, other].map((target) => `/iscsi/${target}/tpg1/acls create ${host1}`),
  `/iscsi/${iqn}/tpg1/acls/${host1} set auth userid=u password=secretsecret1`,
  `/iscsi/${iqn}/tpg1/acls/${host1}/mapped_lun0 set attribute write_protect=1`,
];

const lines = [
  '/backstores/fileio/disk rename db',
  `/iscsi/${iqn} rename ${iqn}-db`,
  `/iscsi/${iqn}/tpg1/acls/${host1} rename ${host2}`,
  `/iscsi/${iqn}/tpg1/luns/lun0 move 5`,
  `/iscsi/${iqn}/tpg1/luns/lun0 move /iscsi/${other}`,
  `/iscsi/${iqn}/tpg1/portals/127.0.0.1:13260 move ip_port=13261`,
  `/iscsi/${iqn}/tpg1/acls/${host1} copy ${host2}`,
  `/iscsi/${iqn} copy ${iqn}-copy`,
  `/backstores/fileio/disk replace ${file('new.img')}`,
];

type Files = Parameters<typeof openHost>[0]['files'];
const open = (directory: string, files?: Files) =>
  openHost({ home: homeOf(directory, {}, 1), role: 'command', ...(files && { files }) });

/** Runs lines. @returns whether all of them were acknowledged */
async function typed(host: Host, ...words: readonly string[]): Promise<boolean> {
  const session = new ShellSession(host, Preferences.open(undefined));
  const sink = { write: () => {}, ask: async () => null };
  for (const line of words) if (!(await session.run(line, sink, new AbortController().signal)).ok) return false;
  return true;
}

/** The configuration that every line is typed at. */
let configuration: Value;
beforeAll(async () => {
  for (const name of ['disk.img', 'new.img']) await writeFile(file(name), Buffer.alloc(1 << 20));
  const host = await open(join(media, 'home'));
  expect(await typed(host, ...setUp)).toBe(true);
  configuration = dumpTree(host.root.tree) as unknown as Value;
  await host.close();
});
const restore = (host: Host) => host.root.apply({ path: '/', verb: 'restoreconfig', params: { configuration } });

describe.each(['is killed', 'loses power'] as const)('a process that %s in front of any system call', (how) => {
  it.each(lines)('%s', async (line) => {
    const alike = await open(temporaryDirectory(memoryFolder));
    onTestFinished(() => alike.close());
    await restore(alike);
    const { tree: before } = await treeOf(dumpTree(alike.root.tree));
    expect(await typed(alike, line)).toBe(true);
    const after = alike.root.tree;
    expect(isSameTree(before, after)).toBe(false);

    /** @returns the calls before the line, and with it */
    const run = async (at: number): Promise<[number, number]> => {
      const directory = temporaryDirectory(memoryFolder);
      const tracked = trackedFiles(directory);
      const faulty = faultyFiles('crash', at, how === 'loses power' ? tracked.files : undefined);
      const host = await open(directory, faulty.files);
      await restore(host);
      const first = faulty.calls.length;
      const isDone = await typed(host, line);
      const calls = faulty.calls.length;
      await host.close().catch(() => {});
      const left = how === 'loses power' ? temporaryDirectory(memoryFolder) : directory;
      if (how === 'loses power') tracked.leave(left, { names: false, contents: false });
      const again = await open(left);
      const found = [before, after].findIndex((one) => isSameTree(one, again.root.tree));
      expect(isDone ? [1] : [0, 1], `call ${at} of ${calls}`).toContain(found);
      expect(again.warnings).toEqual([]);
      await again.close();
      return [first, calls];
    };
    const [first, calls] = await run(0);
    expect(calls).toBeGreaterThan(first);
    for (let at = first + 1; at <= calls; at += 1) await run(at);
  });
});
