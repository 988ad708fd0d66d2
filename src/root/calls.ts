/** Calls between two threads, each way, over a message port: plain data, errors of operators as what they are. */

import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import { OperatorError } from '../errors.ts';

type Message =
  | { readonly is: 'call'; readonly id: number; readonly name: string; readonly words: readonly unknown[] }
  | { readonly is: 'result'; readonly id: number; readonly value: unknown }
  | { readonly is: 'refusal'; readonly id: number; readonly message: string; readonly hint: string | undefined }
  | { readonly is: 'bug'; readonly id: number; readonly error: Error };

/** A result of which memory goes along rather than being copied. */
export class Transferring {
  readonly value: unknown;
  readonly memory: readonly Transferable[];

  constructor(value: unknown, memory: readonly Transferable[]) {
    this.value = value;
    this.memory = memory;
  }
}

/** What the other side may call, by name. */
export type Callable = Readonly<Record<string, (...words: never[]) => unknown>>;

export class Calls {
  readonly #port: Worker | MessagePort;
  readonly #callable: Callable;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;
  #ended: Error | undefined;

  constructor(port: Worker | MessagePort, callable: Callable) {
    this.#port = port;
    this.#callable = callable;
    port.on('message', (message: Message) => this.#receive(message));
  }

  /** Resolves with what the other side returned; rejects with what it threw, or when it has ended. */
  call<T>(name: string, words: readonly unknown[], memory: readonly Transferable[] = []): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#post({ is: 'call', id, name, words }, memory);
    });
  }

  /** Calls, and does not care what comes of it. */
  tell(name: string, ...words: unknown[]): void {
    if (!this.#ended) this.#post({ is: 'call', id: 0, name, words });
  }

  /** The other side is gone: what waits for it fails. */
  end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  #receive(message: Message): void {
    if (message.is === 'call') void this.#answer(message);
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.is === 'result') waiting?.resolve(message.value);
      else waiting?.reject(message.is === 'bug' ? message.error : new OperatorError(message.message, message.hint));
    }
  }

  async #answer({ id, name, words }: Extract<Message, { is: 'call' }>): Promise<void> {
    try {
      const result = await this.#callable[name]!(...(words as never[]));
      const { value, memory } = result instanceof Transferring ? result : { value: result, memory: [] };
      if (id > 0) this.#post({ is: 'result', id, value }, memory);
    } catch (error) {
      // Nobody waits: whoever watches this thread logs it.
      if (id === 0) throw error;
      if (error instanceof OperatorError) this.#post({ is: 'refusal', id, message: error.message, hint: error.hint });
      else this.#post({ is: 'bug', id, error: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  #post(message: Message, memory: readonly Transferable[] = []): void {
    this.#port.postMessage(message, memory);
  }
}
