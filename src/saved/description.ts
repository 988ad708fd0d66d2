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
import { inSlices, type Sliced, slices } from '../system/slices.ts';
import { isSecret, passingAuthKeys } from '../target/auth.ts';
import { identityOf, rawsIn, topKinds, understood } from './described-objects.ts';
import { schemaOf } from './description-schema.ts';
import type { Description, Where } from './description-text.ts';
import { together } from './elsewhere.ts';
import { treeOf } from './rehearsal.ts';
import { dumpSliced, dumpTree } from './saveconfig.ts';
import { transitionSliced } from './transition.ts';

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
function* merged(kind: ObjectKind, before: Raw | undefined, given: Raw, prune: boolean): Sliced<Raw> {
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
      form[below.list] = yield* mergedList(below, rawsIn(old[below.list]), rawsIn(given[below.list]), prune);
  yield;
  return form;
}

function* mergedList(kind: ObjectKind, before: readonly Raw[], given: readonly Raw[], prune: boolean): Sliced<Raw[]> {
  const wanted = new Map(
    given.map((raw) => {
      const whole = understood(kind, raw);
      return [identityOf(kind, whole), whole] as const;
    }),
  );
  const old = new Map(before.map((raw) => [identityOf(kind, raw), raw]));
  const left = prune ? [] : before.filter((raw) => !wanted.has(identityOf(kind, raw)));
  const all = [...left];
  for (const [id, raw] of wanted) all.push(yield* merged(kind, old.get(id), raw, prune));
  return all;
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
  const operations = (await transitionSliced(tree, wish)).map(({ operation }) => operation);
  for (const operation of operations) refuseLoss(tree, operation, objects, where, isHeld);
  const named = new Map(objects.map((raw) => [`/backstores/${kindOf(raw)?.name}/${raw['name']}`, raw]));
  return operations.flatMap((operation) => made(operation, named));
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
  const now = await inSlices(dumpSliced(tree));
  const before = await inSlices(wholeForms(now));
  const isNew = (raw: Raw) => tree.storageObjectOf(textOf(raw['plugin']), textOf(raw['name'])) === undefined;
  const sized = (raw: Raw) =>
    isNew(raw) && kindOf(raw)?.keys['size'] && raw['size'] === undefined ? { ...raw, size: unknownBytes } : raw;
  const wish: Record<string, Raw[]> = {};
  for (const kind of topKinds) {
    const all = await inSlices(mergedList(kind, rawsIn(before[kind.list]), rawsIn(given[kind.list]), prune));
    wish[kind.list] = kind === schema.storageObject ? all.map(sized) : all;
  }
  const [{ tree: wanted, errors }, { errors: known }] = [
    await treeOf({ ...now, ...wish, [elsewhere]: undefined }),
    await treeOf(now),
  ];
  const old = new Set(known);
  const faults = errors.filter((line) => !old.has(line));
  const [first, ...others] = faults;
  if (first !== undefined) throw new OperatorError(first, others.join('\n') || 'Nothing was changed.');
  return wanted;
}

/** A new storage object is made as an operator makes it; the settings in which it differs from a new one are set afterwards. */
function made(operation: Operation, objects: ReadonlyMap<string, Raw>): Operation[] {
  const { path, verb, params } = operation;
  const raw = objects.get(`${path}/${params['name']}`);
  if (!path.startsWith('/backstores/') || path.split('/').length !== 3 || verb !== 'create' || !raw) return [operation];
  const { attributes = {} } = (params['settled'] ?? {}) as { attributes?: Record<string, string | number> };
  const at = `${path}/${params['name']}`;
  return [
    { path, verb, params: { ...creation(raw), ...(typeof raw['wwn'] === 'string' && { wwn: raw['wwn'] }) } },
    ...Object.entries(attributes).map(([name, value]) => setAttribute(at, name, value)),
  ];
}

/** A saved form whose storage objects have all of their attributes. */
function* wholeForms(saved: Raw): Sliced<Raw> {
  const whole: Raw[] = [];
  for (const raw of rawsIn(saved['storage_objects'])) {
    const { [elsewhere]: own, ...form } = together(raw, `/backstores/${kindOf(raw)?.name}/${raw['name']}`, saved);
    whole.push(own === undefined ? form : { ...form, attributes: { ...rawOf(form['attributes']), ...rawOf(own) } });
    yield;
  }
  return { ...saved, storage_objects: whole };
}

/** The form of secrets in a description: in plain text, or as variables that will have them. */
export type DescribedSecrets = 'plain' | 'variables';

/** The tree as a description: default values and random ones are left out. */
export async function describeTree(tree: Tree, secrets: DescribedSecrets): Promise<Raw> {
  const now = await inSlices(wholeForms(dumpTree(tree)));
  const lists = topKinds.map((kind) => [kind.list, rawsIn(now[kind.list])] as const);
  const bare = Object.fromEntries(
    topKinds.map((kind) => [kind.list, rawsIn(now[kind.list]).map((raw) => bareForm(kind, raw))]),
  );
  const { tree: freshTree } = await treeOf(bare);
  const fresh = await inSlices(wholeForms(await inSlices(dumpSliced(freshTree))));
  let number = 0;
  const hide = (key: string, value: unknown): unknown => {
    if (secrets === 'plain' || !isSecret(key)) return value;
    number += 1;
    return { env: `TCLI_SECRET_${number}` };
  };
  const rest = slices();
  const described: [string, Raw[]][] = [];
  for (const [list, raws] of lists) {
    const kind = topKinds.find((one) => one.list === list)!;
    const freshOf = byIdentity(kind, fresh[list]);
    const differences: Raw[] = [];
    for (const raw of raws) {
      differences.push(difference(kind, raw, freshOf(raw), hide));
      await rest();
    }
    described.push([list, differences]);
  }
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

/** A function that finds the object of a list which is the same as another one; an empty one where there is none. */
function byIdentity(kind: ObjectKind, list: unknown): (raw: Raw) => Raw {
  const all = new Map(rawsIn(list).map((one) => [identityOf(kind, one), one]));
  return (raw) => all.get(identityOf(kind, raw)) ?? {};
}

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
    const freshOf = byIdentity(below, fresh[below.list]);
    const some = rawsIn(raw[below.list]).map((one) => difference(below, one, freshOf(one), hide));
    if (some.length > 0) out[below.list] = some;
  }
  return out;
}
