/** One gateway: tcli in a namespace and a home of its own, whose clock of the day may be set. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Network, NetworkParty } from './network.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../dist/tcli.js');
/** Where Debian has it. */
const fakeTime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const logBytesMax = 200_000;

export class GatewayProcess {
  readonly party: NetworkParty;
  readonly home: string;
  readonly #network: Network;
  readonly #clock: string;
  #process: ChildProcess | undefined;
  #log = '';

  constructor(party: NetworkParty, folder: string, network: Network) {
    this.party = party;
    this.home = join(folder, party);
    this.#clock = join(folder, `${party}.clock`);
    this.#network = network;
  }

  get log(): string {
    return this.#log;
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    await mkdir(this.home, { recursive: true });
    await this.jump(0);
    const env = existsSync(fakeTime)
      ? {
          ...process.env,
          LD_PRELOAD: fakeTime,
          FAKETIME_TIMESTAMP_FILE: this.#clock,
          FAKETIME_CACHE_DURATION: '1',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
        }
      : process.env;
    const [command = '', ...words] = [...this.#within, process.execPath, program, '--home', this.home, 'serve'];
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#process = child;
    child.stderr.on('data', (data) => {
      this.#log = (this.#log + data).slice(-logBytesMax);
    });
    await new Promise<void>((ready, fail) => {
      child.stdout.on('data', (data) => String(data).includes('Serving') && ready());
      child.once('exit', (status) => fail(new Error(`gateway ${this.party} ended with ${status}:\n${this.#log}`)));
    });
  }

  get #within(): string[] {
    return this.#network.within(this.party);
  }

  /** `tcli --home HOME WORDS…` @returns what it prints. @throws when it fails */
  async tcli(...words: string[]): Promise<string> {
    const [command = '', ...all] = [...this.#within, process.execPath, program, '--home', this.home, ...words];
    return (await run(command, all, { timeout: 120_000 })).stdout.trim();
  }

  /** Lines of the shell, one after the other. */
  tell(...lines: string[]): Promise<string> {
    return this.tcli(...lines.flatMap((line) => ['-c', line]));
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  /** The clock of the day goes wrong by so many seconds; the one that only goes forward does not. */
  async jump(seconds: number): Promise<void> {
    await writeFile(this.#clock, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
  }

  /** SIGTERM by default. Resolves when it has ended. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}
