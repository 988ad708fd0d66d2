/**
 * READ, WRITE, VERIFY, WRITE AND VERIFY, SYNCHRONIZE CACHE on a volume in memory; provisioning.test.ts has WRITE SAME and UNMAP.
 * Does not test residuals and transfer, which are the transport's.
 */

import { describe, expect, test } from 'vitest';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { forms } from '../../support/block-cdb.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const blocks = 2048;
const end = blocks;

function fresh(attributes: Record<string, number> = {}, volume = memoryVolume(blocks * 512)) {
  const { lu } = logicalUnit({ volume, attributes });
  return { lu, volume, initiator: new ScsiInitiator(lu).login() };
}

/** INFORMATION of fixed format sense data, where it is valid. */
const informationOf = ({ senseData }: { senseData: Buffer }) =>
  senseData[0] === 0xf0 ? senseData.readUInt32BE(3) : undefined;

describe.each([
  ['SBC-2 5.5', 'READ(6)', 0x08, 'SBC-2 5.24', 'WRITE(6)', 0x0a, forms[6]],
  ['SBC-3 5.11', 'READ(10)', 0x28, 'SBC-3 5.33', 'WRITE(10)', 0x2a, forms[10]],
  ['SBC-3 5.12', 'READ(12)', 0xa8, 'SBC-3 5.34', 'WRITE(12)', 0xaa, forms[12]],
  ['SBC-3 5.13', 'READ(16)', 0x88, 'SBC-3 5.35', 'WRITE(16)', 0x8a, forms[16]],
  ['SBC-3 5.14', 'READ(32)', 0x09, 'SBC-3 5.36', 'WRITE(32)', 0x0b, forms[32]],
] as const)('%s %s', (readSpec, readName, readCode, writeSpec, writeName, writeCode, cdb) => {
  test(`${writeSpec} ${writeName}, ${readSpec} ${readName}: what is written is read, and nothing else is touched`, async () => {
    const { initiator, volume } = fresh();
    const data = pattern(3 * 512);
    expect((await initiator.send(cdb(writeCode, 5, 3), data)).status).toBe(0);
    const answer = await initiator.send(cdb(readCode, 4, 5));
    expect(answer.data.equals(Buffer.concat([Buffer.alloc(512), data, Buffer.alloc(512)]))).toBe(true);
    expect(Buffer.compare(volume.bytes.subarray(5 * 512, 8 * 512), data)).toBe(0);
  });

  test(`${readSpec} ${readName}: the last block is readable, one further is LBA OUT OF RANGE`, async () => {
    const { initiator } = fresh();
    expect((await initiator.send(cdb(readCode, end - 1, 1))).status).toBe(0);
    for (const [lba, count] of [
      [end - 1, 2],
      [end, 1],
    ] as const) {
      const answer = await initiator.send(cdb(readCode, lba, count));
      expect([answer.sense, informationOf(answer)]).toEqual(['5/21/00', end]);
    }
  });

  test(`${writeSpec} ${writeName}: beyond the end nothing is written`, async () => {
    const { initiator, volume } = fresh();
    expect((await initiator.send(cdb(writeCode, end - 1, 2), pattern(1024))).sense).toBe('5/21/00');
    expect(volume.bytes.every((byte) => byte === 0)).toBe(true);
  });
});

test('SBC-3 4.18 LBA OUT OF RANGE: INFORMATION is the first address that is not there, where there is room for it', async () => {
  const { initiator } = fresh({ emulate_tpu: 1, max_unmap_block_desc_count: 2 });
  const list = Buffer.from([
    0,
    38,
    0,
    32,
    0,
    0,
    0,
    0,
    ...be(4, 8),
    ...be(1, 4),
    ...be(0, 4),
    ...be(end + 7, 8),
    ...be(1, 4),
    ...be(0, 4),
  ]);
  const unmap = await initiator.send([0x42, 0, 0, 0, 0, 0, 0, 0, list.length], list);
  const others = [
    [0x2b, 0, ...be(end + 5, 4)],
    [0x0b, ...be(end + 5, 3)],
    [0x9e, 0x12, ...be(end + 5, 8), ...be(24, 4)],
    forms[16](0x88, 2 ** 32, 1),
    forms[16](0x88, 2 ** 60, 1),
  ];
  const answers = [unmap];
  for (const cdb of others) answers.push(await initiator.send(cdb));
  expect(answers.map(({ sense }) => sense)).toEqual(answers.map(() => '5/21/00'));
  expect(answers.map(informationOf)).toEqual([end + 7, end + 5, end + 5, end + 5, undefined, undefined]);
});

test('SBC-3 4.18 LBA OUT OF RANGE: descriptor format has room for each that the medium can have', async () => {
  const { lu, initiator } = fresh();
  controlMode.set(lu, { descriptorSense: true });
  const at = async (lba: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(lba);
    const { senseData } = await initiator.send([0x88, 0, ...bytes, 0, 0, 0, 1, 0, 0]);
    return senseData.toString('hex');
  };
  expect(await at(2n ** 40n)).toBe('720521000000000c000a80000000010000000000');
  expect(await at(2n ** 64n - 1n)).toBe('7205210000000000');
});

describe('CDBs of 32 bytes', () => {
  const read = forms[32](0x09, 0, 1);
  const differing = (at: number, value: number) => read.map((byte, i) => (i === at ? value : byte));

  test.each([
    ['another ADDITIONAL CDB LENGTH', differing(7, 25), 'cf0007'],
    ['fewer bytes than it says', read.slice(0, 16), 'cf0007'],
    ['protection', differing(10, 0x20), 'cd000a'],
    ['NACA', differing(1, 0x04), 'ca0001'],
    ['another service action', differing(9, 0x63), 'cf0008'],
  ])('SPC-4 4.2.3 %s: INVALID FIELD IN CDB, with a pointer', async (_what, cdb, pointer) => {
    const { sense, senseData } = await fresh().initiator.send(cdb);
    expect([sense, senseData.toString('hex', 15)]).toEqual(['5/24/00', pointer]);
  });

  test('SBC-3 5.14 READ(32): GROUP NUMBER and the tags of protection information are not looked at', async () => {
    const cdb = read.map((byte, i) => (i === 6 ? 0x1f : i >= 20 && i < 28 ? 0xff : byte));
    expect((await fresh().initiator.send(cdb)).data.length).toBe(512);
  });

  test('SBC-3 5.36 WRITE(32): FUA is in byte 10', async () => {
    const { initiator, volume } = fresh();
    await initiator.send(forms[32](0x0b, 0, 1, 0x08), pattern(512));
    expect(volume.calls).toEqual(['write 0+512 durable']);
  });

  test('SBC-3 5.45 WRITE SAME(32): NDOB writes zeros and takes no data', async () => {
    const { initiator, volume } = fresh();
    volume.bytes.fill(7);
    expect((await initiator.send(forms[32](0x0d, 1, 1, 0x01))).status).toBe(0);
    expect([volume.bytes[511], volume.bytes[512], volume.bytes[1023], volume.bytes[1024]]).toEqual([7, 0, 0, 7]);
  });

  test('SPC-4 6.35 REPORT SUPPORTED OPERATION CODES: they are listed, and their usage is told', async () => {
    const { initiator } = fresh();
    const list = await initiator.send([0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    const long = Array.from({ length: (list.data.length - 4) / 8 }, (_, i) =>
      list.data.subarray(4 + 8 * i, 12 + 8 * i),
    );
    const rows = long
      .filter(([code]) => code === 0x7f)
      .map((row) => [row.readUInt16BE(2), row[5], row.readUInt16BE(6)]);
    expect(rows).toEqual([0x09, 0x0a, 0x0b, 0x0c, 0x0d].map((action) => [action, 1, 32]));
    const one = await initiator.send([0xa3, 0x0c, 2, 0x7f, 0, 0x0b, 0, 0, 1, 0]);
    expect(one.data.toString('hex')).toBe(
      `00030020 7f00000000000018 000b1800 ${'ff'.repeat(8)} ${'00'.repeat(8)} ffffffff`.replaceAll(' ', ''),
    );
  });
});

test('SBC-2 5.5 READ(6): 0 blocks are 256', async () => {
  const { initiator } = fresh();
  expect((await initiator.send([0x08, 0, 0, 0, 0])).data.length).toBe(256 * 512);
});

test.each([
  ['READ(10)', 0x28, forms[10]],
  ['WRITE(12)', 0xaa, forms[12]],
  ['VERIFY(16)', 0x8f, forms[16]],
])(
  'SBC-3 5.11 %s: 0 blocks do nothing, also just behind the last block, and fail further out',
  async (_name, code, cdb) => {
    const { initiator } = fresh();
    expect(await initiator.send(cdb(code, end, 0))).toMatchObject({ status: 0, data: Buffer.alloc(0) });
    expect((await initiator.send(cdb(code, end + 1, 0))).sense).toBe('5/21/00');
    expect((await initiator.send(cdb(code, 0xffffffff, 0))).sense).toBe('5/21/00');
  },
);

test('SBC-3 5.13 READ(16): an address above 2^53 is out of range, not rounded into it', async () => {
  const { initiator } = fresh();
  expect((await initiator.send([0x88, 0, ...new Array(8).fill(0xff), 0, 0, 0, 1])).sense).toBe('5/21/00');
});

test('SBC-3 6.6.4: MAXIMUM TRANSFER LENGTH is an advice, and what is longer is served', async () => {
  const { initiator } = fresh({ hw_max_sectors: 8 });
  const limits = await initiator.send([0x12, 1, 0xb0, 0, 64, 0]);
  expect(limits.data.readUInt32BE(8)).toBe(8);
  expect((await initiator.send(forms[16](0x8a, 0, 9), pattern(9 * 512))).status).toBe(0);
  expect((await initiator.send(forms[10](0x28, 0, 9))).data.equals(pattern(9 * 512))).toBe(true);
});

test('SBC-3 4.22 READ(10): RDPROTECT is refused, with a pointer to the field', async () => {
  const { initiator } = fresh();
  const { sense, senseData } = await initiator.send(forms[10](0x28, 0, 1, 0x20));
  expect([sense, senseData.toString('hex', 15)]).toEqual(['5/24/00', 'cd0001']);
});

test('SAM-5 5.3.2 READ(10): NACA is refused, ACA being not supported', async () => {
  const { initiator } = fresh();
  expect((await initiator.send([...forms[10](0x28, 0, 1).slice(0, 9), 0x04])).sense).toBe('5/24/00');
});

describe('write cache', () => {
  const write = forms[10](0x2a, 0, 1);
  const fua = forms[10](0x2a, 0, 1, 0x08);

  test('SBC-3 5.33 WRITE(10): FUA reaches the medium, without it the cache will do', async () => {
    const { initiator, volume } = fresh();
    await initiator.send(write, pattern(512));
    await initiator.send(fua, pattern(512));
    expect(volume.calls).toEqual(['write 0+512', 'write 0+512 durable']);
  });

  test('SBC-3 6.5.5 WRITE(10): without a write cache every write reaches the medium', async () => {
    const { initiator, volume } = fresh({ emulate_write_cache: 0 });
    await initiator.send(write, pattern(512));
    expect(volume.calls).toEqual(['write 0+512 durable']);
  });

  test('SBC-3 6.5.1 WRITE(10): DPO and FUA are refused, and not among the usage bits, while DPOFUA is 0', async () => {
    const { initiator } = fresh({ emulate_write_cache: 0 });
    expect((await initiator.send(fua, pattern(512))).sense).toBe('5/24/00');
    const usage = await initiator.send([0xa3, 0x0c, 1, 0x2a, 0, 0, 0, 0, 1, 0]);
    expect(usage.data[5]).toBe(0);
  });
});

describe.each([
  ['SBC-3 5.29 VERIFY(10)', 0x2f, forms[10]],
  ['SBC-3 5.30 VERIFY(12)', 0xaf, forms[12]],
  ['SBC-3 5.31 VERIFY(16)', 0x8f, forms[16]],
  ['SBC-3 5.32 VERIFY(32)', 0x0a, forms[32]],
] as const)('%s', (name, code, cdb) => {
  test(`${name}: BYTCHK 0 takes no data and reads the medium`, async () => {
    const { initiator, volume } = fresh();
    expect((await initiator.send(cdb(code, 0, 2), pattern(1024))).status).toBe(0);
    expect(volume.calls).toEqual(['read 0+1024']);
  });

  test(`${name}: BYTCHK 1 compares, and a miscompare says at which byte`, async () => {
    const { initiator } = fresh();
    const data = pattern(1024);
    await initiator.send(forms[10](0x2a, 8, 2), data);
    expect((await initiator.send(cdb(code, 8, 2, 0x02), data)).status).toBe(0);
    data[700] = data[700]! ^ 1;
    const { sense, senseData } = await initiator.send(cdb(code, 8, 2, 0x02), data);
    expect([sense, senseData[0], senseData.readUInt32BE(3)]).toEqual(['e/1d/00', 0xf0, 700]);
  });

  test(`${name}: BYTCHK 3 compares each block with one, BYTCHK 2 is refused`, async () => {
    const { initiator } = fresh();
    await initiator.send(forms[10](0x2a, 0, 1), pattern(512));
    expect((await initiator.send(cdb(code, 0, 1, 0x06), pattern(512))).status).toBe(0);
    expect((await initiator.send(cdb(code, 0, 2, 0x06), pattern(512))).sense).toBe('e/1d/00');
    expect((await initiator.send(cdb(code, 0, 1, 0x04))).sense).toBe('5/24/00');
  });
});

test.each([
  ['SCSI-2 9.2.13 REZERO UNIT', [0x01], ''],
  ['SCSI-2 9.2.15 SEEK(6)', [0x0b, 0, 0x07, 0xff], ''],
  ['SCSI-2 9.2.15 SEEK(6)', [0x0b, 0, 0x08, 0x00], '5/21/00'],
  ['SCSI-2 9.2.15 SEEK(10)', [0x2b, 0, 0, 0, 0x07, 0xff], ''],
  ['SCSI-2 9.2.15 SEEK(10)', [0x2b, 0, 0, 0, 0x08, 0x00], '5/21/00'],
])('%s: %j is answered with sense %j and moves nothing', async (_name, cdb, sense) => {
  expect((await fresh().initiator.send(cdb)).sense).toBe(sense);
});

test('SBC-3 5.29 VERIFY(10): a long range is read in bounded pieces', async () => {
  const volume = memoryVolume(3 * 1024 * 1024 + 512);
  const { initiator } = fresh({}, volume);
  await initiator.send(forms[10](0x2f, 0, 6145));
  expect(volume.calls).toEqual(['read 0+1048576', 'read 1048576+1048576', 'read 2097152+1048576', 'read 3145728+512']);
});

test.each([
  ['SBC-3 5.37 WRITE AND VERIFY(10)', 0x2e, forms[10]],
  ['SBC-3 5.38 WRITE AND VERIFY(12)', 0xae, forms[12]],
  ['SBC-3 5.39 WRITE AND VERIFY(16)', 0x8e, forms[16]],
  ['SBC-3 5.40 WRITE AND VERIFY(32)', 0x0c, forms[32]],
])('%s: writes to the medium, then reads it back', async (_name, code, cdb) => {
  const { initiator, volume } = fresh();
  expect((await initiator.send(cdb(code, 1, 2, 0x02), pattern(1024))).status).toBe(0);
  expect(volume.calls).toEqual(['write 512+1024 durable', 'read 512+1024']);
});

test.each([
  ['SBC-3 5.26 SYNCHRONIZE CACHE(10)', 0x35, forms[10]],
  ['SBC-3 5.27 SYNCHRONIZE CACHE(16)', 0x91, forms[16]],
])('%s: flushes, and is out of range behind the end', async (_name, code, cdb) => {
  const { initiator, volume } = fresh();
  expect((await initiator.send(cdb(code, 0, 0))).status).toBe(0);
  expect(volume.calls).toEqual(['flush']);
  expect((await initiator.send(cdb(code, end, 1))).sense).toBe('5/21/00');
});

test('SBC-3 4.4 WRITE(10): blocks of 4096 bytes', async () => {
  const { initiator, volume } = fresh({ block_size: 4096 });
  await initiator.send(forms[10](0x2a, 2, 1), pattern(4096));
  expect(volume.calls).toEqual(['write 8192+4096']);
  expect((await initiator.send(forms[10](0x28, blocks / 8, 1))).sense).toBe('5/21/00');
});

test.each([
  ['SBC-3 5.8 PRE-FETCH(10)', 0x34, forms[10]],
  ['SBC-3 5.9 PRE-FETCH(16)', 0x90, forms[16]],
])('%s: GOOD on the medium, out of range behind it', async (_name, code, cdb) => {
  const { initiator } = fresh();
  expect((await initiator.send(cdb(code, 0, 8, 0x02))).status).toBe(0);
  expect((await initiator.send(cdb(code, end, 1))).sense).toBe('5/21/00');
});

test('SBC-3 5.17 READ DEFECT DATA(10), SBC-3 5.18 READ DEFECT DATA(12): empty lists of the kind asked for', async () => {
  const { initiator } = fresh();
  expect((await initiator.send([0x37, 0, 0x1d, 0, 0, 0, 0, 0, 255])).data.toString('hex')).toBe('001d0000');
  expect((await initiator.send([0xb7, 0x0d, 0, 0, 0, 0, 0, 0, 0, 255])).data.toString('hex')).toBe('000d000000000000');
});

test('SBC-3 5.10 PREVENT ALLOW MEDIUM REMOVAL: accepted, with no medium to remove', async () => {
  expect((await fresh().initiator.send([0x1e, 0, 0, 0, 1])).status).toBe(0);
});
