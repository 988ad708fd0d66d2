// parse(print(operation)) = operation, over a tree in which every kind of node stands: every verb of every kind, with
// parameters of every declared type, and every setting of every group. What operations do is tested in test/root.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rootNode } from '../../shell/nodes/root.ts';
import { parseCommandLine } from '../../shell/session/command-line.ts';
import type { Node } from '../../shell/session/node.ts';
import {
  type Operation,
  operationTypes,
  type Parameter,
  type ParameterValues,
  type PlaceKind,
  placeOf,
  printOperation,
  type Value,
} from '../../src/index.ts';
import { openShell, removeHome, type TestShell } from '../support/shell.ts';

type OperationType = (typeof operationTypes)[number];

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;

let shell: TestShell;
/** The paths of each kind of place. */
const places = new Map<PlaceKind, string[]>();
/** The groups of each path, with their settings. */
const settings = new Map<string, { group: string; name: string }[]>();

beforeAll(async () => {
  shell = await openShell();
  const said = await shell.run(
    '/backstores/ramdisk create rd0 1M',
    `/backstores/ramdisk create 'é"+\\,{}|' 1M`,
    '/backstores/ramdisk/rd0/alua create standby 1',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd0`,
    `${tpg}/acls create iqn.1994-05.com.redhat:client1`,
    '/loopback create naa.50014051234567ab',
    '/vhost create naa.50014051234567ac',
  );
  expect(said).not.toMatch(/^E\| /m);
  const walk = (node: Node): void => {
    const { path } = node;
    const { tree } = shell.host.root;
    try {
      const { kind } = placeOf(tree, path);
      places.set(kind, [...(places.get(kind) ?? []), path]);
    } catch {
      // A view of no object: /backstores.
    }
    const groups = node.groups().flatMap(({ name: group, settings: of }) => of().map(({ name }) => ({ group, name })));
    settings.set(path, groups);
    node.children().forEach(walk);
  };
  walk(rootNode(shell.host));
});

afterAll(async () => {
  await shell.close();
  removeHome(shell.directory);
});

const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean());
/** Values of each type that an operation's parameter can have. */
const valuesOf = {
  string: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('true', '7', '{}', 'a b', '"', '\\', '=', '--json')),
  number: fc.integer(),
  boolean: fc.boolean(),
  object: fc.dictionary(fc.string(), fc.oneof(scalar, fc.array(scalar)), { noNullPrototype: true }),
} as const;

const typeOf = (declared: string) => declared.replace('?', '').replace('printable', 'string') as keyof typeof valuesOf;

/** The parameters that a kind of backstore has besides, each with its record. */
const ownParameters = (path: string, verb: string): readonly Parameter[] => {
  const place = placeOf(shell.host.root.tree, path);
  return place.kind === 'backstore' && verb === 'create' ? place.backstore.parameters : [];
};
const sizes = fc.integer({ min: 1, max: 65_535 });
const ownValues = ({ type }: Parameter): fc.Arbitrary<Value> =>
  type.name === 'bool' ? valuesOf.boolean : typeof type.parse('1') === 'number' ? sizes : sizes.map(String);

/** The parameters that an operation of this type can carry. */
const paramsOf = (params: OperationType['params'], own: readonly Parameter[] = []): fc.Arbitrary<ParameterValues> => {
  const named = Object.keys(params).filter((name) => name !== '*');
  const arbitraries: Record<string, fc.Arbitrary<Value>> = Object.fromEntries([
    ...named.map((name) => [name, valuesOf[typeOf(params[name]!)]]),
    ...own.map((parameter) => [parameter.name, ownValues(parameter)]),
  ]);
  const requiredKeys = named.filter((name) => !params[name]!.endsWith('?'));
  return fc.record(arbitraries, { requiredKeys, noNullPrototype: true });
};

/** A line as an operation: what a word is, the record of the operation says. */
function read(line: string): Operation {
  const { path, command, positional, keywords, rest, unclosed } = parseCommandLine(line);
  expect([rest, unclosed]).toEqual([undefined, undefined]);
  const verb = command!.text;
  const { kind } = placeOf(shell.host.root.tree, path!.text);
  const { params } = operationTypes.find((type) => type.at === kind && type.verb === verb)!;
  const own = new Map(ownParameters(path!.text, verb).map((parameter) => [parameter.name, parameter.type]));
  const typed = (name: string, text: string): Value => {
    const type = own.get(name);
    if (type) return type.parse(text) as Value;
    return typeOf(params[name] ?? 'string') === 'string' ? text : JSON.parse(text);
  };
  const words = keywords.map(({ name, value }) => [name.text, value.text] as const);
  const setting = verb === 'set' ? words.shift() : undefined;
  return {
    path: path!.text,
    verb,
    params: {
      ...(setting && { group: positional[0]!.text, name: setting[0], value: setting[1] }),
      ...Object.fromEntries(words.map(([name, text]) => [name, typed(name, text)])),
    },
  };
}

test('every verb of every kind of node', () => {
  for (const { at, verb, params } of operationTypes.filter((type) => type.verb !== 'set')) {
    for (const path of places.get(at) ?? [])
      fc.assert(
        fc.property(paramsOf(params, ownParameters(path, verb)), (given) => {
          const operation = { path, verb, params: given };
          expect(read(printOperation(operation))).toEqual(operation);
        }),
        { numRuns: 20 },
      );
  }
  expect([...places.keys()]).toEqual(expect.arrayContaining(operationTypes.map(({ at }) => at)));
});

test('every setting of every group of every kind of node', () => {
  const seen = new Set<PlaceKind>();
  const all = [...settings].flatMap(([path, groups]) => groups.map((setting) => ({ path, ...setting })));
  for (const { path, ...setting } of all) {
    const kind = kindAt(path);
    if (kind === undefined) continue;
    const type = operationTypes.find((one) => one.at === kind && one.verb === 'set')!;
    seen.add(kind);
    const { group: _group, name: _name, value: _value, ...others } = type.params;
    fc.assert(
      fc.property(valuesOf.string, paramsOf(others), (value, more) => {
        const operation = { path, verb: 'set', params: { ...setting, value, ...more } };
        expect(read(printOperation(operation))).toEqual(operation);
      }),
      { numRuns: 5 },
    );
  }
  expect([...seen].sort()).toEqual(operationTypes.flatMap(({ at, verb }) => (verb === 'set' ? at : [])).sort());
});

function kindAt(path: string): PlaceKind | undefined {
  for (const [kind, paths] of places) if (paths.includes(path)) return kind;
  return undefined;
}
