// The parts of an NBD URI, and the URIs that are refused before anything is connected (NBD doc/uri.md).

import { expect, test } from 'vitest';
import { parseNbdUri } from '../../src/backstore/nbd-uri.ts';

const longest = `/run/${'s'.repeat(102)}`;

test.each([
  [
    'nbd://server/disk',
    { socket: { host: 'server', port: 10809 }, exportName: 'disk', tls: 'allow', verifyPeer: true },
  ],
  ['nbds://server:1/a%20b%2Fc', { socket: { host: 'server', port: 1 }, exportName: 'a b/c', tls: 'require' }],
  ['nbd://[::1]:10810', { socket: { host: '::1', port: 10810 }, exportName: '' }],
  ['nbd+unix:///disk?socket=/run/a%20b', { socket: { path: '/run/a b' }, exportName: 'disk', tls: 'allow' }],
  [`nbd+unix:///?socket=${longest}`, { socket: { path: longest } }],
  ['nbds://server/?tls-certificates=/etc/pki&tls-verify-peer=false', { certificates: '/etc/pki', verifyPeer: false }],
])('%s', (text, address) => {
  expect(parseNbdUri(text)).toMatchObject(address);
});

test.each([
  ['http://server/', 'it begins with nbd:, nbds:, nbd+unix: or nbds+unix:'],
  ['nbd://ser ver/', 'it cannot be read'],
  ['nbd://server:99999/', 'it cannot be read'],
  ['nbd://user@server/', 'NBD knows no users and no passwords'],
  ['nbd://user:secret@server/', 'NBD knows no users and no passwords'],
  ['nbd+unix:///?socket=/run/a&socket=/run/b', "'socket' is there twice"],
  ['nbds://server/?tls-verify-peer=true&tls-verify-peer=false', "'tls-verify-peer' is there twice"],
  ['nbd://server/?psk=secret', 'its parameters can be socket, tls-certificates, tls-verify-peer'],
  ['nbd://server/?secret', 'its parameters can be socket, tls-certificates, tls-verify-peer'],
  ['nbd://user:se/secret@server/', 'it cannot be read'],
  ['secret', 'it begins with nbd:, nbds:, nbd+unix: or nbds+unix:'],
  ['nbd+unix:///disk', 'socket=PATH goes with +unix'],
  ['nbd://server/?socket=/run/a', 'socket=PATH goes with +unix'],
  [`nbd+unix:///?socket=${longest}s`, 'the path of a socket has at most 107 bytes'],
  ['nbds://server/?tls-verify-peer=0', 'tls-verify-peer is true or false'],
  ['nbd://server/%zz', 'a % in it is not followed by two hexadecimal digits of UTF-8'],
  ['nbd://server/%ff', 'a % in it is not followed by two hexadecimal digits of UTF-8'],
  ['nbd:///disk', 'it names no server'],
])('%s is refused: %s', (text, why) => {
  expect(() => parseNbdUri(text)).toThrow(`is not usable as an NBD URI: ${why}`);
  expect(() => parseNbdUri(text)).not.toThrow('secret');
});
