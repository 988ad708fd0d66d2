/** A connection on a Node socket: received into a buffer of our own, one write for each batch from pooled slabs. */

import { Socket } from 'node:net';
import type { Straight, Volume } from '../backstore/backstore.ts';
import { leaveToCollector } from '../system/collector.ts';
import { addressNumber, hasVectors, IoVector } from '../system/io-vector.ts';
import { type AwaitedConnection, linger } from '../system/linger.ts';
import { whenLate } from '../system/running-time.ts';
import { type DirectSocket, directSocket } from '../system/socket-io.ts';
import { copyOf } from '../wire/layout.ts';
import { Batch, keepSlab, type Slab } from './batch.ts';
import { closingMs, directBytesMin, flushBytesMax, flushBytesMin, receiveBuffersKept, receiveBytes } from './limits.ts';
import type { Output } from './output.ts';
import { digestBytes, headerBytes } from './pdu.ts';

/** The protocol that the transport drives: `Connection`. */
export interface Protocol {
  feed(bytes: Uint8Array, start: number, end: number): void;
  /** The buffer for the rest of a data segment. Bytes that are received there are reported by `filled`, and not fed. */
  readonly wanted: Uint8Array | undefined;
  filled(count: number): void;
  /** The bytes that are to come of data that goes to a place instead of a buffer, and the length of the header behind it. */
  readonly left: number;
  readonly headerBytes: number;
  /**
   * Adds memory for `available` bytes of that data. @returns the number of bytes that it takes, of which `took` is told; undefined when
   * they are to be fed
   */
  lend(available: number, to: IoVector): number | undefined;
  took(count: number): void;
  drained(): void;
  /** Whether the connection stays in this loop for good: its received bytes need not be kept for another loop. */
  readonly settled: boolean;
  /** Called when the socket has closed. */
  close(why: string): Promise<void>;
}

/** The bytes that another loop has received, and the number of bytes of answers that it has sent. */
export interface Before {
  readonly received: Uint8Array;
  readonly sent: number;
}

/** The memory that one receiving call of this thread fills. */
let places: IoVector | undefined;
/** The longest header that is received by itself (`Protocol.headerBytes`). */
const sipBytes = headerBytes + digestBytes;
/** The share of a batch that goes out before the batch is complete. */
const firstPart = 0.7;
/** The number of calls that a connection may receive with before others have their turn. */
const landingRounds = 16;
/** The bytes of its socket and session that a closed connection leaves to the garbage collector: measured over thousands. */
const connectionBytes = 16 * 1024;
/**
 * Receive buffers of closed connections, for the next ones. Where connections come and go fast, new buffers would pile up
 * until the garbage collector runs.
 */
const buffers: Uint8Array[] = [];
const noBytes = new Uint8Array();

/** One connection on its socket. */
export class SocketTransport implements Output, AwaitedConnection {
  readonly #batch = new Batch();
  readonly #socket: Socket;
  /** System calls on the socket itself. Absent where the platform has none: all data goes through Node's socket then. */
  readonly #direct: DirectSocket | undefined;
  readonly #protocol: Protocol | undefined;
  readonly #buffer: Uint8Array = buffers.pop() ?? Buffer.allocUnsafeSlow(receiveBytes);
  /** The memory that Node's socket receives into while long data goes to its place. */
  readonly #sip = this.#buffer.subarray(0, sipBytes);
  /** The address of the first byte of `#sip`; 0 until it is needed. */
  #address = 0;
  /** Whether the next data goes to its place. */
  #landing = false;
  /** The memory that Node's socket receives into. */
  #into = this.#buffer;
  /** Slabs that the socket still reads from. */
  #sending: Slab[] = [];
  /** The number of times, in this batch, that a volume's data went to the socket without the slab. */
  #passes = 0;
  /** The bytes of output in this batch, the bytes in a usual batch, and the number that has to gather before a part is sent. */
  #batchBytes = 0;
  #usualBytes = 0;
  #dueBytes = flushBytesMax;
  #receiving = false;
  #scheduled = false;
  #ending = false;
  #paused = false;
  /** All bytes that were received, while the connection may still go to another loop. */
  #kept: Uint8Array[] | undefined;
  #sent = 0;
  /** The bytes of output that another loop has sent already: they are made again, and left out. */
  #toSkip: number;
  /** Calls off the forced end of a socket that takes too long to close. */
  #forgive: () => void = () => {};
  readonly #written = () => this.#drain();

  /**
   * @param source a paused socket, whose handle moves to one with a receive buffer of our own; or a file descriptor
   * @param open makes the protocol that speaks over it
   * @param before the connection's life in another loop. Absent: the connection is new, and received bytes are kept until it has gone on
   * to another loop (`handOver`) or is `settled` here
   */
  constructor(source: Socket | number, open: (output: Output) => Protocol, before?: Before) {
    this.#kept = before ? undefined : [];
    this.#toSkip = before?.sent ?? 0;
    this.#socket = withBuffers(
      source,
      () => this.#nodeBuffer(),
      (count) => this.#nodeReceived(count),
    );
    this.#socket.setNoDelay(true);
    this.#direct = directSocket(this.#socket);
    // An error is followed by 'close', which is handled.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#closed());
    this.#protocol = open(this);
    if (!before) return;
    this.#receiving = true;
    this.#protocol.feed(before.received, 0, before.received.length);
    this.#received();
  }

  /**
   * Gives the socket away, also while its data is being received.
   * @param to gets the socket, paused, with all bytes that came over it, and the number of bytes of answers that went out
   */
  handOver(to: (rest: Before & { socket: Socket }) => void): void {
    const received = Buffer.concat(this.#kept ?? []);
    this.#ending = true;
    this.#socket.pause();
    // The socket cannot be given away while it is calling this transport with data.
    setImmediate(() => to({ socket: this.#socket, received, sent: this.#sent }));
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
    return hasVectors && this.passes && this.#receiving && this.#batch.lend(volume, position, length, header);
  }

  commit(length: number): void {
    this.#batch.commit(length);
    if (this.#batch.length >= this.#dueBytes) this.#flush();
    else if (!this.#receiving && !this.#scheduled) {
      // Outside a batch, all output that completes in this turn of the event loop goes together.
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
  }

  pass(source: Straight, length: number): boolean {
    if (this.#receiving) this.#passes += 1;
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

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#flush();
    this.#socket.end();
    this.#socket.resume();
    this.#forgive = whenLate(closingMs, () => this.#socket.destroy());
  }

  cut(): void {
    this.#ending = true;
    this.#socket.destroy();
  }

  get lands(): boolean {
    return this.#direct !== undefined && hasVectors;
  }

  look(): boolean | undefined {
    if (!this.#direct || this.#paused || this.#ending) return undefined;
    if (this.#landAll()) {
      this.#received();
      return true;
    }
    if (this.#landing) return false;
    const into = this.#nextBuffer();
    const count = this.#direct.receive(into);
    if (count > 0) this.#receive(into, count);
    return count > 0;
  }

  /** The memory for the next bytes: long data goes straight to its place, all else into the buffer. */
  #nextBuffer(): Uint8Array {
    const wanted = this.#protocol?.wanted;
    return wanted && wanted.length >= directBytesMin ? wanted : this.#buffer;
  }

  /** The memory for Node's socket, which asks long before it receives. `look` may receive meanwhile: only our own buffer is right then. */
  #nodeBuffer(): Uint8Array {
    this.#into = this.#landing ? this.#sip : this.#direct ? this.#buffer : this.#nextBuffer();
    return this.#into;
  }

  #nodeReceived(count: number): void {
    this.#receive(this.#into, count);
    linger(this);
  }

  #receive(into: Uint8Array, count: number): void {
    if (this.#ending) return;
    this.#kept?.push(copyOf(into, 0, count));
    this.#receiving = true;
    if (into === this.#buffer || into === this.#sip) this.#protocol?.feed(into, 0, count);
    else this.#protocol?.filled(count);
    this.#landing = false;
    this.#landAll();
    this.#received();
    if (this.#protocol?.settled) this.#kept = undefined;
  }

  /**
   * Receives while data comes that belongs into a volume's memory, each time with the one header behind it, so that the data of the next
   * PDU can go to its place, too. @returns whether any bytes came
   */
  #landAll(): boolean {
    let landed = false;
    for (let round = 0; round < landingRounds && this.#land(); round += 1) landed = true;
    return landed;
  }

  #land(): boolean {
    const protocol = this.#protocol;
    if (!protocol || !this.#direct || !this.lands || this.#ending) return false;
    this.#landing = false;
    if (protocol.left === 0) return false;
    // No more than has arrived is asked for: then the call fills every piece of memory but the last.
    const available = this.#direct.available();
    places ??= new IoVector();
    places.clear();
    const placed = protocol.lend(available, places);
    if (placed === undefined) return false;
    this.#landing = true;
    if (available === 0) return false;
    if (placed === protocol.left && available >= placed + protocol.headerBytes) {
      this.#address ||= addressNumber(this.#sip);
      places.add(this.#address, protocol.headerBytes);
    }
    const count = this.#direct.receiveVector(places);
    this.#landing = count !== undefined;
    if (!count) return false;
    this.#receiving = true;
    protocol.took(Math.min(count, placed));
    if (count > placed) protocol.feed(this.#sip, 0, count - placed);
    return true;
  }

  #received(): void {
    this.#endBatch();
    if (!this.blocked || this.#ending) return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** Ends a batch. A part of the next one is sent early, so that the initiator can go on: this batch's length says how large a part. */
  #endBatch(): void {
    this.#receiving = false;
    this.#flush();
    if (this.#passes > 1) this.#direct?.cork(false);
    this.#passes = 0;
    this.#usualBytes = Math.max(this.#batchBytes, this.#usualBytes * 0.9);
    this.#batchBytes = 0;
    this.#dueBytes = Math.min(flushBytesMax, Math.max(flushBytesMin, this.#usualBytes * firstPart));
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
    if (this.#ending || !this.#socket.writable) return;
    this.#receiving = true;
    this.#protocol?.drained();
    this.#endBatch();
    if (this.blocked || !this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #closed(): void {
    this.#ending = true;
    this.#forgive();
    this.#sending = [];
    if (buffers.length < receiveBuffersKept) buffers.push(this.#buffer);
    leaveToCollector(connectionBytes);
    void this.#protocol?.close('connection lost');
  }
}

/** A socket of Node over a file descriptor that is this process's to close. */
export const socketOf = (source: Socket | number): Socket =>
  typeof source === 'number' ? new Socket({ fd: source }) : source;

/**
 * A socket that receives into `next()`'s buffer and calls `receive` with the count: it takes over the descriptor, or the
 * handle of the socket, that `source` is; where Node has no such handle, it copies.
 */
function withBuffers(source: Socket | number, next: () => Uint8Array, receive: (count: number) => void): Socket {
  const callback = (count: number): boolean => {
    receive(count);
    return true;
  };
  const onread = { buffer: next, callback };
  if (typeof source === 'number') return new Socket({ fd: source, onread } as SocketOptions);
  const accepted = source;
  const holder = accepted as unknown as { _handle: object | null };
  const handle = holder._handle;
  if (!handle) {
    accepted.on('data', (data: Buffer) => {
      for (let at = 0; at < data.length; ) {
        const into = next();
        const piece = data.subarray(at, at + into.length);
        into.set(piece);
        receive(piece.length);
        at += piece.length;
      }
    });
    accepted.resume();
    return accepted;
  }
  holder._handle = null;
  return new Socket({ handle, onread } as SocketOptions);
}

/** Node's types know neither that a buffer may be a function nor `handle`. */
type SocketOptions = NonNullable<ConstructorParameters<typeof Socket>[0]>;
