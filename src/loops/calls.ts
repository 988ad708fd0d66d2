/** Calls between two threads, each way, over a message port: plain data crosses, and errors of operators stay errors of operators. */

import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import { OperatorError } from '../errors.ts';

type Message =
  | { readonly is: 'call'; readonly id: number; readonly name: string; readonly words: readonly unknown[] }
  | { readonly is: 'result'; readonly id: number; readonly value: unknown }
  | { readonly is: 'refusal'; readonly id: number; readonly message: string; readonly hint: string | undefined }
  | { readonly is: 'bug'; readonly id: number; readonly error: Error };

/** The way in which calls of one method cross to the other thread. Memory and ports in `transfers` are not copied, and are gone here. */
interface Crossing<Method extends (...words: never[]) => unknown> {
  readonly memoryOfWords?: (...words: Parameters<Method>) => readonly Transferable[];
  readonly memoryOfResult?: (result: Awaited<ReturnType<Method>>) => readonly Transferable[];
}

type Method = (...words: never[]) => unknown;

/** The methods that one thread offers to the other, each once. */
export type Boundary<T> = { readonly [Name in keyof T]: Crossing<Extract<T[Name], Method>> };

type AnyBoundary = Readonly<Record<string, Crossing<(...words: unknown[]) => unknown>>>;
type Methods = Readonly<Record<string, (...words: unknown[]) => unknown>>;

/** An object of another thread: each of its methods returns a promise. */
export type Remote<T> = {
  readonly [Name in keyof T]: T[Name] extends (...words: infer Words) => infer Result
    ? (...words: Words) => Promise<Awaited<Result>>
    : never;
};

/** An object of the other thread, as if it lay here: each of its methods is a call. */
export function remoteObject<T extends object>(calls: Calls, boundary: Boundary<T>): Remote<T> {
  const crossings = Object.entries(boundary as unknown as AnyBoundary);
  return Object.fromEntries(
    crossings.map(([name, { memoryOfWords }]) => [
      name,
      (...words: unknown[]) => calls.call(name, words, memoryOfWords?.(...words)),
    ]),
  ) as Remote<T>;
}

/** The methods of this thread that the other may call. */
export interface Offer {
  readonly offered: Methods;
  readonly boundary: AnyBoundary;
}

/** Offers an object: the other thread may call those of its methods that the boundary has. */
export const offerObject = <T extends object>(offered: T, boundary: Boundary<T>): Offer => ({
  offered: offered as unknown as Methods,
  boundary: boundary as unknown as AnyBoundary,
});

/** This end of a message port. */
export class Calls {
  readonly #port: Worker | MessagePort;
  readonly #offer: Offer;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;
  #ended: Error | undefined;

  constructor(port: Worker | MessagePort, offer: Offer) {
    this.#port = port;
    this.#offer = offer;
    port.on('message', (message: Message) => this.#receive(message));
  }

  /** Calls. Resolves with the return value of the other side; rejects with what it threw, or when it has ended. */
  call(name: string, words: readonly unknown[], memory: readonly Transferable[] = []): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ is: 'call', id, name, words }, memory);
    });
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
    const { offered, boundary } = this.#offer;
    try {
      const value = await offered[name]!(...words);
      this.#post({ is: 'result', id, value }, boundary[name]!.memoryOfResult?.(value));
    } catch (error) {
      if (error instanceof OperatorError) this.#post({ is: 'refusal', id, message: error.message, hint: error.hint });
      else this.#post({ is: 'bug', id, error: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  #post(message: Message, memory: readonly Transferable[] = []): void {
    this.#port.postMessage(message, memory);
  }
}
