/** A listening socket as a service manager passes it on: a bare descriptor. */

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { foreignCall } from '../../src/system/ffi.ts';

/** Undefined where that cannot be had: no such address, no koffi. */
export async function listeningSocket(host: string): Promise<{ fd: number; port: number } | undefined> {
  const server = createServer().listen(0, host);
  if (!(await once(server, 'listening').catch(() => undefined))) return undefined;
  const { port } = server.address() as AddressInfo;
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const copy = foreignCall('dup', 'int', ['int'])()?.now(fd);
  server.close();
  await once(server, 'close');
  return copy === undefined ? undefined : { fd: copy, port };
}
