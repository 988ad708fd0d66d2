// The shell's words about FORMAT UNIT and SANITIZE. Their effect is tested in test/conformance/scsi.

import { beforeEach, expect, test } from 'vitest';
import { ScsiInitiator } from '../support/logical-unit.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
const path = '/backstores/ramdisk/rd0';

beforeEach(async () => {
  shell = await ownShell();
  await shell.run('/backstores/ramdisk create rd0 4M');
  await shell.host.root.start();
});

const info = async () => JSON.parse(await shell.run(`${path} info --json`)).data;

test('SBC-4 4.11 info and status: how far a SANITIZE is, then that it failed, then nothing', async () => {
  expect(await info()).not.toHaveProperty('work');
  const disk = shell.host.root.tree.storageObject(path)!;
  const initiator = new ScsiInitiator(disk).login();
  const overwrite = () => initiator.send([0x48, 0x01, 0, 0, 0, 0, 0, 0, 5], Uint8Array.of(1, 0, 0, 1, 7));
  const write = disk.volume!.write.bind(disk.volume);
  // The work comes as far as three quarters, and waits there until it is told to fail.
  let fail = (_error: Error): void => {};
  const reached = new Promise<void>((resolve) => {
    disk.volume!.write = (from, position, durable) => {
      if (position < 3 << 20) return write(from, position, durable);
      resolve();
      return new Promise((_, reject) => {
        fail = reject;
      });
    };
  });
  const failed = overwrite();
  await reached;
  expect(await info()).toMatchObject({ work: 'SANITIZE OVERWRITE', work_failed: false, work_progress: 0.75 });
  expect(await shell.run(`${path} status`)).toContain('\nSANITIZE OVERWRITE goes on: 75 %\n');
  fail(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
  expect((await failed).sense).toBe('3/31/03');
  expect(await info()).toMatchObject({ work: 'SANITIZE OVERWRITE', work_failed: true });
  expect(await shell.run(`${path} status`)).toContain(
    'SANITIZE OVERWRITE has failed: nothing can be read until an initiator formats or sanitizes it again.',
  );
  disk.volume!.write = write;
  expect((await overwrite()).status).toBe(0);
  expect(await info()).not.toHaveProperty('work');
});
