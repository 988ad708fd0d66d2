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

type Configured = Awaited<ReturnType<typeof configured>>;

interface Job {
  /** The lines to type: one, or one for each object. */
  readonly lines: (shell: TestShell) => readonly string[];
  /** Checks of what the lines did. */
  readonly proof: (shell: Configured, said: string) => Promise<void> | void;
}

const only = (shell: TestShell) => [...shell.host.root.tree.allStorageObjects()][0]!;
const otherTpg = `/iscsi/${iqn}2/tpg1`;

const jobs: Record<string, Job> = {
  '6, one line: a LUN moves to another target': {
    lines: () => [`${tpg}/luns/lun0 move /iscsi/${iqn}2`],
    async proof(shell) {
      expect(await shell.run(`ls ${tpg}/luns`)).not.toContain('lun0');
      expect(await shell.run(`ls ${otherTpg}`)).toMatch(/mapped_lun0 .*lun0 fileio\/disk0 \(rw\)/);
    },
  },
  '8, one line: one initiator only reads': {
    lines: () => [`${tpg}/acls/${one}/mapped_lun0 set attribute write_protect=1`],
    async proof(shell) {
      expect(await shell.run(`ls ${tpg}/acls`)).toMatch(
        /one \.(?:.|\n)*lun0 fileio\/disk0 \(ro\)(?:.|\n)*two \.(?:.|\n)*lun0 fileio\/disk0 \(rw\)/,
      );
    },
  },
  '9, two lines: a disk and a target get other names': {
    lines: () => ['/backstores/fileio/disk0 rename db', `/iscsi/${iqn} rename ${iqn}-db`],
    async proof(shell) {
      expect(only(shell).path).toBe('/backstores/fileio/db');
      expect(await shell.run(`ls /iscsi/${iqn}-db/tpg1`)).toContain('lun0 ');
    },
  },
  '12, one line: a disk goes on with another medium': {
    lines: ({ directory }) => {
      writeFileSync(join(directory, 'new.img'), Buffer.alloc(1 << 20));
      return [`/backstores/fileio/disk0 replace ${join(directory, 'new.img')}`];
    },
    async proof(shell) {
      expect(only(shell).config['dev']).toBe(join(shell.directory, 'new.img'));
      expect(await shell.run(`ls ${tpg}`)).toContain('mapped_lun0');
    },
  },
  '21, one line: every initiator gets a secret of its own': {
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
  '22, one line: a noisy host is held to a rate, and its path still answers': {
    lines: () => [`${tpg}/luns/lun0 set attribute limit_bytes=512`],
    async proof(shell) {
      await shell.host.root.start();
      const loggedIn = async (name: string) => {
        await shell.run(`${tpg}/acls/${name} set attribute authentication=0`);
        const { initiator, close } = await connectInitiator(shell.port, iqn, name);
        onTestFinished(close);
        while ((await initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
        return initiator;
      };
      const [noisy, other] = [await loggedIn(one), await loggedIn(two)];
      const done: number[] = [];
      const read = async (number: number) => {
        await noisy.command([0x28, 0, 0, 0, 0, 0, 0, 0, 128, 0], { read: true, length: 128 * 512 });
        done.push(number);
      };
      await read(1);
      // The first read took 128 seconds of the limit, of which 10 count: so long the second one would wait.
      const second = read(2);
      expect((await other.command([0, 0, 0, 0, 0, 0])).status).toBe(0);
      expect(done).toEqual([1]);
      expect(await shell.run(`${tpg}/luns/lun0 set attribute limit_bytes=0`)).not.toContain('E| ');
      await second;
    },
  },
};

test.each(Object.entries(jobs))('job %s', async (name, { lines, proof }) => {
  const shell = await configured();
  const serials = [...shell.host.root.tree.allStorageObjects()].map(({ wwn }) => wwn);
  const typed = lines(shell);
  expect(name).toContain(typed.length === 1 ? ', one line: ' : ', two lines: ');
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

/** The jobs that are another test's subject: the beginning of its name, and the lines that the job takes. */
const elsewhere: Readonly<Record<number, readonly [file: string, name: string, ...lines: string[]]>> = {
  1: ['shell/share.test.ts', 'a secret is made of 96 bits, shown once, and not again', 'share PATH chap=NAME'],
  3: ['shell/apply.test.ts', 'a change is what differs: another size resizes', 'resize SIZE'],
  5: ['shell/list.test.ts', 'the users of a LUN: at the LUN, at the disk, and from the initiator', 'users'],
  7: ['shell/why.test.ts', 'why INITIATOR TARGET from ADDRESS: every rule', 'why INITIATOR TARGET'],
  10: ['shell/list.test.ts', 'list disks sort=-size', 'list disks sort=-size'],
  11: ['shell/ui/top.test.ts', 'in the shell: rates move with an initiator', 'top'],
  13: ['e2e/shells.test.ts', 'a restart, and kill -9: the shell stands where it stood', 'daemon restart'],
  14: ['daemon/doctor.test.ts', "boot: root's configuration, whose unit is absent, written, or enabled", 'doctor'],
  15: ['shell/apply.test.ts', 'export: yaml, json and the schema', 'export yaml'],
  16: ['shell/history.test.ts', 'diff since: what differs from what was there then', 'diff since=yesterday'],
  17: ['shell/history.test.ts', 'changes: who, from where, which line', 'changes'],
  18: [
    'shell/try.test.ts',
    'a line on trial is made at once; status says until when; confirm keeps it',
    ...['try 5m LINE', 'confirm'],
  ],
  19: [
    'e2e/user-backstores.test.ts',
    'user:qcow: resized, kept in snapshots and rolled back while an initiator uses it',
    ...['create NAME', 'rollback NAME'],
  ],
  20: ['root/drain.test.ts', 'initiators of a drained portal are asked to leave and are served on', 'drain'],
  23: ['shell/doctor.test.ts', 'disks that may grow beyond the room that is left', 'doctor'],
  24: ['shell/history.test.ts', 'undo goes back over saveconfig and a restart', 'undo'],
};

test.each(
  Object.entries(elsewhere).map(([job, [file, name, ...lines]]) => [job, lines.length, file, name, lines] as const),
)('job %s takes so many lines: %i, and has its test', (_, _count, file, name, lines) => {
  const text = readFileSync(resolve(import.meta.dirname, '..', file), 'utf8');
  const names = Array.from(text.matchAll(/^ *(?:it|test)\((['"])(.*?)\1, /gm), ([, , one = '']) => one);
  expect(names.filter((one) => one.startsWith(name))).toHaveLength(1);
  for (const line of lines) expect(text).toContain(line.split(' ')[0]);
});
