/**
 * Prints the types of the library's tree from the records: what stands in it, what it is made of, what can be done to it. No
 * setting, key or verb has its name here but for those that records only hold as code.
 */

import type { AttributeTable } from '../../src/attribute.ts';
import { backstores } from '../../src/backstore/index.ts';
import { fabrics } from '../../src/fabric/index.ts';
import { namesOf, roomsOf } from '../../src/library/node.ts';
import { elsewhere, leftOutKey } from '../../src/operations/groups.ts';
import { keptWords } from '../../src/operations/medium-operations.ts';
import { type OperationType, ownParams } from '../../src/operations/operation.ts';
import { groupsOf, partsOf } from '../../src/operations/saved-form.ts';
import { listsIn, type ObjectKind, type SavedObject, schema } from '../../src/operations/schema.ts';
import { operationTypes } from '../../src/saved/operations.ts';
import { StorageObject } from '../../src/scsi/logical-unit.ts';
import type { Fabric } from '../../src/target/fabric.ts';
import { lunAttributes, type SavedField } from '../../src/target/fields.ts';
import { fabricState, NodeAcl, newLun, Target, Tpg } from '../../src/target/target.ts';
import { tablesOf, typeOf } from './settings-declarations.ts';
import { comment, face, pascal, printed, property } from './typescript.ts';

/** One object of each kind, to ask its record what it has. */
function samples(fabric: Fabric, backstore = backstores[0]!) {
  const storageObject = new StorageObject({ backstore, name: 'name', config: {}, wwn: '' });
  const target = new Target(fabric, 'wwn');
  const tpg = new Tpg(target, 1, 1);
  const state = fabricState(fabric);
  return {
    storageObject,
    fabric: state,
    target,
    tpg,
    lun: newLun(tpg, 0, storageObject, ''),
    nodeAcl: new NodeAcl(tpg, ''),
  };
}

type Sampled = keyof ReturnType<typeof samples>;
const kindNames = Object.keys(schema) as (keyof typeof schema)[];
const nameOf = (kind: ObjectKind) => pascal(kindNames.find((name) => schema[name] === kind)!);
const sampleOf = (kind: ObjectKind, fabric: Fabric): SavedObject | undefined =>
  samples(fabric)[kindNames.find((name) => schema[name] === kind) as Sampled];

const fieldTypes: Readonly<Record<string, string>> = {
  number: 'number',
  text: 'string',
  name: 'string | null',
  flag: 'boolean',
  words: 'readonly string[]',
};
const referenceTypes: Readonly<Record<string, string>> = { tpg_lun: 'number' };
const fieldType = (key: string, { type }: SavedField) => fieldTypes[type] ?? referenceTypes[key] ?? 'string';

/** Keys of parts, whose records hold as code what stands under them. */
const partTypes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  fabric: { accounts: 'readonly { userid: string; password: string }[]' },
  tpg: {
    attributes: "FabricSettings[F]['tpgAttributes']",
    parameters: "FabricSettings[F]['tpgParameters']",
    access_list: '{ addresses: readonly string[]; names: readonly string[] }',
  },
  nodeAcl: { attributes: "FabricSettings[F]['aclAttributes']" },
  lun: {},
  target: {},
  mappedLun: {},
  portal: {},
};

/** The type of a key of a part. @throws Error for one that nobody has said a type for: say it in partTypes */
function partType(kind: keyof typeof schema, key: string): string {
  const known = partTypes[kind]?.[key];
  if (known !== undefined) return known;
  if (key === leftOutKey) return 'readonly string[]';
  if (/^(chap|discovery)_/.test(key)) return 'string';
  const tables: readonly AttributeTable[] = [
    lunAttributes,
    ...fabrics.flatMap((fabric) => Object.values(tablesOf(fabric))),
  ];
  const own = tables.find((table) => table[key])?.[key];
  if (own) return typeOf(own);
  throw new Error(`partTypes of test/library/tree-declarations.ts says no type for ${key} of ${kind}`);
}

function savedFace(name: keyof typeof schema): string {
  const kind = schema[name];
  const keys = new Set(
    fabrics.flatMap((fabric) => {
      const sample = sampleOf(kind, fabric);
      return sample ? partsOf(kind, sample).flatMap((part) => part.keys) : [];
    }),
  );
  const fields = Object.entries(kind.fields).map(
    ([key, field]) =>
      `  ${key}${field.unless !== undefined || field.type === 'words' ? '?' : ''}: ${fieldType(key, field)};`,
  );
  const isGeneric = ['target', 'tpg', 'nodeAcl'].includes(name);
  const parts = [...keys].map((key) => `  ${key}?: ${partType(name, key)};`);
  const lists = listsIn(kind).map((below) => {
    const generic = ['tpg', 'nodeAcl'].includes(kindNames.find((one) => schema[one] === below)!);
    return `  ${below.list}: readonly Saved${nameOf(below)}${generic ? '<F>' : ''}[];`;
  });
  const head = `Saved${pascal(name)}${isGeneric ? '<F extends FabricName = FabricName>' : ''}`;
  return face(`What saveconfig.json has of one: ${kind.name}.`, head, [...fields, ...parts, ...lists]);
}

/** Keys of storage objects, beside their attributes, that LIO does not have. */
const oursOfStorageObjects = [
  ...new Set(
    backstores.flatMap(({ keys }) => Object.entries(keys).flatMap(([key, { ours }]) => (ours ? [`'${key}'`] : []))),
  ),
].join(' | ');

const savedStorageObject = () => {
  const own = new Map(backstores.flatMap(({ keys }) => Object.entries(keys).map(([key, { type }]) => [key, type])));
  return face(
    'A storage object as saveconfig.json has it. Which keys it has besides depends on its kind.',
    'SavedStorageObject',
    [
      '  name: string;',
      '  plugin: string;',
      '  wwn?: string;',
      ...[...own].map(([key, type]) => `  ${key}?: ${type} | null;`),
      '  attributes: Partial<StorageObjectAttributes>;',
      '  alua_tpgs: readonly SavedAluaGroup[];',
      comment('Attributes that LIO does not have; in the whole file they stand in a key of their own.'),
      `  ${elsewhere}?: Partial<StorageObjectAttributes>;`,
    ],
  );
};

const operationsAt = (place: string): readonly OperationType[] =>
  operationTypes.filter(({ at, verb }) => at === place && verb !== 'fill');

const paramTypes = { string: 'string', printable: 'string', number: 'number', boolean: 'boolean', object: 'object' };

/** An object may stand where it is named. */
const references: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  luns: { storage_object: 'string | StorageObjectNode' },
  acl: { tpg_lun: 'number | LunNode' },
};

function paramsOf({
  at,
  params,
}: OperationType): readonly (readonly [name: string, optional: boolean, type: string])[] {
  return Object.entries(params)
    .filter(([name]) => name !== '*' && !ownParams.includes(name))
    .map(([name, given]) => {
      const type = paramTypes[given.replace('?', '') as keyof typeof paramTypes];
      return [name, given.endsWith('?'), references[at]?.[name] ?? type];
    });
}

const inline = (params: ReturnType<typeof paramsOf>) =>
  `{ ${params.map(([name, optional, type]) => `${name}${optional ? '?' : ''}: ${type}`).join('; ')} }`;

const kept = keptWords.map((word) => `'${word}'`).join(' | ');

function action(operation: OperationType): string[] {
  const params = paramsOf(operation);
  const isFree = params.every(([, optional]) => optional);
  // Parameters that `create` of the kind takes besides: the face of the actions has it as `C`.
  const more = Object.hasOwn(operation.params, '*') ? ` & Partial<Omit<C, 'name' | ${kept}>>` : '';
  const list = params.length === 0 ? '' : `params${isFree ? '?' : ''}: ${inline(params)}${more}`;
  return [comment(operation.doc), `  ${operation.verb}(${list}): Promise<void>;`];
}

const actions = (place: string) =>
  operationsAt(place)
    .filter(({ verb }) => !['create', 'delete', 'set'].includes(verb))
    .flatMap(action);

/** @param exchanging whether what only kinds with `exchange` can do, or all else */
const backstoreActions = (exchanging: boolean) =>
  operationsAt('backstore')
    .filter(({ verb }) => !['create', 'delete', 'set'].includes(verb) && (verb === 'changemedium') === exchanging)
    .flatMap(action);

function setters(kind: ObjectKind, fabric: Fabric, generic: string): string[] {
  const sample = sampleOf(kind, fabric);
  const doc = operationsAt(kind.name).find(({ verb }) => verb === 'set')?.doc;
  if (!sample || doc === undefined) return [];
  const of = { attribute: 'Attributes', parameter: 'Parameters' } as const;
  const chap = kind === schema.nodeAcl ? 'Chap' : 'ChapWithAccounts';
  const groups = groupsOf(kind, sample)
    .filter(({ isOffered, printed: all }) => isOffered && Object.keys(all()).length > 0)
    .map(({ name }) => [
      name,
      name === 'auth' ? chap : name === 'discovery_auth' ? 'DiscoveryChap' : `${generic}${of[name as 'attribute']}`,
    ]);
  if (kind === schema.lun) groups.push(['alua', '{ alua_tg_pt_gp_name: string }']);
  return groups.flatMap(([name, type]) => [
    comment(doc),
    `  set(group: '${name}', values: Partial<${type}>): Promise<void>;`,
  ]);
}

/** The type of a room: a collection, with the verbs that stand beside `create` and `delete`. */
function roomType(kind: ObjectKind | undefined, place: string, object: string): string {
  const create = operationsAt(place).find(({ verb }) => verb === 'create')!;
  const params = paramsOf(create);
  const names = namesOf(kind).map(([key, param, field]) => `${param}: ${fieldType(key, field)}`);
  const open = params.every(([, optional]) => optional) ? 'OpenCollection' : 'Collection';
  return `${open}<${object}, ${inline(params)}, [${names.join(', ')}]>`;
}

const objectNames = { 'mapped lun': 'MappedLunNode', lun: 'LunNode', portal: 'PortalNode' } as Readonly<
  Record<string, string>
>;

function fabricFaces(fabric: Fabric): string[] {
  const prefix = pascal(fabric.name);
  const nameFor = (kind: ObjectKind) => objectNames[kind.name] ?? `${prefix}${pascal(kind.name)}Node`;
  const has = (collection: string) =>
    collection === 'acls'
      ? fabric.features.includes('acls')
      : collection !== 'portals' || fabric.features.includes('nps');
  const rooms = (kind: ObjectKind) =>
    roomsOf(kind, '')
      .filter(({ name }) => has(name))
      .flatMap(({ name, place, kind: below }) => {
        const beside = place === below?.collection ? actions(place) : [];
        const type = roomType(below, place, below ? nameFor(below) : 'AluaGroupNode');
        const doc = operationsAt(place).find(({ verb }) => verb === 'create')!.doc;
        return [
          comment(`\`create\`: ${doc}`),
          `  readonly ${name}: ${type}${beside.length > 0 ? ` & ${roomActions(place)}` : ''};`,
        ];
      });
  const named = (kind: ObjectKind) =>
    namesOf(kind).map(([key, , field]) => `  readonly ${field.as}: ${fieldType(key, field)};`);
  const object = (kind: ObjectKind, inside: ObjectKind, doc: string) =>
    face(doc, `${nameFor(kind)} extends TreeObject<Saved${nameOf(inside)}<'${fabric.name}'>>`, [
      ...named(kind),
      ...rooms(inside),
      ...actions(inside.name),
      ...setters(inside, fabric, `${prefix}${inside === schema.nodeAcl ? 'Acl' : 'Tpg'}`),
    ]);
  const acl = fabric.features.includes('acls')
    ? [object(schema.nodeAcl, schema.nodeAcl, `An initiator that a TPG of ${fabric.name} admits.`)]
    : [];
  return [
    face(fabric.doc, `${prefix}Fabric`, [
      comment('Where it stands.'),
      `  readonly path: string;`,
      comment('What it has, as `saveconfig.json` has it, and its targets.'),
      `  read(): Promise<SavedFabric & { targets: readonly SavedTarget<'${fabric.name}'>[] }>;`,
      ...rooms(schema.fabric),
      ...actions('fabric'),
      ...setters(schema.fabric, fabric, ''),
    ]),
    ...(fabric.tpgNodes
      ? [
          object(schema.target, schema.target, `A target of ${fabric.name}.`),
          object(schema.tpg, schema.tpg, `A TPG of ${fabric.name}.`),
        ]
      : [object(schema.target, schema.tpg, `A target of ${fabric.name}, which is its one TPG as well.`)]),
    ...acl,
  ];
}

const roomActions = (place: string) => `${pascal(place)}Actions`;

const setting = (place: string, group: string, type: string) => [
  comment(operationsAt(place).find(({ verb }) => verb === 'set')!.doc),
  `  set(group: '${group}', values: Partial<${type}>): Promise<void>;`,
];

const settingsImports = [
  'AluaGroupSettings',
  'Chap',
  'ChapWithAccounts',
  'DiscoveryChap',
  'FabricName',
  'FabricSettings',
  ...fabrics.flatMap((fabric) => Object.entries(tablesOf(fabric)).map(([what]) => `${pascal(fabric.name)}${what}`)),
  'LunAttributes',
  'StorageObjectAttributes',
];

/** The import of those of `names` that are used. */
function importing(names: readonly string[], from: string, body: readonly string[]): string {
  const used = names.filter((name) => body.some((text) => new RegExp(`\\b${name}\\b`).test(text))).toSorted();
  return `import type {\n${used.map((name) => `  ${name},`).join('\n')}\n} from './${from}.ts';`;
}

const savedFaces = (): string[] => [
  savedStorageObject(),
  face('An ALUA group as saveconfig.json has it.', 'SavedAluaGroup extends AluaGroupSettings', ['  name: string;']),
  ...kindNames.filter((name) => name !== 'storageObject').map(savedFace),
  face('Everything, as saveconfig.json has it.', 'Configuration', [
    '  storage_objects: readonly SavedStorageObject[];',
    '  fabric_modules: readonly SavedFabric[];',
    '  targets: readonly SavedTarget[];',
    comment('By path: what storage objects have and LIO does not.'),
    `  ${elsewhere}?: Readonly<Record<string, Partial<StorageObjectAttributes> & Pick<SavedStorageObject, ${oursOfStorageObjects}>>>;`,
  ]),
];

/** src/library/saved.ts */
export function saved(): string {
  const body = savedFaces();
  return [printed('What saveconfig.json has'), `${importing(settingsImports, 'settings', body)}\n`, ...body].join('\n');
}

/** src/library/tree.ts */
export function tree(): string {
  const exchanging = backstores.filter(({ exchange }) => exchange);
  const body = [
    face(
      'A volume with an identity: the logical unit that initiators see.',
      'StorageObjectNode extends TreeObject<SavedStorageObject>',
      [
        '  readonly name: string;',
        comment(`\`create\`: ${operationsAt('alua').find(({ verb }) => verb === 'create')!.doc}`),
        `  readonly alua: ${roomType(undefined, 'alua', 'AluaGroupNode')};`,
        ...actions('storage object'),
        ...setting('storage object', 'attribute', 'StorageObjectAttributes'),
      ],
    ),
    face('A target port group of a storage object.', 'AluaGroupNode extends TreeObject<SavedAluaGroup>', [
      '  readonly name: string;',
      ...setting('alua group', 'alua', 'AluaGroupSettings'),
    ]),
    face('A storage object under a number.', 'LunNode extends TreeObject<SavedLun>', [
      '  readonly index: number;',
      ...setters(schema.lun, fabrics[0]!, 'Lun'),
    ]),
    face('An address and a port that a TPG listens on.', 'PortalNode extends TreeObject<SavedPortal>', [
      '  readonly address: string;',
      '  readonly port: number;',
      ...setting('portal', 'attribute', '{ advertised: string; drain: string }'),
    ]),
    face('A LUN as one initiator sees it.', 'MappedLunNode extends TreeObject<SavedMappedLun>', [
      '  readonly index: number;',
      ...setting('mapped lun', 'attribute', '{ write_protect: 0 | 1 }'),
    ]),
    ...['luns', 'acls', 'portals'].map((place) =>
      face(`What else is done at \`${place}\`.`, roomActions(place), actions(place)),
    ),
    face('What else is done where storage objects are made.', 'BackstoreActions<C>', backstoreActions(false)),
    face(
      'What else is done where they are made of a text that may be another one.',
      'MediumActions',
      backstoreActions(true),
    ),
    face(
      'The kinds of backstore.',
      'Backstores',
      backstores.flatMap((one) => [
        comment(one.doc),
        `  readonly ${property(one.name)}: Collection<StorageObjectNode, Create${pascal(one.name)}, [name: string]> & BackstoreActions<Create${pascal(one.name)}>${exchanging.includes(one) ? ' & MediumActions' : ''};`,
      ]),
    ),
    ...fabrics.flatMap(fabricFaces),
    face('The tree of a configuration.', 'Tcli extends WholeConfiguration<Configuration>', [
      '  readonly backstores: Backstores;',
      ...fabrics.map(({ name }) => `  readonly ${name}: ${pascal(name)}Fabric;`),
      ...actions('root').map((line) => line.replace('configuration: object', 'configuration: Configuration | object')),
    ]),
  ];
  const savedNames = ['Configuration', 'StorageObject', 'AluaGroup', ...kindNames.map(pascal)].map((name) =>
    name === 'Configuration' ? name : `Saved${name}`,
  );
  return [
    printed('The tree, what stands in it, and what can be done to it'),
    `import type {\n${backstores.map(({ name }) => `  Create${pascal(name)},`).join('\n')}\n} from './creations.ts';`,
    importing([...new Set(savedNames)], 'saved', body),
    importing(settingsImports, 'settings', body),
    "import type { Collection, OpenCollection, TreeObject, WholeConfiguration } from './shapes.ts';\n",
    ...body,
  ].join('\n');
}
