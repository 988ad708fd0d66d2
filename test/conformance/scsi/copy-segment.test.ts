/**
 * The copies that segments of EXTENDED COPY(LID1) make, and the commands that may come between two pieces of one. Not tested: durability
 * (e2e/durability.test.ts).
 */

import { expect, test } from 'vitest';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { admitTask, executeTask, retireTask } from '../../../src/scsi/device-server.ts';
import type { StorageObject } from '../../../src/scsi/logical-unit.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import { sense } from '../../../src/scsi/sense.ts';
import { statistics } from '../../../src/scsi/statistics.ts';
import { abortTask } from '../../../src/scsi/task-management.ts';
import { addUnitAttention, pendingUnitAttention } from '../../../src/scsi/unit-attention.ts';
import { systemError } from '../../../src/system/system-error.ts';
import { blockSegment, byteSegment, copyCdb, copyList, copyTarget, sendCopy } from '../../support/copy-list.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const mediumBytes = 8 << 20;
const contents = [1, 2].map((seed) => pattern(mediumBytes, seed));

function two(blockSizes: { source?: number; destination?: number } = {}) {
  const unit = (digit: 1 | 2, blockSize = 512) => {
    const made = logicalUnit({
      name: `disk${digit}`,
      wwn: `${String(digit).repeat(8)}-53cb-4030-8133-a895f2f05d13`,
      volume: memoryVolume(mediumBytes),
      attributes: { block_size: blockSize },
    });
    made.volume.bytes.set(contents[digit - 1]!);
    return made;
  };
  const source = unit(1, blockSizes.source);
  const destination = unit(2, blockSizes.destination);
  const initiator = new ScsiInitiator(
    new Map([
      [0, source.lu],
      [1, destination.lu],
    ]),
  ).login();
  return { source, destination, initiator };
}

const between = (a: StorageObject, b: StorageObject, segment: number[]) =>
  copyList([copyTarget(a), copyTarget(b)], [segment]);

/** Whether two media are the same; `expect` would print megabytes. */
const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

test.each([
  { bytes: 1, at: [3, 511], to: [5, 0] },
  { bytes: 100, at: [3, 0], to: [5, 412] },
  { bytes: 513, at: [3, 511], to: [5, 510] },
  { bytes: 4096, at: [3, 0], to: [5, 0] },
  { bytes: (2 << 20) + 777, at: [3, 9], to: [2046, 300] },
] as const)(
  'SPC-4 6.4.6.12 block to block with offset: $bytes bytes from $at to $to, and what is beside them stays',
  async ({ bytes, at, to }) => {
    for (const blockSizes of [{}, { destination: 4096 }, { source: 4096 }]) {
      const { source, destination, initiator } = two(blockSizes);
      const target = Math.floor(to[0] / (destination.lu.blockSize / 512));
      const wanted = Buffer.from(destination.volume.bytes);
      const start = at[0] * source.lu.blockSize + at[1];
      wanted.set(source.volume.bytes.subarray(start, start + bytes), target * destination.lu.blockSize + to[1]);
      const segment = byteSegment(0, 1, bytes, at, [target, to[1]]);
      const answer = await sendCopy(initiator, between(source.lu, destination.lu, segment));
      expect(answer).toMatchObject({ status: 0, sense: '' });
      expect(isSame(destination.volume.bytes, wanted)).toBe(true);
      // Media that take whole blocks alone see no others.
      const sizes = destination.volume.calls.flatMap((call) => call.match(/\d+/g)!.map(Number));
      expect(sizes.filter((size) => size % destination.lu.blockSize !== 0)).toEqual([]);
    }
  },
);

const megabyte = 1 << 20;
test.each([
  ['forward', 512, 301 * 512],
  ['backward', 301 * 512, 512],
  ['forward by less than a block', 1000, 1001],
  ['backward by less than a block', 1001, 1000],
  ['to where it is', 512, 512],
])('SPC-4 5.16.7.2 a segment whose ends overlap is read before it is written: %s', async (_what, from, to) => {
  const { source, initiator } = two();
  const bytes = 3 * megabyte + 512;
  const wanted = Buffer.from(source.volume.bytes);
  wanted.copyWithin(to, from, from + bytes);
  const places = [from, to].map((at) => [Math.floor(at / 512), at % 512] as const);
  const inBlocks = from % 512 === 0 && to % 512 === 0;
  const segment = inBlocks
    ? blockSegment(0, 0, bytes / 512, places[0]![0], places[1]![0])
    : byteSegment(0, 0, bytes, places[0]!, places[1]!);
  expect(await sendCopy(initiator, copyList([copyTarget(source.lu)], [segment]))).toMatchObject({ status: 0 });
  expect(isSame(source.volume.bytes, wanted)).toBe(true);
});

test.each([
  ['a source offset of a block', byteSegment(0, 1, 1, [0, 512], [0, 0]), '5/26/00', 80 + 28],
  ['a destination offset of a block', byteSegment(0, 1, 1, [0, 0], [0, 512]), '5/26/00', 80 + 30],
  ['more than a segment may have', byteSegment(0, 1, (256 << 20) + 1, [0, 0], [0, 0]), '5/26/00', 80 + 8],
  ['another descriptor length', Object.assign(byteSegment(0, 1, 1, [0, 0], [0, 0]), { 3: 24 }), '5/26/00', 80 + 2],
  ['a descriptor that is cut', byteSegment(0, 1, 1, [0, 0], [0, 0]).slice(0, 31), '5/1a/00', 0],
  ['a byte behind the end of the source', byteSegment(0, 1, 2, [16383, 511], [0, 0]), 'a/0d/02', 0],
  ['a byte behind the end of the destination', byteSegment(0, 1, 2, [0, 0], [16383, 511]), 'a/0d/02', 0],
])(
  'SPC-4 6.4.6.12 block to block with offset: %s is refused, and nothing is written',
  async (_what, segment, wanted, at) => {
    const { source, destination, initiator } = two();
    const answer = await sendCopy(initiator, between(source.lu, destination.lu, segment));
    expect([answer.sense, answer.senseData.readUInt16BE(16)]).toEqual([wanted, at]);
    expect(destination.volume.calls).toEqual([]);
  },
);

test('SPC-4 6.4.6.12 block to block with offset: no bytes are no error', async () => {
  const { source, destination, initiator } = two();
  const nothing = between(source.lu, destination.lu, byteSegment(0, 1, 0, [0, 3], [0, 5]));
  expect((await sendCopy(initiator, nothing)).status).toBe(0);
  expect(destination.volume.calls).toEqual([]);
});

/** A copy of two pieces. `during` happens when the first one is written. */
async function interrupted(during: (units: ReturnType<typeof two>, tag: number) => unknown) {
  const units = two();
  const { source, destination, initiator } = units;
  const list = between(source.lu, destination.lu, byteSegment(0, 1, 2 * megabyte, [0, 0], [0, 0]));
  const task = initiator.task(copyCdb(list), { dataOutOffered: list.length });
  expect(admitTask(task)).toBeUndefined();
  task.dataOut = Uint8Array.from(list);
  const { writeNow } = destination.volume;
  const held: { during?: unknown } = {};
  destination.volume.writeNow = (...write) => {
    if (!('during' in held)) held.during = during(units, task.tag);
    return writeNow!(...write);
  };
  const completion = await executeTask(task);
  retireTask(task);
  await held.during;
  const data = Buffer.from(completion.sense ?? Buffer.alloc(18));
  const told = data[0]! & 0x80 ? data.readUInt32BE(3) : undefined;
  return { ...units, status: completion.status, sense: [data[2], data[12], data[13]], left: told };
}

const aborted = [0xa, 0x0d, 0x01];
test.each<[string, (units: ReturnType<typeof two>) => unknown]>([
  [
    'the destination is reserved by another initiator',
    ({ destination: { lu } }) => reservations.set(lu, { reserved: new ScsiInitiator(lu, 'b').nexus }),
  ],
  [
    'the source is reserved by another initiator',
    ({ source: { lu } }) => reservations.set(lu, { reserved: new ScsiInitiator(lu, 'b').nexus }),
  ],
  [
    'the destination is write protected',
    ({ destination: { lu } }) => controlMode.set(lu, { softwareWriteProtect: true }),
  ],
  ['the destination is not mapped any more', ({ initiator }) => initiator.luns.delete(1)],
  [
    'its LUN stands for another unit',
    ({ initiator }) => initiator.luns.set(1, logicalUnit({ volume: memoryVolume(mediumBytes) }).lu),
  ],
  ['the destination has another medium', ({ destination: { lu } }) => (lu.volume = memoryVolume(mediumBytes))],
  ['the source is gone', ({ source: { lu } }) => (lu.volume = undefined)],
])(
  'SPC-4 5.16.7.4 %s between two pieces: COPY ABORTED with the blocks that are left, and no more is written',
  async (_what, during) => {
    const { destination, sense, left } = await interrupted(during);
    expect({ sense, left }).toEqual({ sense: aborted, left: 2048 });
    expect(destination.volume.calls).toEqual(['write 0+1048576']);
  },
);

test('SAM-5 7.2 ABORT TASK between two pieces: no more is written', async () => {
  const { destination } = await interrupted(({ initiator }, tag) => abortTask(initiator.nexus, 0, tag));
  expect(destination.volume.calls).toEqual(['write 0+1048576']);
});

test('between two pieces other commands have their turn, even where all is in memory', async () => {
  let isTurn = false;
  const { status } = await interrupted(() => setImmediate(() => (isTurn = true)));
  expect({ status, isTurn }).toEqual({ status: 0, isTurn: true });
});

test('a write cache that is switched off under a copy: what it wrote before is flushed when it ends', async () => {
  const { destination, status } = await interrupted(({ destination: { lu } }) => {
    lu.attributes.set('emulate_write_cache', 0);
  });
  expect({ status, flushed: destination.lu.volume?.isFlushed?.(0, 2 * megabyte) }).toEqual({
    status: 0,
    flushed: true,
  });
});

test('SPC-4 5.16.7.4 a medium that fails: COPY ABORTED, and the log names the unit that failed', async () => {
  const { source, destination, initiator } = two();
  const logged: unknown[] = [];
  for (const { lu } of [source, destination])
    lu.log = ({ event, detail }) => logged.push([event, detail?.['path'], detail?.['code'], detail?.['command']]);
  const list = between(source.lu, destination.lu, byteSegment(0, 1, 2048, [0, 0], [0, 0]));
  destination.volume.writeNow = () => false;
  destination.volume.write = () => Promise.reject(systemError('EIO', 'write'));
  expect((await sendCopy(initiator, list)).sense).toBe('a/0d/01');
  source.volume.read = () => Promise.reject(systemError('EIO', 'read'));
  expect((await sendCopy(initiator, list)).sense).toBe('a/0d/01');
  expect(logged).toEqual([
    ['medium error', '/backstores/fileio/disk2', 'EIO', 'EXTENDED COPY(LID1)'],
    ['medium error', '/backstores/fileio/disk1', 'EIO', 'EXTENDED COPY(LID1)'],
  ]);
});

test('SPC-4 4.5.5 a copy that fails elsewhere takes nothing back of what the managing unit has to tell of itself', async () => {
  const {
    initiator,
    source,
    destination,
    sense: found,
  } = await interrupted(({ initiator, source, destination }) => {
    addUnitAttention(initiator.nexus, source.lu, sense.deferredWriteError);
    destination.volume.write = () => Promise.reject(systemError('EIO', 'write'));
    destination.lu.attributes.set('emulate_write_cache', 0);
  });
  expect(found).toEqual(aborted);
  expect(pendingUnitAttention(initiator.nexus, source.lu)).toBe(sense.deferredWriteError);
  expect(pendingUnitAttention(initiator.nexus, destination.lu)).toBe(sense.deferredWriteError);
});

test('SPC-4 7.3.6 General Statistics and Performance: a copy is neither of the read commands nor of the write commands', async () => {
  const { source, destination, initiator } = two();
  await sendCopy(initiator, between(source.lu, destination.lu, byteSegment(0, 1, 1024, [0, 100], [0, 0])));
  expect(statistics.of(source.lu).counters()).toMatchObject({ readCommands: 0, blocksRead: 0 });
  expect(statistics.of(destination.lu).counters()).toMatchObject({ writeCommands: 0, blocksWritten: 0 });
});

test('SPC-4 6.22 MAXIMUM SEGMENT LENGTH: one segment copies as much as the operating parameters promise', async () => {
  const { data: limits } = await two().initiator.send([0x84, 3, ...be(0, 8), ...be(255, 4)]);
  const bytes = limits.readUInt32BE(16);
  // Half a gibibyte that no memory holds: each block has its number in it.
  const blockAt = (position: number) => position / 512;
  let written = 0;
  const { lu } = logicalUnit({
    volume: {
      ...memoryVolume(0),
      size: 2 * bytes,
      async read(into, position) {
        const view = Buffer.from(into.buffer, into.byteOffset, into.length);
        for (let at = 0; at < view.length; at += 512) view.writeUInt32BE(blockAt(position + at), at);
      },
      writeNow: () => false,
      async write(from, position) {
        const view = Buffer.from(from.buffer, from.byteOffset, from.length);
        for (let at = 0; at < view.length; at += 512)
          if (view.readUInt32BE(at) === blockAt(position + at - bytes)) written += 512;
      },
    },
  });
  const list = copyList([copyTarget(lu)], [byteSegment(0, 0, bytes, [0, 0], [blockAt(bytes), 0])]);
  expect(await sendCopy(new ScsiInitiator(lu).login(), list)).toMatchObject({ status: 0 });
  expect([bytes, written]).toEqual([256 << 20, 256 << 20]);
});
