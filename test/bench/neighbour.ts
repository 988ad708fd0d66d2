// The effect of a LUN on slow storage on its neighbour in the same process: `node test/bench/neighbour.ts`. One initiator reads 4 KiB at
// a time from a file in memory, first alone, then while another reads a file on disk that the page cache does not hold. The median over
// the rounds of the ratio of mean latencies is to stay under 3.

import { execFile, execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { builtProgram, startTcli } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    program: { type: 'string', default: builtProgram },
    /** Where the file on disk is made; a memory file system proves nothing. */
    disk: { type: 'string', default: tmpdir() },
  },
});

const ratioMax = 3;
const quickBytes = 64 * 1024 * 1024;
const coldBytes = 1024 * 1024 * 1024;
const reads = 4000;
/** Cold reads lie so far apart that reading ahead does not help them. */
const coldReadBytes = 16 * 1024;
const coldStepBytes = 256 * 1024;
const coldReads = coldBytes / coldStepBytes;
const run = promisify(execFile);

const quick = `/dev/shm/tcli-neighbour-${process.pid}.img`;
const cold = join(options.disk, `tcli-neighbour-${process.pid}.img`);
fill(quick, quickBytes);
fill(cold, coldBytes);
const server = await startTcli(options.program, 'neighbour', [
  { kind: 'fileio', create: quick },
  { kind: 'fileio', create: cold },
]);
const [quickUrl = '', coldUrl = ''] = server.urls;
try {
  const ratios: number[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    evict();
    const idle = await latency();
    const started = performance.now();
    const other = run('qemu-img', [
      'bench',
      ...words(coldReadBytes, 16),
      '-S',
      String(coldStepBytes),
      '-c',
      String(coldReads),
      coldUrl,
    ]);
    const beside = await latency();
    await other;
    const seconds = (performance.now() - started) / 1000;
    ratios.push(beside / idle);
    console.log(
      `alone ${idle.toFixed(0)} us, beside cold reads ${beside.toFixed(0)} us: x${(beside / idle).toFixed(2)}` +
        ` (the other: ${(coldReads / seconds).toFixed(0)} reads/s)`,
    );
  }
  const median = ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? Number.NaN;
  console.log(`median x${median.toFixed(2)}, to stay under x${ratioMax}`);
  process.exitCode = median < ratioMax ? 0 : 1;
} finally {
  await server.stop();
  for (const file of [quick, cold]) rmSync(file, { force: true });
}

/** Mean microseconds of one 4 KiB read, one at a time. */
async function latency(): Promise<number> {
  const { stdout } = await run('qemu-img', ['bench', ...words(4096, 1), '-c', String(reads), quickUrl]);
  return (Number(/completed in ([\d.]+) seconds/.exec(stdout)?.[1] ?? Number.NaN) / reads) * 1e6;
}

function words(bytes: number, depth: number): string[] {
  return ['-f', 'raw', '-t', 'none', '-s', String(bytes), '-d', String(depth)];
}

/** Takes the file out of the page cache (posix_fadvise DONTNEED, which only clean pages obey). */
function evict(): void {
  execFileSync('sync', [cold]);
  execFileSync('dd', [`if=${cold}`, 'iflag=nocache', 'count=0', 'status=none']);
}

function fill(file: string, bytes: number): void {
  const piece = randomFillSync(new Uint8Array(1024 * 1024));
  for (let done = 0; done < bytes; done += piece.length) writeFileSync(file, piece, { flag: done === 0 ? 'w' : 'a' });
}
