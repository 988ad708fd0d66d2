/** `--params` of a unit: the meaning of each of tgt's names here. */

import { entryOf } from '../attribute.ts';
import { labelsOf, printLabels, setAttribute } from '../operations/labels.ts';
import type { Operation } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { Refusal } from './protocol.ts';
import { attributesOfNew, creation, storeOf, UnitsThere } from './unit-making.ts';
import { isOfTgt } from './view.ts';

/** The changes that a list of parameters makes. */
export interface UnitChange {
  readonly attributes: Readonly<Record<string, string | number>>;
  /** The file or device that becomes the medium; '' takes the medium out. */
  readonly medium: string | undefined;
  /** The labels. */
  readonly kept: Readonly<Record<string, string>>;
}

/** Parameters that are an attribute of the same kind. */
const texts: Readonly<Record<string, string>> = {
  vendor_id: 'vendor_id',
  product_id: 'product_id',
  product_rev: 'revision',
  scsi_id: 'scsi_id',
  scsi_sn: 'scsi_sn',
};
const flags: Readonly<Record<string, readonly string[]>> = {
  removable: ['removable'],
  readonly: ['read_only'],
  thin_provisioning: ['emulate_tpu', 'emulate_tpws'],
  online: ['online'],
};
/** Parameters that are remembered: their wishes are not fulfilled, or are so anyway. */
const remembered: readonly string[] = [
  'sense_format',
  'la_lba',
  'optimal_xfer_gran',
  'optimal_xfer_len',
  'swp',
  'rotation_rate',
];
/** The lengths at which tgt cuts texts. */
const lengths: Readonly<Record<string, number>> = {
  vendor_id: 8,
  product_id: 16,
  product_rev: 4,
  scsi_id: 36,
  scsi_sn: 36,
};

/** The changes of parameters. @throws Refusal for an unknown parameter */
export function attributesOf(
  unit: { readonly blockSize: number; readonly isEmpty: boolean },
  params: readonly (readonly [string, string])[],
): UnitChange {
  const attributes: Record<string, string | number> = {};
  const kept: Record<string, string> = {};
  let medium: string | undefined;
  for (const [name, value] of params) {
    const text = entryOf(texts, name);
    if (text !== undefined) attributes[text] = value.slice(0, lengths[name]);
    else if (Object.hasOwn(flags, name))
      for (const attribute of flags[name] ?? []) attributes[attribute] = digitOf(value);
    else if (name === 'path') medium = value;
    else if (name === 'mode_page') Object.assign(attributes, modePage(value));
    else if (name === 'lbppbe') attributes['physical_block_size'] = unit.blockSize << Number(digitsOf(value));
    else if (remembered.includes(name)) kept[name] = digitsOf(value);
    else throw new Refusal('invalid', `there is no parameter ${name} here`);
  }
  if (attributes['online'] === 1 && unit.isEmpty && !medium) throw new Refusal('invalid', 'there is no medium in it');
  return { attributes, medium, kept };
}

function digitOf(value: string): number {
  if (value !== '0' && value !== '1') throw new Refusal('invalid');
  return Number(value);
}

function digitsOf(value: string): string {
  if (!/^\d{1,9}$/.test(value)) throw new Refusal('invalid');
  return value;
}

/** The number of the Caching mode page (SBC-3 6.4.5), which has WCE. */
const cachingPage = 8;
const writeCacheEnable = 0x04;

/** Reads `PAGE:SUBPAGE:LENGTH:BYTE:…`. Of the pages that tgt lets be set, the caching page's WCE has a setting here. */
function modePage(text: string): Record<string, number> {
  const bytes = text.split(':').map(Number);
  const [page, subpage, length, first = 0] = bytes;
  const good = bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 0xff) && bytes.length >= 3;
  if (!good || bytes.length - 3 !== length) throw new Refusal('invalid');
  return page === cachingPage && subpage === 0 ? { emulate_write_cache: first & writeCacheEnable ? 1 : 0 } : {};
}

/** Puts another medium into the drive: the unit is made anew and keeps its identity. @throws Refusal */
export function replaceMedium(
  tree: Tree,
  unit: StorageObject,
  path: string,
): { path: string; operations: Operation[] } {
  const labels = labelsOf(unit);
  const type = labels.get('type') === 'cd' ? 'cd' : 'disk';
  const words = {
    type,
    path: path || undefined,
    storeType: labels.get('bstype'),
    flags: labels.get('bsoflags') ?? '',
  } as const;
  const store = storeOf({ ...words, blockSize: unit.blockSize });
  const { operation, path: next } = creation(new UnitsThere(tree), store, unit.name);
  if (next !== unit.path && !path) throw new Refusal('unsupported', 'a medium is taken out by online=0');
  // A unit that others made does not become tgt's: it does not go with its last LUN.
  const made = isOfTgt(unit) ? String(attributesOfNew(store)['labels'] ?? '') : labels;
  const kept = [
    'vendor_id',
    'product_id',
    'revision',
    'scsi_id',
    'scsi_sn',
    'scsi_local_id',
    'removable',
    'read_only',
  ] as const;
  const operations = [
    { path: `/backstores/${unit.backstore.name}`, verb: 'delete', params: { name: unit.name } },
    operation,
    ...kept.map((name) => setAttribute(next, name, unit.attributes.values[name])),
    ...(store.blockSize === 512 ? [] : [setAttribute(next, 'block_size', store.blockSize)]),
    setAttribute(next, 'labels', typeof made === 'string' ? made : printLabels(made)),
    ...(path ? [] : [setAttribute(next, 'online', 0)]),
  ];
  return { path: next, operations };
}
