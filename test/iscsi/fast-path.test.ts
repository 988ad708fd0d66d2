// The fast path beside the general path, which is the truth: the same PDUs go down both, and bring the same answers, byte for
// byte, the same numbers and the same medium. What obstructs the fast path in a logical unit: scsi/plain-access.test.ts.

import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { fileio } from '../../src/backstore/fileio.ts';
import { ramdisk } from '../../src/backstore/ramdisk.ts';
import { FastPath } from '../../src/iscsi/fast-path.ts';
import { dataOut, noTag, scsiCommand } from '../../src/iscsi/pdu.ts';
import { StorageObject } from '../../src/scsi/logical-unit.ts';
import { recordedAnew } from '../../src/scsi/lost-writes.ts';
import { opcodes } from '../../src/scsi/opcode-table.ts';
import { statistics } from '../../src/scsi/statistics.ts';
import { unitState } from '../../src/scsi/unit-state.ts';
import { cdbOf } from '../support/cdb.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { below, oneOf, randomOf } from '../support/random.ts';
import { makeFile, makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

/** A subject that sends every command down the general path. */
let general = false;
unitState({
  name: 'the general path',
  initial: () => ({}),
  obstructs: () => (general ? 'reads and writes' : 'nothing'),
});

const taken = vi.spyOn(FastPath.prototype, 'take');
afterEach(() => void taken.mockClear());
const timesTaken = () => taken.mock.results.filter(({ value }) => value === true).length;

const blockBytes = 512;
const mediumBytes = 128 * 1024;
type Differing = Parameters<typeof memoryVolume>[1];

async function open(keys: Record<string, string>, differing: Differing) {
  const volume = memoryVolume(mediumBytes, differing);
  volume.bytes.set(pattern(mediumBytes));
  const target = new IscsiTarget(logicalUnit({ volume }));
  for (const [name, value] of Object.entries(keys))
    if (target.tpg.parameters.of(name)) target.tpg.parameters.set(name as never, value);
  const parts = await target.login(keys);
  const said: string[] = [];
  parts.output.onCommit = () => {
    const bytes = parts.output.take();
    said.push(Buffer.from(bytes).toString('hex'));
    parts.initiator.receive(bytes);
  };
  return { ...parts, target, volume, said };
}
type World = Awaited<ReturnType<typeof open>>;

/** The outcome of the PDUs of `script`. */
async function outcome(script: (world: World) => unknown, keys: Record<string, string>, differing: Differing) {
  const world = await open(keys, differing);
  await script(world);
  // A medium that was asked in vain, and data that was read ahead, are not visible to anybody.
  await new Promise((resolve) => setImmediate(resolve));
  const { target, said, volume } = world;
  const [session] = target.sessionTable;
  const lun = target.tpg.luns.get(0)!;
  return {
    said,
    medium: Buffer.from(volume.bytes).toString('base64'),
    counted: statistics.of(target.lu).counters(),
    traffic: session?.traffic,
    ways: [...lun.ways],
    window: session && [session.expCmdSn, session.maxCmdSn, session.shownMaxCmdSn],
    commands: session?.commands.size,
    logged: target.logged.filter(({ level }) => level !== 'info'),
  };
}

/** Runs a script down both paths. @returns how many commands the fast path took */
async function compare(
  script: (world: World) => unknown,
  keys: Record<string, string> = {},
  differing: Differing = {},
): Promise<number> {
  taken.mockClear();
  general = true;
  const wanted = await outcome(script, keys, differing);
  expect(timesTaken()).toBe(0);
  general = false;
  expect(await outcome(script, keys, differing)).toEqual(wanted);
  return timesTaken();
}

const read = (lba: number, blocks: number) => cdbOf(opcodes.find(({ code }) => code === 0x28)!, { lba, blocks });
const write = (lba: number, blocks: number) => cdbOf(opcodes.find(({ code }) => code === 0x2a)!, { lba, blocks });
const data = (blocks: number, seed = 5) => pattern(blocks * blockBytes, seed);
const readsOne =
  (options: object = {}) =>
  ({ initiator }: World) =>
    void initiator.sendCommand(read(1, 8), { read: true, length: 4096, ...options });
const writesOne =
  (options: object = {}) =>
  ({ initiator }: World) =>
    void initiator.sendCommand(write(1, 8), { data: data(8), immediateData: 4096, ...options });

describe('takes', () => {
  const plain = opcodes.filter((row) => row.plain && row.cdbLength <= 16);
  it.each(plain.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const cdb = cdbOf(row, { lba: 3, blocks: 2 });
    const options = row.plain === 'read' ? { read: true, length: 1024 } : { data: data(2), immediateData: 1024 };
    expect(await compare(({ initiator }) => initiator.command(cdb, options))).toBe(1);
  });

  it.each<[string, Record<string, string>]>([
    ['a header digest', { HeaderDigest: 'CRC32C' }],
    ['no digest, and says so', { HeaderDigest: 'None', DataDigest: 'None' }],
  ])('both with %s', async (_what, keys) => {
    expect(await compare(readsOne(), keys)).toBe(1);
    expect(await compare(writesOne(), keys)).toBe(1);
  });

  it('a read whose answer has a data digest', async () => {
    expect(await compare(readsOne(), { DataDigest: 'CRC32C' })).toBe(1);
  });

  it('both whatever attribute they have that is served as SIMPLE: untagged, too', async () => {
    expect(await compare(readsOne({ attribute: 0 }))).toBe(1);
    expect(await compare(writesOne({ attribute: 1 }))).toBe(1);
  });

  it('many in one piece of what is received', async () => {
    const script = ({ initiator, connection, target }: World) => {
      const pieces: Uint8Array[] = [];
      initiator.raw = (bytes) => void pieces.push(bytes);
      for (let at = 0; at < 5; at += 1) {
        initiator.sendCommand(write(at * 9, 3), { data: data(3, at), immediateData: 1536 });
        initiator.sendCommand(read(at * 9 + 1, 1), { read: true, length: 512 });
      }
      target.time += 7;
      const all = Buffer.concat(pieces);
      connection.feed(all, 0, all.length);
    };
    expect(await compare(script)).toBe(10);
  });
});

describe('leaves to the general path', () => {
  it.each<[string, (world: World) => unknown, Record<string, string>?, Differing?]>([
    ['an ordered command', readsOne({ attribute: 2 })],
    ['an immediate command', readsOne({ immediate: true })],
    ['less than was expected', readsOne({ length: 8192 })],
    ['more than was expected', readsOne({ length: 1024 })],
    [
      'a read that is said to write',
      ({ initiator }) => initiator.sendCommand(read(1, 8), { write: true, length: 4096 }),
    ],
    [
      'a write that is said to read',
      ({ initiator }) => initiator.sendCommand(write(1, 8), { read: true, length: 4096 }),
    ],
    ['nothing to read', ({ initiator }) => initiator.command(read(1, 0), { read: true, length: 0 })],
    ['another LUN', readsOne({ lun: 7 })],
    ['what is longer than a data segment of the initiator', readsOne(), { MaxRecvDataSegmentLength: '1024' }],
    ['what is longer than a burst', readsOne(), { MaxBurstLength: '2048', FirstBurstLength: '1024' }],
    ['immediate data where none was agreed on', writesOne(), { ImmediateData: 'No' }],
    ['more data than may come unasked', writesOne(), { FirstBurstLength: '2048' }],
    ['a part of the data', writesOne({ immediateData: 1024 })],
    ['data that is announced', writesOne({ final: false }), { InitialR2T: 'No' }],
    ['data that has a digest', writesOne(), { DataDigest: 'CRC32C' }],
    [
      'blocks that are not at hand',
      ({ initiator }) => initiator.command(read(1, 8), { read: true, length: 4096 }),
      {},
      { readNow: () => false },
    ],
    [
      'blocks that cannot be written at once',
      ({ initiator }) => initiator.command(write(1, 8), { data: data(8), immediateData: 4096 }),
      {},
      { writeNow: () => false },
    ],
    [
      'a tag that is in use',
      ({ initiator }) => {
        initiator.sendCommand(write(1, 8), { data: data(8) });
        initiator.lastTag -= 1;
        readsOne()({ initiator } as World);
      },
    ],
    [
      'a command out of its window',
      ({ initiator }) => {
        initiator.cmdSn += 1000;
        readsOne()({ initiator } as World);
      },
    ],
    [
      'a command without a tag',
      ({ initiator }) => {
        initiator.lastTag = noTag - 1;
        readsOne()({ initiator } as World);
      },
    ],
    [
      'what the output does not take',
      ({ initiator, output, connection }) => {
        output.blocked = true;
        readsOne()({ initiator } as World);
        output.blocked = false;
        connection.drained();
      },
    ],
    [
      'a session that is to log out',
      ({ initiator, connection }) => {
        void connection.requestLogout('test');
        readsOne()({ initiator } as World);
      },
    ],
  ])('%s', async (_what, script, keys = {}, differing = {}) => {
    expect(await compare(script, keys, differing)).toBe(0);
  });

  it('an early command, and the one that it waited for', async () => {
    const script = ({ initiator }: World) => {
      initiator.cmdSn += 1;
      readsOne()({ initiator } as World);
      initiator.cmdSn -= 2;
      writesOne()({ initiator } as World);
      initiator.cmdSn += 1;
    };
    expect(await compare(script)).toBe(0);
  });

  it('a PDU that comes cut in two', async () => {
    const cut =
      (cutAt: number) =>
      ({ initiator, connection }: World) => {
        initiator.raw = (bytes) => {
          connection.feed(bytes, 0, cutAt);
          connection.feed(bytes, cutAt, bytes.length);
        };
        writesOne()({ initiator } as World);
      };
    for (const cutAt of [1, 47, 48, 49, 4143]) expect(await compare(cut(cutAt))).toBe(0);
  });
});

it.each([ramdisk, fileio])(
  'serves a new object of $name, with the attributes that it begins with',
  async (backstore) => {
    const folder = makeFolder(memoryFolder);
    onTestFinished(() => removeFolder(folder));
    const dev = makeFile(join(folder, 'disk'), mediumBytes);
    const config = backstore === ramdisk ? { size: mediumBytes } : { dev, size: mediumBytes, write_back: true };
    const volume = await backstore.open(config);
    const lu = new StorageObject({ backstore, name: 'disk', config, wwn: 'disk', volume });
    lu.volume = recordedAnew(lu, volume);
    const { initiator } = await new IscsiTarget({ lu, volume: memoryVolume(0) }).login();
    await initiator.command(write(1, 8), { data: data(8), immediateData: 4096 });
    const { data: found } = await initiator.command(read(1, 8), { read: true, length: 4096 });
    expect(found).toEqual(data(8));
    expect(timesTaken()).toBe(2);
    await volume.close();
  },
);

it('asks the medium once of a command, whichever path that takes then', async () => {
  for (const [name, command] of [
    ['readNow', readsOne()],
    ['writeNow', writesOne()],
  ] as const) {
    const asked = vi.fn(() => false);
    const world = await open({}, { [name]: asked });
    command(world);
    await expect.poll(() => world.initiator.inbox.length > 0).toBe(true);
    expect(asked).toHaveBeenCalledTimes(1);
  }
});

it('a session of two connections goes the general path: each header says what has been delivered', async () => {
  const target = new IscsiTarget();
  const { first } = await target.loginTwice();
  await first.initiator.command(read(0, 1), { read: true, length: 512 });
  expect(timesTaken()).toBe(0);
});

/** Commands of all kinds, right and wrong, with what an initiator answers to them. */
function anything(seed: number) {
  return ({ initiator, target, said }: World) => {
    const random = randomOf(seed);
    const [session] = target.sessionTable;
    for (let count = 0; count < 60; count += 1) {
      target.time += below(random, 4);
      // The number of one that was rejected comes again.
      initiator.cmdSn = session!.expCmdSn;
      const row = oneOf(
        random,
        opcodes.filter(({ plain, cdbLength }) => plain && cdbLength <= 16),
      )!;
      const blocks = below(random, 12);
      const cdb = cdbOf(row, { lba: below(random, mediumBytes / blockBytes + 4), blocks });
      if (below(random, 12) === 0) cdb[1]! |= 1 << below(random, 8);
      const usual = below(random, 4) > 0;
      const length = (row.code === 0x08 || row.code === 0x0a ? blocks || 256 : blocks) * blockBytes;
      const expected = usual ? length : Math.max(0, length + (below(random, 3) - 1) * blockBytes);
      const isWrite = usual ? row.plain === 'write' : below(random, 2) === 0;
      const bytes = pattern(isWrite ? expected : 0, count);
      const immediateData = Math.min(bytes.length, usual ? bytes.length : below(random, 4) * 256, 8192);
      if (below(random, 20) === 0) initiator.lastTag -= 1;
      const tag = initiator.tag();
      const final = below(random, 15) > 0;
      initiator.send(
        scsiCommand,
        {
          ...initiator.number(below(random, 15) === 0),
          final,
          read: !isWrite,
          write: isWrite,
          attribute: usual ? 1 : below(random, 4),
          lun: Uint8Array.of(below(random, 20) === 0 ? 0x40 : 0, below(random, 20) === 0 ? 1 : 0, 0, 0, 0, 0, 0, 0),
          initiatorTaskTag: tag,
          expectedDataTransferLength: expected,
          cdb: Uint8Array.from({ length: 16 }, (_, at) => cdb[at] ?? 0),
        },
        bytes.subarray(0, immediateData),
      );
      if (!final && isWrite) {
        const task = { initiatorTaskTag: tag, targetTransferTag: noTag };
        initiator.send(
          dataOut,
          { ...task, final: true, dataSn: 0, bufferOffset: immediateData },
          bytes.subarray(immediateData, 8192),
        );
      }
      while (initiator.inbox.length > 0) {
        const pdu = initiator.inbox.shift()!;
        if (pdu.name === 'Ready To Transfer') initiator.sendRequested(pdu, bytes);
      }
    }
    expect(said.length).toBeGreaterThan(0);
  };
}

it('any commands, right and wrong, of 24 chances', async () => {
  const keys = [{}, { InitialR2T: 'No' }, { HeaderDigest: 'CRC32C' }, { MaxRecvDataSegmentLength: '2048' }];
  let times = 0;
  for (let seed = 0; seed < 24; seed += 1) times += await compare(anything(seed), keys[seed % keys.length]);
  expect(times).toBeGreaterThan(100);
});
