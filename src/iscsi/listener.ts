/** A listening address: one for all portals that share it. */

import { type AddressInfo, createServer, type Server, type Socket, SocketAddress } from 'node:net';
import { reasonOf } from '../errors.ts';
import { setCongestionControl, stopPacing } from '../system/congestion-control.ts';
import { descriptorOf } from '../system/descriptor.ts';

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
  /** Leaves IPv4 to another listener; only of `::`. */
  readonly ipv6Only: boolean;
}

/** What a portal is known by here: the address as the system spells it, and the port. */
export function keyOf({ address, port }: Pick<ListenAddress, 'address' | 'port'>): string {
  const [host = '', zone] = address.split('%');
  const plain = host.includes(':') ? new SocketAddress({ address: host, family: 'ipv6' }).address : host;
  return `${zone === undefined ? plain : `${plain}%${zone}`} ${port}`;
}

/** One listening socket. */
export class Listener {
  /** A number: the descriptor of a socket that listens already. */
  readonly at: ListenAddress | number;
  /** Why it does not listen, in a line. */
  problem: string | undefined;
  readonly #server: Server;

  /** @param control the congestion control of its connections, where it is said */
  constructor(at: ListenAddress | number, control: string | undefined, accept: (socket: Socket) => void) {
    this.at = at;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      if (control) setCongestionControl(descriptorOf(socket), control);
      else if (socket.remoteAddress === socket.localAddress) stopPacing(descriptorOf(socket));
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
      const { at } = this;
      const where = typeof at === 'number' ? { fd: at } : { host: at.address, port: at.port, ipv6Only: at.ipv6Only };
      this.#server.listen(where, () => {
        this.#server.off('error', failed);
        if (this.bound === undefined) this.problem = 'it is no TCP socket';
        resolve();
      });
    });
  }

  /** Where it listens, undefined while it does not. */
  get bound(): AddressInfo | undefined {
    return (this.#server.address() as AddressInfo | null) ?? undefined;
  }

  /** Stops listening; connections stay. */
  close(): void {
    this.#server.close();
  }
}
