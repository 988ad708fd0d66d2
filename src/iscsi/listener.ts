/** A listening address: one for all portals that share it. */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { reasonOf } from '../errors.ts';
import { stopPacing } from '../system/congestion-control.ts';

export interface Address {
  readonly address: string;
  readonly port: number;
  /** Leaves IPv4 to another listener; only of `::`. */
  readonly ipv6Only: boolean;
}

export class Listener {
  readonly at: Address;
  /** Why it does not listen, in a line. */
  problem: string | undefined;
  readonly #server: Server;

  constructor(at: Address, accept: (socket: Socket) => void) {
    this.at = at;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      if (socket.remoteAddress === socket.localAddress) stopPacing(descriptorOf(socket));
      accept(socket);
    });
    // Once it listens, errors concern a single accept (EMFILE …): the server goes on.
    this.#server.on('error', () => {});
  }

  /** Resolves when it listens or has a `problem`; never rejects. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      const failed = (error: Error) => {
        this.problem = reasonOf(error).replace(/^listen [A-Z]+: /, '');
        resolve();
      };
      this.#server.once('error', failed);
      const { address: host, port, ipv6Only } = this.at;
      this.#server.listen({ host, port, ipv6Only }, () => {
        this.#server.off('error', failed);
        resolve();
      });
    });
  }

  /** The bound port, undefined while it does not listen. */
  get port(): number | undefined {
    const bound = this.#server.address() as AddressInfo | null;
    return bound?.port;
  }

  /** Stops listening; connections stay. */
  close(): void {
    this.#server.close();
  }
}

/** Node keeps it to itself; -1 where it has none. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } };
  return handle?.fd ?? -1;
}
