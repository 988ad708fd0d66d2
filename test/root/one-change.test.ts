// What one line does is one change: stored by one write, followed once by what runs, all of it or nothing.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Preferences } from '../../shell/session/preferences.ts';
import { ShellSession } from '../../shell/session/session.ts';
import { homeOf } from '../../src/durable/home.ts';
import { LocalLoop } from '../../src/loops/local-loop.ts';
import type { Steps } from '../../src/operations/operation.ts';
import { openHost } from '../../src/root/host.ts';
import { dump } from '../../src/saved/saveconfig.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = 'iqn.2003-01.org.example:t';
const tpg = `/iscsi/${iqn}/tpg1`;
const acls = 100;

/** A served target with many ACLs and no LUN. */
async function serve() {
  const directory = temporaryDirectory(memoryFolder);
  const faulty = faultyFiles('EIO', 0);
  const open = () => openHost({ home: homeOf(directory, {}, 1), role: 'command', files: faulty.files });
  const host = await open();
  onTestFinished(() => host.close());
  await host.root.apply({ path: '/backstores/ramdisk', verb: 'create', params: { name: 'rd', size: '1M' } });
  await host.root.apply({ path: '/iscsi', verb: 'create', params: { wwn: iqn } });
  await host.root.apply({ path: `/iscsi/${iqn}`, verb: 'create', params: { tag: 1 } });
  await host.root.applyTogether(
    (function* (): Steps<void> {
      for (let n = 0; n < acls; n += 1) yield { path: `${tpg}/acls`, verb: 'create', params: { wwn: `${iqn}-i${n}` } };
    })(),
  );
  await host.root.start();
  return { host, faulty, open, journal: () => readFile(join(directory, 'journal.jsonl'), 'utf8') };
}

it(`a LUN that is mapped in ${acls} ACLs is one fsync and one reconciliation, and comes back`, async () => {
  const { host, faulty, open } = await serve();
  const session = new ShellSession(host, Preferences.open(undefined));
  const follow = vi.spyOn(LocalLoop.prototype, 'follow');
  onTestFinished(() => follow.mockRestore());
  faulty.calls.length = 0;
  const said: string[] = [];
  const sink = { write: (text: string) => void said.push(text), ask: async () => null };
  await session.run(`${tpg}/luns create /backstores/ramdisk/rd`, sink, new AbortController().signal);
  expect(faulty.calls.filter((name) => /sync$/.test(name))).toEqual(['datasync']);
  expect(follow).toHaveBeenCalledTimes(1);
  expect(said.join('')).toContain(`Created LUN 0->0 mapping in node ACL ${iqn}-i${acls - 1}`);
  const before = dump(host.root.tree);
  expect((await host.lastChange())?.operations).toHaveLength(acls + 1);
  await host.close();
  const again = await open();
  onTestFinished(() => again.close());
  expect(dump(again.root.tree)).toEqual(before);
});

it('a change that is refused, or cannot be stored, is taken back whole', async () => {
  const { host, journal } = await serve();
  const [tree, stored] = [JSON.stringify(dump(host.root.tree)), await journal()];
  const untouched = async () => {
    expect(JSON.stringify(dump(host.root.tree))).toBe(tree);
    expect(await journal()).toBe(stored);
  };
  const steps = function* (last: number): Steps<void> {
    yield { path: `${tpg}/luns`, verb: 'create', params: { storage_object: '/backstores/ramdisk/rd', lun: 0 } };
    for (let n = 0; n <= last; n += 1)
      yield { path: `${tpg}/acls/${iqn}-i${n}`, verb: 'create', params: { mapped_lun: 0, tpg_lun: 0 } };
  };
  await expect(host.root.applyTogether(steps(acls))).rejects.toThrow();
  await untouched();
  host.root.recordTo(async () => {
    throw new Error('no space');
  });
  await expect(host.root.applyTogether(steps(acls - 1))).rejects.toThrow('no space');
  await untouched();
});
