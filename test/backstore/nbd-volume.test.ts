// NBD servers that fall silent, that do not close, that say what no disk can be made of, and that come back as another
// one. Not tested here: servers that we did not write (user.test.ts).

import { createServer } from 'node:net';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Volume } from '../../src/backstore/backstore.ts';
import { openNbdConnection } from '../../src/backstore/nbd-connection.ts';
import { shakeHands } from '../../src/backstore/nbd-handshake.ts';
import { openNbdVolume } from '../../src/backstore/nbd-volume.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';
import { logicalUnit, pattern } from '../support/logical-unit.ts';
import { hello, nbdTarget, u16, u32, u64 } from '../support/nbd-target.ts';
import { type ProxyDirection, SilentProxy } from '../support/silent-proxy.ts';
import { temporaryDirectory } from '../support/tcli.ts';

// Time that passes at once is time that this process did not see: here it is what the timers say.
vi.mock('../../src/system/running-time.ts', () => ({
  runningMs: () => Date.now(),
  whenLate: (ms: number, what: () => void) => {
    const timer = setTimeout(what, ms);
    return () => clearTimeout(timer);
  },
}));
afterEach(() => void vi.useRealTimers());
const fakeClock = () =>
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });

const addressOf = (path: string) => ({
  socket: { path },
  exportName: '',
  tls: 'allow' as const,
  certificates: undefined,
  verifyPeer: true,
});

/** A server of ours behind a proxy. */
async function served() {
  const folder = temporaryDirectory();
  const target = nbdTarget([logicalUnit()], join(folder, 'server'));
  await target.server.open();
  const proxy = await SilentProxy.open(join(folder, 'proxy'), target.server.path);
  onTestFinished(() => target.server.close());
  const open = () => openNbdVolume({ connect: () => openNbdConnection(addressOf(proxy.path)) }, target.volume.size);
  return { ...target, proxy, open };
}

/** Writes, flushes and reads back. */
async function use(volume: Volume): Promise<Buffer> {
  await volume.write(pattern(512, 5), 512, false);
  await volume.flush();
  const into = Buffer.alloc(512);
  await volume.read(into, 512);
  return into;
}

test.each<ProxyDirection>(['toServer', 'toClient'])(
  'a server that falls silent at any byte %s: an open is refused, reads are sent to the next one, and what was written is answered when nothing of it can land any more',
  async (way) => {
    const { proxy, open } = await served();
    const first = await open();
    await use(first);
    await first.close();
    const bytes = proxy.passed[way];
    fakeClock();
    let refused = 0;
    for (let at = 0; at < bytes; at += at < 200 ? 1 : 31) {
      proxy.allow(way, at);
      const opening = open().catch((error: Error) => error);
      const early = await Promise.race([opening, proxy.stalled]);
      if (early === undefined) await vi.advanceTimersByTimeAsync(10_000);
      const volume = early ?? (await opening);
      if (volume instanceof Error) {
        expect(volume, `at ${at}`).toMatchObject({ hint: 'no answer in 10 s.' });
        refused += 1;
        continue;
      }
      const using = use(volume);
      await Promise.race([using, proxy.stalled]);
      proxy.heal();
      let ended = false;
      const outcome = using.then(
        (read) => read.equals(pattern(512, 5)),
        (error: NodeJS.ErrnoException) => error.code,
      );
      void outcome.then(() => {
        ended = true;
      });
      for (let seconds = 0; !ended && !volume.trouble && seconds < 200; seconds += 1)
        await vi.advanceTimersByTimeAsync(1_000);
      proxy.hangUp();
      // Whether a write was carried out, and whether one that was is still there, is not known: nothing is sent again.
      expect([true, 'ECONNRESET', 'EIO'], `at ${at}`).toContain(await outcome);
      expect((await use(volume)).equals(pattern(512, 5)), `at ${at}`).toBe(true);
      await volume.close();
    }
    expect(refused).toBeGreaterThan(50);
  },
);

test('a server that is held: a write that it has is not answered before it can land no more, and what comes meanwhile waits', async () => {
  const { volume: medium, proxy, open } = await served();
  fakeClock();
  const volume = await open();
  proxy.allow('toServer', 300);
  const outcome = vi.fn();
  const writing = volume.write(pattern(512, 1), 0, false).then(outcome);
  await proxy.stalled;
  // The connection is given up after 30 s of silence, and whoever waits for another one after as many.
  for (let seconds = 0; seconds < 70; seconds += 1) await vi.advanceTimersByTimeAsync(1_000);
  expect(volume.trouble?.reason).toBe('the server does not answer, for 30 s now');
  const { connections } = proxy;
  await expect(volume.read(Buffer.alloc(512), 0)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  expect(outcome).not.toHaveBeenCalled();
  expect(proxy.connections).toBe(connections);
  vi.useRealTimers();
  proxy.resume();
  await writing;
  await expect.poll(() => volume.trouble).toBeUndefined();
  expect(Buffer.from(medium.bytes.subarray(0, 512))).toEqual(pattern(512, 1));
  // The server that has it may be another one than the server that is there now.
  await expect(volume.flush()).rejects.toMatchObject({ code: 'EIO' });
  expect(await use(volume)).toEqual(pattern(512, 5));
  await volume.close();
});

test('a volume of a silent server is closed in its time, and what was in flight fails', async () => {
  const { proxy, open } = await served();
  const volume = await open();
  fakeClock();
  proxy.allow('toClient', 0);
  const reading = volume.read(Buffer.alloc(512), 0).catch((error: Error) => error);
  await proxy.stalled;
  const closing = volume.close();
  await vi.advanceTimersByTimeAsync(6_000);
  expect(await reading).toMatchObject({ code: 'ETIMEDOUT' });
  await closing;
});

test('a server that does not close its end after the goodbye is left', async () => {
  const { server } = await served();
  const path = join(temporaryDirectory(), 'open');
  const halfOpen = createServer({ allowHalfOpen: true }, (socket) => {
    const channel = new ByteChannel(socket);
    channel.end = () => {};
    void server.serve(channel);
  }).listen(path);
  onTestFinished(() => void halfOpen.close());
  const connection = await openNbdConnection(addressOf(path));
  fakeClock();
  connection.disconnect();
  await vi.advanceTimersByTimeAsync(1_000);
  await connection.closed;
});

test('a server that comes back smaller or read-only is trouble with its reason, and none once it is right again', async () => {
  const { lu, volume: medium, proxy, open } = await served();
  const volume = await open();
  const told = vi.fn();
  volume.watch?.(told);
  const { size } = medium;
  const becomes = async (bytes: number, readOnly: boolean, trouble: string | undefined) => {
    proxy.cut();
    Object.assign(medium, { size: bytes });
    Object.assign(lu.volume!, { readOnly });
    await proxy.listen();
    await expect.poll(() => volume.trouble?.reason).toBe(trouble);
  };
  await becomes(size, true, 'the export is read-only now');
  await becomes(1024, true, `the export has 1024 bytes now, ${size} are wanted`);
  expect(told.mock.calls.length).toBeGreaterThan(1);
  await becomes(size, false, undefined);
  expect(await use(volume)).toEqual(pattern(512, 5));
  await volume.close();
});

/** The answers of a server that knows no structured replies, and offers an export with these block sizes. */
const offering = (minimum: number, maximum: number): Buffer => {
  const reply = (option: number, type: number, data: Buffer = Buffer.alloc(0)) =>
    Buffer.concat([Buffer.from('0003e889045565a9', 'hex'), u32(option), u32(type), u32(data.length), data]);
  return Buffer.concat([
    Buffer.from(hello, 'hex'),
    reply(8, 0x80000001),
    reply(7, 3, Buffer.concat([u16(0), u64(1 << 20), u16(1)])),
    reply(7, 3, Buffer.concat([u16(3), u32(minimum), u32(4096), u32(maximum)])),
    reply(7, 1),
  ]);
};

test.each([
  [512, 0, 'Its server takes at most 0 bytes in one request, less than a block of 512.'],
  [4096, 512, 'Its server takes at most 512 bytes in one request, less than a block of 4096.'],
  [0, 1 << 20, 'Its server says that blocks have 0 bytes, which is no power of two.'],
  [1536, 1 << 20, 'Its server says that blocks have 1536 bytes, which is no power of two.'],
  [65_536, 1 << 20, 'Its blocks have 65536 bytes or more; initiators take at most 4096.'],
  [1 << 30, 1 << 25, 'Its blocks have 1073741824 bytes or more; initiators take at most 4096.'],
])('block sizes of at least %i and at most %i bytes are refused in words', async (minimum, maximum, hint) => {
  const [ours, theirs] = duplexPair();
  theirs.write(offering(minimum, maximum));
  await expect(shakeHands(new ByteChannel(ours), '', 'allow', () => Promise.reject())).rejects.toMatchObject({
    message: 'The NBD export cannot be used as a disk',
    hint,
  });
});

test.each([
  [1, 1 << 25],
  [4096, 4096],
])('block sizes of at least %i and at most %i bytes are taken', async (minimum, maximum) => {
  const [ours, theirs] = duplexPair();
  theirs.write(offering(minimum, maximum));
  const { terms } = await shakeHands(new ByteChannel(ours), '', 'allow', () => Promise.reject());
  expect(terms).toMatchObject({ minimumBlock: minimum, maximumPayload: maximum });
});
