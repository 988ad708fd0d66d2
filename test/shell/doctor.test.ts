// The findings of `doctor`: each check with a configuration that has the fault and the line that mends it, and nothing in a sound one.
// Jobs 20 and 23 of an administrator's day, room and reachability: one line.

import { linkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ownShell } from '../support/own-shell.ts';
import { freePort, iqn, temporaryDirectory } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const one = 'iqn.1994-05.com.redhat:one';
const secret = 'long-enough-secret';
const otherTpg = '/iscsi/iqn.2003-01.org.example:other/tpg1';
/** A target that nobody reaches. */
const other = ['/iscsi create iqn.2003-01.org.example:other', `${otherTpg}/portals delete 0.0.0.0 3260`];

/** A target with one disk on a file, and CHAP, served; and what doctor says of it. */
async function sound() {
  // Not in memory, as the home of a shell may be.
  const folder = temporaryDirectory('/var/tmp');
  const shell = await ownShell();
  writeFileSync(join(folder, 'disk0.img'), Buffer.alloc(1 << 20));
  const ports = [await freePort(), await freePort()];
  await shell.run(
    `/backstores/fileio create disk0 ${join(folder, 'disk0.img')}`,
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/fileio/disk0`,
    `${tpg}/acls create ${one}`,
    `${tpg} set attribute authentication=1`,
    `${tpg}/acls/${one} set auth userid=one password=${secret}`,
    `${tpg}/portals delete 0.0.0.0 3260`,
    ...ports.map((port) => `${tpg}/portals create 0.0.0.0 ${port}`),
  );
  await shell.host.root.start();
  const findings = async (check: string) => {
    const all = JSON.parse(await shell.run('doctor --json')).data as { check: string; says: string; mend: string }[];
    return all.filter((found) => found.check === check);
  };
  return { shell, folder, findings, run: (...lines: string[]) => shell.run(...lines) };
}

type Sound = Awaited<ReturnType<typeof sound>>;

/** Lines that make it unsound; what it says then, and what mends it. */
const faults: Record<
  string,
  {
    check: string;
    afterwards?: (on: Sound) => void | Promise<void>;
    lines: (folder: string) => string[] | Promise<string[]>;
    says: RegExp;
    mend: string;
  }
> = {
  'every initiator is let in without a secret': {
    check: 'open to all',
    lines: () => [`${tpg} set attribute generate_node_acls=1 authentication=0 demo_mode_write_protect=0`],
    says: /lets in every initiator without a secret, to read and write/,
    mend: `${tpg} set attribute generate_node_acls=0`,
  },
  'CHAP that admits nobody': {
    check: 'chap',
    lines: () => [`${tpg}/acls create ${one}2`],
    says: /one2 requires CHAP and has no userid and password: nobody gets in/,
    mend: `${tpg}/acls/${one}2 set auth userid=NAME password=SECRET`,
  },
  'discovery that admits nobody': {
    check: 'chap',
    lines: () => ['/iscsi set discovery_auth enable=true'],
    says: /requires CHAP and has no userid and password/,
    mend: '/iscsi set discovery_auth userid=NAME password=SECRET',
  },
  'a weak secret': {
    check: 'chap',
    lines: () => [`${tpg}/acls/${one} set auth password=short`],
    says: /fewer than 12 bytes/,
    mend: `${tpg}/acls/${one} set auth password=SECRET`,
  },
  'one file in two disks': {
    check: 'exported twice',
    // A second one of the same file is refused when it is made: the file became the same afterwards.
    lines: (folder) => {
      writeFileSync(join(folder, 'other.img'), Buffer.alloc(1 << 20));
      return [`/backstores/fileio create again ${join(folder, 'other.img')}`];
    },
    afterwards: ({ folder }) => {
      rmSync(join(folder, 'other.img'));
      linkSync(join(folder, 'disk0.img'), join(folder, 'other.img'));
    },
    says: /fileio\/disk0 and \/backstores\/fileio\/again are one medium/,
    mend: '/backstores/fileio delete again',
  },
  'a disk in memory': {
    check: 'survives a boot',
    lines: () => ['/backstores/ramdisk create rd0 1M'],
    says: /rd0 is in memory/,
    mend: '/backstores/fileio create NAME FILE SIZE',
  },
  'an ACL without a disk': {
    check: 'sees nothing',
    lines: () => [`${tpg}/acls/${one} delete 0`],
    says: /sees no disk/,
    mend: `${tpg}/acls/${one} create 0 LUN`,
  },
  'initiators that only give their names': {
    check: 'open to all',
    lines: () => [`${tpg} set attribute authentication=0`],
    says: /lets in iqn\.1994-05\.com\.redhat:one by name alone/,
    mend: `${tpg} set attribute authentication=1`,
  },
  'one disk in two targets': {
    check: 'exported twice',
    lines: () => [...other, `${otherTpg}/luns create /backstores/fileio/disk0`],
    says: /disk0 is exported by 2 targets/,
    mend: '/backstores/fileio/disk0 users',
  },
  'a target without a portal': {
    check: 'portals',
    lines: () => other,
    says: /other\/tpg1 has no portal: nobody can log in/,
    mend: `${otherTpg}/portals create`,
  },
  'portals that other machines do not reach': {
    check: 'portals',
    lines: async () => [...other, `${otherTpg}/portals create 127.0.0.1 ${await freePort()}`],
    says: /listens on 127\.0\.0\.1:\d+ only/,
    mend: `${otherTpg}/portals create`,
  },
  'a file that is gone': {
    check: 'not served',
    lines: () => [],
    afterwards: async ({ folder, run }) => {
      rmSync(join(folder, 'disk0.img'));
      await run('/backstores/fileio/disk0 reopen');
    },
    says: /disk0: Could not open .*The file is gone/,
    mend: '/backstores/fileio/disk0 replace MEDIUM',
  },
  'a target that is disabled': {
    check: 'portals',
    lines: () => [`${tpg} disable`],
    says: /is disabled/,
    mend: `${tpg} enable`,
  },
};

it.each(Object.keys(faults))('%s', async (name) => {
  const { check, lines, afterwards, says, mend } = faults[name]!;
  const on = await sound();
  const { folder, findings, run } = on;
  expect(await findings(check)).toEqual([]);
  const said = await run(...(await lines(folder)));
  expect(said).not.toContain('E| ');
  await afterwards?.(on);
  expect(await findings(check)).toContainEqual(expect.objectContaining({ says: expect.stringMatching(says), mend }));
  // The line is one that can be typed.
  const [path, command] = mend.split(' ');
  expect(await run(`${path}/ help ${command}`)).not.toContain('E| ');
});

it('ACLs that are one node by their tag are one finding, with the line for that node', async () => {
  const { findings, run } = await sound();
  await run(
    `${tpg}/acls create ${one}2`,
    ...[one, `${one}2`].map((name) => `${tpg}/acls tag ${name} hosts`),
    `${tpg}/acls/hosts set auth password=short`,
    `${tpg}/acls/hosts delete 0`,
  );
  expect(await findings('chap')).toMatchObject([{ mend: `${tpg}/acls/hosts set auth password=SECRET` }]);
  expect(await findings('sees nothing')).toMatchObject([{ mend: `${tpg}/acls/hosts create 0 LUN` }]);
});

it('disks that may grow beyond the room that is left', async () => {
  const { folder, findings, run } = await sound();
  writeFileSync(join(folder, 'huge.img'), '');
  truncateSync(join(folder, 'huge.img'), 2 ** 43);
  await run(`/backstores/fileio create huge ${join(folder, 'huge.img')}`);
  expect(await findings('space')).toMatchObject([
    { level: 'problem', says: expect.stringContaining('writes will fail') },
  ]);
});

it('the line fails when there is a problem, and prints all that it found', async () => {
  const { shell } = await sound();
  const written: string[] = [];
  const sink = { write: (text: string) => void written.push(text), ask: async () => null };
  const run = (line: string) => shell.session.run(line, sink, new AbortController().signal);
  await run(`${tpg}/acls create ${one}2`);
  expect(await run('doctor')).toMatchObject({ ok: false });
  expect(written.join('')).toMatch(/^problem {2}chap: .*one2 requires CHAP/m);
  expect(written.join('')).toContain(
    `         To change it: ${tpg}/acls/${one}2 set auth userid=NAME password=SECRET\n`,
  );
  expect(written.join('')).not.toContain(secret);
});
