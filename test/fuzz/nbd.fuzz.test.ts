// Hostile NBD, seeded: clients beside one that must never notice, and servers. It does not test what the answers say.

import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NbdConnection } from '../../src/backstore/nbd-connection.ts';
import { shakeHands } from '../../src/backstore/nbd-handshake.ts';
import { taskSet } from '../../src/scsi/task-set.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';
import { logicalUnit, pattern } from '../support/logical-unit.ts';
import { counted, nbdTarget, type RawClient, u16, u32, u64 } from '../support/nbd-target.ts';

const seed = 10809;
const size = 1024 * 1024;

const length = fc.oneof(fc.nat(600), fc.nat(2 * size), fc.constantFrom(0, 0xffffffff, 0x80000000, 32 << 20));
const data = fc.uint8Array({ maxLength: 300 });
const name = fc.oneof(fc.constantFrom('lun0', '', 'lun1', '__proto__'), fc.string({ maxLength: 20 }));
const query = fc.tuple(name, fc.array(name, { maxLength: 3 }), fc.nat(4));

const option = fc
  .record({
    magic: fc.oneof({ weight: 9, arbitrary: fc.constant('IHAVEOPT') }, fc.constant('IHAVEOPS')),
    code: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.nat()),
    body: fc.oneof(
      data,
      name.map(counted),
      query.map(([one, more]) => Buffer.concat([counted(one), u16(more.length), ...more.map(() => u16(3))])),
      query.map(([one, more, lie]) => Buffer.concat([counted(one), u32(more.length + lie), ...more.map(counted)])),
    ),
    lie: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, length),
  })
  .map(({ magic, code, body, lie }) => Buffer.concat([Buffer.from(magic), u32(code), u32(body.length + lie), body]));

const request = fc
  .record({
    magic: fc.oneof({ weight: 9, arbitrary: fc.constant(0x25609513) }, fc.nat()),
    flags: fc.oneof(fc.constant(0), fc.nat(0xffff)),
    type: fc.oneof(fc.nat(9), fc.nat(0xffff)),
    offset: fc.oneof(fc.nat(2 * size), fc.constantFrom(0, size, 2 ** 52, 2 ** 53)),
    length,
    data,
    complete: fc.boolean(),
  })
  .map(({ magic, flags, type, offset, length, data, complete }) => {
    const body = type === 1 && complete && length < size ? Buffer.alloc(length, 0x2c) : data;
    return Buffer.concat([u32(magic), u16(flags), u16(type), u64(1), u64(offset), u32(length), body]);
  });

/** Ends what the client sends, and takes what comes until the server hangs up. */
async function over({ channel }: RawClient): Promise<void> {
  channel.end();
  await channel.discard(Number.MAX_SAFE_INTEGER).catch(() => {});
}

/** A target with a healthy client, and the check that it is still that. */
async function beside() {
  const healthyUnit = logicalUnit({ name: 'healthy' });
  const target = nbdTarget([logicalUnit({ attributes: { emulate_tpu: 1, emulate_tpws: 1 } }), healthyUnit]);
  const client = await target.connect().enter('lun1');
  healthyUnit.volume.bytes.set(pattern(512, 9));
  const healthy = async () => {
    const { error, data } = await client.request(0, 0, 512);
    expect([error, data.equals(pattern(512, 9))]).toEqual([0, true]);
    expect(target.logged).toEqual([]);
    await expect.poll(() => taskSet.of(target.lu).size).toBe(0);
  };
  return { target, healthy };
}

describe('hostile clients', () => {
  it('anything in the handshake', async () => {
    const { target, healthy } = await beside();
    const pieces = fc.array(fc.oneof(option, option, data), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(3), fc.nat()), pieces, async (flags, sent) => {
        const client = target.connect();
        await client.greet(flags);
        for (const piece of sent) void client.channel.send(piece);
        await over(client);
        await healthy();
      }),
      { seed, numRuns: 300 },
    );
  });

  it('anything instead of requests', async () => {
    const { target, healthy } = await beside();
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (sent) => {
        // The attacker writes to LUN 0; lun1 is the neighbour's.
        const client = await target.connect().enter();
        for (const piece of sent) void client.channel.send(piece);
        await over(client);
        await healthy();
      }),
      { seed, numRuns: 300 },
    );
    // Some of it was well formed.
    const calls = new Set(target.volume.calls.map((call) => call.split(' ')[0]));
    expect(calls).toEqual(new Set(['read', 'write', 'flush', 'discard', 'extent']));
  });
});

/** The two ends of a connection; what `bytes` says comes from the server, and then its end. */
function hostileServer(bytes: Uint8Array): ByteChannel {
  const [ours, theirs] = duplexPair();
  theirs.resume();
  theirs.end(bytes);
  return new ByteChannel(ours);
}

const greeting = Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), u16(3)]);
const optionReply = fc
  .record({
    option: fc.constantFrom(8, 10, 7, 1, 5, 99),
    type: fc.constantFrom(1, 3, 4, 2, 2 ** 31 + 1, 2 ** 31 + 5, 2 ** 31 + 6),
    body: fc.oneof(
      data,
      fc.constant(Buffer.concat([u16(0), u64(size), u16(0xd6d)])),
      fc.constant(Buffer.concat([u32(1), Buffer.from('base:allocation')])),
    ),
    lie: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, length),
  })
  .map(({ option: code, type, body, lie }) =>
    Buffer.concat([Buffer.from('0003e889045565a9', 'hex'), u32(code), u32(type), u32(body.length + lie), body]),
  );

const structured = fc
  .record({
    flags: fc.nat(3),
    type: fc.oneof(fc.constantFrom(0, 1, 2, 5, 0x8001, 0x8002), fc.nat(0xffff)),
    cookie: fc.integer({ min: 0, max: 5 }),
    body: fc.oneof(
      data,
      fc.tuple(fc.nat(8192), data).map(([at, more]) => Buffer.concat([u64(at), more])),
      fc.tuple(fc.nat(8192), fc.nat(8192)).map(([at, bytes]) => Buffer.concat([u64(at), u32(bytes)])),
      fc.constant(Buffer.concat([u32(1), u32(4096), u32(3)])),
    ),
    lie: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, length),
  })
  .map(({ flags, type, cookie, body, lie }) =>
    Buffer.concat([u32(0x668e33ef), u16(flags), u16(type), u64(cookie), u32(body.length + lie), body]),
  );
const simple = fc
  .record({ error: fc.oneof(fc.constantFrom(0, 5, 28, 108), fc.nat()), cookie: fc.nat(5), data })
  .map((reply) => Buffer.concat([u32(0x67446698), u32(reply.error), u64(reply.cookie), reply.data]));

describe('hostile servers', () => {
  it('a handshake ends, one way or the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(optionReply, data), { maxLength: 8 }), async (pieces) => {
        const channel = hostileServer(Buffer.concat([greeting, ...pieces]));
        const outcome = await shakeHands(channel, 'disk', 'allow', async (same) => same).then(
          ({ terms }) => terms.size,
          (error: Error) => error.message,
        );
        expect(['number', 'string']).toContain(typeof outcome);
      }),
      { seed, numRuns: 500 },
    );
  });

  it('every request is answered, and nothing is written beside its buffer', async () => {
    const terms = { size, flags: 0xd6d, minimumBlock: 1, maximumPayload: 32 << 20, allocationId: 1 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(structured, simple, data), { maxLength: 10 }), async (pieces) => {
        const connection = new NbdConnection(hostileServer(Buffer.concat(pieces)), terms);
        const memory = Buffer.alloc(3 * 4096, 0xee);
        const into = memory.subarray(4096, 8192);
        const requests = [
          connection.send({ type: 0, flags: 0, offset: 4096, length: 4096, into }),
          connection.send({ type: 1, flags: 0, offset: 0, length: 512, data: new Uint8Array(512) }),
          connection.send({ type: 7, flags: 0, offset: 0, length: 4096 }),
          connection.send({ type: 3, flags: 0, offset: 0, length: 0 }),
        ];
        await Promise.allSettled(requests);
        await connection.closed;
        expect(memory.subarray(0, 4096).every((byte) => byte === 0xee)).toBe(true);
        expect(memory.subarray(8192).every((byte) => byte === 0xee)).toBe(true);
      }),
      { seed, numRuns: 500 },
    );
  });
});
