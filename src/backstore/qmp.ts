/** QMP, the protocol by which programs of QEMU are commanded: JSON by lines, one command at a time (QEMU docs/interop/qmp-spec). */

import type { Readable, Writable } from 'node:stream';
import { OperatorError } from '../errors.ts';

/** The bytes of a line that is not over. */
const lineBytesMax = 16 * 1024 * 1024;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A program of QEMU that listens. */
export class Qmp {
  readonly #to: Writable;
  readonly #waiting: Waiting[] = [];
  #line = '';
  #why: string | undefined;

  constructor(from: Readable, to: Writable) {
    this.#to = to;
    from.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    to.on('error', () => {});
    void this.command('qmp_capabilities').catch(() => {});
  }

  /** Sends a command. @throws OperatorError with QEMU's words */
  command(execute: string, words: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#why !== undefined) return Promise.reject(new OperatorError(this.#why));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#to.write(`${JSON.stringify({ execute, arguments: words })}\n`);
    });
  }

  /** Fails the commands that wait, because the program has ended. */
  end(why: string): void {
    this.#why ??= why;
    for (const { reject } of this.#waiting.splice(0)) reject(new OperatorError(this.#why));
  }

  #receive(text: string): void {
    const lines = (this.#line + text).split('\n');
    this.#line = (lines.pop() ?? '').slice(-lineBytesMax);
    for (const line of lines) if (line.trim() !== '') this.#answer(line);
  }

  #answer(line: string): void {
    let said: Readonly<Record<string, unknown>>;
    try {
      said = JSON.parse(line);
    } catch {
      this.end('QEMU talks nonsense');
      return;
    }
    // A greeting or an event answers no command.
    if ('return' in said) this.#waiting.shift()?.resolve(said['return']);
    else if ('error' in said) {
      const { desc } = said['error'] as { readonly desc?: unknown };
      this.#waiting.shift()?.reject(new OperatorError(String(desc)));
    }
  }
}
