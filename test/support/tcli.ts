/** The built program, run as its users run it: in a home of its own, with or without a terminal. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { memoryFolder } from './scratch.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');

/** Ends a program that hangs. */
const runMs = 240_000;

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory that is gone after the test. */
export function temporaryDirectory(base = tmpdir()): string {
  const path = mkdtempSync(join(base, 'tcli-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/**
 * A home in memory that is gone after the test: a change waits for no disk before its command returns. For tests with many commands, whose
 * subject is not what outlives a power cut.
 */
export const quickHome = (): string => temporaryDirectory(memoryFolder);

/** Runs a program to its end. */
export function run(
  command: string,
  words: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Result> {
  return new Promise((done) => {
    const child = execFile(
      command,
      words,
      { timeout: runMs, maxBuffer: 64 << 20, env: { ...process.env, ...options.env } },
      (error, stdout, stderr) =>
        done({ status: typeof error?.code === 'number' ? error.code : error ? 255 : 0, stdout, stderr }),
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** `tcli --home HOME WORDS…` */
export const tcli = (home: string, words: readonly string[], input?: string): Promise<Result> =>
  run(process.execPath, [program, '--home', home, ...words], input === undefined ? {} : { input });

/** Runs lines and fails with their output when one of them fails. */
export async function configure(home: string, ...lines: string[]): Promise<string> {
  const { status, stdout, stderr } = await tcli(
    home,
    lines.flatMap((line) => ['-c', line]),
  );
  if (status !== 0) throw new Error(`${lines.join('; ')}\n${stdout}${stderr}`);
  return stdout;
}

export interface Served {
  readonly process: ChildProcess;
  /** The standard error so far. */
  log(): string;
  /** SIGTERM and wait. @returns the exit status */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** `tcli serve WORDS…`, ready when this resolves, ended after the test. */
export async function serve(home: string, ...words: string[]): Promise<Served> {
  const all = [program, '--home', home, 'serve', ...words];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => {
    log += data;
  });
  // With all that it wrote.
  const ended = new Promise<number | null>((resolve) => child.on('close', (status) => resolve(status)));
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  onTestFinished(async () => void (await end('SIGKILL')));
  await new Promise<void>((ready, fail) => {
    child.stdout.on('data', (data) => String(data).includes('Serving') && ready());
    void ended.then((status) => fail(new Error(`tcli serve ended with ${status}: ${log}`)));
  });
  return { process: child, log: () => log, stop: () => end('SIGTERM'), kill: async () => void (await end('SIGKILL')) };
}

export { freePort } from './free-port.ts';

export const iqn = 'iqn.2003-01.org.example:disk';

/** A LUN of that target on 127.0.0.1, as libiscsi and QEMU name it. */
export const targetUrl = (port: number, lun = 0): string => `iscsi://127.0.0.1:${port}/${iqn}/${lun}`;

/** Lines that make one demo-mode target on 127.0.0.1:`port` with `storageObject` as LUN 0, writable by everybody. */
export const openTarget = (port: number, storageObject: string): string[] => [
  '/ set global auto_add_default_portal=false',
  `/iscsi create ${iqn}`,
  `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${port}`,
  `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
  `/iscsi/${iqn}/tpg1/luns create ${storageObject}`,
];
