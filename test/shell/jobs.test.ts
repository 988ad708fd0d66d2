// Jobs of an administrator's day that no other test has as its subject, each in the lines that it takes; and where the others are.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { freePort, iqn } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const [one, two] = ['iqn.1994-05.com.redhat:one', 'iqn.1994-05.com.redhat:two'];
const secret = 'a-secret-of-the-first';

/** A target with a disk, and two initiators that may use it, each with a secret; and a target without disks. */
async function configured(): Promise<TestShell & { port: number }> {
  const shell = await ownShell();
  const port = await freePort();
  const said = await shell.run(
    `/backstores/fileio create disk0 ${join(shell.directory, 'disk0.img')} 1M`,
    '/ set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/fileio/disk0`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    ...[one, two].flatMap((name) => [
      `${tpg}/acls create ${name}`,
      `${tpg}/acls/${name} set auth userid=host password=${secret}`,
    ]),
    `/iscsi create ${iqn}2`,
    `${tpg.replace(iqn, `${iqn}2`)}/acls create ${one}`,
  );
  expect(said).not.toContain('E| ');
  return Object.assign(shell, { port });
}

interface Job {
  /** The lines to type: one, or one for each object. */
  readonly lines: (shell: TestShell) => readonly string[];
  /** Checks of what the lines did. */
  readonly proof: (shell: TestShell, said: string) => Promise<void> | void;
}

const only = (shell: TestShell) => [...shell.host.root.tree.allStorageObjects()][0]!;
const otherTpg = `/iscsi/${iqn}2/tpg1`;

const jobs: Record<string, Job> = {
  '6: a LUN moves to another target': {
    lines: () => [`${tpg}/luns/lun0 move /iscsi/${iqn}2`],
    async proof(shell) {
      expect(await shell.run(`ls ${tpg}/luns`)).not.toContain('lun0');
      expect(await shell.run(`ls ${otherTpg}`)).toMatch(/mapped_lun0 .*lun0 fileio\/disk0 \(rw\)/);
    },
  },
  '8: one initiator only reads': {
    lines: () => [`${tpg}/acls/${one}/mapped_lun0 set attribute write_protect=1`],
    async proof(shell) {
      expect(await shell.run(`ls ${tpg}/acls`)).toMatch(
        /one \.(?:.|\n)*lun0 fileio\/disk0 \(ro\)(?:.|\n)*two \.(?:.|\n)*lun0 fileio\/disk0 \(rw\)/,
      );
    },
  },
  '9: a disk and a target get other names': {
    lines: () => ['/backstores/fileio/disk0 rename db', `/iscsi/${iqn} rename ${iqn}-db`],
    async proof(shell) {
      expect(only(shell).path).toBe('/backstores/fileio/db');
      expect(await shell.run(`ls /iscsi/${iqn}-db/tpg1`)).toContain('lun0 ');
    },
  },
  '12: a disk goes on with another medium': {
    lines: ({ directory }) => {
      writeFileSync(join(directory, 'new.img'), Buffer.alloc(1 << 20));
      return [`/backstores/fileio/disk0 replace ${join(directory, 'new.img')}`];
    },
    async proof(shell) {
      expect(only(shell).config['dev']).toBe(join(shell.directory, 'new.img'));
      expect(await shell.run(`ls ${tpg}`)).toContain('mapped_lun0');
    },
  },
  '21: every initiator gets a secret of its own': {
    lines: () => [`${tpg}/acls/*/ set auth password=@generate`],
    async proof(shell, said) {
      const kept = await Promise.all([one, two].map((name) => shell.run(`${tpg}/acls/${name} get auth password`)));
      for (const answer of kept) {
        expect(answer).not.toContain(secret);
        expect(said).toContain(/password=(\S+)/.exec(answer)?.[1]);
      }
      expect(kept[0]).not.toBe(kept[1]);
    },
  },
};

test.each(Object.entries(jobs))('job %s', async (_, { lines, proof }) => {
  const shell = await configured();
  const serials = [...shell.host.root.tree.allStorageObjects()].map(({ wwn }) => wwn);
  const typed = lines(shell);
  const said = await shell.run(...typed);
  expect(said).not.toContain('E| ');
  await proof(shell, said);
  // Initiators know the disk by it.
  expect([...shell.host.root.tree.allStorageObjects()].map(({ wwn }) => wwn)).toEqual(serials);
});

test('job 2, two lines: the configuration on another machine, whose disks are others', async () => {
  const [here, there] = [await configured(), await ownShell()];
  const file = join(here.directory, 'copy.json');
  expect(await here.run(`saveconfig ${file}`)).not.toContain('E| ');
  const said = await there.run(`restoreconfig ${file} new_serials=true`);
  expect(said).not.toContain('E| ');
  expect(await there.run(`ls ${tpg}`)).toBe(await here.run(`ls ${tpg}`));
  expect(only(there).wwn).not.toBe(only(here).wwn);
  expect(await there.run(`${tpg}/acls/${one} get auth password`)).toContain(secret);
});

test('job 4, one line: an initiator that is logged in is out, and undo brings back what it had', async () => {
  const shell = await configured();
  await shell.host.root.start();
  await shell.run(`${tpg}/acls/${one} set attribute authentication=0`);
  const { lost } = await connectInitiator(shell.port, iqn, one);
  expect(await shell.run(`${tpg}/acls delete ${one}`)).toBe(`Deleted Node ACL ${one}.\n`);
  await expect(lost).rejects.toThrow();
  await expect(connectInitiator(shell.port, iqn, one)).rejects.toThrow();
  await shell.run('undo');
  expect(await shell.run(`${tpg}/acls/${one} get auth password`)).toContain(secret);
  const { close } = await connectInitiator(shell.port, iqn, one);
  onTestFinished(close);
});

/** The jobs that are another test's subject, and the beginning of its name. Job 22, a limit for a noisy host, comes with limits. */
const elsewhere: Readonly<Record<number, readonly [file: string, name: string]>> = {
  1: ['shell/share.test.ts', 'a secret is made of 96 bits, shown once, and not again'],
  3: ['shell/apply.test.ts', 'a change is what differs: another size resizes'],
  5: ['shell/list.test.ts', 'the users of a LUN: at the LUN, at the disk, and from the initiator'],
  7: ['shell/why.test.ts', 'why INITIATOR TARGET from ADDRESS: every rule'],
  10: ['shell/list.test.ts', 'list disks sort=-size'],
  11: ['shell/ui/top.test.ts', 'in the shell: rates move with an initiator'],
  13: ['e2e/shells.test.ts', 'a restart, and kill -9: the shell stands where it stood'],
  14: ['daemon/doctor.test.ts', "boot: root's configuration, whose unit is absent, written, or enabled"],
  15: ['shell/apply.test.ts', 'export: yaml, json and the schema'],
  16: ['shell/history.test.ts', 'diff since: what differs from what was there then'],
  17: ['shell/history.test.ts', 'changes: who, from where, which line'],
  18: ['shell/try.test.ts', 'a line on trial is made at once; status says until when; confirm keeps it'],
  19: [
    'e2e/user-backstores.test.ts',
    'user:qcow: resized, kept in snapshots and rolled back while an initiator uses it',
  ],
  20: ['root/drain.test.ts', 'initiators of a drained portal are asked to leave and are served on'],
  23: ['shell/doctor.test.ts', 'disks that may grow beyond the room that is left'],
  24: ['shell/history.test.ts', 'undo goes back over saveconfig and a restart'],
};

test.each(Object.entries(elsewhere))('job %s has its test', (_, [file, name]) => {
  const text = readFileSync(resolve(import.meta.dirname, '..', file), 'utf8');
  const names = Array.from(text.matchAll(/^ *(?:it|test)\((['"])(.*?)\1, /gm), ([, , one = '']) => one);
  expect(names.filter((one) => one.startsWith(name))).toHaveLength(1);
});
