// Hours of mixed use of one `tcli serve`: `npm run soak -- --minutes N`. Initiators write and verify, sessions come and
// go, also without a word, and targets are made and deleted from other processes while all of it runs. It fails with
// the first wrong byte or failed command, a stall of more than a second that was not for want of a processor, a process
// that grows, a descriptor that stays, or a line of level error in the log. It measures no speed.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { below, randomOf } from '../support/random.ts';
import { QemuIo, type Taken } from './qemu-io.ts';
import { median } from './samples.ts';
import { builtProgram, type Disk, memoryOf, openTarget, startTcli, tcli, waitsOf } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    program: { type: 'string', default: builtProgram },
    loops: { type: 'string' },
    /** Bytes of the random walk, so that a run can be repeated. */
    seed: { type: 'string', default: '1' },
  },
});

const lunBytes = 256 * 1024 * 1024;
/** Each initiator has its part of a LUN, in pieces of which it knows what they hold. */
const initiatorsPerLun = 2;
const regionBytes = lunBytes / initiatorsPerLun;
const pieceBytes = 1024 * 1024;
const stallMs = 1000;
/** The growth of the process that is allowed between the first quarter of the run and the last. */
const growthMib = 24;
const samplePeriodMs = 2000;
/** How often it is asked how long the server's threads and this program's have waited for a processor. */
const waitPeriodMs = 250;

const end = performance.now() + Number(options.minutes) * 60_000;
const running = (): boolean => performance.now() < end && failures.length === 0;
const failures: string[] = [];
const counts = { commands: 0, sessions: 0, targets: 0 };
let slowest: Taken | undefined;
interface Waits {
  readonly at: number;
  /** Milliseconds by thread, of the server and of this program. */
  readonly of: readonly Map<string, number>[];
}
const waits: Waits[] = [];

/** A file on the disk, and where there is such a place, one in memory. */
const files = [tmpdir(), '/dev/shm'].filter(existsSync).map((place) => join(place, `tcli-soak-${process.pid}.img`));
for (const file of files) {
  writeFileSync(file, '');
  truncateSync(file, lunBytes);
}
const disks: readonly Disk[] = [
  ...files.map((create): Disk => ({ kind: 'fileio', create })),
  { kind: 'ramdisk', create: String(lunBytes) },
];
const server = await startTcli(options.program, 'soak', disks, {
  words: options.loops ? ['--loops', options.loops] : [],
});
const { home, pid } = server;
const before = descriptors();
const memory: number[] = [];
try {
  const initiators = server.urls.flatMap((url, lun) =>
    Array.from({ length: initiatorsPerLun }, (_, part) =>
      verify(url, part, Number(options.seed) * 100 + lun * 10 + part),
    ),
  );
  await Promise.all(
    [...initiators, comeAndGo(), makeAndDelete(), watch(), watchWaits()].map((task) => task.catch(fail)),
  );
  await settle();
  judge();
} finally {
  await server.stop();
  for (const file of files) rmSync(file, { force: true });
}
const grown = growth();
console.log(
  `${options.minutes} minutes: ${counts.commands} commands verified, ${counts.sessions} sessions came and went, ` +
    `${counts.targets} targets were made and deleted; slowest command ${told(slowest)}, ` +
    `${memory.at(-1)?.toFixed(0)} MiB resident, ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB since the first quarter`,
);
for (const failure of failures) console.log(`FAILED: ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;

function fail(error: unknown): void {
  failures.push(error instanceof Error ? error.message : String(error));
}

/** Writes patterns, remembers them, and reads them back; now and then through a new session. */
async function verify(url: string, part: number, seed: number): Promise<void> {
  const chance = randomOf(seed);
  const random = (bound: number) => below(chance, bound);
  const patterns = new Map<number, number>();
  const at = (piece: number) => part * regionBytes + piece * pieceBytes;
  while (running()) {
    const initiator = new QemuIo(url, finished);
    await initiator.open();
    for (let step = 0; step < 200 && running(); step += 1) {
      const piece = random(regionBytes / pieceBytes);
      const known = patterns.get(piece);
      const roll = random(100);
      if (roll < 2) await initiator.run('flush');
      else if (known !== undefined && roll < 55) await initiator.run(`read -q -P ${known} ${at(piece)} ${pieceBytes}`);
      else {
        const pattern = 1 + random(254);
        // In one command, or in many small ones in flight at once.
        if (roll < 80) await initiator.run(`write -q -P ${pattern} ${at(piece)} ${pieceBytes}`);
        else {
          for (let done = 0; done < pieceBytes; done += pieceBytes / 16)
            await initiator.run(`aio_write -q -P ${pattern} ${at(piece) + done} ${pieceBytes / 16}`);
          await initiator.run('aio_flush');
        }
        patterns.set(piece, pattern);
      }
      counts.commands += 1;
    }
    if (random(2) === 0) await initiator.close();
    else await initiator.kill();
    counts.sessions += 1;
  }
}

/** Discovery, and sessions that end in the middle of what they do. */
async function comeAndGo(): Promise<void> {
  const [url = ''] = server.urls;
  while (running()) {
    await discover(url);
    const initiator = new QemuIo(url);
    await initiator.open();
    const cut = initiator.run(`read -q 0 ${64 * pieceBytes}`).catch(() => {});
    await initiator.kill();
    await cut;
    counts.sessions += 2;
    await pause(100);
  }
}

/** Without `-s`: libiscsi asks for ever for a target that was deleted after it was listed. */
function discover(url: string): Promise<void> {
  const portal = url.replace(/(\/\/[^/]+\/).*/, '$1');
  return new Promise((resolve, reject) => {
    execFile('iscsi-ls', [portal], { timeout: 10_000 }, (error) => (error ? reject(error) : resolve()));
  });
}

/** A target is made by one process, used, and deleted by another under its initiator's hands. */
async function makeAndDelete(): Promise<void> {
  const { host } = new URL((server.urls[0] ?? '').replace(/^iscsi/, 'http'));
  const [, port = ''] = host.split(':');
  while (running()) {
    const iqn = `iqn.2026-01.org.example:soak-${counts.targets}`;
    await tcli(options.program, home, openTarget(iqn, port, 'passing', { kind: 'ramdisk', create: '16M' }));
    const initiator = new QemuIo(`iscsi://${host}/${iqn}/0`);
    await initiator.open();
    await initiator.run('write -q -P 7 0 16M');
    await initiator.run('read -q -P 7 0 16M');
    // The command under way when the target goes may fail or not.
    const last = initiator.run('aio_write -q -P 8 0 8M').catch(() => {});
    await tcli(options.program, home, [`/iscsi delete ${iqn}`, '/backstores/ramdisk delete passing']);
    await initiator.kill();
    await last;
    counts.targets += 1;
  }
}

async function watch(): Promise<void> {
  while (running()) {
    memory.push(memoryOf(pid).own);
    await pause(samplePeriodMs);
  }
}

async function watchWaits(): Promise<void> {
  while (running()) {
    waits.push(waitsNow());
    if (waits.length > (10 * stallMs) / waitPeriodMs) waits.shift();
    await pause(waitPeriodMs);
  }
}

function finished(taken: Taken): void {
  const waited = msOf(taken) > stallMs ? waitedIn(taken) : 0;
  if (msOf(taken) - waited > stallMs) fail(`${told(taken)}, ${waited.toFixed(0)} ms of it for want of a processor`);
  if (!slowest || msOf(taken) > msOf(slowest)) slowest = taken;
}

function msOf({ from, to }: Taken): number {
  return to - from;
}

function told(taken: Taken | undefined): string {
  return taken ? `${msOf(taken).toFixed(0)} ms (${taken.command})` : '-';
}

function waitsNow(): Waits {
  return { at: performance.now(), of: [pid, process.pid].map(waitsOf) };
}

/** For how long there was no processor: for the thread at either end that waited most, between the samples around it. */
function waitedIn({ from, to }: Taken): number {
  const first = waits.findLast(({ at }) => at <= from) ?? waits[0];
  const last = waits.find(({ at }) => at >= to) ?? waitsNow();
  const ends = last.of.map((end, at) =>
    Math.max(0, ...Array.from(end, ([thread, ms]) => ms - (first?.of[at]?.get(thread) ?? 0))),
  );
  return ends.reduce((sum, ms) => sum + ms, 0);
}

/** Sessions that went without a word are noticed when their sockets close. */
async function settle(): Promise<void> {
  for (let tries = 0; tries < 20 && descriptors().length > before.length; tries += 1) await pause(250);
}

/** The descriptors of the server, without its own files and those that its runtime opens when first needed. */
function descriptors(): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((link) => !link.startsWith('anon_inode:') && !link.startsWith(home));
}

function judge(): void {
  const left = descriptors().filter((one) => !before.includes(one));
  if (left.length > 0) fail(`left open: ${left.join(', ')}`);
  if (growth() > growthMib) fail(`the process grew by ${growth().toFixed(1)} MiB since the first quarter of the run`);
  for (const line of server.log().split('\n')) if (/ (error|bug) /.test(line)) fail(`logged: ${line}`);
}

/** The growth between the medians of the second quarter and the last: the first one fills pools and memory disks. */
function growth(): number {
  const quarter = memory.length >> 2;
  return median(memory.slice(-quarter)) - median(memory.slice(quarter, 2 * quarter));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
