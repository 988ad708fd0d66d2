/** A listening address: one for all portals that share it. */

import { type AddressInfo, createServer, type Server, type Socket, SocketAddress } from 'node:net';
import { reasonOf } from '../errors.ts';
import { setCongestionControl, stopPacing } from '../system/congestion-control.ts';
import { descriptorOf } from '../system/descriptor.ts';

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
  /** Leaves IPv4 to another listener; only for `::`. */
  readonly ipv6Only: boolean;
}

/** The key of a portal: its address as the system spells it, and its port. */
export function keyOf({ address, port }: Pick<ListenAddress, 'address' | 'port'>): string {
  const [host = '', zone] = address.split('%');
  const plain = host.includes(':') ? new SocketAddress({ address: host, family: 'ipv6' }).address : host;
  return `${zone === undefined ? plain : `${plain}%${zone}`} ${port}`;
}

/** One listening socket. */
export class Listener {
  /** The address to listen on. A number is the descriptor of a socket that listens already. */
  readonly at: ListenAddress | number;
  /** The reason why it does not listen, in a line. */
  problem: string | undefined;
  readonly #server: Server;

  /** @param control the congestion control of the listener's connections, where one is chosen */
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

  /** Listens. Resolves when it does or has a `problem`; never rejects. */
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

  /** The address that it listens on, undefined while it does not. */
  get bound(): AddressInfo | undefined {
    return (this.#server.address() as AddressInfo | null) ?? undefined;
  }

  /** Stops listening; connections stay. */
  close(): void {
    this.#server.close();
  }
}
