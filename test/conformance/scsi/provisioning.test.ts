/** WRITE SAME, UNMAP and GET LBA STATUS on a volume in memory. */

import { describe, expect, test } from 'vitest';
import { forms } from '../../support/block-cdb.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const blocks = 2048;
const end = blocks;

function fresh(attributes: Record<string, number> = {}, volume = memoryVolume(blocks * 512)) {
  const { lu } = logicalUnit({ volume, attributes });
  return { volume, initiator: new ScsiInitiator(lu).login() };
}

describe.each([
  ['SBC-3 5.43 WRITE SAME(10)', 0x41, forms[10]],
  ['SBC-3 5.44 WRITE SAME(16)', 0x93, forms[16]],
  ['SBC-3 5.45 WRITE SAME(32)', 0x0d, forms[32]],
] as const)('%s', (name, code, cdb) => {
  test(`${name}: every block of the range gets the one that came`, async () => {
    const { initiator, volume } = fresh();
    const block = pattern(512);
    expect((await initiator.send(cdb(code, 2, 3), block)).status).toBe(0);
    const expected = Buffer.concat([Buffer.alloc(1024), block, block, block, Buffer.alloc(512)]);
    expect(Buffer.compare(volume.bytes.subarray(0, 6 * 512), expected)).toBe(0);
  });

  test(`${name}: no blocks (WSNZ), too many blocks, and more data than a block are refused`, async () => {
    const { initiator } = fresh({ max_write_same_len: 16 });
    expect((await initiator.send(cdb(code, 0, 0), pattern(512))).sense).toBe('5/24/00');
    expect((await initiator.send(cdb(code, 0, 17), pattern(512))).sense).toBe('5/24/00');
    expect((await initiator.send(cdb(code, 0, 1), pattern(1024))).sense).toBe('5/24/00');
  });

  test(`${name}: UNMAP is refused without emulate_tpws; with it zeros are discarded and other data is written`, async () => {
    const unmap = cdb(code, 0, 2, 0x08);
    expect((await fresh().initiator.send(unmap, Buffer.alloc(512))).sense).toBe('5/24/00');
    const { initiator, volume } = fresh({ emulate_tpws: 1 });
    await initiator.send(unmap, Buffer.alloc(512));
    await initiator.send(unmap, pattern(512));
    expect(volume.calls).toEqual(['discard 0+1024', 'write 0+1024']);
  });
});

test('SBC-3 5.44 WRITE SAME(16): NDOB takes no data and writes zeros', async () => {
  const { initiator, volume } = fresh({ emulate_write_cache: 0 });
  volume.bytes.fill(1);
  expect((await initiator.send(forms[16](0x93, 1, 1, 0x01))).status).toBe(0);
  expect(volume.calls).toEqual(['zeroes 512+512', 'flush']);
});

test('SBC-3 5.43 WRITE SAME(10): a long range is written in bounded pieces', async () => {
  const volume = memoryVolume(4096 * 512);
  const { initiator } = fresh({}, volume);
  await initiator.send(forms[10](0x41, 0, 4096), pattern(512));
  expect(volume.calls).toEqual(['write 0+1048576', 'write 1048576+1048576']);
});

describe('SBC-3 5.28 UNMAP', () => {
  const cdb = (length: number) => [0x42, 0, 0, 0, 0, 0, 0, ...be(length, 2), 0];
  const list = (...ranges: [lba: number, blocks: number][]) =>
    Buffer.from([
      ...be(6 + ranges.length * 16, 2),
      ...be(ranges.length * 16, 2),
      ...be(0, 4),
      ...ranges.flatMap(([lba, count]) => [...be(lba, 8), ...be(count, 4), ...be(0, 4)]),
    ]);
  const send = (initiator: ScsiInitiator, data: Buffer) => initiator.send(cdb(data.length), data);
  const thin = { emulate_tpu: 1, max_unmap_block_desc_count: 2, max_unmap_lba_count: 16 };

  test('SBC-3 5.28 UNMAP: every range is discarded', async () => {
    const { initiator, volume } = fresh(thin);
    expect((await send(initiator, list([0, 4], [100, 8]))).status).toBe(0);
    expect(volume.calls).toEqual(['discard 0+2048', 'discard 51200+4096']);
  });

  test.each([
    ['more descriptors than the limit', list([0, 1], [1, 1], [2, 1]), '5/26/00'],
    ['more blocks than the limit', list([0, 9], [9, 8]), '5/26/00'],
    ['a range beyond the end', list([0, 1], [end, 1]), '5/21/00'],
    ['a header that is cut', list([0, 1]).subarray(0, 7), '5/1a/00'],
    ['a descriptor that is cut', list([0, 1]).subarray(0, 20), '5/1a/00'],
  ])('SBC-3 5.28 UNMAP: %s is refused, and nothing is discarded', async (_what, data, sense) => {
    const { initiator, volume } = fresh(thin);
    expect((await send(initiator, data)).sense).toBe(sense);
    expect(volume.calls).toEqual([]);
  });

  test('SBC-3 5.28 UNMAP: no parameter list is no error', async () => {
    expect((await fresh(thin).initiator.send(cdb(0))).status).toBe(0);
  });

  test('SBC-3 4.7.3 UNMAP: not there without emulate_tpu, nor on a volume that cannot discard', async () => {
    expect((await send(fresh().initiator, list([0, 1]))).sense).toBe('5/20/00');
    const { initiator } = fresh(thin, memoryVolume(blocks * 512, { discard: undefined }));
    expect((await send(initiator, list([0, 1]))).sense).toBe('5/20/00');
  });
});

describe('SBC-3 5.4 GET LBA STATUS', () => {
  const cdb = (lba: number, allocation = 255) => [0x9e, 0x12, ...be(lba, 8), ...be(allocation, 4)];
  const descriptors = (data: Buffer) =>
    Array.from({ length: (data.readUInt32BE(0) - 4) / 16 }, (_, i) => data.subarray(8 + 16 * i, 24 + 16 * i)).map(
      (d) => [Number(d.readBigUInt64BE(0)), d.readUInt32BE(8), d[12]],
    );

  test('SBC-3 5.4 GET LBA STATUS: extents from the address on, mapped and deallocated', async () => {
    const { initiator } = fresh();
    await initiator.send(forms[10](0x2a, 4, 2), pattern(1024));
    expect(descriptors((await initiator.send(cdb(1))).data)).toEqual([
      [1, 3, 1],
      [4, 2, 0],
      [6, blocks - 6, 1],
    ]);
    expect(descriptors((await initiator.send(cdb(1, 24))).data)).toEqual([[1, 3, 1]]);
  });

  test('SBC-3 5.4 GET LBA STATUS: a block that is a hole only in part is mapped', async () => {
    const { volume, initiator } = fresh({ block_size: 1024 });
    volume.bytes.set(pattern(512), 1024 + 512);
    expect(descriptors((await initiator.send(cdb(0, 40))).data)).toEqual([
      [0, 1, 1],
      [1, 1, 0],
    ]);
  });

  test('SBC-3 5.4 GET LBA STATUS: all mapped where the volume cannot tell; behind the end it is out of range', async () => {
    const { initiator } = fresh({}, memoryVolume(blocks * 512, { extentAt: undefined }));
    expect(descriptors((await initiator.send(cdb(8))).data)).toEqual([[8, blocks - 8, 0]]);
    expect((await initiator.send(cdb(end))).sense).toBe('5/21/00');
  });
});
