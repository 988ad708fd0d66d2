// Requests to the NBD server, and what they do to the logical unit. Not tested here: the handshake, speed.

import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sense } from '../../src/scsi/sense.ts';
import { logicalUnitReset } from '../../src/scsi/task-management.ts';
import { reportToAll } from '../../src/scsi/unit-attention.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';

import { faultyVolume } from '../support/faulty-volume.ts';
import { logicalUnit, pattern, ScsiInitiator } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { nbdTarget, RawClient } from '../support/nbd-target.ts';
import { slowVolume } from '../support/slow-volume.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const [READ, WRITE, DISCONNECT, FLUSH, TRIM, CACHE, ZEROES, STATUS] = [0, 1, 2, 3, 4, 5, 6, 7];
const [FUA, NO_HOLE, REQ_ONE, FAST_ZERO] = [1, 2, 8, 16];
const size = 1024 * 1024;

const thin = () => logicalUnit({ attributes: { emulate_tpu: 1, emulate_tpws: 1 } });

async function client(units = [logicalUnit()]) {
  const target = nbdTarget(units);
  return { ...target, client: await target.connect().enter() };
}

test('written data is read, at any offset and length', async () => {
  const { client: one, volume } = await client();
  for (const [offset, length] of [
    [0, 4096],
    [512, 512],
    [3, 1000],
    [100, 7],
    [4000, 200],
    [511, 2],
    [size - 1, 1],
    [1000, 100_000],
  ] as const) {
    const data = pattern(length, offset);
    const before = Buffer.from(volume.bytes);
    expect(await one.request(WRITE, offset, length, data)).toMatchObject({ error: 0, chunks: [0] });
    data.copy(before, offset);
    expect(before.equals(volume.bytes)).toBe(true);
    expect(data.equals((await one.request(READ, offset, length)).data)).toBe(true);
  }
});

test('parts of one block that clients write at once all stay', async () => {
  const target = nbdTarget();
  const clients = await Promise.all(Array.from({ length: 8 }, () => target.connect().enter()));
  await Promise.all(clients.map((one, i) => one.request(WRITE, i * 64, 64, Buffer.alloc(64, i + 1))));
  expect([...new Set(target.volume.bytes.subarray(0, 512))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('more than one command takes is cut at MAXIMUM TRANSFER LENGTH', async () => {
  const { client: one, volume } = await client([
    logicalUnit({ attributes: { hw_max_sectors: 8, max_write_same_len: 8 } }),
  ]);
  const data = pattern(20_000, 3);
  await one.request(WRITE, 512, data.length, data);
  expect(data.equals((await one.request(READ, 512, data.length)).data)).toBe(true);
  await one.request(ZEROES, 512, 20_000);
  expect(volume.bytes.subarray(512, 20_512).every((byte) => byte === 0)).toBe(true);
});

test('FUA is on the medium when it is answered; FLUSH flushes', async () => {
  const { client: one, volume } = await client();
  await one.request(WRITE, 0, 512, Buffer.alloc(512, 1), FUA);
  await one.request(FLUSH, 0, 0);
  await one.request(ZEROES, 0, 512, undefined, FUA);
  expect(volume.calls).toEqual(['write 0+512 durable', 'flush', 'zeroes 0+512', 'flush']);
});

test('where FUA is not offered, a flush does for it', async () => {
  const { client: one, volume } = await client([logicalUnit({ attributes: { emulate_fua_write: 0 } })]);
  await one.request(WRITE, 0, 512, Buffer.alloc(512, 1), FUA);
  expect(volume.calls).toEqual(['write 0+512', 'flush']);
});

test('TRIM unmaps the blocks that lie in its range, and WRITE_ZEROES may unless NO_HOLE', async () => {
  const { client: one, volume } = await client([thin()]);
  volume.bytes.fill(9);
  await one.request(TRIM, 100, 2000);
  await one.request(ZEROES, 4096, 4096);
  await one.request(ZEROES, 8192, 4096, undefined, NO_HOLE | FAST_ZERO);
  expect(volume.calls).toEqual(['discard 512+1536', 'discard 4096+4096', 'zeroes 8192+4096']);
  await one.request(ZEROES, 20_001, 10);
  expect([...volume.bytes.subarray(20_000, 20_012)]).toEqual([9, ...Array(10).fill(0), 9]);
});

test('BLOCK_STATUS tells holes from data, in one extent when asked', async () => {
  const { client: one, volume } = await client();
  volume.bytes.fill(1, 4096, 8192);
  const status = async (offset: number, length: number, flags?: number) => {
    const { data } = await one.request(STATUS, offset, length, undefined, flags);
    return Array.from({ length: data.length / 8 }, (_, i) => [data.readUInt32BE(i * 8), data.readUInt32BE(i * 8 + 4)]);
  };
  expect(await status(0, size)).toEqual([
    [4096, 3],
    [4096, 0],
    [size - 8192, 3],
  ]);
  expect(await status(4100, 100_000, REQ_ONE)).toEqual([[4092, 0]]);
  expect(await status(4100, 10)).toEqual([[10, 0]]);
});

test('a SCSI device that answers for itself gets READ and WRITE, and nothing that it may not have', async () => {
  const asked: string[] = [];
  const passThrough = async (cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number) => {
    asked.push(`${Buffer.from(cdb).toString('hex')} ${dataOut.length} ${dataInMax}`);
    return { status: 0, sense: new Uint8Array(), dataIn: Buffer.alloc(dataInMax, 7) };
  };
  const { client: one } = await client([
    logicalUnit({ volume: memoryVolume(size, { passThrough }), attributes: { emulate_caw: 0 } }),
  ]);
  expect((await one.request(READ, 512, 1024)).data).toEqual(Buffer.alloc(1024, 7));
  expect(await one.request(WRITE, 512, 512, Buffer.alloc(512))).toMatchObject({ error: 0 });
  expect(await one.request(ZEROES, 512, 512)).toMatchObject({ error: 22 });
  expect(await one.request(READ, 3, 10)).toMatchObject({ error: 22 });
  expect(asked).toEqual(['88000000000000000001000000020000 0 1024', '8a000000000000000001000000010000 512 0']);
});

test('CACHE is accepted', async () => {
  const { client: one } = await client();
  expect(await one.request(CACHE, 5, 1000)).toMatchObject({ error: 0 });
});

describe('errors', () => {
  const [EPERM, EIO, EINVAL, ENOSPC, EOVERFLOW] = [1, 5, 22, 28, 75];
  const failing = (code: string) => {
    const unit = logicalUnit();
    unit.lu.volume = faultyVolume(unit.volume, () => code);
    return unit;
  };

  test('of requests: the connection goes on', async () => {
    const { client: one } = await client();
    expect(await one.request(READ, size - 512, 1024)).toMatchObject({ error: EINVAL, data: Buffer.alloc(0) });
    expect(await one.request(WRITE, size, 512, Buffer.alloc(512))).toMatchObject({ error: ENOSPC });
    expect(await one.request(WRITE, 2 ** 60, 512, Buffer.alloc(512))).toMatchObject({ error: ENOSPC });
    expect(await one.request(READ, 0, 2 ** 32 - 1)).toMatchObject({ error: EOVERFLOW });
    expect(await one.request(TRIM, 0, 512)).toMatchObject({ error: EINVAL });
    expect(await one.request(READ, 0, 512, undefined, FUA)).toMatchObject({ error: EINVAL });
    expect(await one.request(77, 0, 512)).toMatchObject({ error: EINVAL });
    expect(await one.request(WRITE, 0, 33 << 20, Buffer.alloc(33 << 20))).toMatchObject({ error: EOVERFLOW });
    expect(await one.request(READ, 0, 512)).toMatchObject({ error: 0 });
  });

  test.each([
    ['EIO', EIO],
    ['ENOSPC', ENOSPC],
    ['EDQUOT', ENOSPC],
    ['EROFS', EPERM],
    ['ENXIO', EIO],
  ])('of the medium: %s on a write is %i', async (code, error) => {
    const { client: one } = await client([failing(code)]);
    expect(await one.request(WRITE, 0, 512, Buffer.alloc(512))).toMatchObject({ error });
  });

  test('of the medium: a read that fails is EIO', async () => {
    const { client: one } = await client([failing('EIO')]);
    expect(await one.request(READ, 0, 512)).toMatchObject({ error: EIO, chunks: [2 ** 15 + 1] });
  });

  test('a write-protected LUN says so, and refuses', async () => {
    const unit = logicalUnit();
    const target = nbdTarget([unit]);
    const early = await target.connect().enter();
    Object.assign(target.initiator.view, { writeProtected: true });
    expect(await early.request(WRITE, 0, 512, Buffer.alloc(512))).toMatchObject({ error: EPERM });
    const later = await target.connect().enter();
    expect(await later.request(ZEROES, 0, 512)).toMatchObject({ error: EPERM });
    expect(await later.request(READ, 0, 512)).toMatchObject({ error: 0 });
  });

  test("another initiator's reservation holds here too", async () => {
    const { client: one, lu } = await client();
    const other = new ScsiInitiator(lu, 'other').login();
    expect(await other.send([0x16])).toMatchObject({ status: 0 });
    expect(await one.request(WRITE, 0, 512, Buffer.alloc(512))).toMatchObject({ error: EPERM });
    expect(await other.send([0x17])).toMatchObject({ status: 0 });
    expect(await one.request(WRITE, 0, 512, Buffer.alloc(512))).toMatchObject({ error: 0 });
  });
});

test('unit attentions are taken note of, and the command runs', async () => {
  const { client: one, lu } = await client();
  reportToAll(lu, sense.capacityDataChanged);
  reportToAll(lu, sense.busDeviceReset);
  expect(await one.request(READ, 0, 512)).toMatchObject({ error: 0 });
});

test('a command that a reset by another initiator ends is sent again', async () => {
  const unit = logicalUnit();
  const slow = slowVolume(unit.volume);
  unit.lu.volume = slow.volume;
  const { client: one, lu } = await client([unit]);
  const writing = one.request(WRITE, 0, 512, Buffer.alloc(512, 7));
  await expect.poll(() => slow.waiting).toEqual(['write 0+512']);
  const other = new ScsiInitiator(lu, 'other').login();
  const reset = logicalUnitReset(other.nexus, 0);
  slow.release(0);
  await reset;
  await expect.poll(() => slow.waiting).toEqual(['write 0+512']);
  slow.releaseAll();
  expect(await writing).toMatchObject({ error: 0 });
});

test('requests are answered as they end, not as they came', async () => {
  const unit = logicalUnit();
  const slow = slowVolume(unit.volume);
  unit.lu.volume = slow.volume;
  const { client: one } = await client([unit]);
  const first = await one.sendRequest(WRITE, 0, 512, Buffer.alloc(512));
  const second = await one.sendRequest(WRITE, 512, 512, Buffer.alloc(512));
  await expect.poll(() => slow.waiting.length).toBe(2);
  slow.release(1);
  expect((await one.channel.exactly(20)).readBigUInt64BE(8)).toBe(BigInt(second));
  slow.releaseAll();
  expect((await one.channel.exactly(20)).readBigUInt64BE(8)).toBe(BigInt(first));
});

test('a client that leaves while requests run loses nothing that it sent', async () => {
  const unit = logicalUnit();
  const slow = slowVolume(unit.volume);
  unit.lu.volume = slow.volume;
  const { client: one } = await client([unit]);
  await one.sendRequest(WRITE, 0, 512, Buffer.alloc(512, 5));
  await one.sendRequest(DISCONNECT, 0, 0);
  await expect.poll(() => slow.waiting.length).toBe(1);
  slow.releaseAll();
  expect((await one.channel.exactly(20)).readUInt16BE(6)).toBe(0);
  await expect(one.channel.exactly(1)).rejects.toThrow();
  expect(unit.volume.bytes[0]).toBe(5);
});

test('a malformed request ends its connection, and no other', async () => {
  const target = nbdTarget();
  const [bad, good] = [await target.connect().enter(), await target.connect().enter()];
  await bad.channel.send(Buffer.alloc(28, 0xff));
  await expect(bad.channel.exactly(1)).rejects.toThrow();
  expect(await good.request(FLUSH, 0, 0)).toMatchObject({ error: 0 });
  expect(target.logged).toEqual([]);
});

test('a client that says nothing more has its answers all the same', async () => {
  const path = join(temporaryDirectory(), 'nbd');
  const slow = slowVolume(memoryVolume(size, { readNow: undefined }));
  const unit = logicalUnit();
  unit.lu.volume = slow.volume;
  const { server } = nbdTarget([unit], path);
  await server.open();
  onTestFinished(() => server.close());
  const socket = connect({ path, allowHalfOpen: true });
  const client = await new RawClient(new ByteChannel(socket)).enter();
  await client.sendRequest(READ, 0, 4096);
  await expect.poll(() => slow.waiting.length > 0).toBe(true);
  socket.end();
  await once(socket, 'finish');
  // The server has heard of the end before the disk answers.
  await new Promise((resolve) => setImmediate(resolve));
  slow.releaseAll();
  expect((await client.channel.exactly(20 + 8 + 4096)).length).toBe(4124);
  await client.channel.closed;
});
