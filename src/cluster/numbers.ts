/** The number of each gateway: its target port group, and what its port identifiers begin with. It stays until the gateway leaves, whoever else goes or comes. */

import type { ClusterKeys } from './keys.ts';
import type { Store, StoredValue } from './store.ts';

/** Port identifiers have room for so many. */
const gatewaysMax = 15;
const attemptsMax = 100;

/** Gateways stand below this by their names, with their numbers. */
export const numberKeys = ({ all }: ClusterKeys): string => `${all}numbers/`;

/** Numbers by names, without what is damaged. */
export const numbersIn = (prefix: string, values: readonly StoredValue[]): Map<string, number> =>
  new Map(
    values.flatMap(({ key, value }) => {
      const number = Number(value);
      const isNumber = Number.isInteger(number) && number >= 1 && number <= gatewaysMax;
      return isNumber ? [[key.slice(prefix.length), number] as const] : [];
    }),
  );

/** The number of a gateway, which it gets the first time. @throws StoreError; Error when there are too many gateways */
export async function numberOf(store: Store, keys: ClusterKeys, name: string): Promise<number> {
  const prefix = numberKeys(keys);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    // Two that come at once must not get the same: whoever is second sees that a number was given since it has looked.
    const last = `${keys.all}numbers.given`;
    const given = (await store.read({ key: last })).values[0];
    const { values } = await store.read({ prefix });
    const numbers = numbersIn(prefix, values);
    const known = numbers.get(name);
    if (known !== undefined) return known;
    const taken = new Set(numbers.values());
    const free = Array.from({ length: gatewaysMax }, (_, at) => at + 1).find((one) => !taken.has(one));
    if (free === undefined) throw new Error(`a cluster has at most ${gatewaysMax} gateways`);
    const { succeeded } = await store.transact({
      when: [
        { key: last, modified: given?.modified ?? 0 },
        { key: `${prefix}${name}`, modified: 0 },
      ],
      do: [
        { put: last, value: `${free} ${name}` },
        { put: `${prefix}${name}`, value: String(free) },
      ],
    });
    if (succeeded) return free;
  }
  throw new Error('other gateways come and go all the time');
}
