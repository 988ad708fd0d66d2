// Faults of a saved file, and their cost: the part that is wrong, and no other. Not tested here: the round trip of a sound file
// (saveconfig.test.ts).

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { Tree } from '../../src/operations/tree.ts';
import { openHost } from '../../src/root/host.ts';
import { worldly } from '../../src/saved/operations.ts';
import { rehearseOperations } from '../../src/saved/rehearsal.ts';
import { restoreTree } from '../../src/saved/restore.ts';
import { dumpTree, formatSaved } from '../../src/saved/saveconfig.ts';
import { openShell, removeHome } from '../support/shell.ts';
import { temporaryDirectory } from '../support/tcli.ts';

async function restored(saved: unknown, restoring = false): Promise<{ tree: Tree; errors: string[] }> {
  const tree = new Tree();
  return { tree, errors: await restoreTree(tree, saved, { ...worldly, serving: false, restoring }) };
}

const object = (name: string, more: object = {}) => ({
  ...{ plugin: 'ramdisk', name, size: 1 << 20, wwn: `serial-of-${name}` },
  attributes: { emulate_tpu: 1 },
  alua_tpgs: [{ name: 'group', tg_pt_gp_id: 1, preferred: 1 }],
  ...more,
});

const target = (name: string, tpg: object = {}) => ({
  fabric: 'iscsi',
  wwn: `iqn.2003-01.org.example:${name}`,
  tpgs: [
    {
      ...{ tag: 1, enable: true, attributes: { authentication: 0 }, parameters: { MaxConnections: '2' } },
      luns: [{ index: 0, storage_object: `/backstores/ramdisk/${name}`, alias: 'a', alua_tg_pt_gp_name: 'group' }],
      portals: [{ ip_address: '127.0.0.1', port: 3260, iser: false, offload: false }],
      node_acls: [
        {
          ...{ node_wwn: 'iqn.1994-05.com.redhat:client', attributes: {}, chap_userid: 'user', chap_password: 'word' },
          mapped_luns: [{ index: 0, tpg_lun: 0, write_protect: false, alias: 'b' }],
        },
      ],
      ...tpg,
    },
  ],
});

const fine = {
  fabric_modules: [{ name: 'iscsi', discovery_enable_auth: false }],
  storage_objects: [object('first'), object('second')],
  targets: [target('first'), target('second', { portals: [{ ip_address: '127.0.0.1', port: 3261 }] })],
};

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

/** Every value inside `value`, as the path that leads to it. */
function* pathsIn(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path;
  if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) yield* pathsIn(inner, [...path, key]);
}

/** A copy of `whole` with another value at `path`. */
function exchanged(whole: unknown, path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(whole) as Record<string, unknown>;
  const owner = path.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, copy);
  owner[path.at(-1)!] = value;
  return copy;
}

describe('a part of a saved file that is wrong', () => {
  const hostile = {
    null: null,
    'a number': -7.5,
    'a huge number': 1e300,
    'a word': 'constructor',
    'an empty text': '',
    'a list': [null, 5, 'x', []],
    'an object': JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 1, "toString": "x", "valueOf": {}}'),
    'a list in a list without end': nested(5_000),
  };

  it.each(Object.entries(hostile))('is %s: it costs itself alone, and nothing falls over it', async (_name, value) => {
    // Only paths of the first objects get the value; the second ones are there all the same.
    const first = [...pathsIn(fine)].filter(([, number]) => number !== '1' && number !== undefined);
    for (const path of first) {
      const { tree, errors } = await restored(exchanged(fine, path, value));
      const where = path.join('/');
      expect(errors.join('\n'), where).not.toMatch(/internal error/);
      expect(tree.storageObject('/backstores/ramdisk/second'), where).toBeDefined();
      const second = tree.fabrics.get('iscsi')!.targets.get('iqn.2003-01.org.example:second')!.tpgs.get(1)!;
      expect([second.luns.size, second.portals.length, second.acls.size], where).toEqual([1, 1, 1]);
      // A kept part does not keep a later start, or a thread, from restoring the others.
      const again = await restored(structuredClone(JSON.parse(formatSaved(dumpTree(tree)))));
      expect(dumpTree(again.tree), where).toEqual(dumpTree(tree));
    }
    expect({}).not.toHaveProperty('polluted');
  });

  it('is an attribute that has a name of every object: a start goes on, and the file keeps it', async () => {
    const home = temporaryDirectory();
    const attributes = JSON.parse('{"constructor": 1, "toString": 2, "__proto__": 3, "emulate_tpu": 1}');
    const saved = { ...fine, storage_objects: [object('first', { attributes }), object('second')] };
    await writeFile(join(home, 'saveconfig.json'), JSON.stringify(saved));
    const host = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
    expect(host.warnings).toEqual([]);
    expect(formatSaved(dumpTree(host.root.tree))).toMatch(
      /"__proto__": 3,\s+"alua_support"[\s\S]*"constructor": 1[\s\S]*"toString": 2/,
    );
    await host.close();
  });

  it('is nested too deeply: it is left out, and said', async () => {
    const { tree, errors } = await restored({ ...fine, strange: nested(5_000), simple: nested(10) });
    expect(errors).toEqual(["'strange' is nested more than 64 deep and was left out"]);
    expect(Object.keys(tree.kept.top)).toEqual(['simple']);
  });
});

describe('a file in other words', () => {
  it('numbers and truth values as text are taken where rtslib takes them', async () => {
    const saved = {
      storage_objects: [{ ...object('first'), size: '1048576' }],
      targets: [
        target('first', {
          ...{ tag: '7', enable: '1' },
          luns: [{ index: '3', storage_object: '/backstores/ramdisk/first' }],
          portals: [{ ip_address: '127.0.0.1', port: ' 3262 ' }],
          node_acls: [
            {
              node_wwn: 'iqn.1994-05.com.redhat:client',
              mapped_luns: [{ index: '5', tpg_lun: '3', write_protect: 'false' }],
            },
          ],
        }),
      ],
    };
    const { tree, errors } = await restored(saved);
    expect(errors).toEqual([]);
    const [tpg] = tree.tpgs();
    expect(tpg).toMatchObject({ tag: 7, enabled: true, portals: [{ port: 3262 }] });
    expect(tpg?.luns.get(3)?.storageObject.name).toBe('first');
    expect([...(tpg?.acls.values() ?? [])][0]?.mappedLuns.get(5)).toMatchObject({ writeProtect: false });
  });

  it('a fileio of no bytes is refused as rtslib does', async () => {
    const { errors } = await restored({
      storage_objects: [{ plugin: 'fileio', name: 'pxe', dev: '/nowhere/pxe.img', size: 0, wwn: 'serial' }],
    });
    expect(errors).toEqual(['Could not create StorageObject pxe: Path is to a file, size needed']);
  });
});

describe('parts that are kept in the file', () => {
  it('is not lost, and so not reported: what newer kernels have, what only they serve, and what stands on that', async () => {
    const saved = {
      storage_objects: [
        object('first', { attributes: { submit_type: 0, complete_type: 1 } }),
        { plugin: 'user', name: 'gluster', config: 'glfs/volume@host/image', size: 1 << 20, wwn: 'x' },
      ],
      targets: [
        { fabric: 'tcm_fc', wwn: 'naa.2000001999a834bc', tpgs: [] },
        target('first', {
          luns: [{ index: 4, storage_object: '/backstores/user/gluster' }],
          node_acls: [
            { node_wwn: 'iqn.1994-05.com.redhat:client', mapped_luns: [{ index: 4, tpg_lun: 4, write_protect: true }] },
          ],
        }),
      ],
    };
    const { tree, errors } = await restored(saved);
    expect(errors).toEqual([]);
    expect(dumpTree(tree)).toMatchObject({
      storage_objects: [{ attributes: { submit_type: 0, complete_type: 1 } }, saved.storage_objects[1]],
      targets: [
        { tpgs: [{ luns: [{ index: 4 }], node_acls: [{ mapped_luns: [{ index: 4, tpg_lun: 4 }] }] }] },
        saved.targets[0],
      ],
    });
  });

  it('an attribute that nobody knows is told to who restores the file, and not again at every start', async () => {
    const saved = { storage_objects: [object('first', { attributes: { from_the_future: 1 } })] };
    expect((await restored(saved)).errors).toEqual([
      'Storage Object ramdisk/first: Cannot find attribute: from_the_future',
    ]);
    expect((await restored(saved, true)).errors).toEqual([]);
  });

  it('a value that was refused stays until another one is set', async () => {
    const saved = { storage_objects: [object('first', { attributes: { unmap_zeroes_data: 4294967295 } })] };
    const { tree, errors } = await restored(saved);
    expect(errors).toEqual([
      'Storage Object ramdisk/first: Cannot set attribute unmap_zeroes_data: [Errno 22] Invalid argument',
    ]);
    const attributeIn = () => dumpTree(tree).storage_objects[0]?.['attributes'] as object;
    expect(attributeIn()).toMatchObject({ unmap_zeroes_data: 4294967295 });
    tree.storageObject('/backstores/ramdisk/first')?.attributes.set('unmap_zeroes_data', 1);
    expect(attributeIn()).toMatchObject({ unmap_zeroes_data: 1 });
  });

  it("an attribute that LIO does not have is saved only where it was changed, and never among LIO's; older files have it there", async () => {
    const changed = { vendor_id: 'ACME', emulate_rsoc: 0 };
    const { tree } = await restored({ storage_objects: [object('first', { attributes: changed }), object('second')] });
    const saved = dumpTree(tree);
    const names = saved.storage_objects.flatMap(({ attributes }) => Object.keys(attributes as object));
    const foreign = ['company_id', 'physical_block_size', 'product_id', 'read_only', 'removable', 'scsi_sn'];
    const found = names.filter((name) => [...foreign, 'emulate_rsoc', 'revision', 'vendor_id'].includes(name));
    expect(found).toEqual(['emulate_rsoc']);
    expect(saved.storage_objects.flatMap(Object.keys)).not.toContain('storage_object_attributes');
    expect(saved['storage_object_attributes']).toEqual({ '/backstores/ramdisk/first': { vendor_id: 'ACME' } });
    const again = await restored(saved);
    expect([again.errors, dumpTree(again.tree)]).toEqual([[], saved]);
    tree.storageObject('/backstores/ramdisk/first')?.attributes.set('vendor_id', 'LIO-ORG');
    expect(dumpTree(tree)).not.toHaveProperty('storage_object_attributes');
  });

  it('attributes of an object that is not there are kept for it, and are not those of one that comes later', async () => {
    const theirs = { '/backstores/ramdisk/gone': { vendor_id: 'ACME' } };
    const { tree, errors } = await restored({ storage_objects: [], storage_object_attributes: theirs });
    expect([errors, dumpTree(tree)['storage_object_attributes']]).toEqual([[], theirs]);
    const create = { path: '/backstores/ramdisk', verb: 'create', params: { name: 'gone', size: '1M' } };
    await rehearseOperations(tree, [create]);
    expect(dumpTree(tree)).not.toHaveProperty('storage_object_attributes');
    expect((await restored({ storage_object_attributes: 5 })).errors).toEqual([
      "'storage_object_attributes' is no object",
    ]);
  });
});

it('attributes that stand in the file itself go with their object, and come back with it', async () => {
  const shell = await openShell();
  const own = () => (dumpTree(shell.host.root.tree) as unknown as Record<string, unknown>)['storage_object_attributes'];
  await shell.run('/backstores/ramdisk create rd 1M', '/backstores/ramdisk/rd set attribute vendor_id=ACME');
  const saved = dumpTree(shell.host.root.tree) as never;
  await shell.host.root.apply({
    path: '/',
    verb: 'restoreconfig',
    params: { configuration: saved, clear_existing: true },
  });
  expect(own()).toEqual({ '/backstores/ramdisk/rd': { vendor_id: 'ACME' } });
  await shell.run('/backstores/ramdisk delete rd');
  expect(own()).toBeUndefined();
  expect(
    await shell.run(
      '/backstores/ramdisk create rd2 1M',
      '/backstores/ramdisk/rd2 set attribute vendor_id=ACME',
      'undo',
      'undo',
    ),
  ).not.toContain('E| ');
  await shell.close();
  removeHome(shell.directory);
});
