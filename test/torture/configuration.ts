/** Random changes of the configuration, and what they come to: a model that knows nothing of the program's tree. */

import type { Operation, ParameterValues } from '../../src/operations/operation.ts';
import { oneOf, type Random } from '../support/random.ts';

/** Storage objects with their sizes; targets, with LUN → storage object, or null before there is a TPG. */
export interface Model {
  readonly objects: Readonly<Record<string, number>>;
  readonly targets: Readonly<Record<string, Readonly<Record<number, string>> | null>>;
  /** Some attribute of each TPG. */
  readonly attributes: Readonly<Record<string, number>>;
}

export const emptyModel: Model = { objects: {}, targets: {}, attributes: {} };

/** A change, and the objects that are there when it succeeds. */
export interface TortureChange {
  readonly request: { readonly do: 'apply'; readonly operation: Operation } | { readonly do: 'save' };
  readonly after: Model;
}

const wwnOf = (name: string) => `iqn.2003-01.org.example:${name}`;
const most = 12;

const apply = (path: string, verb: string, params: ParameterValues, after: Model): TortureChange => ({
  request: { do: 'apply', operation: { path, verb, params } },
  after,
});

/** @param serial makes names that were never used before */
export function randomChange(model: Model, random: Random, serial: number): TortureChange {
  const { objects, targets, attributes } = model;
  const names = Object.keys(targets);
  const object = oneOf(random, Object.keys(objects));
  const target = oneOf(random, names);
  const kind = Math.floor(random() * 9);
  if (kind === 0) return { request: { do: 'save' }, after: model };
  if (object === undefined || (kind === 1 && Object.keys(objects).length < most)) {
    const name = `o${serial}`;
    const size = 1 << 20;
    return apply('/backstores/ramdisk', 'create', { name, size }, { ...model, objects: { ...objects, [name]: size } });
  }
  if (kind === 8) {
    const size = (1 + Math.floor(random() * 4)) << 20;
    const after = { ...model, objects: { ...objects, [object]: size } };
    return apply(`/backstores/ramdisk/${object}`, 'resize', { size, force: true }, after);
  }
  if (kind === 2) {
    const without = Object.entries(targets).map(([name, luns]) => [
      name,
      luns && Object.fromEntries(Object.entries(luns).filter(([, stored]) => stored !== object)),
    ]);
    const { [object]: _, ...others } = objects;
    const after = { ...model, objects: others, targets: Object.fromEntries(without) };
    return apply('/backstores/ramdisk', 'delete', { name: object }, after);
  }
  if (target === undefined || (kind === 3 && names.length < most)) {
    const name = `t${serial}`;
    return apply('/iscsi', 'create', { wwn: wwnOf(name) }, { ...model, targets: { ...targets, [name]: null } });
  }
  const luns = targets[target];
  if (!luns) {
    const after = { ...model, targets: { ...targets, [target]: {} }, attributes: { ...attributes, [target]: 15 } };
    return apply(`/iscsi/${wwnOf(target)}`, 'create', { tag: 1 }, after);
  }
  const tpg = `/iscsi/${wwnOf(target)}/tpg1`;
  if (kind === 4) {
    const { [target]: _, ...others } = targets;
    const { [target]: __, ...otherAttributes } = attributes;
    return apply(
      '/iscsi',
      'delete',
      { wwn: wwnOf(target) },
      { ...model, targets: others, attributes: otherAttributes },
    );
  }
  if (kind === 5) {
    const value = 5 + Math.floor(random() * 20);
    const params = { group: 'attribute', name: 'login_timeout', value: String(value) };
    return apply(tpg, 'set', params, { ...model, attributes: { ...attributes, [target]: value } });
  }
  const lun = Number(oneOf(random, Object.keys(luns)));
  if (kind === 6 && lun >= 0) {
    const { [lun]: _, ...others } = luns;
    return apply(`${tpg}/luns`, 'delete', { lun }, { ...model, targets: { ...targets, [target]: others } });
  }
  // An object is at most one LUN of a TPG.
  if (Object.values(luns).includes(object)) return { request: { do: 'save' }, after: model };
  const free = Array.from({ length: 256 }, (_, number) => number).find((number) => !(number in luns)) ?? 0;
  const after = { ...model, targets: { ...targets, [target]: { ...luns, [free]: object } } };
  return apply(`${tpg}/luns`, 'create', { storage_object: `/backstores/ramdisk/${object}`, lun: free }, after);
}

interface Saved {
  storage_objects: { name: string; size: number }[];
  targets: {
    wwn: string;
    tpgs: { attributes: Record<string, number>; luns: { index: number; storage_object: string }[] }[];
  }[];
}

/** The contents of a saved configuration, in the model's words. @param fixed a storage object and a target that are always there */
export function modelOf(configuration: unknown, fixed: { readonly object: string; readonly wwn: string }): Model {
  const { storage_objects: objects, targets } = configuration as Saved;
  const ours = targets.filter(({ wwn }) => wwn !== fixed.wwn);
  const nameOf = (wwn: string) => wwn.slice(wwn.indexOf(':') + 1);
  return {
    objects: Object.fromEntries(
      objects.filter(({ name }) => name !== fixed.object).map(({ name, size }) => [name, size]),
    ),
    targets: Object.fromEntries(
      ours.map(({ wwn, tpgs }) => [
        nameOf(wwn),
        tpgs[0]
          ? Object.fromEntries(tpgs[0].luns.map((lun) => [lun.index, lun.storage_object.split('/').at(-1)]))
          : null,
      ]),
    ) as Model['targets'],
    attributes: Object.fromEntries(
      ours.flatMap(({ wwn, tpgs }) => (tpgs[0] ? [[nameOf(wwn), tpgs[0].attributes['login_timeout']!]] : [])),
    ),
  };
}

/** The same text for the same configuration, whatever the order of its parts. */
export function canonical({ objects, targets, attributes }: Model): string {
  const sorted = (record: object) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  const luns = Object.entries(targets).map(([name, some]) => [name, some && sorted(some)]);
  return JSON.stringify([sorted(objects), sorted(Object.fromEntries(luns)), sorted(attributes)]);
}
