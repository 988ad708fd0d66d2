/** The messages on a front-end's socket: received whole, with their descriptors, carried out one by one, and answered. */

import { closeForeign } from '../system/descriptor.ts';
import { DescriptorSocket } from '../system/descriptor-socket.ts';
import { whenLate } from '../system/running-time.ts';
import { decode, encode } from '../wire/layout.ts';
import { headerFlag, messageHeader, numberPayload, payloadBytesMax, replyTo, requests } from '../wire/vhost-user.ts';
import { messageMs } from './limits.ts';

/** The front-end has sent an impossible message: its connection ends. */
export class MessageError extends Error {}

interface Message {
  readonly payload: Buffer;
  /** The descriptors, which the row closes or keeps. */
  readonly descriptors: readonly number[];
}

/** The answer to a request: only an acknowledgement where one is asked for; a payload; or a payload with descriptors, which are closed. */
export type MessageAnswer = undefined | Buffer | { readonly payload: Buffer; readonly descriptors: readonly number[] };

/** The row of one request. */
export interface Row {
  readonly name: string;
  /** The least number of bytes of its payload. */
  readonly bytes?: number;
  /** The largest number of descriptors that come with it. */
  readonly descriptors?: number;
  /** Carries the request out. @throws an error that ends the connection */
  readonly act: (message: Message) => MessageAnswer | Promise<MessageAnswer>;
}

/** The rows by the names of wire/vhost-user.ts. */
export type Rows = Partial<Record<keyof typeof requests, Row>>;

/** The owner of the messages, which is told of their end. */
export interface MessagesHost {
  /** Called when the connection cannot go on. */
  fail(error: unknown): void;
  /** Called when the front-end has closed it. */
  ended(): void;
}

/** The messages of one front-end. */
export class Messages {
  readonly #socket: DescriptorSocket;
  /** The rows by the number of the request. */
  readonly #rows: ReadonlyMap<number, Row>;
  readonly #host: MessagesHost;
  #endWait: (() => void) | undefined;
  readonly #buffer = Buffer.alloc(messageHeader.length + payloadBytesMax);
  #come = 0;
  #descriptors: number[] = [];
  #inTime: (() => void) | undefined;
  #isClosed = false;
  #hasSpoken = false;

  /** @param fd of the socket, which `Messages` closes */
  constructor(fd: number, rows: Rows, host: MessagesHost) {
    this.#socket = new DescriptorSocket(fd);
    this.#rows = new Map(Object.entries(rows).map(([name, row]) => [requests[name as keyof Rows], row]));
    this.#host = host;
    // The owner is whole by then, and can be told of a failure.
    queueMicrotask(() => this.#receive());
  }

  /** Nothing has come, not even a part of a message. */
  get isSilent(): boolean {
    return !this.#hasSpoken;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inTime?.();
    this.#endWait?.();
    closeAll(this.#descriptors);
    closeForeign(this.#socket.fd);
  }

  #wait(): void {
    if (!this.#isClosed) this.#endWait = this.#socket.whenReadable(() => this.#receive());
  }

  /**
   * Receives a message: its header by itself, since descriptors come with the bytes that are received last, and then its payload. While a
   * message is carried out, the next one waits in the socket.
   */
  #receive(): void {
    try {
      while (!this.#isClosed) {
        const received = this.#socket.receive(this.#buffer.subarray(this.#come, this.#wanted()));
        if (received === 'none yet') {
          this.#wait();
          break;
        }
        if (received === 'end') {
          this.#host.ended();
          return;
        }
        this.#hasSpoken = true;
        this.#descriptors.push(...received.descriptors);
        this.#come += received.bytes;
        if (this.#come < messageHeader.length || this.#come < this.#wanted()) continue;
        const work = this.#workOff();
        if (!work) continue;
        void work.then(() => this.#wait()).catch((error) => this.#host.fail(error));
        break;
      }
      if (this.#come > 0 && !this.#isClosed)
        this.#inTime ??= whenLate(messageMs, () => this.#host.fail(new MessageError('half a message came')));
    } catch (error) {
      this.#host.fail(error);
    }
  }

  /** The bytes that are to come until the message, or its header, is whole. */
  #wanted(): number {
    if (this.#come < messageHeader.length) return messageHeader.length;
    const { payloadBytes, flags } = decode(messageHeader, this.#buffer);
    if ((flags & headerFlag.versionMask) !== headerFlag.version) throw new MessageError('it speaks another version');
    if (payloadBytes > payloadBytesMax) throw new MessageError(`a message of ${payloadBytes} bytes`);
    return messageHeader.length + payloadBytes;
  }

  /** Carries a message out. @returns a promise where that takes its time */
  #workOff(): Promise<void> | undefined {
    const { request, flags, payloadBytes } = decode(messageHeader, this.#buffer);
    const payload = Buffer.from(this.#buffer.subarray(messageHeader.length, messageHeader.length + payloadBytes));
    const descriptors = this.#descriptors;
    this.#descriptors = [];
    this.#come = 0;
    this.#inTime?.();
    this.#inTime = undefined;
    const row = this.#rows.get(request);
    if (!row || descriptors.length > (row.descriptors ?? 0) || payload.length < (row.bytes ?? 0)) {
      closeAll(descriptors);
      throw new MessageError(
        row
          ? `${row.name} with ${payload.length} bytes and ${descriptors.length} descriptors`
          : `request ${request}, which is not offered`,
      );
    }
    const answer = row.act({ payload, descriptors });
    if (answer instanceof Promise) return answer.then((later) => this.#answer(request, flags, later));
    this.#answer(request, flags, answer);
    return undefined;
  }

  #answer(request: number, flags: number, answer: MessageAnswer): void {
    if (this.#isClosed) return;
    const { payload, descriptors } = Buffer.isBuffer(answer) || !answer ? { payload: answer, descriptors: [] } : answer;
    // An acknowledgement has the value 0: a failure ends the connection instead.
    const said = payload ?? ((flags & headerFlag.needReply) !== 0 ? encode(numberPayload, { value: 0n }) : undefined);
    const isSent = !said || this.#socket.send(replyTo(request, said), descriptors);
    closeAll(descriptors);
    if (!isSent) throw new MessageError('it does not read its answers');
  }
}

/** Closes descriptors that nobody takes. */
export function closeAll(descriptors: readonly number[]): undefined {
  for (const fd of descriptors) closeForeign(fd);
}
