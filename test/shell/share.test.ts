// share and unshare as they are typed: what they make, change and leave. That a process is started, and that initiators get in:
// test/e2e/share.test.ts.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { readShare, shareLine } from '../../shell/process/share-words.ts';
import { dumpTree } from '../../src/index.ts';
import { needs } from '../support/needs.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { attachLoopDevice, detachLoopDevice, makeFile } from '../support/scratch.ts';

let shell: TestShell;
let path: string;

beforeEach(async () => {
  shell = await ownShell();
  path = join(shell.directory, 'disk one.img');
});

const now = () => JSON.stringify(dumpTree(shell.host.root.tree));
const share = (words = '') => shell.run(`/ share path="${path}" ${words}`);
const data = async () => JSON.parse(await shell.run('/ share --json')).data;

test('a file is made with its size, and is LUN 0 of a target that everybody may write to', async () => {
  expect(await share()).toContain(`E| There is no ${path}.`);
  const said = await share('size=1M');
  expect(said).toContain(`${path} (1.0MiB) is LUN 0 of iqn.2003-01.org.linux-iscsi.`);
  for (const system of ['Linux', 'QEMU', 'Windows', 'ESXi', 'macOS']) expect(said).toContain(`\n${system}`);
  expect(statSync(path).size).toBe(1 << 20);
  expect(await data()).toMatchObject([
    { path, size: 1 << 20, portals: ['0.0.0.0:3260'], access_list: null, chap_user: null, read_only: false },
  ]);
  expect(await shell.run('/ ls /iscsi')).toContain('[gen-acls, no-auth]');
});

test('a size is that of a new file: what is there and has another is refused, shared or not; nor is a file made among devices', async () => {
  makeFile(path, 1 << 20);
  expect(await share('size=5G')).toContain(`E| ${path} is there already, and has 1.0MiB, not 5.0GiB.`);
  await share('size=1M');
  expect(await share('size=5G')).toContain('has 1.0MiB, not 5.0GiB.');
  const device = '/dev/tcli-no-such-device';
  for (const line of [`/ share ${device} size=1M`, `/backstores/fileio create none ${device} 1M`])
    expect(await shell.run(line)).toContain(`E| There is no device ${device}`);
  expect(existsSync(device)).toBe(false);
});

test('the same command again changes nothing; other words change what they say, and nothing else', async () => {
  await share('size=1M read_only=true chap=fred port=3261');
  const before = now();
  expect(await share('size=1M read_only=true chap=fred port=3261')).toContain('Nothing to change');
  expect(await share()).toContain('Nothing to change');
  expect(now()).toBe(before);
  await share('allow=192.0.2.0/24,iqn.1994-05.com.redhat:client1 read_only=false');
  const [one] = await data();
  expect(one).toMatchObject({ chap_user: 'fred', portals: ['0.0.0.0:3261'], read_only: false });
  expect(one.access_list).toEqual({ addresses: ['192.0.2.0/24'], names: ['iqn.1994-05.com.redhat:client1'] });
  expect(await share('allow=host7')).toContain("E| 'host7' is no IPv4 or IPv6 address");
});

test('a secret is made of 96 bits, shown once, and not again', async () => {
  const [, secret = ''] = /secret ([\w-]{16})\n/.exec(await share('size=1M chap=fred')) ?? [];
  expect(Buffer.from(secret, 'base64url')).toHaveLength(12);
  const again = await share('chap=fred');
  expect(again).not.toContain(secret);
  expect(again).toContain('Nothing to change');
  expect(await share('chap=bill')).toMatch(/CHAP user bill, secret [\w-]{16}\n/);
});

test('share is one change: undo takes the whole of it back, and a refused one leaves nothing', async () => {
  const before = now();
  await share('size=1M chap=fred allow=ALL');
  await shell.run('/ undo');
  expect(now()).toBe(before);
  expect(await share('port=99999')).toContain('E| ');
  expect(now()).toBe(before);
});

test('an existing storage object is used, and stays when it is not shared any more', async () => {
  await shell.run(`/backstores/fileio create mine "${path}" 1M`);
  await share();
  expect((await data())[0].path).toBe(path);
  await shell.run(`/ unshare "${path}"`);
  const names = () => [...shell.host.root.tree.allStorageObjects()].map(({ name }) => name);
  expect(names()).toEqual(['mine']);
  await shell.run('/backstores/fileio delete mine');
  await share();
  await shell.run(`/ unshare "${path}"`);
  expect(names()).toEqual([]);
  expect(existsSync(path)).toBe(true);
  expect(await shell.run(`/ unshare "${path}"`)).toContain('is not shared.');
  expect(await shell.run('/ share')).toBe('(nothing is shared)\n');
});

test(
  'a device that is mounted is refused with what frees it',
  needs('loop devices', 'mounts', 'mkfs.ext4'),
  async () => {
    const image = makeFile(join(shell.directory, 'image'), 8 << 20);
    const device = attachLoopDevice(image);
    const where = join(shell.directory, 'mounted here');
    mkdirSync(where);
    execFileSync('mkfs.ext4', ['-q', device]);
    execFileSync('mount', [device, where]);
    try {
      expect(await shell.run(`/ share ${device}`)).toContain(`It is mounted on ${where}: umount ${where}`);
      expect(await shell.run('/ share')).toBe('(nothing is shared)\n');
      execFileSync('umount', [where]);
      expect(await shell.run(`/ share ${device}`)).toContain(`${device} (8.0MiB) is LUN 0 of `);
      await shell.run(`/ unshare ${device}`);
    } finally {
      try {
        execFileSync('umount', [where], { stdio: 'ignore' });
      } catch {
        // The device is not mounted any more.
      }
      detachLoopDevice(device);
    }
  },
);

test.each([
  [['disk.img', '--size', '5G', '--read-only'], 'share path="disk.img" size="5G" read_only="true"'],
  [['--allow=192.0.2.7', '--allow', 'ALL', 'a b'], 'share path="a b" allow="192.0.2.7,ALL"'],
  [[], 'share'],
])('tcli share %j', (words, line) => {
  expect(shareLine(readShare(words), undefined)).toBe(line);
});

test('a secret that was typed is the secret, whatever it begins with', () => {
  expect(shareLine(readShare(['d', '--chap', 'u']), '@ask')).toBe('share path="d" chap="u" password="@@ask"');
});

test.each([
  [['disk.img', '--password', 'x'], 'everybody can read it'],
  [['disk.img', 'other.img'], 'It is: tcli share [PATH]'],
  [['disk.img', '--ask'], '--ask needs --chap USER'],
  [['--size', '5G'], 'needs a path'],
  [['disk.img', '--nosuch'], 'does not take --nosuch'],
])('tcli share %j is refused', (words, why) => {
  expect(() => readShare(words)).toThrow(why);
});
