/**
 * The common behaviour of volumes: each kind's test file runs this suite over its own volumes. Not tested here: the making of a volume
 * (settle, open, refusals), and speed.
 */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Volume } from '../../src/backstore/backstore.ts';
import type { needs } from '../support/needs.ts';

/** Bytes in the volume under test; not a multiple of any chunk or file system block. */
export const suiteBytes = 1024 * 1024 + 512 * 3;

/** Where the random operations happen: around the borders that implementations cut at. */
const range = fc
  .record({
    border: fc.constantFrom(0, 512, 4096, 65_536, 131_072, 524_288, suiteBytes),
    shift: fc.integer({ min: -5000, max: 5000 }),
    length: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 150_000 })),
  })
  .map(({ border, shift, length }) => {
    const position = Math.min(Math.max(0, border + shift), suiteBytes);
    return { position, length: Math.min(length, suiteBytes - position) };
  });

const operation = fc.record({
  kind: fc.constantFrom('read', 'readNow', 'write', 'writeNow', 'durable', 'discard', 'zero', 'flush'),
  range,
  fill: fc.integer({ min: 1, max: 255 }),
  /** Views into larger buffers, at odd offsets. */
  offset: fc.integer({ min: 0, max: 7 }),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** @param open a volume of `suiteBytes` that reads as zeros @param block bytes to which every position and length is a multiple */
function volumeSuite(open: () => Promise<Volume>, block = 1): void {
  const align = (n: number) => n - (n % block);
  const aligned = ({ position, length }: { position: number; length: number }) => ({
    position: align(position),
    length: Math.min(align(length), suiteBytes - align(position)),
  });
  let volume: Volume;
  beforeAll(async () => {
    volume = await open();
  });
  afterAll(() => volume.close().catch(() => undefined));

  const pattern = (length: number, fill: number, offset = 0) => {
    const view = new Uint8Array(length + 8).subarray(offset, offset + length);
    for (let i = 0; i < length; i += 1) view[i] = ((i * 31 + fill) % 255) + 1;
    return view;
  };
  const contents = async (position = 0, length = suiteBytes) => {
    const into = new Uint8Array(length).fill(0xee);
    await volume.read(into, position);
    return into;
  };
  const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

  test('a new volume has its size and reads as zeros', async () => {
    expect(volume.size).toBe(suiteBytes);
    expect((await contents()).every((byte) => byte === 0)).toBe(true);
  });

  test('any sequence of operations leaves what a plain buffer would hold', async () => {
    const model = new Uint8Array(await contents());
    const apply = async ({ kind, range, fill, offset }: Operation) => {
      const { position, length } = aligned(range);
      const from = pattern(length, fill, offset);
      const into = new Uint8Array(length + 8).subarray(offset, offset + length).fill(0xee);
      if (kind === 'flush') return volume.flush();
      if (kind === 'read' || kind === 'readNow') {
        if (kind === 'read' || !volume.readNow?.(into, position)) await volume.read(into, position);
        return expect(same(into, model.subarray(position, position + length))).toBe(true);
      }
      if (kind === 'discard') {
        if (!volume.discard || volume.discardLeavesAnything) return;
        await volume.discard(position, length);
        return void model.fill(0, position, position + length);
      }
      if (kind === 'zero') {
        if (!volume.writeZeroes) return;
        await volume.writeZeroes(position, length, fill % 2 === 0);
        return void model.fill(0, position, position + length);
      }
      if (kind !== 'writeNow' || !volume.writeNow?.(from, position, false))
        await volume.write(from, position, kind === 'durable');
      model.set(from, position);
    };
    const property = fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
      for (const one of operations) await apply(one);
      return same(await contents(), model);
    });
    await fc.assert(property, { numRuns: 30, seed: 1, endOnFailure: true });
  });

  test('the whole volume in one transfer, and nothing in one of length zero', async () => {
    const all = pattern(suiteBytes, 9);
    await volume.write(all, 0, false);
    expect(same(await contents(), all)).toBe(true);
    await volume.write(new Uint8Array(0), suiteBytes, true);
    await volume.read(new Uint8Array(0), suiteBytes);
    await volume.discard?.(suiteBytes, 0);
    await volume.writeZeroes?.(0, 0, true);
    expect(same(await contents(), all)).toBe(true);
  });

  test('beyond the end nothing is read, written or discarded: ERANGE', async () => {
    const before = await contents();
    const over = pattern(1024, 3);
    const beyond = [suiteBytes - 512, suiteBytes, -512];
    for (const position of beyond) {
      expect(volume.readNow?.(over, position) ?? false).toBe(false);
      expect(volume.writeNow?.(over, position, false) ?? false).toBe(false);
      await expect(volume.read(over, position)).rejects.toMatchObject({ code: 'ERANGE' });
      await expect(volume.write(over, position, false)).rejects.toMatchObject({ code: 'ERANGE' });
      if (volume.discard) await expect(volume.discard(position, 1024)).rejects.toMatchObject({ code: 'ERANGE' });
      if (volume.writeZeroes)
        await expect(volume.writeZeroes(position, 1024, true)).rejects.toMatchObject({ code: 'ERANGE' });
    }
    expect(same(await contents(), before)).toBe(true);
  });

  test('a smaller size is true at once, and what lies beyond it is back with the old one', async () => {
    if (!volume.resize) return expect(volume.resize).toBeUndefined();
    const before = await contents();
    // A size is one of whole sectors for some.
    const end = suiteBytes - 512 * 137;
    let late = 'in flight';
    void volume.write(before.subarray(end, end + 4096), end, false).then(() => {
      late = 'over';
    });
    const resized = volume.resize(end);
    expect(volume.size).toBe(end);
    await resized;
    expect(late).toBe('over');
    await expect(volume.read(new Uint8Array(4096), end - 2048)).rejects.toMatchObject({ code: 'ERANGE' });
    await volume.resize(suiteBytes);
    expect(same(await contents(), before)).toBe(true);
  });

  test('extents cover the volume in order, and those without data read as zeros', async () => {
    if (!volume.extentAt) return expect(volume.extentAt).toBeUndefined();
    await volume.writeZeroes?.(0, suiteBytes, true);
    await volume.write(pattern(131_072, 5), 262_144, false);
    let at = 0;
    let allocatedBytes = 0;
    while (at < suiteBytes) {
      const { allocated, end } = await volume.extentAt(at, suiteBytes);
      expect(end).toBeGreaterThan(at);
      expect(end).toBeLessThanOrEqual(suiteBytes);
      if (allocated) allocatedBytes += end - at;
      else expect((await contents(at, end - at)).every((byte) => byte === 0)).toBe(true);
      at = end;
    }
    expect(allocatedBytes).toBeGreaterThanOrEqual(131_072);
  });

  test('many transfers at once do not disturb one another', async () => {
    const pieces = Array.from({ length: 64 }, (_, i) => ({ position: i * 16_384, data: pattern(16_384, i) }));
    await Promise.all(pieces.map(({ position, data }, i) => volume.write(data, position, i % 8 === 0)));
    await volume.flush();
    const read = await Promise.all(pieces.map(({ position }) => contents(position, 16_384)));
    expect(read.every((data, i) => same(data, pieces[i]!.data))).toBe(true);
  });

  test('close lets I/O in flight end first; afterwards every call rejects', async () => {
    const data = pattern(262_144, 77);
    const into = new Uint8Array(512);
    const ended: string[] = [];
    const writes = [0, 262_144, 524_288].map((position) =>
      volume.write(data, position, true).then(() => ended.push('write')),
    );
    await volume.close().then(() => ended.push('close'));
    await Promise.all(writes);
    expect(ended).toEqual(['write', 'write', 'write', 'close']);
    expect(volume.readNow?.(into, 0) ?? false).toBe(false);
    expect(volume.writeNow?.(into, 0, false) ?? false).toBe(false);
    const late = [
      volume.read(into, 0),
      volume.write(into, 0, false),
      volume.flush(),
      volume.discard?.(0, 512),
      volume.writeZeroes?.(0, 512, true),
      volume.extentAt?.(0, 512),
      volume.space?.(),
      volume.close(),
    ];
    for (const call of late) if (call) await expect(call).rejects.toMatchObject({ code: 'EBADF' });
  });
}

/** The suite under a name, for what the machine has. */
export function describeVolume(
  name: string,
  needed: ReturnType<typeof needs>,
  open: () => Promise<Volume>,
  block = 1,
): void {
  describe(name, needed, () => volumeSuite(open, block));
}
