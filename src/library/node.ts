/**
 * The tree as objects with the names of its records: each has a path and the verbs of its place, and asks the owner of the configuration
 * at every call. The schema says which kinds stand below which, and their names; verbs.ts has the verbs.
 */

import { fabrics } from '../fabric/index.ts';
import { aluaGroupsKey } from '../operations/saved-alua.ts';
import { namedBy } from '../operations/saved-form.ts';
import { type ObjectKind, schema } from '../operations/schema.ts';
import type { SavedField } from '../target/fields.ts';
import type { ConfigurationLink } from './link.ts';
import { backstoreNames, verbs } from './verbs.ts';

type Words = Readonly<Record<string, unknown>>;

/** The part of an object's node that its types do not say. */
interface ObjectNode extends Words {
  readonly path: string;
}

/** A room: the place where objects of a kind are made and deleted. */
export interface Room {
  /** The name of the room in the object above. */
  readonly name: string;
  /** The kind of place, for its verbs, and its path. */
  readonly place: string;
  readonly path: string;
  /** The kind of the objects in the room: one of the schema, or undefined for the ALUA groups of a storage object, which are a part of that. */
  readonly kind: ObjectKind | undefined;
}

/** The rooms of an object. */
export const roomsOf = (kind: ObjectKind, path: string): Room[] => [
  ...(kind === schema.storageObject ? [{ name: 'alua', place: 'alua', path: `${path}/alua`, kind: undefined }] : []),
  ...(kind.below ?? []).map((below) => ({
    name: below.collection ?? camel(below.list),
    place: below.collection ?? kind.name,
    path: below.collection ? `${path}/${below.collection}` : path,
    kind: below,
  })),
];

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Fields by whose values an object is named, with the parameters of `create` and `delete` that give them. */
export const namesOf = (
  kind: ObjectKind | undefined,
): readonly (readonly [key: string, param: string, field: SavedField])[] =>
  kind
    ? Object.entries(kind.fields).flatMap(([key, field]) => (field.names ? [[key, field.names, field] as const] : []))
    : [['name', 'name', { type: 'text', as: 'name' }]];

/** The objects in a room. */
function roomOf(link: ConfigurationLink, room: Room): Words {
  const { place, path, kind } = room;
  const names = namesOf(kind);
  const at = (params: Words) => objectOf(link, room, params);
  return {
    path,
    // Where a room is an object as well, all other verbs belong to the object.
    ...(place === kind?.collection || place === 'backstore' || place === 'alua' ? actionsAt(link, place, path) : {}),
    create: async (params: Words = {}) => at(await act(link, path, 'create', params)),
    at: (...values: unknown[]) => at(Object.fromEntries(names.map(([, param], index) => [param, values[index]]))),
    async list() {
      const forms = ((await link.configuration(path)) as Record<string, readonly Words[]>)[kind?.list ?? aluaGroupsKey];
      return (forms ?? []).map((form) => at(Object.fromEntries(names.map(([key, param]) => [param, form[key]]))));
    },
  };
}

/** The object that parameters name. */
function objectOf(link: ConfigurationLink, room: Room, params: Words): ObjectNode {
  const { kind } = room;
  const named = (kind ? namedBy(kind, params) : { name: params['name'] }) as Words;
  const path = `${room.path}/${kind ? kind.node(named as never) : params['name']}`;
  const nameParams = Object.fromEntries(namesOf(kind).map(([, param]) => [param, params[param]]));
  const isTpg = kind === schema.target && fabrics.some(({ name, tpgNodes }) => !tpgNodes && room.path === `/${name}`);
  // The node of a target without TPG nodes is that of its TPG.
  const inside = isTpg ? schema.tpg : kind;
  return {
    ...named,
    path,
    read: () => link.configuration(path),
    delete: async () => void (await act(link, room.path, 'delete', nameParams)),
    ...actionsAt(link, inside?.name ?? 'alua group', path),
    ...(inside && Object.fromEntries(roomsOf(inside, path).map((one) => [one.name, roomOf(link, one)]))),
  };
}

/** The verbs of a place, but for those that make and delete the objects in it. */
export const actionsAt = (link: ConfigurationLink, place: string, path: string): Words =>
  Object.fromEntries(
    (verbs[place] ?? [])
      .filter((verb) => verb !== 'create' && verb !== 'delete')
      .map((verb) => [
        verb,
        verb === 'set'
          ? (group: string, values: Words) => setAll(link, path, group, values)
          : async (params: Words = {}) => void (await act(link, path, verb, params)),
      ]),
  );

/** Sets values one after the other: the first that is refused ends it, and those before it stay. */
async function setAll(link: ConfigurationLink, path: string, group: string, values: Words): Promise<void> {
  for (const [name, value] of Object.entries(values))
    if (value !== undefined) await link.apply({ path, verb: 'set', params: { group, name, value: String(value) } });
}

/** Applies a verb. @returns the parameters as they were carried out */
async function act(link: ConfigurationLink, path: string, verb: string, params: Words): Promise<Words> {
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  const plain = Object.fromEntries(given.map(([name, value]) => [name, meant(name, value)]));
  return (await link.apply({ path, verb, params: plain })).params;
}

/** The name by which an operation knows an object that was given as a value: a LUN of the same TPG by its number, others by their path. */
const meant = (name: string, value: unknown): unknown => {
  const { path, index } = (value ?? {}) as { path?: unknown; index?: unknown };
  return typeof path !== 'string' ? value : name === 'tpg_lun' ? index : path;
};

/** The objects that are always there: backstores and fabrics. */
export const treeOf = (link: ConfigurationLink): Words => ({
  backstores: Object.fromEntries(
    backstoreNames.map((name) => [
      name,
      roomOf(link, { name, place: 'backstore', path: `/backstores/${name}`, kind: schema.storageObject }),
    ]),
  ),
  ...Object.fromEntries(
    fabrics.map(({ name }) => {
      const path = `/${name}`;
      const rooms = roomsOf(schema.fabric, path).map((room) => [room.name, roomOf(link, room)] as const);
      const read = () => link.configuration(path);
      return [name, { path, read, ...actionsAt(link, 'fabric', path), ...Object.fromEntries(rooms) }];
    }),
  ),
});
