// One initiator: a qemu-io with its session, that is told what to write and to verify.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

const prompt = 'qemu-io> ';

/** How long a command took, by performance.now(). */
export interface Taken {
  readonly command: string;
  readonly from: number;
  readonly to: number;
}

export class QemuIo {
  readonly #finished: (taken: Taken) => void;
  readonly #process: ChildProcessWithoutNullStreams;
  #output = '';
  #prompted: () => void = () => {};
  readonly #ended: Promise<void>;

  /** @param finished told of each command that succeeded */
  constructor(url: string, finished: (taken: Taken) => void = () => {}) {
    this.#finished = finished;
    this.#process = spawn('qemu-io', ['-f', 'raw', url]);
    this.#process.stdin.on('error', () => {});
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        if (this.#output.endsWith(prompt)) this.#prompted();
      });
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
  }

  /** Resolves when it is logged in. @throws Error with what it said when it is not */
  open(): Promise<void> {
    return this.#answered('open');
  }

  /** @throws Error when the command fails, or finds other data than it was told to expect */
  async run(command: string): Promise<void> {
    this.#output = '';
    const from = performance.now();
    this.#process.stdin.write(`${command}\n`);
    await this.#answered(command);
    this.#finished({ command, from, to: performance.now() });
  }

  async #answered(command: string): Promise<void> {
    const prompted = new Promise<void>((resolve) => {
      this.#prompted = resolve;
    });
    if (!this.#output.endsWith(prompt)) await Promise.race([prompted, this.#ended]);
    const said = this.#output.replace(prompt, '').trim();
    const closed = !this.#output.endsWith(prompt);
    if (said !== '' || closed) throw new Error(`${command}: ${said || 'qemu-io ended'}`);
  }

  /** Logs out. */
  async close(): Promise<void> {
    this.#process.stdin.end('quit\n');
    await this.#ended;
  }

  /** Goes without a word. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
