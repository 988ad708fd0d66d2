// The schema of the saved tree, over every kind of object that it has. What single keys mean is tested where they do
// something (restore.test.ts, saveconfig.test.ts, shell).

import { describe, expect, it } from 'vitest';
import { placeOf } from '../../src/operations/place.ts';
import { pathOf, schema } from '../../src/operations/schema.ts';
import type { Tree } from '../../src/operations/tree.ts';
import { treeOf } from '../../src/saved/rehearsal.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';

const client = 'iqn.1994-05.com.redhat:client';
const chap = { chap_userid: 'u', chap_password: 'p', chap_mutual_userid: 'mu', chap_mutual_password: 'mp' };

/** A file in which every key of every kind of object says something else than in a new object. */
const full = {
  fabric_modules: [
    {
      ...{ name: 'iscsi', discovery_enable_auth: true, discovery_userid: 'du', discovery_password: 'dp' },
      ...{ accounts: [{ userid: 'fred', password: 'secret' }], discovery_accounts: ['fred'] },
    },
  ],
  storage_objects: [
    {
      ...{ plugin: 'ramdisk', name: 'rd', size: 1 << 20, nullio: true, wwn: 'serial' },
      attributes: { emulate_tpu: 1 },
      alua_tpgs: [{ name: 'far', tg_pt_gp_id: 7, preferred: 1 }],
    },
  ],
  storage_object_attributes: { '/backstores/ramdisk/rd': { vendor_id: 'ACME' } },
  targets: [
    {
      ...{ fabric: 'iscsi', wwn: 'iqn.2003-01.org.example:t' },
      tpgs: [
        {
          ...{ tag: 3, enable: true, relative_port_id: 9, attributes: { authentication: 0 }, redirect: '192.0.2.9' },
          ...{ parameters: { MaxConnections: '2' }, ...chap },
          ...{ chap_accounts: ['fred'], access_list: { addresses: ['ALL'], names: [] } },
          fences: [`${client}=2100-01-01T00:00:00.000Z`],
          luns: [
            { index: 4, storage_object: '/backstores/ramdisk/rd', alias: '0123456789', alua_tg_pt_gp_name: 'far' },
          ],
          portals: [
            { ip_address: '[::1]', port: 3261, iser: true, offload: true, advertised: '192.0.2.9', drain: 'refuse' },
          ],
          node_acls: [
            {
              ...{ node_wwn: client, tag: 'web', attributes: { nopin_timeout: 20 }, tcq_depth: 16, ...chap },
              mapped_luns: [{ index: 5, tpg_lun: 4, write_protect: true, alias: '9876543210' }],
            },
          ],
        },
      ],
    },
    {
      ...{ fabric: 'loopback', wwn: 'naa.5001405000000001' },
      tpgs: [
        {
          ...{ tag: 1, enable: true, relative_port_id: 10, nexus_wwn: 'naa.5001405000000002', attributes: {} },
          luns: [
            {
              ...{ index: 0, storage_object: '/backstores/ramdisk/rd', alias: 'abcdef0123', attach: true },
              alua_tg_pt_gp_name: 'far',
            },
          ],
          ...{ portals: [], node_acls: [] },
        },
      ],
    },
  ],
};

/** The objects of a file, one at a time, each with a word by which it is named here. */
function* objectsIn(value: unknown, where: string): Generator<readonly [string, Record<string, unknown>]> {
  if (Array.isArray(value)) for (const one of value) yield* objectsIn(one, where);
  else if (typeof value === 'object' && value !== null) {
    yield [where, value as Record<string, unknown>];
    for (const [key, inner] of Object.entries(value)) yield* objectsIn(inner, key);
  }
}

const keysAt = (saved: unknown, list: string): Set<string> =>
  new Set([...objectsIn(saved, 'the file')].flatMap(([where, one]) => (where === list ? Object.keys(one) : [])));

describe('the schema', () => {
  it('every key that a kind declares is restored and saved again', async () => {
    const { tree, errors } = await treeOf(structuredClone(full));
    expect(errors).toEqual([]);
    const saved = dumpTree(tree);
    expect(saved).toMatchObject({ ...full, storage_objects: [{ ...full.storage_objects[0], alua_tpgs: [{}, {}] }] });
    for (const { list, fields } of Object.values(schema))
      expect([...keysAt(saved, list)], list).toEqual(expect.arrayContaining(Object.keys(fields)));
  });

  it('a key that nobody knows stays where it stood, at every level', async () => {
    const strange = structuredClone(full);
    // Access lists and accounts are not LIO's: nobody else writes into them.
    const ours = ['access_list', 'accounts'];
    const levels = [...objectsIn(strange, 'the file')].filter(([where]) => !ours.includes(where));
    for (const [number, [, one]] of levels.entries()) one['from_the_future'] = number;
    const saved = dumpTree((await treeOf(structuredClone(strange))).tree);
    const kept = [...objectsIn(saved, 'the file')].flatMap(([where, one]) =>
      Object.hasOwn(one, 'from_the_future') ? [`${where} ${one['from_the_future']}`] : [],
    );
    expect(kept.sort()).toEqual(levels.map(([where], number) => `${where} ${number}`).sort());
    expect(dumpTree((await treeOf(structuredClone(saved))).tree)).toEqual(saved);
  });

  it("attributes that LIO does not have are restored although LIO's beside them are no object", async () => {
    const broken = structuredClone(full);
    Object.assign(broken.targets[0]!.tpgs[0]!, { attributes: 5 });
    const { tree, errors } = await treeOf(broken);
    expect(errors).toEqual(["'attributes' is no object"]);
    expect([...tree.tpgs()][0]?.attributes.values['redirect']).toBe('192.0.2.9');
  });

  it('a path names every object that stands in the tree', async () => {
    const { tree } = await treeOf(structuredClone(full));
    const [state] = tree.fabrics.values();
    for (const path of pathsBelow(tree, 'fabric', tree)) expect(placeOf(tree, path).kind, path).toBeDefined();
    expect(state && pathOf(schema.fabric, tree, state)).toBe('/iscsi');
    expect(placeOf(tree, `/iscsi/iqn.2003-01.org.example:t/tpg3/acls/${client}/mapped_lun5`)).toMatchObject({
      kind: 'mapped lun',
      mapped: { index: 5 },
    });
  });
});

/** The paths of all objects of a kind, and of those below. */
function* pathsBelow(tree: Tree, name: keyof typeof schema, above: object): Generator<string> {
  const kind = schema[name];
  for (const object of kind.members(above)) {
    yield pathOf(kind, above, object);
    for (const [below, one] of Object.entries(schema))
      if (kind.below?.includes(one)) yield* pathsBelow(tree, below as keyof typeof schema, object);
  }
}
