/** One gateway: tcli in a namespace and a home of its own, whose clock of the day may be set. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Network, NetworkParty } from './network.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../dist/tcli.js');
/** Where Debian has it. */
export const fakeTime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const logBytesMax = 200_000;
const commandMs = 120_000;

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

  /** Makes the home part of a cluster. */
  async join(endpoints: readonly string[]): Promise<void> {
    await mkdir(this.home, { recursive: true });
    await this.tcli('cluster', 'join', endpoints.join(), '--name', this.party);
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    await this.jump(0);
    const env = {
      ...process.env,
      LD_PRELOAD: fakeTime,
      FAKETIME_TIMESTAMP_FILE: this.#clock,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const [command = '', ...words] = [...this.#within, process.execPath, program, '--home', this.home, 'serve'];
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#process = child;
    child.stderr.on('data', (data) => {
      this.#log = (this.#log + data).slice(-logBytesMax);
    });
    await new Promise<void>((ready, fail) => {
      child.stdout.on('data', (data) => String(data).includes('Serving') && ready());
      child.once('exit', () => fail(this.#ended(child)));
    });
  }

  #ended({ exitCode, signalCode }: ChildProcess): Error {
    return new Error(`gateway ${this.party} ended by itself with ${exitCode ?? signalCode}`);
  }

  /** @throws Error when it has ended by itself */
  check(): void {
    const child = this.#process;
    if (child && (child.exitCode !== null || child.signalCode !== null)) throw this.#ended(child);
  }

  /** The threads, each with its state and the function of the kernel in which it waits: a gateway that hangs does not say why itself. */
  threads(): string {
    this.check();
    const tasks = `/proc/${this.#process?.pid}/task`;
    const states = readdirSync(tasks).map((task) => {
      const of = (name: string) => readFileSync(join(tasks, task, name), 'utf8').trim();
      return `${of('comm')} ${/^State:\s+(\S)/m.exec(of('status'))?.[1]} ${of('wchan')}`;
    });
    const groups = Map.groupBy(states, (state) => state);
    return [...groups].map(([state, all]) => `${all.length} ${state}`).join(', ');
  }

  get #within(): string[] {
    return this.#network.within(this.party);
  }

  /** `tcli --home HOME WORDS…` @returns what it prints. @throws when it fails */
  async tcli(...words: string[]): Promise<string> {
    const [command = '', ...all] = [...this.#within, process.execPath, program, '--home', this.home, ...words];
    return (await run(command, all, { timeout: commandMs })).stdout.trim();
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
    this.check();
    this.#process = undefined;
    if (!child) return;
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}
