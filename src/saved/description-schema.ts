/**
 * The JSON Schema of a description of a configuration (`apply`, `export`): made of the schema of the saved tree and of the tables of
 * attributes. Descriptions are checked by it.
 */

import type { Attribute, AttributeTable } from '../attribute.ts';
import { backstores } from '../backstore/index.ts';
import { fabrics } from '../fabric/index.ts';
import { isRaw } from '../operations/raw.ts';
import { listsIn, type ObjectKind, schema } from '../operations/schema.ts';
import { aluaGroupTable } from '../scsi/alua-group.ts';
import { diskAttributes } from '../scsi/attributes.ts';
import { authKeys, isSecret, passingAuthKeys } from '../target/auth.ts';
import { lunAttributes, type SavedField } from '../target/fields.ts';

/** The part of JSON Schema (2020-12) that is used here. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** A size as in the shell: `10G`. */
const sizePattern = '^\\d+([kKmMgGtT]i?)?[bB]?$';

const text: JsonSchema = { type: 'string' };
const texts: JsonSchema = { type: 'array', items: text };
const object = (properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...(required.length > 0 && { required }),
});

/** A secret, or the place of a secret, which the program that applies the description reads. */
const secret: JsonSchema = {
  description: 'The secret; or the variable of the environment, or the file, that has it.',
  anyOf: [text, object({ env: text }, ['env']), object({ file: text }, ['file'])],
};

const ofFields: Readonly<Record<SavedField['type'], JsonSchema>> = {
  number: { type: 'integer' },
  text,
  name: { type: ['string', 'null'] },
  flag: { type: 'boolean' },
  words: texts,
  reference: { type: ['string', 'integer'] },
};

const ofAttribute = ({ doc, min, max, only }: Attribute): JsonSchema => ({
  description: doc,
  ...(only ? { enum: only } : { type: ['integer', 'string'] }),
  ...(min !== undefined && { minimum: min }),
  ...(max !== undefined && { maximum: max }),
});

/** The attributes of a table that can be set; a description has no others. */
const ofTable = (table: AttributeTable): Record<string, JsonSchema> =>
  Object.fromEntries(
    Object.entries(table).flatMap(([name, one]) => (one.readOnly ? [] : [[name, ofAttribute(one)] as const])),
  );

const union = (tables: readonly AttributeTable[]): JsonSchema => object(Object.assign({}, ...tables.map(ofTable)));

const chap = (prefix: string): Record<string, JsonSchema> =>
  Object.fromEntries(
    authKeys.flatMap((key) => (passingAuthKeys.includes(key) ? [] : [[prefix + key, isSecret(key) ? secret : text]])),
  );

/** The keys of storage objects of any kind. */
function storageObjectKeys(): Record<string, JsonSchema> {
  const ofKey = {
    string: text,
    boolean: { type: 'boolean' },
    number: { type: ['integer', 'string'], pattern: sizePattern },
  };
  const all = backstores.flatMap(({ keys }) =>
    Object.entries(keys).map(([key, { type }]) => [key, ofKey[type]] as const),
  );
  return Object.fromEntries(all);
}

/** The keys that the kinds have beside their fields. */
const more: Readonly<Record<keyof typeof schema, Readonly<Record<string, JsonSchema>>>> = {
  storageObject: {
    ...storageObjectKeys(),
    plugin: { enum: [...new Set(backstores.map(({ plugin }) => plugin))] },
    wwn: text,
    attributes: object(ofTable(diskAttributes)),
    alua_tpgs: {
      type: 'array',
      items: object({ name: text, tg_pt_gp_id: { type: 'integer' }, ...ofTable(aluaGroupTable) }, ['name']),
    },
  },
  fabric: {
    name: { enum: fabrics.map(({ name }) => name) },
    ...chap('discovery_'),
    accounts: { type: 'array', items: object({ userid: text, password: secret }, ['userid', 'password']) },
  },
  target: { fabric: { enum: fabrics.map(({ name }) => name) } },
  tpg: {
    attributes: union(fabrics.map(({ tpgAttributes }) => tpgAttributes)),
    parameters: union(fabrics.map(({ tpgParameters }) => tpgParameters)),
    ...chap('chap_'),
    access_list: object({ addresses: texts, names: texts }),
  },
  lun: ofTable(lunAttributes),
  portal: { port: { type: 'integer', minimum: 0, maximum: 65_535 } },
  nodeAcl: { attributes: union(fabrics.map(({ aclAttributes }) => aclAttributes)), ...chap('chap_') },
  mappedLun: {},
};

const needed: Readonly<Record<keyof typeof schema, readonly string[]>> = {
  storageObject: ['plugin', 'name'],
  fabric: ['name'],
  target: ['wwn'],
  tpg: [],
  lun: ['index', 'storage_object'],
  portal: ['ip_address'],
  nodeAcl: ['node_wwn'],
  mappedLun: ['index'],
};

/** The schema of an object of a kind. */
export const schemaOf = (kind: ObjectKind): JsonSchema =>
  ofKind((Object.keys(schema) as (keyof typeof schema)[]).find((name) => schema[name] === kind)!);

function ofKind(name: keyof typeof schema): JsonSchema {
  const kind: ObjectKind = schema[name];
  const fields = Object.entries(kind.fields).flatMap(([key, field]) =>
    field.passing ? [] : [[key, ofFields[field.type]] as const],
  );
  const lists = listsIn(kind).map((below) => [below.list, { type: 'array', items: schemaOf(below) }] as const);
  return object({ ...Object.fromEntries(fields), ...more[name], ...Object.fromEntries(lists) }, needed[name]);
}

/** The schema of a description. */
export const descriptionSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Description of a tcli configuration',
  description:
    'The keys are those of saveconfig.json. What is left out is as it is, or as it is in a new object; with prune, what is left out goes.',
  ...object({
    storage_objects: { type: 'array', items: ofKind('storageObject') },
    fabric_modules: { type: 'array', items: ofKind('fabric') },
    targets: { type: 'array', items: ofKind('target') },
  }),
};

/** A fault in a value, and the words that lead to its place. */
export interface SchemaFault {
  readonly at: readonly (string | number)[];
  readonly what: string;
}

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;

/** Checks a value. @returns the faults of the value */
export function faultsIn(value: unknown, by: JsonSchema, at: readonly (string | number)[] = []): SchemaFault[] {
  const type = typeOf(value);
  const fault = (what: string): SchemaFault[] => [{ at, what }];
  if (by.anyOf)
    return by.anyOf.some((one) => faultsIn(value, one, at).length === 0)
      ? []
      : fault('is a text, {env: NAME} or {file: PATH}');
  const wanted = by.type === undefined ? [] : [by.type].flat();
  if (wanted.length > 0 && !wanted.includes(type)) return fault(`is to be ${wanted.join(' or ')}, and is ${type}`);
  if (by.enum && !by.enum.some((one) => String(one) === String(value)))
    return fault(`is to be one of: ${by.enum.join(', ')}`);
  if (by.pattern !== undefined && type === 'string' && !new RegExp(by.pattern).test(String(value)))
    return fault('is no size, as 512M or 10G');
  if (type === 'integer' && (Number(value) < (by.minimum ?? -Infinity) || Number(value) > (by.maximum ?? Infinity)))
    return fault(`is to be ${by.minimum ?? ''} to ${by.maximum ?? ''}`);
  if (Array.isArray(value)) return value.flatMap((one, number) => faultsIn(one, by.items ?? {}, [...at, number]));
  const { properties } = by;
  if (!isRaw(value) || !properties) return [];
  let names: string | undefined;
  const known = () => (names ??= Object.keys(properties).join(', '));
  const missing = (by.required ?? []).filter((key) => value[key] === undefined);
  return [
    ...missing.flatMap((key) => fault(`lacks '${key}'`)),
    ...Object.entries(value).flatMap(([key, inner]) =>
      Object.hasOwn(properties, key)
        ? faultsIn(inner, properties[key] ?? {}, [...at, key])
        : [{ at: [...at, key], what: `is not known here; there are: ${known()}` }],
    ),
  ];
}
