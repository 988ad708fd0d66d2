/** A Unix socket on which exports are served; clients come and go. */

import { createServer, type Server, type Socket } from 'node:net';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { Places } from '../system/places.ts';
import { whenLate } from '../system/running-time.ts';
import { openAt } from '../system/unix-socket.ts';
import { ByteChannel, ChannelEnded } from '../wire/byte-channel.ts';
import type { Export } from './export.ts';
import { connectionsMax, negotiationMs } from './limits.ts';
import { type Negotiated, negotiateExport } from './negotiation.ts';
import { serveRequests } from './transmission.ts';

/** Serves exports on a socket. */
export class NbdServer {
  readonly path: string;
  /** The reason why it does not listen, in a line. */
  problem: string | undefined;
  readonly #exports: () => readonly Export[];
  readonly #log: Log;
  readonly #server: Server;
  readonly #channels: Places<ByteChannel>;
  /** The terms that the clients in the transmission phase have been told. */
  readonly #agreed = new Map<ByteChannel, Negotiated>();
  readonly #serving = new Set<Promise<void>>();

  /** @param exports asked for each client that comes */
  constructor(path: string, exports: () => readonly Export[], log: Log) {
    this.path = path;
    this.#exports = exports;
    this.#log = log;
    // A client that says nothing more may still want its answers.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#channels = new Places<ByteChannel>({
      most: connectionsMax,
      isBusy: (channel) => this.#agreed.has(channel),
      drop: (channel) => channel.destroy(),
    });
  }

  /** Listens. Resolves when it does or has a `problem`; never rejects. A socket that an earlier process left at its path is removed. */
  async open(): Promise<void> {
    this.problem = await openAt(this.#server, this.path);
  }

  /**
   * Ends the connections whose export is gone, or has another medium: their clients come back and learn the new terms. The other terms
   * may change under a client: a request for what is gone is refused, and the rest only helps its speed.
   */
  refresh(): void {
    const exports = this.#exports();
    for (const [channel, { export: chosen, medium }] of this.#agreed) {
      const found = exports.find((one) => one === chosen);
      if (!found?.geometry() || found.medium !== medium) channel.destroy();
    }
  }

  /** Closes the socket and every connection; resolves when no request of them is on its way any more. */
  async close(): Promise<void> {
    this.#server.close();
    for (const channel of this.#channels) channel.destroy();
    await Promise.all(this.#serving);
  }

  #accept(socket: Socket): void {
    const channel = new ByteChannel(socket);
    if (!this.#channels.enter(channel)) {
      this.#log({ level: 'warning', event: 'nbd connection refused', detail: { reason: 'too many', path: this.path } });
      channel.destroy();
      return;
    }
    void channel.closed.then(() => this.#channels.leave(channel));
    const serving = this.serve(channel).finally(() => {
      this.#serving.delete(serving);
    });
    this.#serving.add(serving);
  }

  /** Serves one client until it leaves. Never rejects. */
  async serve(channel: ByteChannel): Promise<void> {
    const inTime = whenLate(negotiationMs, () => channel.destroy());
    try {
      const agreed = await negotiateExport(channel, this.#exports);
      inTime();
      if (agreed) await this.#transmit(channel, agreed);
      channel.end();
    } catch (error) {
      if (error instanceof ChannelEnded) channel.end();
      else channel.destroy();
      if (!(error instanceof ChannelEnded))
        this.#log({ level: 'error', event: 'nbd connection failed', detail: { reason: reasonOf(error) } });
    } finally {
      inTime();
    }
  }

  async #transmit(channel: ByteChannel, agreed: Negotiated): Promise<void> {
    this.#agreed.set(channel, agreed);
    try {
      await serveRequests(channel, agreed, this.#log);
    } finally {
      this.#agreed.delete(channel);
    }
  }
}
