/**
 * The ring: whose memory is whose, what waits for a slot, and what happens where it is forbidden. What volumes do over it is in the
 * suites of fileio and block. Not tested here: speed (npm run bench).
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { viewOf } from '../../src/system/ffi.ts';
import { IoUring, opcode, slotBytes, slots } from '../../src/system/io-uring.ts';
import { joinRing, leaveRing, waitingIo, wayOfWaiting } from '../../src/system/waiting-io.ts';
import { needs } from '../support/needs.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));

/** A file whose bytes are chance, not in the page cache. */
function coldFile(bytes: number): { path: string; contents: Uint8Array } {
  const path = join(folder, 'cold.img');
  const contents = randomFillSync(new Uint8Array(bytes));
  writeFileSync(path, contents);
  execFileSync('sync', [path]);
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
  return { path, contents };
}

/** A thread that reads as much as a ring takes, and is killed. @returns where its memory is, and how many reads had not ended */
async function killReader(path: string): Promise<{ address: number; inFlight: number }> {
  const worker = new Worker(new URL('../support/ring-thread.ts', import.meta.url), { workerData: path });
  const said = await new Promise<{ address: number; inFlight: number }>((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
  });
  await worker.terminate();
  return said;
}

/** A pipe with nothing in it: reads of it are in flight for as long as the test likes. */
function emptyPipe(): { from: number; to: number } {
  const path = join(folder, `pipe-${Math.random()}`);
  execFileSync('mkfifo', [path]);
  const [from, to] = [openSync(path, 'r+'), openSync(path, 'w')];
  onTestFinished(() => {
    for (const fd of [from, to]) closeSync(fd);
  });
  return { from, to };
}

it(
  'a thread killed with its reads in flight, as many as there can be: the device writes to their memory, which nobody else has got meanwhile',
  needs('io_uring', 'temporary files on a disk'),
  async () => {
    const { path, contents } = coldFile(slots * slotBytes);
    let killed = await killReader(path);
    // A device may have ended all of them before a thread that had to wait for a core says so.
    for (let attempt = 0; killed.inFlight === 0 && attempt < 20; attempt += 1) killed = await killReader(path);
    const { address, inFlight } = killed;
    expect(inFlight).toBeGreaterThan(0);
    // The thread's memory of V8's heap and of malloc is free now, and these take its place.
    const canaries = Array.from({ length: 1024 }, () => Buffer.allocUnsafeSlow(slotBytes / 8).fill(0xca));
    const whole = Buffer.from(contents.buffer);
    await expect.poll(() => Buffer.compare(new Uint8Array(viewOf(address, slots * slotBytes)), whole) === 0).toBe(true);
    expect(canaries.every((bytes) => bytes.every((byte) => byte === 0xca))).toBe(true);
  },
);

it('a ring that is closed keeps its memory until the last request has ended', needs('io_uring'), async () => {
  const { from, to } = emptyPipe();
  const ring = new IoUring();
  const { promise, resolve } = Promise.withResolvers<string>();
  ring.transfer(opcode.read, from, 16, 0, (count, memory) =>
    resolve(Buffer.from(memory.subarray(0, count)).toString()),
  );
  await null;
  ring.close();
  expect(ring.inFlight).toBe(1);
  writeSync(to, 'here it is');
  expect(await promise).toBe('here it is');
});

it('requests beyond the slots wait for one', needs('io_uring'), async () => {
  const { from, to } = emptyPipe();
  const ring = new IoUring();
  const ended: number[] = [];
  const all = Array.from(
    { length: slots + 3 },
    (_, at) =>
      new Promise<void>((resolve) =>
        ring.transfer(opcode.read, from, 1, 0, () => {
          ended.push(at);
          resolve();
        }),
      ),
  );
  await null;
  expect(ring.inFlight).toBe(slots);
  writeSync(to, Buffer.alloc(slots));
  await Promise.all(all.slice(0, slots));
  expect(ended.slice(slots)).toEqual([]);
  writeSync(to, Buffer.alloc(3));
  await Promise.all(all);
  expect(new Set(ended.slice(slots))).toEqual(new Set([slots, slots + 1, slots + 2]));
  ring.close();
});

it(
  'a request that the kernel refuses ends with its error, and no bytes of it are read',
  needs('io_uring'),
  async () => {
    joinRing();
    onTestFinished(leaveRing);
    expect(wayOfWaiting()).toBe('io_uring');
    const { path } = coldFile(4096);
    const [reader, writer] = [openSync(path, 'r'), openSync(path, 'a')];
    onTestFinished(() => {
      for (const fd of [reader, writer]) closeSync(fd);
    });
    const bytes = Buffer.alloc(512, 7);
    const { EBADF } = constants.errno;
    const result = (call: 'read' | 'write', fd: number, position: number) =>
      new Promise<number>((resolve) => waitingIo()[call](fd, bytes, position, resolve));
    expect([await result('read', writer, 0), await result('write', reader, 0)]).toEqual([-EBADF, -EBADF]);
    await expect(waitingIo().allocate(reader, 0, 0, 1)).rejects.toMatchObject({ code: 'EBADF', syscall: 'fallocate' });
    await expect(waitingIo().sync(emptyPipe().from)).rejects.toMatchObject({ code: 'EINVAL', syscall: 'fdatasync' });
    expect(bytes).toEqual(Buffer.alloc(512, 7));
    expect(await result('read', reader, 4096)).toBe(0);
    const after = Buffer.alloc(512);
    readSync(reader, after, 0, 512, 0);
    expect(await result('read', reader, 0)).toBe(512);
    expect(bytes).toEqual(after);
  },
);

it.each([
  [
    1,
    'threads, as io_uring is not permitted here: seccomp of a container or service, or the sysctl kernel.io_uring_disabled',
  ],
  [38, 'threads, as there is no io_uring here: an old kernel, or seccomp hides it'],
  [22, 'threads, as io_uring of this kernel is older than that of Linux 6.1'],
  [12, 'threads, as io_uring cannot be had: not enough memory'],
])(
  'where seccomp answers io_uring_setup with errno %i, threads wait, and that is said',
  needs('io_uring'),
  (errno, said) => {
    const program = join(import.meta.dirname, '../support/without-io-uring.ts');
    const { stdout, stderr } = spawnSync(process.execPath, [program, String(errno)], { encoding: 'utf8' });
    expect(stdout + stderr).toBe(`${said}\n`);
  },
);
