// Storage objects that become larger or smaller while initiators use them. What backstores do to files and devices is tested
// in test/backstore, loops in threads of their own in loops.test.ts, a real initiator in test/e2e-linux.

import { cp, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { OperatorError } from '../../src/errors.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { admitTask, executeTask, retireTask } from '../../src/scsi/device-server.ts';
import { mediumWork } from '../../src/scsi/medium-work.ts';
import type { Completion } from '../../src/scsi/task.ts';
import { answerOf, ScsiInitiator } from '../support/logical-unit.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const mebibyte = 2 ** 20;
const block = (fill: number) => Buffer.alloc(512, fill);

async function open(directory: string, serving = true): Promise<Host> {
  const host = await openHost({ home: homeOf(directory, {}, 0), role: 'serve' });
  onTestFinished(() => host.close());
  if (serving) await host.root.start();
  return host;
}

/** A home with one disk of 1 MiB, and two initiators of it. */
async function home(kind: 'fileio' | 'ramdisk', size = mebibyte) {
  const directory = temporaryDirectory();
  const file = join(directory, 'disk.img');
  const host = await open(directory);
  const words = kind === 'fileio' ? { file_or_dev: file, size } : { size: String(size) };
  await host.root.apply({ path: `/backstores/${kind}`, verb: 'create', params: { name: 'disk', ...words } });
  const path = `/backstores/${kind}/disk`;
  const disk = host.root.tree.storageObject(path)!;
  const [a, b] = ['a', 'b'].map((name) => new ScsiInitiator(disk, name).login()) as [ScsiInitiator, ScsiInitiator];
  return { directory, file, host, path, disk, a, b };
}

const resize = (host: Host, path: string, params: { size?: number; force?: boolean }) =>
  host.root.apply({ path, verb: 'resize', params });

const read = (lba: number) => [0x88, 0, 0, 0, 0, 0, 0, lba >> 16, (lba >> 8) & 255, lba & 255, 0, 0, 0, 1];
const write = (lba: number) => [0x8a, ...read(lba).slice(1)];
/** WRITE SAME(16) of 2 MiB. */
const writeSame = [0x93, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0];
/** The sense that each initiator is told of a disk with so many blocks. */
async function told(initiator: ScsiInitiator) {
  const capacity = await initiator.send([0x25]);
  const long = await initiator.send([0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32]);
  const mode = await initiator.send([0x1a, 0, 0x3f, 0, 255]);
  const last = capacity.data.readUInt32BE(0);
  const status = await initiator.send([0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24]);
  return {
    capacity: last + 1,
    capacity16: Number(long.data.readBigUInt64BE(0)) + 1,
    blockDescriptor: mode.data.readUInt32BE(4),
    lbaStatus: status.data.readUInt32BE(16),
  };
}
const all = (blocks: number) => ({
  capacity: blocks,
  capacity16: blocks,
  blockDescriptor: blocks,
  lbaStatus: blocks,
});

it.each(['fileio', 'ramdisk'] as const)(
  'SBC-3 5.15, SPC-4 5.14 %s: every nexus is told of the new capacity, everything that says it follows, and what is added reads as zeros',
  async (kind) => {
    const { host, path, a, b } = await home(kind);
    expect(await told(a)).toEqual(all(2048));
    expect((await a.send(read(4095))).sense).toBe('5/21/00');
    expect((await resize(host, path, { size: 2 * mebibyte })).operation.params).toEqual({ size: 2 * mebibyte });
    for (const initiator of [a, b]) {
      expect((await initiator.send([0x00])).sense).toBe('6/2a/09');
      expect((await initiator.send([0x00])).status).toBe(0);
      expect(await told(initiator)).toEqual(all(4096));
    }
    expect((await a.send(read(4095))).data).toEqual(block(0));
    expect((await a.send(write(4095), block(7))).status).toBe(0);
    expect((await b.send(read(4095))).data).toEqual(block(7));
  },
);

it.each(['fileio', 'ramdisk'] as const)(
  '%s: smaller takes force; what lay beyond is LBA OUT OF RANGE, and zeros when it is added again',
  async (kind) => {
    const { host, path, a } = await home(kind);
    await a.send(write(0), block(1));
    await a.send(write(2047), block(9));
    await expect(resize(host, path, { size: mebibyte / 2 })).rejects.toMatchObject({
      message: 'disk would be smaller: 524288 bytes instead of 1048576, and what lies beyond would be lost',
      hint: expect.stringContaining('resize 524288 force=true'),
    });
    expect((await a.send(read(2047))).data).toEqual(block(9));
    await resize(host, path, { size: mebibyte / 2, force: true });
    expect((await a.send([0x00])).sense).toBe('6/2a/09');
    expect(await told(a)).toMatchObject({ capacity: 1024 });
    expect((await a.send(read(2047))).sense).toBe('5/21/00');
    expect((await a.send(write(1024), block(3))).sense).toBe('5/21/00');
    await resize(host, path, { size: mebibyte });
    await a.send([0x00]);
    expect((await a.send(read(2047))).data).toEqual(block(0));
    expect((await a.send(read(0))).data).toEqual(block(1));
  },
);

it('commands that were admitted, or are under way, when their blocks go end with LBA OUT OF RANGE', async () => {
  const { host, path, disk, a } = await home('ramdisk', 64 * mebibyte);
  const waiting = a.task(read(100_000));
  expect(admitTask(waiting)).toBe(undefined);
  const under = a.send(writeSame, block(5));
  const sending = a.task(read(100_000));
  admitTask(sending);
  const { dataIn } = (await executeTask(sending)) as Completion & { dataIn: { volume: typeof disk.volume } };
  await resize(host, path, { size: mebibyte, force: true });
  expect((await answerOf(await executeTask(waiting))).sense).toBe('5/21/00');
  expect((await under).sense).toBe('5/21/00');
  await expect(dataIn.volume!.read(new Uint8Array(512), 100_000 * 512)).rejects.toMatchObject({ code: 'ERANGE' });
  for (const task of [waiting, sending]) retireTask(task);
});

it('the new size is there in the next process, after an end without a word as well', async () => {
  const { host, path, directory, file } = await home('fileio');
  await resize(host, path, { size: 3 * mebibyte });
  await resize(host, path, { size: 2 * mebibyte, force: true });
  const copy = temporaryDirectory();
  await cp(directory, copy, { recursive: true, filter: (name) => !name.endsWith('/lock') && !name.endsWith('.sock') });
  await host.close();
  const later = await open(copy);
  expect(later.root.tree.storageObject(path)).toMatchObject({ volume: { size: 2 * mebibyte }, missing: undefined });
  expect((await stat(file)).size).toBe(2 * mebibyte);
  await later.save(undefined, 0);
  expect(JSON.parse(await readFile(join(copy, 'saveconfig.json'), 'utf8')).storage_objects).toMatchObject([
    { size: 2 * mebibyte },
  ]);
});

it.each([
  ['fileio', 2 * mebibyte],
  ['fileio', mebibyte / 2],
  ['ramdisk', 2 * mebibyte],
  ['ramdisk', mebibyte / 2],
] as const)('a size of %s that cannot be stored is taken back, with all that it held: %i', async (kind, size) => {
  const { host, path, disk, a, file } = await home(kind);
  await a.send(write(2047), block(9));
  host.root.recordTo(async () => {
    throw new OperatorError('no space');
  });
  await expect(resize(host, path, { size, force: true })).rejects.toThrow('no space');
  await a.send([0x00]);
  expect(disk.config['size']).toBe(mebibyte);
  expect(await told(a)).toMatchObject({ capacity: 2048 });
  expect((await a.send(read(2047))).data).toEqual(block(9));
  if (kind === 'fileio') expect((await stat(file)).size).toBe(mebibyte);
});

it('SBC-4 4.11 not while SANITIZE goes on or has failed, and it goes on when the size changed while nothing was served', async () => {
  const { host, path, directory, disk, a } = await home('fileio');
  disk.volume!.write = () => new Promise(() => {});
  await a.send([0x48, 0x81, 0, 0, 0, 0, 0, 0, 5], Uint8Array.of(1, 0, 0, 1, 7));
  await expect(resize(host, path, { size: 2 * mebibyte })).rejects.toMatchObject({
    message: 'disk cannot be resized: SANITIZE OVERWRITE is going on',
    hint: 'Wait until it is over; how far it is: info',
  });
  await host.close();
  const idle = await open(directory, false);
  await resize(idle, path, { size: 2 * mebibyte });
  await idle.close();
  const again = (await open(directory)).root.tree.storageObject(path)!;
  expect(mediumWork.of(again).work).toMatchObject({ does: 'overwrite' });
  await expect.poll(() => mediumWork.of(again).work).toBe(undefined);
  expect((await new ScsiInitiator(again, 'a').login().send(read(4095))).data).toEqual(block(7));
});

it('one whose file was shortened is served again with the size that the file has', async () => {
  const { host, path, directory, file } = await home('fileio');
  await host.close();
  await truncate(file, mebibyte / 2);
  const again = await open(directory);
  const disk = again.root.tree.storageObject(path)!;
  expect(disk.missing).toMatch(/it has 524288 bytes, but 1048576 are expected/);
  await resize(again, path, { size: mebibyte / 2, force: true });
  expect(disk).toMatchObject({ missing: undefined, volume: { size: mebibyte / 2 } });
});

it.each([2 * mebibyte, mebibyte / 2])(
  'one whose file has given its place to another file is not resized to %i, and that file is not touched',
  async (size) => {
    const { host, path, disk, file, a } = await home('fileio');
    const another = Buffer.alloc(3 * mebibyte, 7);
    await rename(file, `${file}.old`);
    await writeFile(file, another);
    await expect(resize(host, path, { size, force: true })).rejects.toThrow(`${file} is not the file that is served`);
    expect((await readFile(file)).equals(another)).toBe(true);
    expect(disk.config['size']).toBe(mebibyte);
    expect((await a.send([0x00])).status).toBe(0);
  },
);

it('one that another process serves is not resized by one that serves nothing', async () => {
  const { path, directory, file, host } = await home('fileio');
  await host.save(undefined, 0);
  const elsewhere = temporaryDirectory();
  await cp(join(directory, 'saveconfig.json'), join(elsewhere, 'saveconfig.json'));
  const idle = await open(elsewhere, false);
  await expect(resize(idle, path, { size: mebibyte / 2, force: true })).rejects.toThrow('it is already in use');
  expect((await stat(file)).size).toBe(mebibyte);
});

it.each([
  [0, 'A storage object has at least one block', undefined],
  [-512, 'A storage object has at least one block', undefined],
  [2 ** 53, 'A storage object has at least one block', undefined],
  [mebibyte + 1, '1048577 is not a multiple of the block size 512', 'The next one is: resize 1049088'],
])('a size of %i is refused', async (size, message, hint) => {
  const { host, path } = await home('fileio');
  await expect(resize(host, path, { size, force: true })).rejects.toMatchObject({ message, hint });
});
