/** The address of an export, as an NBD URI says it (NBD doc/uri.md). */

import { OperatorError } from '../errors.ts';
import { pathBytesMax } from '../system/unix-socket.ts';

/** The parts of an NBD URI. */
export interface NbdAddress {
  readonly socket: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly exportName: string;
  /** `require` for the nbds schemes; else TLS is used when the server insists. */
  readonly tls: 'require' | 'allow';
  /** A folder with ca-cert.pem, and client-cert.pem and client-key.pem where the server asks for a client certificate. */
  readonly certificates: string | undefined;
  readonly verifyPeer: boolean;
}

const defaultPort = 10809;
const parameters = ['socket', 'tls-certificates', 'tls-verify-peer'];
const examples =
  'For example nbd://server/export, nbds://server:10809/export or nbd+unix:///export?socket=/run/nbd.sock';

/** RFC 3986 3.2.1: the text behind the first colon of a URI's user information is not shown. */
export const uriPassword = /(?<=:\/\/[^/@:\s]*:)[^/\s]+(?=@)/g;

/** Reads an NBD URI. @throws OperatorError for one that cannot be served; it repeats nothing of it, since a password may be anywhere in it */
export function parseNbdUri(text: string): NbdAddress {
  const refuse = (why: string) => new OperatorError(`The address is not usable as an NBD URI: ${why}`, examples);
  const match = /^(nbds?)(\+unix)?:\/\//.exec(text);
  if (!match) throw refuse('it begins with nbd:, nbds:, nbd+unix: or nbds+unix:');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse('it cannot be read');
  }
  if (url.username !== '' || url.password !== '') throw refuse('NBD knows no users and no passwords');
  const twice = parameters.find((name) => url.searchParams.getAll(name).length > 1);
  if (twice !== undefined) throw refuse(`'${twice}' is there twice`);
  if ([...url.searchParams.keys()].some((name) => !parameters.includes(name)))
    throw refuse(`its parameters can be ${parameters.join(', ')}`);
  const path = url.searchParams.get('socket');
  if ((match[2] !== undefined) !== (path !== null)) throw refuse('socket=PATH goes with +unix');
  if (path !== null && Buffer.byteLength(path) > pathBytesMax)
    throw refuse(`the path of a socket has at most ${pathBytesMax} bytes`);
  const verify = url.searchParams.get('tls-verify-peer');
  if (verify !== null && verify !== 'true' && verify !== 'false') throw refuse('tls-verify-peer is true or false');
  let exportName: string;
  try {
    exportName = decodeURIComponent(url.pathname.replace(/^\//, ''));
  } catch {
    throw refuse('a % in it is not followed by two hexadecimal digits of UTF-8');
  }
  const address = {
    exportName,
    tls: match[1] === 'nbds' ? ('require' as const) : ('allow' as const),
    certificates: url.searchParams.get('tls-certificates') ?? undefined,
    verifyPeer: verify !== 'false',
  };
  if (path !== null) return { ...address, socket: { path } };
  if (url.hostname === '') throw refuse('it names no server');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { ...address, socket: { host, port: url.port === '' ? defaultPort : Number(url.port) } };
}
