/**
 * Descriptions beside the tree: the plan that makes the tree as a description says, and the description of a tree. A description has the
 * keys of saveconfig.json, and may leave out what is to stay as it is. With `prune` the tree gets what the description has, and keeps
 * nothing else.
 */

import { isAbsolute } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { types } from '../attribute.ts';
import { backstores } from '../backstore/index.ts';
import { OperatorError } from '../errors.ts';
import { elsewhere } from '../operations/groups.ts';
import { setAttribute } from '../operations/labels.ts';
import type { Operation, ParameterValues, Value } from '../operations/operation.ts';
import { isRaw, type Raw, rawOf, textOf } from '../operations/raw.ts';
import { chanceKeys } from '../operations/saved-form.ts';
import { listsIn, type ObjectKind, schema } from '../operations/schema.ts';
import type { Tree } from '../operations/tree.ts';
import { isSecret, passingAuthKeys } from '../target/auth.ts';
import { identityOf, rawsIn, topKinds, understood } from './described-objects.ts';
import { schemaOf } from './description-schema.ts';
import type { Description, Where } from './description-text.ts';
import { together } from './elsewhere.ts';
import { treeOf } from './rehearsal.ts';
import { dumpTree } from './saveconfig.ts';
import { transition } from './transition.ts';

/** The size of a storage object that is not there yet, until its medium has said its own. */
const unknownBytes = 512;

/** The keys of states that pass. */
const passingKeys = ({ fields }: ObjectKind): string[] => [
  ...Object.keys(fields).filter((key) => fields[key]?.passing),
  ...passingAuthKeys.flatMap((key) => [`chap_${key}`, `discovery_${key}`]),
];

/** Groups of settings, which are named one by one. */
const groups: readonly string[] = ['attributes', 'parameters'];

/** A saved form with the values of a description in it. */
function merged(kind: ObjectKind, before: Raw | undefined, given: Raw, prune: boolean): Raw {
  const old: Raw = before ?? {};
  const lists = listsIn(kind);
  const passing = passingKeys(kind);
  const stays = kind === schema.storageObject ? ['wwn', ...Object.keys(kindOf(old)?.keys ?? {})] : [];
  const kept = prune
    ? Object.fromEntries(
        [...chanceKeys(kind), ...passing, ...stays].flatMap((key) =>
          Object.hasOwn(old, key) ? [[key, old[key]]] : [],
        ),
      )
    : old;
  const form: Record<string, unknown> = { ...kept };
  for (const [key, value] of Object.entries(given)) {
    if (lists.some(({ list }) => list === key)) continue;
    const settings = groups.includes(key) ? { ...(prune ? {} : rawOf(old[key])), ...rawOf(value) } : value;
    form[key] = settings;
    // Attributes that LIO does not have stand elsewhere in a saved form, and would be taken from there.
    if (groups.includes(key)) for (const name of Object.keys(rawOf(value))) delete form[name];
    if (key === 'attributes' && isRaw(form[elsewhere]))
      form[elsewhere] = Object.fromEntries(
        Object.entries(form[elsewhere]).filter(([name]) => !Object.hasOwn(rawOf(value), name)),
      );
  }
  for (const below of lists)
    if (prune || given[below.list] !== undefined)
      form[below.list] = mergedList(below, rawsIn(old[below.list]), rawsIn(given[below.list]), prune);
  return form;
}

function mergedList(kind: ObjectKind, before: readonly Raw[], given: readonly Raw[], prune: boolean): Raw[] {
  const wanted = new Map(
    given.map((raw) => {
      const whole = understood(kind, raw);
      return [identityOf(kind, whole), whole] as const;
    }),
  );
  const old = new Map(before.map((raw) => [identityOf(kind, raw), raw]));
  const left = prune ? [] : before.filter((raw) => !wanted.has(identityOf(kind, raw)));
  return [...left, ...[...wanted].map(([id, raw]) => merged(kind, old.get(id), raw, prune))];
}

const kindOf = (raw: Raw) =>
  backstores.find(
    ({ plugin, handler }) =>
      plugin === raw['plugin'] && (handler === undefined || textOf(raw['config']).startsWith(`${handler}/`)),
  );

/** A storage object as a saved file has it: sizes are numbers; a new object without a size takes that of its medium. */
function settledObject(raw: Raw): Raw {
  const keys = kindOf(raw)?.keys ?? {};
  const { dev } = raw;
  if (typeof dev === 'string' && raw['plugin'] !== 'pscsi' && !isAbsolute(dev))
    throw new OperatorError(`${raw['plugin']}/${raw['name']}: '${dev}' is no absolute path`);
  const sizes = Object.entries(keys).flatMap(([key, { type }]) =>
    type === 'number' && typeof raw[key] === 'string' ? [[key, types.size.parse(raw[key])] as const] : [],
  );
  return { ...raw, ...Object.fromEntries(sizes) };
}

/** The parameters that create a storage object which is not there yet: its medium is opened, or made. */
function creation(raw: Raw): ParameterValues {
  const kind = kindOf(raw);
  const prefix = `${kind?.handler}/`;
  const words = (kind?.parameters ?? []).flatMap(({ name, kind: what }) => {
    const isMedium = what === 'file' || what === 'block-device';
    const value =
      name === 'cfgstring'
        ? textOf(raw['config']).replace(prefix, '')
        : (raw[name] ?? (isMedium ? raw['dev'] : undefined));
    return value === undefined || value === null ? [] : [[name, value as Value] as const];
  });
  return { name: textOf(raw['name']), ...Object.fromEntries(words) };
}

/**
 * The operations that carry a description out, in order.
 * @param isHeld ramdisks hold data: the process that serves them has not just begun
 * @throws OperatorError for a description that cannot be carried out, or not without a loss of data
 */
export async function planDescription(
  tree: Tree,
  { given, where }: Description,
  prune = false,
  isHeld = true,
): Promise<Operation[]> {
  const objects = rawsIn(given['storage_objects']).map(settledObject);
  const wish = await wishedTree(tree, { ...given, storage_objects: objects }, prune);
  const operations = transition(tree, wish).map(({ operation }) => operation);
  for (const operation of operations) refuseLoss(tree, operation, objects, where, isHeld);
  return operations.flatMap((operation) => made(operation, objects));
}

/** Refuses an operation that destroys data, which `undo` could not bring back: the operator types such a line. @throws OperatorError */
function refuseLoss(
  tree: Tree,
  { path, verb, params }: Operation,
  objects: readonly Raw[],
  where: Where,
  isHeld: boolean,
): void {
  const [, root, kind, below] = path.split('/');
  if (root !== 'backstores' || kind === undefined) return;
  const name = below ?? textOf(params['name']);
  const numberOf = () => objects.findIndex((raw) => raw['name'] === name && kindOf(raw)?.name === kind);
  const old = tree.storageObjects.get(kind)?.get(name);
  if (below !== undefined && verb === 'resize' && params['force'] === true)
    throw new OperatorError(
      `${where(['storage_objects', numberOf(), 'size'])}: ${path} has ${old?.config['size']} bytes: what lies beyond ${params['size']} would be lost`,
      `If nothing there is needed: ${path} resize ${params['size']} force=true`,
    );
  const isGone = below === undefined && verb === 'delete' && old?.contentsLost === undefined;
  if (!isHeld || !isGone || !old?.backstore.isVolatile?.(old.config)) return;
  const number = numberOf();
  throw new OperatorError(
    `${where(number < 0 ? [] : ['storage_objects', number])}: ${path}/${name} would ${number < 0 ? 'go' : 'be made anew'}, and what it holds in memory would be lost`,
    `If it is not needed: ${path} delete ${name}`,
  );
}

/** The tree as the description wants it. @throws OperatorError when that tree is impossible */
export async function wishedTree(tree: Tree, given: Raw, prune = false): Promise<Tree> {
  const now = dumpTree(tree);
  const before = wholeForms(now);
  const isNew = (raw: Raw) => tree.storageObjectOf(textOf(raw['plugin']), textOf(raw['name'])) === undefined;
  const sized = (raw: Raw) =>
    isNew(raw) && kindOf(raw)?.keys['size'] && raw['size'] === undefined ? { ...raw, size: unknownBytes } : raw;
  const lists = topKinds.map((kind) => {
    const merged = mergedList(kind, rawsIn(before[kind.list]), rawsIn(given[kind.list]), prune);
    return [kind.list, kind === schema.storageObject ? merged.map(sized) : merged] as const;
  });
  const wish = Object.fromEntries(lists);
  const [{ tree: wanted, errors }, { errors: known }] = [
    await treeOf({ ...now, ...wish, [elsewhere]: undefined }),
    await treeOf(now),
  ];
  const faults = errors.filter((line) => !known.includes(line));
  const [first, ...others] = faults;
  if (first !== undefined) throw new OperatorError(first, others.join('\n') || 'Nothing was changed.');
  return wanted;
}

/** A new storage object is made as an operator makes it; the settings in which it differs from a new one are set afterwards. */
function made(operation: Operation, objects: readonly Raw[]): Operation[] {
  const { path, verb, params } = operation;
  const raw = objects.find(({ name }) => name === params['name']);
  if (!path.startsWith('/backstores/') || path.split('/').length !== 3 || verb !== 'create' || !raw) return [operation];
  const { attributes = {} } = (params['settled'] ?? {}) as { attributes?: Record<string, string | number> };
  const at = `${path}/${params['name']}`;
  return [
    { path, verb, params: { ...creation(raw), ...(typeof raw['wwn'] === 'string' && { wwn: raw['wwn'] }) } },
    ...Object.entries(attributes).map(([name, value]) => setAttribute(at, name, value)),
  ];
}

/** A saved form whose storage objects have all of their attributes. */
function wholeForms(saved: Raw): Raw {
  const paths = rawsIn(saved['storage_objects']).map((raw) => {
    const { [elsewhere]: own, ...form } = together(raw, `/backstores/${kindOf(raw)?.name}/${raw['name']}`, saved);
    return own === undefined ? form : { ...form, attributes: { ...rawOf(form['attributes']), ...rawOf(own) } };
  });
  return { ...saved, storage_objects: paths };
}

/** The form of secrets in a description: in plain text, or as variables that will have them. */
export type DescribedSecrets = 'plain' | 'variables';

/** The tree as a description: default values and random ones are left out. */
export async function describeTree(tree: Tree, secrets: DescribedSecrets): Promise<Raw> {
  const now = wholeForms(dumpTree(tree));
  const lists = topKinds.map((kind) => [kind.list, rawsIn(now[kind.list])] as const);
  const bare = Object.fromEntries(
    topKinds.map((kind) => [kind.list, rawsIn(now[kind.list]).map((raw) => bareForm(kind, raw))]),
  );
  const { tree: freshTree } = await treeOf(bare);
  const fresh = wholeForms(dumpTree(freshTree));
  let number = 0;
  const hide = (key: string, value: unknown): unknown => {
    if (secrets === 'plain' || !isSecret(key)) return value;
    number += 1;
    return { env: `TCLI_SECRET_${number}` };
  };
  const described = lists.map(([list, raws]) => {
    const kind = topKinds.find((one) => one.list === list)!;
    return [list, raws.map((raw) => difference(kind, raw, freshOf(kind, fresh[list], raw), hide))] as const;
  });
  const some = described.filter(([, raws]) => raws.length > 0);
  // A file without any list would be taken for a mistake.
  return Object.fromEntries(some.length > 0 ? some : described);
}

/** The saved form of an object that has only the keys which identify it, and those that it was made of. */
function bareForm(kind: ObjectKind, raw: Raw): Raw {
  const keys = [
    ...Object.entries(kind.fields).flatMap(([key, { names, given, type }]) =>
      (names ?? given) !== undefined || type === 'reference' ? [key] : [],
    ),
    ...(kind === schema.storageObject ? ['wwn', ...Object.keys(kindOf(raw)?.keys ?? {})] : []),
  ];
  const own = keys.flatMap((key) => (raw[key] === undefined ? [] : [[key, raw[key]] as const]));
  const lists = listsIn(kind).map(
    (below) => [below.list, rawsIn(raw[below.list]).map((one) => bareForm(below, one))] as const,
  );
  return Object.fromEntries([...own, ...lists]);
}

const freshOf = (kind: ObjectKind, list: unknown, raw: Raw): Raw =>
  rawsIn(list).find((one) => identityOf(kind, one) === identityOf(kind, raw)) ?? {};

function difference(kind: ObjectKind, raw: Raw, fresh: Raw, hide: (key: string, value: unknown) => unknown): Raw {
  const bare = bareForm(kind, raw);
  const lists = listsIn(kind);
  const known = schemaOf(kind).properties ?? {};
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(raw)) {
    const group = groups.find((one) => Object.hasOwn(known[one]?.properties ?? {}, key));
    const isOurs = chanceKeys(kind).includes(key) || passingKeys(kind).includes(key);
    if (isOurs || lists.some(({ list }) => list === key) || value === null || value === undefined) continue;
    if (groups.includes(key)) {
      const settable = known[key]?.properties ?? {};
      const changed = Object.entries(rawOf(value)).filter(
        ([name, one]) => Object.hasOwn(settable, name) && textOf(one) !== textOf(rawOf(fresh[key])[name] ?? ''),
      );
      if (changed.length > 0) out[key] = { ...rawOf(out[key]), ...Object.fromEntries(changed) };
    } else if (group) out[group] = { ...rawOf(out[group]), [key]: value };
    else if (!Object.hasOwn(known, key)) continue;
    else if (key === 'accounts')
      out[key] = rawsIn(value).map(({ userid, password }) => ({ userid, password: hide('password', password) }));
    else if (Object.hasOwn(bare, key) || !isDeepStrictEqual(value, fresh[key])) out[key] = hide(key, value);
  }
  for (const below of lists) {
    const some = rawsIn(raw[below.list]).map((one) =>
      difference(below, one, freshOf(below, fresh[below.list], one), hide),
    );
    if (some.length > 0) out[below.list] = some;
  }
  return out;
}
