/** COMPARE AND WRITE, ORWRITE and WRITE ATOMIC: what they write, and that nothing comes in between. Durability of a crash is not tested. */

import { expect, test } from 'vitest';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { admitTask, executeTask, retireTask } from '../../../src/scsi/device-server.ts';
import { rangeLocks } from '../../../src/scsi/range-locks.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const compareAndWrite = (lba: number, blocks: number) => [0x89, 0, ...be(lba, 8), 0, 0, 0, blocks];
const orWrite = (lba: number, blocks: number) => [0x8b, 0, ...be(lba, 8), ...be(blocks, 4)];
const write10 = (lba: number, blocks: number) => [0x2a, 0, ...be(lba, 4), 0, ...be(blocks, 2)];
const read10 = (lba: number, blocks: number) => [0x28, 0, ...be(lba, 4), 0, ...be(blocks, 2)];
const zeros = Buffer.alloc(512);

function fresh(differing = {}) {
  const { lu, volume } = logicalUnit({ volume: memoryVolume(64 * 512, differing) });
  return { lu, volume, initiator: new ScsiInitiator(lu).login() };
}

test('SBC-3 5.2 COMPARE AND WRITE: writes when the block is as expected, else says where it differs', async () => {
  const { initiator, volume } = fresh();
  const both = Buffer.concat([zeros, pattern(512)]);
  expect((await initiator.send(compareAndWrite(3, 1), both)).status).toBe(0);
  expect(Buffer.compare(volume.bytes.subarray(3 * 512, 4 * 512), pattern(512))).toBe(0);
  const wrong = Buffer.concat([pattern(512), zeros]);
  wrong[77] = 0xff;
  const { sense, senseData } = await initiator.send(compareAndWrite(3, 1), wrong);
  expect([sense, senseData.readUInt32BE(3)]).toEqual(['e/1d/00', 77]);
  expect(Buffer.compare(volume.bytes.subarray(3 * 512, 4 * 512), pattern(512))).toBe(0);
});

test.each([
  ['fixed', false],
  ['descriptor', true],
])(
  'SBC-3 5.2 COMPARE AND WRITE: INFORMATION is the offset of the first byte that differs, wherever that is (%s format)',
  async (_format, descriptorSense) => {
    const { initiator, volume, lu } = fresh();
    controlMode.set(lu, { descriptorSense });
    volume.bytes.set(pattern(512));
    for (let at = 0; at < 512; at++) {
      const data = Buffer.concat([pattern(512), zeros]);
      data[at]! ^= 0xff;
      const { sense, senseData } = await initiator.send(compareAndWrite(0, 1), data.fill(0xee, at + 1, 512));
      const information = descriptorSense
        ? Number(senseData.readBigUInt64BE(12))
        : senseData[0]! & 0x80 && senseData.readUInt32BE(3);
      expect([sense, information]).toEqual(['e/1d/00', at]);
    }
    expect(volume.calls.filter((call) => call.startsWith('write'))).toEqual([]);
  },
);

test('SBC-3 5.2 COMPARE AND WRITE: more blocks than the limit, and data of another length (more of it, too), are refused', async () => {
  const { initiator, volume } = fresh();
  expect((await initiator.send(compareAndWrite(0, 2), pattern(2048))).sense).toBe('5/24/00');
  expect((await initiator.send(compareAndWrite(0, 1), pattern(2048))).sense).toBe('5/24/00');
  expect((await initiator.send(compareAndWrite(0, 1), pattern(512))).sense).toBe('5/0e/03');
  expect((await initiator.send(compareAndWrite(0, 0))).status).toBe(0);
  expect((await initiator.send(compareAndWrite(64, 1), pattern(1024))).sense).toBe('5/21/00');
  expect(volume.calls).toEqual([]);
});

test('SBC-3 5.2 COMPARE AND WRITE: emulate_caw 0 takes it away', async () => {
  const { lu } = logicalUnit({ attributes: { emulate_caw: 0 } });
  expect((await new ScsiInitiator(lu).login().send(compareAndWrite(0, 1), pattern(1024))).sense).toBe('5/20/00');
});

test('SBC-3 5.2 COMPARE AND WRITE: of two that expect the same, one wins; a write waits for its turn', async () => {
  const { initiator, volume } = fresh();
  const start = (cdb: number[], data: Buffer) => {
    const task = initiator.task(cdb);
    expect(admitTask(task)).toBeUndefined();
    task.dataOut = data;
    return executeTask(task);
  };
  const both = (seed: number) => Buffer.concat([zeros, pattern(512, seed)]);
  const results = [start(compareAndWrite(0, 1), both(1)), start(compareAndWrite(0, 1), both(2))];
  const plain = start(write10(0, 1), pattern(512, 3));
  const elsewhere = start(write10(1, 1), pattern(512, 4));
  expect(elsewhere).toEqual({ status: 0 });
  expect((await Promise.all(results)).map(({ status }) => status)).toEqual([0, 2]);
  await plain;
  expect(volume.calls).toEqual(['write 512+512', 'read 0+512', 'write 0+512', 'read 0+512', 'write 0+512']);
});

test('SBC-3 5.2 READ(10): waits while a COMPARE AND WRITE holds its range', async () => {
  const { initiator, lu } = fresh();
  let release = () => {};
  const holding = rangeLocks.of(lu).during(0, 512, true, () => new Promise<void>((resolve) => (release = resolve)));
  const task = initiator.task(read10(0, 1));
  admitTask(task);
  const result = executeTask(task);
  expect(result).toBeInstanceOf(Promise);
  release();
  await holding;
  expect((await result).dataIn).toMatchObject({ position: 0, length: 512 });
});

test('SBC-3 5.5 ORWRITE(16): sets bits and clears none', async () => {
  const { initiator, volume } = fresh();
  await initiator.send(write10(0, 2), Buffer.alloc(1024, 0x0f));
  expect((await initiator.send(orWrite(0, 2), Buffer.alloc(1024, 0x31))).status).toBe(0);
  expect(volume.bytes.subarray(0, 1024).every((byte) => byte === 0x3f)).toBe(true);
  expect((await initiator.send(orWrite(63, 2), pattern(1024))).sense).toBe('5/21/00');
  expect((await initiator.send(orWrite(0, 0))).status).toBe(0);
});

test('SBC-3 5.2 COMPARE AND WRITE: waits until a transport has read what it was given of the range', async () => {
  const { initiator, volume } = fresh();
  const begin = (cdb: number[], dataOut = zeros) => {
    const task = initiator.task(cdb);
    admitTask(task);
    task.dataOut = dataOut;
    return { task, result: executeTask(task) };
  };
  const reading = begin(read10(0, 8));
  const elsewhere = begin(read10(8, 1));
  const { result } = begin(compareAndWrite(1, 1), Buffer.concat([zeros, pattern(512)]));
  retireTask(elsewhere.task);
  await new Promise(setImmediate);
  expect(volume.calls).toEqual([]);
  retireTask(reading.task);
  expect((await result).status).toBe(0);
  expect(volume.calls).toEqual(['read 512+512', 'write 512+512']);
});

const writeAtomic = (lba: number, blocks: number, boundary = 0) => [
  0x9c,
  0,
  ...be(lba, 8),
  ...be(boundary, 2),
  ...be(blocks, 2),
];
const blockLimits = [0x12, 1, 0xb0, 0, 64];

test('SBC-4 5.48 WRITE ATOMIC(16): offered where the volume promises it, up to what it promises', async () => {
  const { initiator, volume } = fresh({ atomicWriteBytesMax: 4096 });
  expect((await initiator.send(blockLimits)).data.toString('hex', 44)).toBe(`00000008${'00'.repeat(16)}`);
  expect((await initiator.send(writeAtomic(2, 8), pattern(4096))).status).toBe(0);
  expect(Buffer.from(volume.bytes.subarray(1024, 1024 + 4096))).toEqual(pattern(4096));
  expect((await initiator.send(writeAtomic(0, 9), pattern(4608))).sense).toBe('5/24/00');
  expect((await initiator.send(writeAtomic(57, 8), pattern(4096))).sense).toBe('5/21/00');
  expect((await initiator.send(writeAtomic(0, 0))).status).toBe(0);
});

test('SBC-4 5.48 WRITE ATOMIC(16): a boundary is refused', async () => {
  const { initiator, volume } = fresh({ atomicWriteBytesMax: 4096 });
  expect((await initiator.send(writeAtomic(0, 8, 4), pattern(4096))).sense).toBe('5/24/00');
  expect(volume.calls).toEqual([]);
});

test('SBC-4 5.48 WRITE ATOMIC(16): not offered where nothing is promised', async () => {
  const { initiator } = fresh();
  expect((await initiator.send(writeAtomic(0, 1), pattern(512))).sense).toBe('5/20/00');
  expect((await initiator.send(blockLimits)).data.length).toBe(20);
});
