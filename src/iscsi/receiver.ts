/** The receiving half of a transport: bytes go from the socket into a buffer of our own, or where their data is to stay. */

import type { Socket } from 'node:net';
import { bufferedSocket } from '../system/buffered-socket.ts';
import { addressNumber, hasVectors, IoVector } from '../system/io-vector.ts';
import { type DirectSocket, directSocket } from '../system/socket-io.ts';
import { beginSlice, endSlice, forgetClient, inNextSlice, type Sharer, sliceIsOver } from '../system/time-slice.ts';
import { copyOf } from '../wire/layout.ts';
import type { Input } from './input.ts';
import { directBytesMin, receiveBuffersKept, receiveBytes } from './limits.ts';
import { digestBytes, headerBytes } from './pdu.ts';

/** The memory that one receiving call of this thread fills. */
let places: IoVector | undefined;
/** The longest header that is received by itself (`Input.headerBytes`). */
const sipBytes = headerBytes + digestBytes;
/** The number of calls that a connection may receive with before others have their turn. */
const landingRounds = 16;
/**
 * Receive buffers of closed connections, for the next ones. Where connections come and go fast, new buffers would pile up
 * until the garbage collector runs.
 */
const buffers: Uint8Array[] = [];

/** The calls around the input that one turn brings. */
export interface Turn {
  /** Input is about to be worked off. */
  begin(): void;
  /** All of it is worked off. */
  end(): void;
}

/** The receiving half of one connection. */
export class Receiver implements Sharer {
  readonly socket: Socket;
  /** System calls on the socket itself. Absent where the platform has none: all data goes through Node's socket then. */
  readonly direct: DirectSocket | undefined;
  readonly #turn: Turn;
  #input: Input | undefined;
  readonly #buffer: Uint8Array = buffers.pop() ?? Buffer.allocUnsafeSlow(receiveBytes);
  /** The memory that Node's socket receives into while long data goes to its place. */
  readonly #sip = this.#buffer.subarray(0, sipBytes);
  /** The address of the first byte of `#sip`; 0 until it is needed. */
  #address = 0;
  /** Whether the next data goes to its place. */
  #landing = false;
  /** The memory that Node's socket receives into. */
  #into = this.#buffer;
  /** The bytes of `#buffer` from `#restAt` to `#restEnd` wait for the next time slice; the socket is paused until they are worked off. */
  #restAt = 0;
  #restEnd = 0;
  #paused = false;
  #stopped = false;
  /** All bytes that were received, while the connection may still go to another loop. */
  #kept: Uint8Array[] | undefined;

  /**
   * @param source a paused socket, whose handle moves to one with a receive buffer of our own; or a file descriptor
   * @param isNew whether no other loop has had the connection: what is received is kept until it has gone on to one, or is `settled` here
   * @param received called when what Node's socket has received is worked off
   */
  constructor(source: Socket | number, isNew: boolean, turn: Turn, received: () => void) {
    this.#turn = turn;
    this.#kept = isNew ? [] : undefined;
    this.socket = bufferedSocket(
      source,
      () => this.#nodeBuffer(),
      (count) => {
        this.#receive(this.#into, count);
        received();
      },
    );
    this.direct = directSocket(this.socket);
  }

  /** Everything that came, as long as it is kept. */
  get kept(): Uint8Array {
    return Buffer.concat(this.#kept ?? []);
  }

  /** Whether long data can be received at its own place. */
  get lands(): boolean {
    return this.direct !== undefined && hasVectors;
  }

  /** Brings what comes to `input`. @param before what another loop has received of it */
  start(input: Input, before: Uint8Array | undefined): void {
    this.#input = input;
    if (!before) return;
    this.#turn.begin();
    this.#feedAll(input, before, before.length);
    this.#turn.end();
  }

  /** Receives nothing until `resume`. */
  pause(): void {
    if (this.#stopped) return;
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#restEnd > 0) inNextSlice(this.#goOn);
    else this.socket.resume();
  }

  /** Brings nothing any more, whatever still comes. */
  stop(): void {
    this.#stopped = true;
    forgetClient(this);
  }

  get waits(): boolean {
    return !this.#paused && !this.#stopped && (this.#restEnd > 0 || !this.direct || this.direct.available() > 0);
  }

  /** Gives the buffer back, when the socket has closed. */
  close(): void {
    this.stop();
    if (buffers.length < receiveBuffersKept) buffers.push(this.#buffer);
  }

  /** Receives what has come, as `AwaitedConnection.look` does. */
  look(): boolean | undefined {
    if (!this.direct || this.#paused || this.#stopped || this.#restEnd > 0) return undefined;
    if (this.#input && this.#input.left > 0) {
      beginSlice(this);
      const landed = this.#landAll();
      endSlice();
      if (landed) {
        this.#turn.end();
        return true;
      }
    }
    if (this.#landing) return false;
    const into = this.#nextBuffer();
    const count = this.direct.receive(into);
    if (count > 0) this.#receive(into, count);
    return count > 0;
  }

  /** The memory for the next bytes: long data goes straight to its place, all else into the buffer. */
  #nextBuffer(): Uint8Array {
    const wanted = this.#input?.wanted;
    return wanted && wanted.length >= directBytesMin ? wanted : this.#buffer;
  }

  /** The memory for Node's socket, which asks long before it receives. `look` may receive meanwhile: only our own buffer is right then. */
  #nodeBuffer(): Uint8Array {
    this.#into = this.#landing ? this.#sip : this.direct ? this.#buffer : this.#nextBuffer();
    return this.#into;
  }

  #receive(into: Uint8Array, count: number): void {
    if (this.#stopped) return;
    this.#kept?.push(copyOf(into, 0, count));
    if (into === this.#buffer || into === this.#sip) this.#workOff(0, count);
    else {
      beginSlice(this);
      this.#turn.begin();
      this.#input?.filled(count);
      this.#endTurn();
    }
  }

  /** Works off bytes of the buffer, until the time slice is over: the rest waits for the next one, and so does what the socket has. */
  #workOff(start: number, end: number): void {
    beginSlice(this);
    this.#turn.begin();
    const at = this.#input?.feed(this.#buffer, start, end) ?? end;
    const wasLeft = this.#restEnd > 0;
    this.#restAt = at;
    this.#restEnd = at < end ? end : 0;
    this.#endTurn();
    if (this.#restEnd > 0) {
      if (!wasLeft) this.socket.pause();
      if (!this.#paused) inNextSlice(this.#goOn);
    } else if (wasLeft && !this.#paused && !this.#stopped) this.socket.resume();
  }

  readonly #goOn = () => {
    if (this.#restEnd > 0 && !this.#stopped && !this.#paused) this.#workOff(this.#restAt, this.#restEnd);
  };

  #endTurn(): void {
    this.#landing = false;
    if (this.#restEnd === 0) this.#landAll();
    this.#turn.end();
    endSlice();
    if (this.#input?.settled) this.#kept = undefined;
  }

  /** Feeds bytes that cannot wait. */
  #feedAll(input: Input, bytes: Uint8Array, end: number): void {
    for (let at = 0; at < end; ) at = input.feed(bytes, at, end);
  }

  /**
   * Receives while data comes that belongs into a volume's memory, each time with the one header behind it, so that the data of the next
   * PDU can go to its place, too. @returns whether any bytes came
   */
  #landAll(): boolean {
    let landed = false;
    for (let round = 0; round < landingRounds && !sliceIsOver() && this.#land(); round += 1) landed = true;
    return landed;
  }

  #land(): boolean {
    const input = this.#input;
    if (!input || !this.direct || !this.lands || this.#stopped) return false;
    this.#landing = false;
    if (input.left === 0) return false;
    // No more than has arrived is asked for: then the call fills every piece of memory but the last.
    const available = this.direct.available();
    places ??= new IoVector();
    places.clear();
    const placed = input.lend(available, places);
    if (placed === undefined) return false;
    this.#landing = true;
    if (available === 0) return false;
    if (placed === input.left && available >= placed + input.headerBytes) {
      this.#address ||= addressNumber(this.#sip);
      places.add(this.#address, input.headerBytes);
    }
    const count = this.direct.receiveVector(places);
    this.#landing = count !== undefined;
    if (!count) return false;
    this.#turn.begin();
    input.took(Math.min(count, placed));
    if (count > placed) this.#feedAll(input, this.#sip, count - placed);
    return true;
  }
}
