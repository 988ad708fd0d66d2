// The handshake of the NBD server, byte by byte. Not tested here: requests (transmission.test.ts), sockets (test/e2e).

import { expect, test } from 'vitest';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { counted, hello, nbdTarget, type OptionReply, u16, u32 } from '../support/nbd-target.ts';

const error = (code: number) => 2 ** 31 + code;
const types = (replies: OptionReply[]) => replies.map(({ type }) => type);
/** INFO or GO for `name`, asking for the information types `wanted`. */
const info = (name: string, ...wanted: number[]) =>
  Buffer.concat([counted(name), u16(wanted.length), ...wanted.map(u16)]);
const query = (name: string, ...queries: string[]) =>
  Buffer.concat([counted(name), u32(queries.length), ...queries.map(counted)]);

test('the server speaks first: fixed newstyle', async () => {
  expect(await nbdTarget().connect().greet()).toBe(hello);
});

test('flags that the server did not offer end the connection', async () => {
  const client = nbdTarget().connect();
  await client.greet(0x80000003);
  await expect(client.channel.exactly(1)).rejects.toThrow();
});

test('LIST names every export with what stands behind it', async () => {
  const client = nbdTarget([logicalUnit(), logicalUnit({ name: 'disk1' })]).connect();
  await client.greet();
  const replies = await client.option(3);
  expect(types(replies)).toEqual([2, 2, 1]);
  expect(replies[1]!.data.toString('latin1')).toBe('\0\0\0\u0004lun1/backstores/fileio/disk1');
});

test('GO tells size and flags, and what else was asked for', async () => {
  const client = nbdTarget([logicalUnit({ attributes: { emulate_tpu: 1 } })]).connect();
  await client.greet();
  const [about, name, description, sizes, ack] = await client.option(7, info('lun0', 1, 2, 3));
  expect(about!.data.toString('hex')).toBe('0000' + '0000000000100000' + '0d7d');
  expect(name!.data.toString('latin1')).toBe('\0\u0001lun0');
  expect(description!.data.toString('latin1')).toBe('\0\u0002/backstores/fileio/disk0');
  expect(sizes!.data.toString('hex')).toBe('0003' + '00000001' + '00001000' + '02000000');
  expect(ack).toMatchObject({ type: 1 });
  await client.sendRequest(3, 0, 0);
  // Without structured replies: the simple one.
  expect((await client.channel.exactly(16)).toString('hex')).toBe('67446698' + '00000000' + '0000000000000001');
});

test('INFO tells the same and stays in the handshake; the empty name is the first export', async () => {
  const client = nbdTarget().connect();
  await client.greet();
  expect(types(await client.option(6, info('')))).toEqual([3, 1]);
  expect(types(await client.option(6, info('lun9')))).toEqual([error(6)]);
  expect(types(await client.option(7, info('lun0')))).toEqual([3, 1]);
});

test.each([
  [3, '', 10],
  [1, 'zeroes', 134],
])('EXPORT_NAME answers client flags %i with %s and %i bytes', async (flags, _word, length) => {
  const client = nbdTarget().connect();
  await client.greet(flags);
  await client.sendOption(1, Buffer.from('lun0'));
  const answer = await client.channel.exactly(length);
  expect(answer.readBigUInt64BE(0)).toBe(1048576n);
  expect(answer.subarray(10).every((byte) => byte === 0)).toBe(true);
  await client.sendRequest(3, 0, 0);
  expect((await client.channel.exactly(16)).readUInt32BE(0)).toBe(0x67446698);
});

test('EXPORT_NAME of what is not there ends the connection, as it cannot be refused', async () => {
  const client = nbdTarget().connect();
  await client.greet();
  await client.sendOption(1, Buffer.from('other'));
  await expect(client.channel.exactly(1)).rejects.toThrow();
});

test('metadata contexts need structured replies; base:allocation is the one there is', async () => {
  const client = nbdTarget().connect();
  await client.greet();
  expect(types(await client.option(10, query('lun0', 'base:allocation')))).toEqual([error(3)]);
  expect(types(await client.option(8))).toEqual([1]);
  expect(types(await client.option(9, query('lun0')))).toEqual([4, 1]);
  expect(types(await client.option(9, query('lun0', 'base:')))).toEqual([4, 1]);
  expect(types(await client.option(9, query('lun0', 'qemu:dirty-bitmap:x')))).toEqual([1]);
  expect(types(await client.option(10, query('lun0', 'base:')))).toEqual([1]);
  expect(types(await client.option(10, query('lun9', 'base:allocation')))).toEqual([error(6)]);
  const [context] = await client.option(10, query('lun0', 'qemu:x', 'base:allocation'));
  expect(context!.data.toString('latin1')).toBe('\0\0\0\u0001base:allocation');
});

test('options that are unknown, too long or malformed are refused, and the handshake goes on', async () => {
  const client = nbdTarget().connect();
  await client.greet();
  expect(types(await client.option(99, Buffer.alloc(100)))).toEqual([error(1)]);
  expect(types(await client.option(5))).toEqual([error(1)]);
  expect(types(await client.option(3, Buffer.alloc(70_000)))).toEqual([error(9)]);
  expect(types(await client.option(3, Buffer.alloc(1)))).toEqual([error(3)]);
  expect(types(await client.option(7, u32(0xffffffff)))).toEqual([error(3)]);
  expect(types(await client.option(7, Buffer.concat([counted('lun0'), u16(60000)])))).toEqual([error(3)]);
  expect(types(await client.option(7, Buffer.concat([info('lun0'), u16(1)])))).toEqual([error(3)]);
  expect(types(await client.option(9, Buffer.concat([counted('lun0'), u32(0xffffffff)])))).toEqual([error(3)]);
  expect(types(await client.option(7, info('lun0')))).toEqual([3, 1]);
});

test('ABORT is acknowledged and ends the connection', async () => {
  const client = nbdTarget().connect();
  await client.greet();
  expect(types(await client.option(2))).toEqual([1]);
  await expect(client.channel.exactly(1)).rejects.toThrow();
});

test('an export without a medium is not given out', async () => {
  const unit = logicalUnit();
  unit.lu.volume = undefined;
  const client = nbdTarget([unit]).connect();
  await client.greet();
  expect(types(await client.option(7, info('lun0')))).toEqual([error(6)]);
});

test('a client of another medium loses its connection; settings change under it, and write protection is refused then', async () => {
  const target = nbdTarget();
  const client = await target.connect().enter();
  target.lu.attributes.set('is_nonrot', 1);
  target.lu.attributes.set('emulate_caw', 0);
  Object.assign(target.initiator.view, { writeProtected: true });
  target.server.refresh();
  expect(await client.request(3, 0, 0)).toMatchObject({ error: 0 });
  expect(await client.request(1, 0, 512, Buffer.alloc(512))).toMatchObject({ error: 1 });
  Object.assign(target.lu, { volume: memoryVolume(1 << 20) });
  target.server.refresh();
  await expect(client.channel.exactly(1)).rejects.toThrow();
});

test('a serial number names the disk, whatever its LUN, and is not listed', async () => {
  const { lu, connect } = nbdTarget();
  const client = connect();
  await client.greet();
  expect((await client.option(3)).map(({ data }) => data.toString()).join()).not.toContain(lu.wwn);
  expect(types(await client.option(7, info('another')))).toEqual([error(6)]);
  expect(types(await client.option(7, info(lu.wwn))).at(-1)).toBe(1);
});

test('a client of an export that was resized goes on with the size that it knows, and is refused what is not there; the next one learns the new size', async () => {
  const target = nbdTarget();
  const client = await target.connect().enter();
  for (const size of [4096, 2 << 20]) {
    Object.assign(target.volume, { size });
    target.server.refresh();
    expect(await client.request(0, 0, 512)).toMatchObject({ error: 0 });
    const next = target.connect();
    await next.greet();
    const about = (await next.option(6, info('lun0'))).find(
      ({ type, data }) => type === 3 && data.readUInt16BE(0) === 0,
    );
    expect(about?.data.readBigUInt64BE(2)).toBe(BigInt(size));
    // EINVAL for a read, ENOSPC for a write: within what it knows, and beyond the end.
    const beyond = size < 1 << 20 ? [22, 28] : [0, 0];
    expect((await client.request(0, 8192, 512)).error).toBe(beyond[0]);
    expect((await client.request(1, 8192, 512, Buffer.alloc(512))).error).toBe(beyond[1]);
    expect((await client.request(0, 1 << 20, 512)).error).toBe(22);
  }
});
