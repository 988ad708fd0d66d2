/** Labels that other tools keep at a target or a unit and the engine has no use for: the attribute `labels`, `NAME=VALUE,NAME=VALUE`. */

import type { StorageObject } from '../scsi/logical-unit.ts';
import type { Tpg } from '../target/target.ts';
import type { Operation } from './operation.ts';

export type Labels = ReadonlyMap<string, string>;

/** Reads labels. A comma and a percent sign in a value are written as %2C and %25. */
export function labelsOf({ attributes }: Tpg | StorageObject): Labels {
  const { labels = '' } = attributes.values as { readonly labels?: string };
  const pairs = labels
    .split(',')
    .map((pair) => /^([^=]+)=(.*)$/.exec(pair) ?? [])
    .flatMap(([, name, value]) =>
      name !== undefined && value !== undefined ? [[name, unescaped(value)] as const] : [],
    );
  return new Map(pairs);
}

const unescaped = (text: string): string => text.replace(/%(2C|25)/g, (_, code) => (code === '25' ? '%' : ','));
const escaped = (text: string): string => text.replace(/%/g, '%25').replace(/,/g, '%2C');

/** Prints labels as the attribute has them. */
export const printLabels = (labels: Iterable<readonly [string, string]>): string =>
  [...labels].map(([name, value]) => `${name}=${escaped(value)}`).join();

/** The operation that sets labels; a label that is set to '' goes. */
export function labelOperation(of: Tpg | StorageObject, changes: Readonly<Record<string, string>>): Operation {
  const labels = new Map([...labelsOf(of), ...Object.entries(changes)]);
  return setAttribute(of.path, 'labels', printLabels([...labels].filter(([, value]) => value !== '')));
}

/** The operation that sets an attribute. */
export const setAttribute = (path: string, name: string, value: string | number): Operation => ({
  path,
  verb: 'set',
  params: { group: 'attribute', name, value: String(value) },
});
