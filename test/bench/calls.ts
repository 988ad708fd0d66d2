// System calls of a process and its threads while something runs, counted by strace.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `what` under strace, which makes it slower: only counts mean something then. @returns calls for each operation */
export async function callsPerOperation(pid: number, what: () => Promise<number>): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
  const file = join(folder, 'counts');
  const strace = spawn('strace', ['-f', '-c', '-o', file, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => strace.once('exit', () => resolve()));
  // strace says that it is attached, and counts from then on.
  await Promise.race([ended, new Promise((resolve) => strace.stderr.once('data', resolve))]);
  try {
    const operations = await what();
    strace.kill('SIGINT');
    await ended;
    const total = /^\s*[\d.]+\s+[\d.]+\s+(?:\d+\s+)?(\d+)\s+(?:\d+\s+)?total$/m.exec(readFileSync(file, 'utf8'));
    return Number(total?.[1] ?? Number.NaN) / operations;
  } finally {
    strace.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}
