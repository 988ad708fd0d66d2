// A vhost target as its operator has it: recorded lines of LIO's, the socket and the QEMU line, `diff`, `undo`, a restart, and a
// front-end that uses it. Not tested here: a guest (`npm run e2e:vhost`), the device itself (test/vhost).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { configure, serve, tcli, temporaryDirectory } from '../support/tcli.ts';
import { TestFrontEnd } from '../support/vhost-front-end.ts';

const wwn = 'naa.5001405162d5cf9d';
const target = `/vhost/${wwn}`;

async function said(home: string, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await tcli(home, words);
  expect(stderr, words.join(' ')).toSatisfy(() => status === 0);
  return stdout;
}

it('the session of the kernel is typed as it was, and `create` says the socket besides', async () => {
  const home = temporaryDirectory();
  await configure(home, '/backstores/ramdisk create rd0 64M');
  const socket = join(home, `run/${wwn}.vhost`);
  expect(await said(home, '/vhost', 'create', wwn)).toBe(
    `Created target ${wwn}.\nCreated TPG 1.\nIts socket is ${socket}.\n`,
  );
  expect(await said(home, `${target}/tpg1/luns`, 'create', '/backstores/ramdisk/rd0')).toBe('Created LUN 0.\n');
  const lines = (await said(home, '/vhost', 'ls')).split('\n').map((line) => line.replace(/ \.+ /, ' '));
  expect(lines.map((line) => line.replace(/naa\.5001405[0-9a-f]{9}, no/, 'NEXUS, no'))).toEqual([
    'o- vhost [Targets: 1]',
    `  o- ${wwn} [TPGs: 1]`,
    '    o- tpg1 [NEXUS, no-gen-acls]',
    '      o- acls [ACLs: 0]',
    '      o- luns [LUNs: 1]',
    '        o- lun0 [ramdisk/rd0 (default_tg_pt_gp)]',
    'Nothing of this is served. To serve it: tcli daemon start',
    '',
  ]);
  const info = await said(home, target, 'info');
  expect(info).toContain(`socket: ${socket}\n`);
  expect(info).toContain(`-chardev socket,id=${wwn},path=${socket} -device vhost-user-scsi-pci,chardev=${wwn}`);
  expect(await said(home, '/vhost', 'info')).toContain('tcli serves it');
});

it('a served target is used, shown, changed under its front-end, taken back, and there again after a restart', async () => {
  const home = temporaryDirectory();
  await configure(
    home,
    `/backstores/fileio create disk0 ${join(home, 'disk0.img')} 16M`,
    '/backstores/ramdisk create rd0 16M',
    `/vhost create ${wwn}`,
    `${target}/tpg1/luns create /backstores/fileio/disk0`,
    'saveconfig',
  );
  const socket = join(home, `run/${wwn}.vhost`);
  const program = await serve(home, '--loops', '2');
  const open: TestFrontEnd[] = [];
  onTestFinished(() => {
    for (const one of open) one.close();
  });
  const connect = async () => {
    const driver = await (await TestFrontEnd.connect(socket)).start();
    open.push(driver);
    await driver.command([0]);
    return driver;
  };
  const driver = await connect();
  const data = Buffer.alloc(4096, 7);
  expect(await driver.command([0x2a, 0, 0, 0, 0, 8, 0, 0, 8, 0], { dataOut: data })).toMatchObject({ status: 0 });
  const { data: sessions } = JSON.parse(await said(home, 'sessions', '--json'));
  expect(sessions).toMatchObject([{ fabric: 'vhost', targetWwn: wwn, initiatorAlias: `process ${process.pid}` }]);
  expect(await said(home, 'sessions', 'detail')).toContain(`address: ${socket} (vhost-user)`);

  await said(home, `${target}/tpg1/luns`, 'create', '/backstores/ramdisk/rd0');
  expect(await driver.event()).toEqual({ what: 1, lun: [1, 1, 0, 1], reason: 1 });
  expect(await said(home, 'diff')).toContain('rd0');
  await said(home, 'undo');
  // The medium was opened meanwhile, and the guest was told its size first.
  const removed = { what: 1, lun: [1, 1, 0, 1], reason: 2 };
  await expect.poll(() => driver.event()).toEqual(removed);

  await said(home, 'sessions', 'kill', String(sessions[0].id));
  await driver.ended();
  const again = await connect();
  const read = await again.command([0x28, 0, 0, 0, 0, 8, 0, 0, 8, 0], { dataIn: 4096 });
  expect(read.data.equals(data)).toBe(true);
  await program.stop();
  expect(existsSync(socket)).toBe(false);
  await serve(home);
  const after = await (await connect()).command([0x28, 0, 0, 0, 0, 8, 0, 0, 8, 0], { dataIn: 4096 });
  expect(after.data.equals(data)).toBe(true);
});
