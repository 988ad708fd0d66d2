/**
 * A proxy between a client and a server that stops forwarding at any byte, each way: nothing comes any more and nothing is
 * closed, as where the other machine has lost its power.
 */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type ProxyDirection = 'toServer' | 'toClient';

export class SilentProxy {
  readonly path: string;
  /** Connections so far. */
  connections = 0;
  /** Bytes that were forwarded, by way. */
  readonly passed: Record<ProxyDirection, number> = { toServer: 0, toClient: 0 };
  /** Resolves when it begins to hold bytes back. */
  stalled: Promise<void> = Promise.resolve();
  #left: Record<ProxyDirection, number> = { toServer: Infinity, toClient: Infinity };
  #stall: () => void = () => {};
  #held: { readonly from: Socket; readonly to: Socket; readonly bytes: Buffer }[] = [];
  readonly #open = new Set<Socket>();
  readonly #server: Server;

  private constructor(path: string, serverPath: string) {
    this.path = path;
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      this.connections += 1;
      const server = connect({ path: serverPath, allowHalfOpen: true });
      this.#join(client, server, 'toServer');
      this.#join(server, client, 'toClient');
    });
  }

  /** Ends every connection and takes no more, until `listen`. */
  cut(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.path, resolve));
  }

  /** @param path of its socket */
  static async open(path: string, serverPath: string): Promise<SilentProxy> {
    const proxy = new SilentProxy(path, serverPath);
    await proxy.listen();
    onTestFinished(() => proxy.cut());
    return proxy;
  }

  /** From now on so many bytes pass on this way, whatever connections they are of. */
  allow(way: ProxyDirection, bytes: number): void {
    this.#left[way] = bytes;
    this.stalled = new Promise((resolve) => {
      this.#stall = resolve;
    });
  }

  /** Connections that are made from now on pass all; those that were held back stay so. */
  heal(): void {
    this.#left = { toServer: Infinity, toClient: Infinity };
    for (const socket of this.#open) silent.add(socket);
  }

  /** Connections that were held back are closed, and what was held back is gone. */
  hangUp(): void {
    this.#held = [];
    for (const socket of this.#open) if (silent.has(socket)) socket.destroy();
  }

  /** Lets the data that was held back go on, and all that follows. */
  resume(): void {
    this.#left = { toServer: Infinity, toClient: Infinity };
    for (const { from, to, bytes } of this.#held.splice(0)) {
      to.write(bytes);
      if (from.readableEnded) to.end();
    }
  }

  #join(from: Socket, to: Socket, way: ProxyDirection): void {
    this.#open.add(from);
    from.on('error', () => {});
    from.on('close', () => {
      this.#open.delete(from);
      to.destroy();
    });
    from.on('end', () => {
      // The end of what is held back is held back, too.
      if (!silent.has(from) && !this.#held.some((held) => held.from === from)) to.end();
    });
    from.on('data', (bytes: Buffer) => {
      const left = silent.has(from) ? 0 : this.#left[way];
      const some = bytes.subarray(0, left);
      this.#left[way] -= silent.has(from) ? 0 : some.length;
      this.passed[way] += some.length;
      if (some.length > 0) to.write(some);
      if (some.length === bytes.length) return;
      this.#held.push({ from, to, bytes: bytes.subarray(some.length) });
      this.#stall();
    });
  }
}

/** Ends of connections that nothing comes from any more. */
const silent = new WeakSet<Socket>();
