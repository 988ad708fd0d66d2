/** The sending half of a transport: output gathers in pooled slabs, and goes out in one write for each batch of input. */

import type { Socket } from 'node:net';
import type { Straight, Volume } from '../backstore/backstore.ts';
import { hasVectors } from '../system/io-vector.ts';
import type { DirectSocket } from '../system/socket-io.ts';
import { atTurnEnd } from '../system/turn-end.ts';
import { Batch, keepSlab, type Slab } from './batch.ts';
import { flushBytesMax, flushBytesMin } from './limits.ts';
import type { Output } from './output.ts';

/** The share of a batch that goes out before the batch is complete. */
const firstPart = 0.7;
const noBytes = new Uint8Array();

/** The part of an output that is about its transport as a whole. */
type Transport = Required<Pick<Output, 'end' | 'cut' | 'lands'>>;

/** The sending half of one connection. */
export class Transmitter implements Output {
  readonly end: () => void;
  readonly cut: () => void;
  readonly lands: boolean;
  readonly #batch = new Batch();
  readonly #socket: Socket;
  readonly #direct: DirectSocket | undefined;
  /** Called when the socket has taken what it was behind with. */
  readonly #drained: () => void;
  /** Slabs that the socket still reads from. */
  #sending: Slab[] = [];
  /** The number of times, in this batch, that a volume's data went to the socket without the slab. */
  #passes = 0;
  /** The bytes of output in this batch, the bytes in a usual batch, and the number that has to gather before a part is sent. */
  #batchBytes = 0;
  #usualBytes = 0;
  #dueBytes = flushBytesMax;
  /** Whether a batch of input is being worked off. */
  #inBatch = false;
  #scheduled = false;
  #ending = false;
  #sent = 0;
  /** The bytes of output that another loop has sent already: they are made again, and left out. */
  #toSkip: number;
  readonly #written = () => this.#drain();
  readonly #flushLater = () => {
    this.#scheduled = false;
    this.#flush();
  };

  /** @param toSkip the bytes of output that another loop has sent */
  constructor(
    socket: Socket,
    direct: DirectSocket | undefined,
    toSkip: number,
    transport: Transport,
    drained: () => void,
  ) {
    this.#socket = socket;
    this.#direct = direct;
    this.#toSkip = toSkip;
    this.end = transport.end;
    this.cut = transport.cut;
    this.lands = transport.lands;
    this.#drained = drained;
  }

  /** The number of bytes that went out. */
  get sent(): number {
    return this.#sent;
  }

  get blocked(): boolean {
    return this.#sending.length > 0;
  }

  get passes(): boolean {
    return this.#direct !== undefined && !this.blocked && this.#toSkip === 0;
  }

  get bytes(): Uint8Array {
    return this.#batch.bytes;
  }

  room(length: number): number {
    if (!this.#batch.hasRoom(length)) {
      this.#write();
      this.#batch.open();
    }
    return this.#batch.end;
  }

  /** Lends only while a batch of input is worked off: the batch is sent before anything else happens to the memory lent. */
  lend(volume: Volume, position: number, length: number, header: number): boolean {
    return hasVectors && this.passes && this.#inBatch && this.#batch.lend(volume, position, length, header);
  }

  commit(length: number): void {
    this.#batch.commit(length);
    if (this.#batch.length >= this.#dueBytes) this.#flush();
    else if (!this.#inBatch && !this.#scheduled) {
      // Outside a batch, all output that completes together goes together.
      this.#scheduled = true;
      atTurnEnd(this.#flushLater);
    }
  }

  pass(source: Straight, length: number): boolean {
    if (this.#inBatch) this.#passes += 1;
    if (this.#passes === 2) this.#direct?.cork(true);
    this.#write(true);
    const passed = this.#direct && !this.blocked ? source.send(this.#direct) : 0;
    this.#sent += passed;
    if (passed === length) return true;
    const at = this.room(length - passed);
    const whole = source.copy(this.bytes.subarray(at, at + length - passed), passed);
    this.commit(length - passed);
    return whole;
  }

  /** Begins a batch of input, whose output goes out together. */
  beginBatch(): void {
    this.#inBatch = true;
  }

  /** Ends a batch. A part of the next one is sent early, so that the initiator can go on: this batch's length says how large a part. */
  endBatch(): void {
    this.#inBatch = false;
    this.#flush();
    if (this.#passes > 1) this.#direct?.cork(false);
    this.#passes = 0;
    this.#usualBytes = Math.max(this.#batchBytes, this.#usualBytes * 0.9);
    this.#batchBytes = 0;
    this.#dueBytes = Math.min(flushBytesMax, Math.max(flushBytesMin, this.#usualBytes * firstPart));
  }

  /** The connection ends: whatever is still committed does not wait for a socket that is behind. */
  stop(): void {
    this.#ending = true;
  }

  /** Sends what is committed, as the last that this connection sends. */
  finish(): void {
    this.stop();
    this.#flush();
  }

  /** The socket has closed: nobody reads from its slabs. */
  close(): void {
    this.stop();
    this.#sending = [];
  }

  #flush(): void {
    // While the socket takes no more, little output waits here: each write to it would hold a slab of its own.
    if (!this.blocked || this.#batch.length >= flushBytesMax || this.#ending) this.#write();
  }

  /** Writes the batch. @param more follows at once */
  #write(more = false): void {
    const batch = this.#batch;
    const { length } = batch;
    if (length === 0) return;
    const skipped = Math.min(this.#toSkip, length);
    this.#toSkip -= skipped;
    this.#batchBytes += length;
    this.#sent += length - skipped;
    const { writable } = this.#socket;
    const isNext = skipped === 0 && !this.blocked && writable;
    const taken = isNext && this.#direct ? batch.send(this.#direct, more) : skipped;
    const rest = taken < length && writable ? batch.rest(taken) : noBytes;
    const slab = batch.clear();
    if (!rest) this.#socket.destroy();
    else if (rest.length > 0) this.#socket.write(rest, this.#written);
    // The socket has mostly taken everything: the slab is free again.
    if (this.#socket.writableLength === 0) keepSlab(slab);
    else this.#sending.push(slab);
  }

  #drain(): void {
    if (this.#sending.length === 0 || this.#socket.writableLength > 0) return;
    for (const slab of this.#sending) keepSlab(slab);
    this.#sending = [];
    // Writes to a dead socket end like others: nothing more is read from a volume for it.
    if (!this.#ending && this.#socket.writable) this.#drained();
  }
}
