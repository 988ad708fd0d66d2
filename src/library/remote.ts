/** A configuration that another process serves, over its control socket (docs/protocol.md). */

import { connect, type Socket } from 'node:net';
import {
  type ControlRefusal,
  type ControlReply,
  type ControlRequest,
  messageBytesMax,
  protocolVersion,
} from '../daemon/control-protocol.ts';
import { encodeFrame, FrameReader } from '../daemon/frames.ts';
import { refuseStranger } from '../daemon/socket-server.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { ConfigurationLink } from './link.ts';

/** The bytes of an answer, which may have the whole configuration. */
const answerBytesMax = messageBytesMax * 4;

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;
type Answer<K> = Extract<ControlReply, { is: K }>;

interface Waiting {
  readonly resolve: (reply: ControlReply) => void;
  readonly reject: (error: Error) => void;
}

/** Connects. @param path of the control socket @throws OperatorError when no process answers there, or it refuses */
export async function remoteLink(path: string): Promise<ConfigurationLink> {
  const asking = await open(path);
  return {
    async apply(change) {
      const { operation, notes } = await asking.ask<'applied'>({ do: 'apply', operation: change as never });
      return { params: operation.params, notes };
    },
    configuration: async (at) => (await asking.ask<'configuration'>({ do: 'configuration', path: at })).configuration,
    status: async () => (await asking.ask<'status'>({ do: 'status' })).status,
    async save() {
      const { path: saved, backup } = await asking.ask<'saved'>({ do: 'save' });
      return { path: saved, backup };
    },
    close: () => asking.close(),
  };
}

async function open(path: string): Promise<Asking> {
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
  } catch (error) {
    throw new OperatorError(`No tcli can be reached at ${path}: ${reasonOf(error)}`, 'To start one: tcli daemon start');
  }
  refuseStranger(socket, path);
  const asking = new Asking(socket);
  await asking.welcome;
  return asking;
}

/** One connection: requests have numbers, and answers may come in another order. */
class Asking {
  readonly welcome: Promise<void>;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closed: Promise<void>;
  #welcomed: Waiting | undefined;
  #lastId = 0;
  #gone: OperatorError | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.welcome = new Promise((resolve, reject) => {
      this.#welcomed = { resolve: () => resolve(), reject };
    });
    const reader = new FrameReader(answerBytesMax);
    socket.on('data', (bytes) => {
      try {
        for (const message of reader.read(bytes)) this.#hear(message as ControlReply & Partial<ControlRefusal>);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', (error) => this.#end(`The connection to tcli was lost: ${reasonOf(error)}`));
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.#closed.then(() => this.#end('The tcli that was asked has closed the connection.'));
    socket.write(encodeFrame({ tcli: protocolVersion }));
  }

  /** Asks. @throws OperatorError for a refusal, and when the connection ends before the answer: the change may have been made then */
  async ask<K extends ControlReply['is']>(request: Unnumbered<ControlRequest>): Promise<Answer<K>> {
    if (this.#gone) throw this.#gone;
    this.#lastId += 1;
    const id = this.#lastId;
    const reply = await new Promise<ControlReply>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(encodeFrame({ ...request, id }));
    });
    if (reply.is === 'failed') throw new OperatorError(reply.error, reply.hint);
    return reply as Answer<K>;
  }

  async close(): Promise<void> {
    this.#socket.end();
    await this.#closed;
  }

  #hear(message: ControlReply & Partial<ControlRefusal>): void {
    if (message.tcli !== undefined) {
      if (message.error === undefined) this.#welcomed?.resolve(message);
      else this.#end(message.error, message.hint);
      return;
    }
    this.#waiting.get(message.id)?.resolve(message);
    this.#waiting.delete(message.id);
  }

  #end(why: string, hint?: string): void {
    this.#gone ??= new OperatorError(why, hint);
    this.#welcomed?.reject(this.#gone);
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}
