/** The meaning of tgt's words for a unit: a kind of backstore, its parameters and attributes. */

import type { Stats } from 'node:fs';
import { resolve } from 'node:path';
import { printLabels, setAttribute } from '../operations/labels.ts';
import type { Operation, ParameterValues } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { textIdentityOf } from '../scsi/text-identity.ts';
import { identityOf, statOf } from '../system/stat.ts';
import type { Tpg } from '../target/target.ts';
import { Refusal } from './protocol.ts';
import { isOfTgt } from './view.ts';

/** The words about a unit. */
export interface UnitWords {
  readonly type: 'disk' | 'cd' | 'pt';
  readonly path: string | undefined;
  /** The store: `rdwr`, `aio` …; undefined: the default of the type. */
  readonly storeType: string | undefined;
  /** The flags: `sync`, `direct`, `sync:direct` or ''. */
  readonly flags: string;
  /** The bytes of a block; 0: the default of the type. */
  readonly blockSize: number;
}

/** The words, with their meaning. */
export interface BackingStore extends UnitWords {
  readonly storeType: string;
  readonly kind: 'fileio' | 'block' | 'ramdisk' | 'pscsi';
  /** The file or device, where there is one. */
  readonly found: Stats | undefined;
}

/** The size of tgt's null store, whatever the words say. */
const nullBytes = '1T';

/** Finds the meaning of words. @throws Refusal for words of tgt that have none here */
export function storeOf(words: UnitWords): BackingStore {
  const { type, path, flags, blockSize: asked } = words;
  if (flags !== '' && !/^(sync|direct)(:(sync|direct))*$/.test(flags))
    throw new Refusal('invalid', `bsoflags ${flags}`);
  const storeType = words.storeType ?? { disk: 'rdwr', cd: 'mmc', pt: 'sg' }[type];
  const blockSize = [512, 1024, 2048, 4096].includes(asked) ? asked : type === 'cd' ? 2048 : 512;
  const common = { ...words, storeType, blockSize };
  if (storeType === 'null' || path === undefined) return { ...common, kind: 'ramdisk', found: undefined };
  const found = statOf(path);
  if (!found) throw new Refusal('invalid', `there is no ${path}`);
  if (type === 'pt' && ['sg', 'bsg'].includes(storeType)) return { ...common, kind: 'pscsi', found };
  if (!['rdwr', 'aio', 'mmc'].includes(storeType)) throw new Refusal('invalid', `there is no bstype ${storeType} here`);
  return { ...common, kind: found.isBlockDevice() ? 'block' : 'fileio', found };
}

/** The storage objects of a tree by name and by medium. Each file is looked at once, whatever number of stores is compared. */
export class UnitsThere {
  readonly names = new Set<string>();
  readonly #byMedium = new Map<string, StorageObject[]>();

  constructor(tree: Tree) {
    for (const one of tree.allStorageObjects()) {
      this.names.add(one.name);
      const found = statOf(String(one.config['dev'] ?? ''));
      if (!found) continue;
      const medium = identityOf(found);
      const same = this.#byMedium.get(medium);
      if (same) same.push(one);
      else this.#byMedium.set(medium, [one]);
    }
  }

  /** Units that have the same file or device as their medium. */
  on({ found }: BackingStore): readonly StorageObject[] {
    return (found && this.#byMedium.get(identityOf(found))) ?? [];
  }
}

/** A unit of another target on the same medium: here a medium is one unit, behind any number of targets. */
export const sharedUnit = (there: UnitsThere, store: BackingStore, tpg: Tpg): StorageObject | undefined =>
  there
    .on(store)
    .find(
      (unit) =>
        isOfTgt(unit) &&
        unit.missing === undefined &&
        unit.blockSize === store.blockSize &&
        ![...tpg.luns.values()].some(({ storageObject }) => storageObject === unit),
    );

/**
 * The operations that make the storage object, and its path.
 * @param isTgt the object has the identity that tgtd gives a unit of that target and LUN; otherwise one of our own
 */
export function makeUnit(there: UnitsThere, store: BackingStore, tid: number, lun: number, isTgt = true) {
  const name = freeName(there, `${isTgt ? 'tgt' : 'disk'}${tid}-lun${lun}`);
  const { path, operation } = creation(there, store, name);
  const identity = isTgt && store.type !== 'pt' ? textIdentityOf(tid, lun) : {};
  const attributes: Record<string, string | number> = {
    ...(isTgt ? attributesOfNew(store) : sizesOf(store)),
    ...identity,
  };
  const operations = [
    operation,
    ...Object.entries(attributes).map(([attribute, value]) => setAttribute(path, attribute, value)),
  ];
  return { path, operations };
}

const sizesOf = ({ blockSize }: BackingStore): Record<string, number> =>
  blockSize === 512 ? {} : { block_size: blockSize };

function freeName({ names }: UnitsThere, wanted: string): string {
  let name = wanted;
  for (let more = 2; names.has(name); more += 1) name = `${wanted}-${more}`;
  return name;
}

/** The operation that makes a storage object of this name. */
export function creation(there: UnitsThere, store: BackingStore, name: string): { path: string; operation: Operation } {
  const create = (params: ParameterValues): Operation => ({
    path: `/backstores/${store.kind}`,
    verb: 'create',
    params: { name, ...params },
  });
  return { path: `/backstores/${store.kind}/${name}`, operation: create(paramsOf(there, store)) };
}

function paramsOf(there: UnitsThere, store: BackingStore): ParameterValues {
  const { kind, path = '', flags, found } = store;
  if (kind === 'ramdisk') return { size: store.path === undefined ? '4K' : nullBytes, nullio: true };
  const dev = resolve(path);
  if (kind !== 'fileio') return { dev };
  const write_back = !flags.split(':').includes('sync');
  // The medium is in use by another LUN of the target, and tgt would serve it twice. The new unit waits until it is free.
  const waits = there.on(store).length > 0;
  if (waits) return { settled: { config: { dev, size: found?.size ?? 0, write_back, aio: false }, attributes: {} } };
  return { file_or_dev: dev, write_back };
}

/** Attributes whose values differ from those of our new objects. */
export function attributesOfNew(store: BackingStore): Record<string, string | number> {
  const { type, path, storeType, flags, blockSize } = store;
  const labels: [string, string][] = [
    ['bstype', storeType],
    ...(path === undefined ? [['medium', 'none'] as [string, string]] : []),
    ...(path !== undefined && (store.kind === 'ramdisk' || path !== resolve(path))
      ? [['path', path] as [string, string]]
      : []),
    ...(flags === '' ? [] : [['bsoflags', flags] as [string, string]]),
    ...(type === 'disk' ? [] : [['type', type] as [string, string]]),
  ];
  if (type === 'pt') return { labels: printLabels(labels) };
  return {
    labels: printLabels(labels),
    vendor_id: 'IET',
    product_id: type === 'cd' ? 'VIRTUAL-CDROM' : 'VIRTUAL-DISK',
    revision: '0001',
    ...(blockSize === 512 ? {} : { block_size: blockSize }),
    ...(type === 'cd' || path === undefined ? { removable: 1 } : {}),
    ...(type === 'cd' ? { read_only: 1 } : {}),
    ...(path === undefined ? { online: 0 } : {}),
  };
}
