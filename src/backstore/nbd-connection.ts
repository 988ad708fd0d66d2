/** One connection to an NBD server, as a client: requests, and their answers in whatever order they come. */

import { readFileSync } from 'node:fs';
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { OperatorError, reasonOf } from '../errors.ts';
import { whenLate } from '../system/running-time.ts';
import { systemError } from '../system/system-error.ts';
import { ByteChannel, ChannelEnded } from '../wire/byte-channel.ts';
import { decode, decodeAll, encode } from '../wire/layout.ts';
import {
  commands,
  errorPayload,
  errors,
  extentFlag,
  magic,
  offsetData,
  offsetHole,
  payloadBytesMax,
  replyDone,
  replyErrors,
  replyTypes,
  request as requestRecord,
  simpleReply,
  statusContext,
  statusExtent,
  structuredReply,
} from '../wire/nbd.ts';
import { shakeHands, type Terms } from './nbd-handshake.ts';
import type { NbdAddress } from './nbd-uri.ts';
import { beginPatience } from './patience.ts';

/** The time that a connection may take until its export is open. */
const openMs = 10_000;
/**
 * The time that a server may be silent while it owes an answer before it counts as gone. Requests about long ranges, or about all of its
 * cache, may take longer.
 */
const silenceMs = 30_000;
const longSilenceMs = 120_000;
/** The time that the server may take to close its end after our goodbye. */
const farewellMs = 1_000;
/** The silence after which the kernel asks whether the other machine is there, and ends the connection when it is not. */
const keepAliveMs = 10_000;
/** The bytes of a structured reply beyond the data of the request: extents, messages. */
const payloadExtraBytes = 1024 * 1024;

/** A request to a server. */
export interface NbdRequest {
  readonly type: number;
  /** The flags of the command (`commandFlag`). */
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** The data of a WRITE. */
  readonly data?: Uint8Array;
  /** The buffer that a READ fills. */
  readonly into?: Uint8Array;
}

/** A stretch of an export, as BLOCK STATUS tells it, in bytes. */
export interface NbdExtent {
  readonly length: number;
  /** Whether nothing is stored there. */
  readonly hole: boolean;
}

interface Pending {
  request: NbdRequest;
  /** The bytes of data that have come. */
  filled: number;
  error: number;
  extents: NbdExtent[];
  resolve(extents: NbdExtent[]): void;
  reject(error: Error): void;
}

/** Opens a connection. @throws OperatorError when the server cannot be reached or does not give the export */
export async function openNbdConnection(address: NbdAddress): Promise<NbdConnection> {
  const where = 'path' in address.socket ? address.socket.path : `${address.socket.host} port ${address.socket.port}`;
  const socket = connectSocket({
    ...address.socket,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  });
  const inTime = whenLate(openMs, () => socket.destroy(new Error(`no answer in ${openMs / 1000} s`)));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const secure = (channel: ByteChannel) => upgrade(channel, address);
    const { channel, terms } = await shakeHands(new ByteChannel(socket), address.exportName, address.tls, secure);
    return new NbdConnection(channel, terms);
  } catch (error) {
    socket.destroy();
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`Cannot open the NBD export at ${where}`, `${reasonOf(error)}.`);
  } finally {
    inTime();
  }
}

/** Begins TLS on the channel's stream, with the certificates that the address names. */
function upgrade(channel: ByteChannel, { socket, certificates, verifyPeer }: NbdAddress): Promise<ByteChannel> {
  const options: ConnectionOptions = {
    socket: channel.release() as Socket,
    rejectUnauthorized: verifyPeer,
    ...('host' in socket && { host: socket.host, ...(!isIP(socket.host) && { servername: socket.host }) }),
    ...(certificates !== undefined && certificatesIn(certificates)),
  };
  return new Promise((resolve, reject) => {
    const stream = connectTls(options, () => {
      stream.off('error', reject);
      resolve(new ByteChannel(stream));
    });
    stream.once('error', reject);
    stream.once('close', () => reject(new ChannelEnded()));
  });
}

function certificatesIn(folder: string): ConnectionOptions {
  const file = (name: string): Buffer | undefined => {
    try {
      return readFileSync(join(folder, name));
    } catch {
      return undefined;
    }
  };
  const [ca, cert, key] = [file('ca-cert.pem'), file('client-cert.pem'), file('client-key.pem')];
  if (!ca) throw new OperatorError(`There is no ca-cert.pem in ${folder}`);
  return { ca, ...(cert && { cert }), ...(key && { key }) };
}

/** A connection to an NBD server, once the handshake is over. */
export class NbdConnection {
  readonly terms: Terms;
  /** Resolves with the reason when no more answers will come: the connection is closed, or the server is silent, or talks nonsense. */
  readonly lost: Promise<string>;
  /** Resolves when the connection is closed. Where the server has closed it, no request that was sent reaches the medium any more. */
  readonly closed: Promise<void>;
  readonly #lose: (why: string) => void;
  #isLost = false;
  #isLeft = false;
  readonly #channel: ByteChannel;
  readonly #pending = new Map<number, Pending>();
  #lastCookie = 0;
  /** The number of READ and WRITE requests that are not answered. */
  #transfers = 0;

  constructor(channel: ByteChannel, terms: Terms) {
    this.#channel = channel;
    this.terms = terms;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.lost = promise;
    this.#lose = (why) => {
      this.#isLost = true;
      resolve(why);
    };
    this.closed = this.#receive();
    this.#watch(silenceMs, () => this.#transfers > 0);
    this.#watch(longSilenceMs, () => this.#pending.size > 0);
  }

  /** Gives the connection up when an answer is owed and none is heard for `limitMs`. */
  #watch(limitMs: number, owed: () => boolean): void {
    const heard = () => this.#channel.signsOfLife;
    const lost = () => this.#lose(`the server does not answer, for ${limitMs / 1000} s now`);
    const patience = beginPatience(limitMs, { owed, heard, lost });
    void this.lost.then(() => patience.end());
  }

  /** The number of requests that are not answered. */
  get load(): number {
    return this.#pending.size;
  }

  /**
   * Sends a request.
   * @returns when it is answered; the extents of a BLOCK STATUS
   * @throws a system error when the server failed, ChannelEnded when nobody knows whether it did
   */
  send(request: NbdRequest): Promise<NbdExtent[]> {
    if (this.#channel.ended || this.#isLost) return Promise.reject(new ChannelEnded());
    this.#lastCookie += 1;
    const cookie = this.#lastCookie;
    const { type, flags, offset, length } = request;
    const cookieBytes = BigInt(cookie);
    const header = encode(requestRecord, { magic: magic.request, type, flags, offset, length, cookie: cookieBytes });
    return new Promise((resolve, reject) => {
      this.#pending.set(cookie, { request, filled: 0, error: 0, extents: [], resolve, reject });
      if (isTransfer(request)) this.#transfers += 1;
      void (request.data ? this.#channel.send(header, request.data) : this.#channel.send(header));
    });
  }

  /** Says goodbye. */
  disconnect(): void {
    void this.#channel.send(encode(requestRecord, { magic: magic.request, type: commands.disconnect }));
    this.#channel.end();
    void this.closed.then(whenLate(farewellMs, () => this.destroy()));
  }

  /**
   * Sends no more requests. A request that changes the medium and is not answered may still be carried out: it waits until the server
   * answers it or closes its end. All others without an answer fail now.
   */
  leave(): void {
    this.#lose('the connection was left');
    const why = new ChannelEnded();
    const owed = [...this.#pending.values()];
    for (const pending of owed) {
      if (isChange(pending.request)) continue;
      pending.reject(why);
      // The caller has its buffer back.
      const { into } = pending.request;
      if (into) pending.request = { ...pending.request, into: new Uint8Array(into.length) };
    }
    this.#isLeft = true;
    // The server answers the requests that it has before it closes its end (NBD proto.md, NBD_CMD_DISC). Some servers take a half-closed
    // connection for a lost one.
    void this.#channel.send(encode(requestRecord, { magic: magic.request, type: commands.disconnect }));
    this.#destroyWhenSettled();
  }

  #destroyWhenSettled(): void {
    if (this.#isLeft && ![...this.#pending.values()].some(({ request }) => isChange(request))) this.destroy();
  }

  destroy(): void {
    this.#channel.destroy();
  }

  async #receive(): Promise<void> {
    let why = new ChannelEnded();
    try {
      for (;;) await this.#receiveReply();
    } catch (error) {
      if (error instanceof ChannelEnded) why = error;
      else {
        why = new ChannelEnded(reasonOf(error));
        this.#lose(why.message);
        // Further replies are dropped, and only the end of the connection is awaited.
        for (let goesOn = true; goesOn; )
          goesOn = await this.#channel.exactly(1).then(
            () => true,
            () => false,
          );
      }
    }
    this.#lose(why.message);
    this.#channel.destroy();
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of lost) reject(why);
  }

  /** Receives a reply. @throws Error for bytes that are none: nothing that follows can be believed */
  async #receiveReply(): Promise<void> {
    const start = await this.#channel.exactly(simpleReply.length);
    const kind = simpleReply.fields.magic.get(start, 0);
    if (kind === magic.simpleReply) {
      const { error, cookie } = decode(simpleReply, start);
      const pending = this.#take(cookie);
      const { into } = pending.request;
      if (error === 0 && into) {
        into.set(await this.#channel.exactly(into.length));
        pending.filled = into.length;
      }
      pending.error = error;
      return this.#finish(Number(cookie), pending);
    }
    if (kind !== magic.structuredReply) throw new Error('what came is no reply');
    const rest = await this.#channel.exactly(structuredReply.length - simpleReply.length);
    const header = decode(structuredReply, Buffer.concat([start, rest]));
    const pending = this.#take(header.cookie);
    if (header.length > payloadBytesMax + payloadExtraBytes) throw new Error('a reply is too long');
    await this.#receivePiece(pending, header.type, header.length);
    if ((header.flags & replyDone) !== 0) this.#finish(Number(header.cookie), pending);
  }

  #take(cookie: bigint): Pending {
    const pending = this.#pending.get(Number(cookie));
    if (!pending) throw new Error('a reply to what was not asked');
    return pending;
  }

  async #receivePiece(pending: Pending, type: number, length: number): Promise<void> {
    const { request } = pending;
    const payload = await this.#channel.exactly(length);
    const into = (offset: number, bytes: number): Uint8Array => {
      const from = offset - request.offset;
      if (!request.into || from < 0 || from + bytes > request.into.length) throw new Error('data for another place');
      pending.filled += bytes;
      return request.into.subarray(from, from + bytes);
    };
    if (type >= replyErrors) {
      const { error } = length >= errorPayload.length ? decode(errorPayload, payload) : { error: 0 };
      pending.error ||= error || errors.EIO;
    } else if (type === replyTypes.offsetData && length > offsetData.length) {
      const data = payload.subarray(offsetData.length);
      into(decode(offsetData, payload).offset, data.length).set(data);
    } else if (type === replyTypes.offsetHole && length === offsetHole.length) {
      const hole = decode(offsetHole, payload);
      into(hole.offset, hole.length).fill(0);
    } else if (
      type === replyTypes.blockStatus &&
      length >= statusContext.length + statusExtent.length &&
      decode(statusContext, payload).id === this.terms.allocationId
    ) {
      const both = extentFlag.hole | extentFlag.zero;
      for (const { length: bytes, flags } of decodeAll(statusExtent, payload, statusContext.length))
        pending.extents.push({ length: bytes, hole: (flags & both) === both });
    } else if (type !== replyTypes.none) throw new Error(`a reply of type ${type}`);
  }

  #finish(cookie: number, { request, filled, error, extents, resolve, reject }: Pending): void {
    this.#pending.delete(cookie);
    if (isTransfer(request)) this.#transfers -= 1;
    // A server that is about to go is treated as if it had gone.
    if (error === errors.ESHUTDOWN) reject(new ChannelEnded('the server shuts down'));
    else if (error !== 0) reject(systemError(known(error), 'nbd'));
    else if (request.into && filled !== request.into.length) reject(systemError('EIO', 'nbd'));
    else resolve(extents);
    this.#destroyWhenSettled();
  }
}

/** Whether a request changes the medium. */
export const isChange = ({ type }: { readonly type: number }): boolean =>
  type === commands.write || type === commands.trim || type === commands.writeZeroes;

const isTransfer = ({ data, into }: NbdRequest): boolean => data !== undefined || into !== undefined;

/** The name of an error number. The protocol makes unknown numbers EINVAL; from a medium, that is an error of the medium. */
const known = (error: number): string => Object.entries(errors).find(([, number]) => number === error)?.[0] ?? 'EIO';
