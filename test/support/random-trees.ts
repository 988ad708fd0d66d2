/** Trees of all kinds of objects, made by operations that are often right. */

import fc from 'fast-check';
import { OperatorError } from '../../src/errors.ts';
import type { Operation } from '../../src/operations/operation.ts';
import type { Tree } from '../../src/operations/tree.ts';
import { rehearseOperations, treeOf } from '../../src/saved/rehearsal.ts';

const one = <T>(...values: T[]) => fc.constantFrom(...values);
const objects = ['ramdisk/d0', 'ramdisk/d1', 'fileio/d2', 'user:nbd/d3'].map((name) => `/backstores/${name}`);
const iscsi = ['a', 'b'].map((name) => `/iscsi/iqn.2003-01.org.example:${name}`);
const tpgs = [
  ...iscsi.flatMap((target) => [`${target}/tpg1`, `${target}/tpg2`]),
  '/loopback/naa.5001405000000001',
  '/vhost/naa.5001405000000002/tpg1',
];
const initiators = ['x', 'y', 'z'].map((name) => `iqn.1994-05.com.example:${name}`);

/** An operation of one kind, with words that are often right. */
const kind = (path: fc.Arbitrary<string>, verb: string, params: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc.record({
    path,
    verb: fc.constant(verb),
    params: fc.record(params, { noNullPrototype: true }),
  }) as fc.Arbitrary<Operation>;
const setting = (path: fc.Arbitrary<string>, group: string, names: readonly string[], values: readonly string[]) =>
  kind(path, 'set', { group: fc.constant(group), name: one(...names), value: one(...values) });

const [tpg, acl] = [one(...tpgs), fc.tuple(one(...tpgs), one(...initiators)).map(([at, wwn]) => `${at}/acls/${wwn}`)];
const below = (name: string) => tpg.map((path) => `${path}/${name}`);
const wwn = one(...initiators);
const targetName = one(...iscsi.map((path) => path.slice('/iscsi/'.length)));
const flags = ['0', '1'];
/** The parameters of a storage object of a kind, in two sizes. */
const configOf = (backstore: string, size: number) => ({
  ...{ fileio: { dev: '/srv/d2.img' }, 'user:nbd': { config: `nbd/nbd://host/${size}` } }[backstore],
  size,
});
const sizes = (backstore: string) =>
  one(1, 2).map((mega) => ({ config: configOf(backstore, mega << 20), attributes: {} }));
/** Operations that often can be carried out one after the other. */
const operations = fc.oneof(
  ...objects.map((path) => {
    const [, , backstore, name] = path.split('/') as [string, string, string, string];
    return kind(fc.constant(`/backstores/${backstore}`), 'create', {
      name: fc.constant(name),
      wwn: one('11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'),
      settled: sizes(backstore),
    });
  }),
  kind(one('/backstores/ramdisk', '/backstores/fileio', '/backstores/user:nbd'), 'delete', {
    name: one('d0', 'd1', 'd2', 'd3'),
  }),
  kind(one('/backstores/ramdisk', '/backstores/fileio', '/backstores/user:nbd'), 'rename', {
    name: one('d0', 'd1', 'd2', 'd3', 'd9'),
    to: one('d0', 'd1', 'd8', 'd9'),
  }),
  kind(one(...objects.slice(0, 3)), 'resize', { size: one(1 << 20, 2 << 20) }),
  kind(fc.constant('/backstores/user:nbd'), 'changemedium', { name: fc.constant('d3'), settled: sizes('user:nbd') }),
  setting(
    one(...objects),
    'attribute',
    ['emulate_write_cache', 'is_nonrot', 'emulate_3pc', 'max_unmap_lba_count'],
    [...flags, '4096'],
  ),
  kind(
    one(...objects).map((path) => `${path}/alua`),
    'create',
    { name: one('g1', 'g2'), tag: one(1, 2) },
  ),
  kind(
    one(...objects).map((path) => `${path}/alua`),
    'delete',
    { name: one('g1', 'g2') },
  ),
  setting(
    fc.tuple(one(...objects), one('g1', 'g2', 'default_tg_pt_gp')).map(([path, name]) => `${path}/alua/${name}`),
    'alua',
    ['alua_access_state', 'alua_access_status', 'alua_access_type', 'alua_support_standby', 'preferred'],
    [...flags, '2'],
  ),
  setting(fc.constant('/iscsi'), 'discovery_auth', ['enable', 'userid', 'password'], flags),
  ...tpgs.map((path) => {
    const [, fabric = '', name = '', number] = path.split('/');
    const target = kind(fc.constant(`/${fabric}`), 'create', { wwn: fc.constant(name) });
    return number ? fc.oneof(target, kind(fc.constant(`/${fabric}/${name}`), 'create', { tag: one(1, 2) })) : target;
  }),
  kind(fc.constant('/iscsi'), 'delete', { wwn: targetName }),
  ...['rename', 'copy'].map((verb) =>
    kind(fc.constant('/iscsi'), verb, {
      wwn: targetName,
      to: fc.oneof(targetName, fc.constant('iqn.2003-01.org.example:c')),
    }),
  ),
  kind(one(...iscsi), 'delete', { tag: one(1, 2) }),
  kind(tpg, 'enable'),
  kind(tpg, 'disable'),
  setting(tpg, 'attribute', ['authentication', 'generate_node_acls', 'default_cmdsn_depth'], flags),
  setting(tpg, 'parameter', ['AuthMethod', 'MaxConnections', 'TargetAlias'], ['CHAP', 'None', 'CHAP,None', '2']),
  kind(fc.constant('/iscsi'), 'add_account', { userid: one('fred', 'bill'), password: one('a', 'b') }),
  kind(fc.constant('/iscsi'), 'remove_account', { userid: one('fred', 'bill') }),
  setting(fc.constant('/iscsi'), 'discovery_auth', ['accounts'], ['', 'fred', 'bill,fred']),
  setting(tpg, 'auth', ['accounts'], ['', 'fred', 'bill,fred']),
  kind(tpg, 'restrict', { addresses: one('', '192.0.2.7', 'ALL,192.0.2.7'), names: one('', initiators[0]!) }),
  kind(tpg, 'unrestrict'),
  setting(fc.oneof(tpg, acl), 'auth', ['userid', 'mutual_password'], ['', 'me']),
  kind(below('luns'), 'create', { storage_object: one(...objects), lun: one(0, 1, 7) }),
  kind(below('luns'), 'delete', { lun: one(0, 1, 7) }),
  kind(below('luns'), 'attach', { lun: one(0, 1) }),
  setting(
    fc.tuple(tpg, one(0, 1, 7)).map(([path, index]) => `${path}/luns/lun${index}`),
    'alua',
    ['alua_tg_pt_gp_name'],
    ['g1', 'default_tg_pt_gp'],
  ),
  kind(below('luns'), 'move', { lun: one(0, 1, 7), to: one(0, 1, 7) }),
  kind(below('luns'), 'move', { lun: one(0, 1), tpg: one(...tpgs) }),
  kind(below('acls'), 'create', { wwn }),
  ...['rename', 'copy'].map((verb) => kind(below('acls'), verb, { wwn, to: wwn })),
  kind(below('acls'), 'delete', { wwn }),
  kind(below('acls'), 'tag', { wwn, tag: one('', 'red', 'blue') }),
  setting(acl, 'attribute', ['dataout_timeout', 'nopin_timeout', 'tcq_depth'], ['3', '5']),
  kind(acl, 'create', { mapped_lun: one(0, 1, 2), tpg_lun: one(0, 1, 7), write_protect: fc.boolean() }),
  kind(acl, 'delete', { mapped_lun: one(0, 1, 2) }),
  setting(
    fc.tuple(acl, one(0, 1, 2)).map(([path, index]) => `${path}/mapped_lun${index}`),
    'attribute',
    ['write_protect'],
    flags,
  ),
  kind(below('portals'), 'create', { ip_address: one('127.0.0.1', '127.0.0.2', '::1'), ip_port: one(3260, 3261) }),
  kind(below('portals'), 'move', { ip_address: one('127.0.0.1'), ip_port: one(3260), to_port: one(3262) }),
  kind(below('portals'), 'delete', { ip_address: one('127.0.0.1', '::1'), ip_port: one(3260) }),
);

/** A tree on which these were carried out, as far as they could be. */
export async function treeWith(some: readonly Operation[]): Promise<Tree> {
  const { tree } = await treeOf({});
  for (const operation of some)
    await rehearseOperations(tree, [operation]).catch((error) => {
      if (!(error instanceof OperatorError)) throw error;
    });
  return tree;
}

const operation = (path: string, verb: string, params: Operation['params']): Operation => ({ path, verb, params });
/** The objects that most of the others need. */
const ground = [
  ...objects.map((path, at) =>
    operation(path.slice(0, path.lastIndexOf('/')), 'create', {
      name: `d${at}`,
      wwn: '11111111-1111-4111-8111-111111111111',
      settled: { config: configOf(path.split('/')[2]!, 1 << 20), attributes: {} },
    }),
  ),
  ...tpgs.flatMap((path) => {
    const [, fabric = '', name = '', number] = path.split('/');
    return [
      operation(`/${fabric}`, 'create', { wwn: name }),
      ...(number ? [operation(`/${fabric}/${name}`, 'create', { tag: Number(number.replace('tpg', '')) })] : []),
      ...[0, 1].map((lun) => operation(`${path}/luns`, 'create', { storage_object: objects[lun]!, lun })),
      ...initiators.map((name) => operation(`${path}/acls`, 'create', { wwn: name })),
      operation(`${path}/acls/${initiators[0]}`, 'create', { mapped_lun: 0, tpg_lun: 0 }),
    ];
  }),
];
/** The arguments of `treeWith`. */
export const trees = fc
  .tuple(
    fc.shuffledSubarray(ground).map((some) => ground.filter((one) => some.includes(one))),
    fc.array(operations, { maxLength: 80, size: 'max' }),
  )
  .map(([first, then]) => [...first, ...then]);
