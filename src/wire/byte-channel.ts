/** Exact lengths from a stream of bytes, and whole messages to it, whatever the stream is: a socket, TLS, a pair in memory. */

import type { Duplex } from 'node:stream';
import { atTurnEnd } from '../system/turn-end.ts';

/** The other side has ended the stream, or it broke. */
export class ChannelEnded extends Error {
  constructor(why = 'the connection was closed') {
    super(why);
    this.name = 'ChannelEnded';
  }
}

/** Bytes that are taken away at a time when nobody wants them. */
const discardBytes = 64 * 1024;

/** Bytes of a stream, by exact lengths. */
export class ByteChannel {
  readonly #stream: Duplex;
  #wake: () => void = () => {};
  #why: string | undefined;
  #scheduled = false;
  #signsOfLife = 0;

  /** @param stream nobody else reads from it while this does */
  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('readable', this.#arrived).on('end', this.#arrived).on('close', this.#arrived);
    stream.on('error', (error) => {
      this.#why ??= error.message;
    });
  }

  readonly #arrived = (): void => {
    this.#signsOfLife += 1;
    this.#wake();
  };

  /** Counts up whenever bytes came, or some that were sent have left: another number means that the other side lives. */
  get signsOfLife(): number {
    return this.#signsOfLife;
  }

  /** The stream, for somebody else to go on with. */
  release(): Duplex {
    for (const event of ['readable', 'end', 'close']) this.#stream.off(event, this.#arrived);
    return this.#stream;
  }

  get ended(): boolean {
    return this.#stream.destroyed;
  }

  /** The next `length` bytes; they are the caller's. @throws ChannelEnded */
  async exactly(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0);
    const stream = this.#stream;
    while (!stream.destroyed) {
      const bytes: Buffer | null = stream.read(length);
      if (bytes?.length === length) return bytes;
      // Shorter than asked for: these are the last ones.
      if (bytes !== null || stream.readableEnded) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    throw new ChannelEnded(this.#why);
  }

  /** Takes `length` bytes away, a little at a time. @throws ChannelEnded */
  async discard(length: number): Promise<void> {
    for (let left = length; left > 0; left -= discardBytes) await this.exactly(Math.min(left, discardBytes));
  }

  /** Sends the parts as one message; what is sent by all that ends together goes together. @returns when it is on its way, or lost */
  send(...parts: Uint8Array[]): Promise<void> {
    const stream = this.#stream;
    if (!stream.writable) return Promise.resolve();
    if (!this.#scheduled) {
      this.#scheduled = true;
      stream.cork();
      atTurnEnd(() => {
        this.#scheduled = false;
        stream.uncork();
      });
    }
    return new Promise((resolve) => {
      const sent = (): void => {
        this.#signsOfLife += 1;
        resolve();
      };
      parts.forEach((part, i) => {
        stream.write(part, i === parts.length - 1 ? sent : undefined);
      });
    });
  }

  /** Says nothing more; what was sent still goes out. */
  end(): void {
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  /** Cuts it off: whoever waits for bytes gets ChannelEnded. */
  destroy(why?: string): void {
    this.#why ??= why;
    this.#stream.destroy();
  }

  /** Resolves when the stream is closed. */
  get closed(): Promise<void> {
    if (this.#stream.closed) return Promise.resolve();
    return new Promise((resolve) => this.#stream.once('close', () => resolve()));
  }
}
