/** A connection on a Node socket: how its two halves begin, wait for one another, and end. */

import type { Socket } from 'node:net';
import { leaveToCollector } from '../system/collector.ts';
import { type AwaitedConnection, linger } from '../system/linger.ts';
import { whenLate } from '../system/running-time.ts';
import type { Input } from './input.ts';
import { closingMs } from './limits.ts';
import type { Output } from './output.ts';
import { Receiver } from './receiver.ts';
import { Transmitter } from './transmitter.ts';

/** The protocol that the transport drives: `Connection`. */
export interface Protocol extends Input {
  /** Called when the socket takes output again. */
  drained(): void;
  /** Called when the socket has closed. */
  close(why: string): Promise<void>;
}

/** The bytes that another loop has received, and the number of bytes of answers that it has sent. */
export interface Before {
  readonly received: Uint8Array;
  readonly sent: number;
}

/** The bytes of its socket and session that a closed connection leaves to the garbage collector: measured over thousands. */
const connectionBytes = 16 * 1024;

/** One connection on its socket. */
export class SocketTransport implements AwaitedConnection {
  readonly #receiver: Receiver;
  readonly #transmitter: Transmitter;
  readonly #socket: Socket;
  readonly #protocol: Protocol;
  #ending = false;
  /** Calls off the forced end of a socket that takes too long to close. */
  #forgive: () => void = () => {};

  /**
   * @param source a paused socket, whose handle moves to one with a receive buffer of our own; or a file descriptor
   * @param open makes the protocol that speaks over it
   * @param before the connection's life in another loop. Absent: the connection is new, and received bytes are kept until it has gone on
   * to another loop (`handOver`) or is `settled` here
   */
  constructor(source: Socket | number, open: (output: Output) => Protocol, before?: Before) {
    const turn = { begin: () => this.#transmitter.beginBatch(), end: () => this.#endBatch() };
    this.#receiver = new Receiver(source, !before, turn, () => linger(this));
    const { socket, direct, lands } = this.#receiver;
    this.#socket = socket;
    socket.setNoDelay(true);
    const whole = { end: () => this.#end(), cut: () => this.#cut(), lands };
    this.#transmitter = new Transmitter(socket, direct, before?.sent ?? 0, whole, () => this.#drained());
    // An error is followed by 'close', which is handled.
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
    this.#protocol = open(this.#transmitter);
    this.#receiver.start(this.#protocol, before?.received);
  }

  /**
   * Gives the socket away, also while its data is being received.
   * @param to gets the socket, paused, with all bytes that came over it, and the number of bytes of answers that went out
   */
  handOver(to: (rest: Before & { socket: Socket }) => void): void {
    const received = this.#receiver.kept;
    this.#stop();
    this.#socket.pause();
    // The socket cannot be given away while it is calling this transport with data.
    setImmediate(() => to({ socket: this.#socket, received, sent: this.#transmitter.sent }));
  }

  look(): boolean | undefined {
    return this.#receiver.look();
  }

  #stop(): void {
    this.#ending = true;
    this.#receiver.stop();
    this.#transmitter.stop();
  }

  /** Ends a batch of input. Nothing more is received while the socket does not take its answers. */
  #endBatch(): void {
    this.#transmitter.endBatch();
    if (this.#transmitter.blocked) this.#receiver.pause();
  }

  #drained(): void {
    this.#transmitter.beginBatch();
    this.#protocol.drained();
    this.#transmitter.endBatch();
    if (!this.#transmitter.blocked) this.#receiver.resume();
  }

  #end(): void {
    if (this.#ending) return;
    this.#stop();
    this.#transmitter.finish();
    this.#socket.end();
    this.#socket.resume();
    this.#forgive = whenLate(closingMs, () => this.#socket.destroy());
  }

  #cut(): void {
    this.#stop();
    this.#socket.destroy();
  }

  #closed(): void {
    this.#ending = true;
    this.#forgive();
    this.#transmitter.close();
    this.#receiver.close();
    leaveToCollector(connectionBytes);
    void this.#protocol.close('connection lost');
  }
}
