/** The addresses of this machine, and those that mean all of them. */

import { networkInterfaces } from 'node:os';

export function* localAddresses(): Generator<readonly [address: string, help: string]> {
  yield ['0.0.0.0', 'every IPv4 address'];
  yield ['::0', 'every IPv6 address'];
  for (const [name, addresses = []] of Object.entries(networkInterfaces()))
    for (const { address } of addresses) yield [address, name];
}
