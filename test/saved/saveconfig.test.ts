// saveconfig.json both ways: LIO's schema, what is kept, what is reported. Not tested here: crashes (e2e/restart, journal).

import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { ParameterValues } from '../../src/operations/operation.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { treeOf } from '../../src/saved/rehearsal.ts';
import { dumpBriefly, dumpTree, formatSaved } from '../../src/saved/saveconfig.ts';
import { has, needs, recorded } from '../support/needs.ts';
import { trees, treeWith } from '../support/random-trees.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const open = (home: string): Promise<Host> => openHost({ home: homeOf(home, {}, 1), role: 'command' });

async function restored(configuration: unknown): Promise<{ host: Host; errors: readonly string[] }> {
  const host = await open(temporaryDirectory());
  const { notes } = await host.root.apply({
    path: '/',
    verb: 'restoreconfig',
    params: { configuration: configuration as ParameterValues },
  });
  return { host, errors: notes };
}

/** Arrays have no order that means anything in LIO's files. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).sort((a, b) => (identity(a) < identity(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** The text that tells one object of a list from another. */
function identity(value: unknown): string {
  const { wwn, node_wwn, plugin, name, tag, index, ip_address, port } = (value ?? {}) as Record<string, unknown>;
  return JSON.stringify([wwn && !plugin ? wwn : plugin, node_wwn, name, tag, index, ip_address, port]);
}

const target = 'iqn.2003-01.org.example:disk';

const small = {
  fabric_modules: [
    { name: 'iscsi', discovery_enable_auth: true, discovery_userid: 'du', discovery_password: 'dp', colour: 'blue' },
  ],
  storage_objects: [
    {
      plugin: 'ramdisk',
      name: 'rd0',
      size: 1048576,
      wwn: 'a-serial',
      attributes: { emulate_tpu: 1, from_the_future: 7 },
      alua_tpgs: [],
      extra: 1,
    },
    { plugin: 'user', name: 'u0', config: 'glfs/volume@host/image', size: 1073741824, wwn: 'x' },
  ],
  targets: [
    {
      fabric: 'iscsi',
      wwn: target,
      parameters: { cmd_completion_affinity: '-1' },
      tpgs: [
        {
          tag: 1,
          enable: true,
          attributes: { authentication: 1 },
          parameters: { MaxConnections: '3' },
          luns: [
            { index: 0, storage_object: '/backstores/ramdisk/rd0', alias: '0123456789', alua_tg_pt_gp_name: null },
            { index: 1, storage_object: '/backstores/user/u0', alias: '9876543210', alua_tg_pt_gp_name: null },
          ],
          portals: [{ ip_address: '[::1]', port: 3260, iser: false, offload: false }],
          node_acls: [
            {
              node_wwn: 'iqn.1994-05.com.redhat:client',
              attributes: { nopin_timeout: 20 },
              chap_userid: 'u',
              chap_password: 'p',
              mapped_luns: [
                { index: 5, tpg_lun: 0, write_protect: true, alias: 'aaaaaaaaaa' },
                { index: 6, tpg_lun: 1, write_protect: false, alias: 'bbbbbbbbbb' },
              ],
            },
          ],
        },
      ],
    },
    { fabric: 'qla2xxx', wwn: 'naa.2100001b32a1b2c3', tpgs: [{ tag: 1, enable: true }] },
  ],
  written_by: 'somebody else',
};

describe('attributes that are ours', () => {
  it('stand beside those of LIO, where its tools pass over them, and come back', async () => {
    const acl = { node_wwn: 'iqn.1994-05.com.redhat:client', attributes: {}, mapped_luns: [], tcq_depth: 16 };
    const tpg = {
      tag: 1,
      enable: true,
      attributes: {},
      luns: [],
      portals: [],
      redirect: '192.0.2.9',
      node_acls: [acl],
    };
    const { host, errors } = await restored({ targets: [{ fabric: 'iscsi', wwn: target, tpgs: [tpg] }] });
    expect(errors).toEqual([]);
    const [saved] = dumpTree(host.root.tree).targets as unknown as [{ tpgs: [typeof tpg] }];
    expect(saved.tpgs[0]).toMatchObject({ redirect: '192.0.2.9', node_acls: [{ tcq_depth: 16 }] });
    expect(Object.keys(saved.tpgs[0].attributes)).not.toContain('redirect');
    const path = `/iscsi/${target}/tpg1`;
    await host.root.apply({ path, verb: 'set', params: { group: 'attribute', name: 'redirect', value: '' } });
    expect(formatSaved(dumpTree(host.root.tree))).not.toContain('redirect');
  });
});

describe('restoreconfig', () => {
  it('tells what it does not know, and keeps that and what only a kernel can serve in the file', async () => {
    const { host, errors } = await restored(small);
    expect(errors).toEqual([
      "Storage Object ramdisk/rd0: unknown key 'extra' kept in the file, not used",
      'Storage Object ramdisk/rd0: Cannot find attribute: from_the_future',
    ]);
    const again = sorted(dumpTree(host.root.tree));
    expect(again).toMatchObject(sorted({ written_by: 'somebody else' }) as object);
    const text = formatSaved(again);
    for (const kept of [
      '"extra": 1',
      '"from_the_future": 7',
      '"glfs/volume@host/image"',
      '"9876543210"',
      '"bbbbbbbbbb"',
      'naa.2100001b32a1b2c3',
      'cmd_completion_affinity',
      '"colour": "blue"',
    ])
      expect(text).toContain(kept);
    await host.close();
  });

  it('ALUA groups are checked: what is none is told and stays in the file, what is wrong in one is as in a new one', async () => {
    const group = (name: unknown, id: unknown, more: object = {}) => ({ name, tg_pt_gp_id: id, ...more });
    const alua_tpgs = [
      group('mine', 7, { alua_access_state: 77, preferred: 1, from_the_future: 1 }),
      group('far', 70_000),
      group('no/name', 8),
      group('twin', 7),
      { tg_pt_gp_id: 9 },
    ];
    const lun = (index: number) => ({ index, storage_object: '/backstores/ramdisk/rd0', alua_tg_pt_gp_name: 'nosuch' });
    const saved = {
      storage_objects: [{ plugin: 'ramdisk', name: 'rd0', size: 1 << 20, wwn: 'w', alua_tpgs }],
      targets: [{ fabric: 'iscsi', wwn: target, tpgs: [{ tag: 1, luns: [lun(1.5), lun(0)] }] }],
    };
    const { host, errors } = await restored(saved);
    expect(errors).toEqual([
      "Storage Object ramdisk/rd0: Could not set attribute 'alua_access_state' for alua tpg 'mine'",
      "Storage Object ramdisk/rd0: Could not create alua tpg 'far': tg_pt_gp_id must be 1 to 65535",
      "Storage Object ramdisk/rd0: Could not create alua tpg 'no/name': that is no name",
      "Storage Object ramdisk/rd0: Could not create alua tpg 'twin': its name or its number is taken",
      "Storage Object ramdisk/rd0: Could not create alua tpg '': that is no name",
      'Creating TPG 1 LUN index 1.5 failed: LUN must be 0 to 65535',
      "Could not set alua_tg_pt_gp_name 'nosuch' of LUN 0",
    ]);
    const [object] = host.root.tree.allStorageObjects();
    expect(object?.aluaGroups).toMatchObject([
      { name: 'default_tg_pt_gp', tg_pt_gp_id: 0 },
      { name: 'mine', tg_pt_gp_id: 7, alua_access_state: 0, preferred: 1, from_the_future: 1 },
    ]);
    expect([...host.root.tree.tpgs()][0]?.luns.get(0)?.aluaGroup).toBe('default_tg_pt_gp');
    const again = dumpTree(host.root.tree).storage_objects[0]?.['alua_tpgs'];
    expect(again).toEqual([...(object?.aluaGroups ?? []), ...alua_tpgs.slice(1)]);
    await host.close();
  });

  it('a saved configuration restores to itself', async () => {
    const first = await restored(small);
    const saved = dumpTree(first.host.root.tree);
    const second = await restored(JSON.parse(formatSaved(saved)));
    expect(formatSaved(dumpTree(second.host.root.tree))).toBe(formatSaved(saved));
    await first.host.close();
    await second.host.close();
  });

  it.each([
    '[]',
    '"text"',
    'null',
    '{"storage_objects": 5}',
    '{"targets": [3, null, []], "storage_objects": [7, {"name": {}}]}',
  ])('does not fall over %s', async (text) => {
    const host = await open(temporaryDirectory());
    const before = dumpTree(host.root.tree);
    const restoring = host.root.apply({
      path: '/',
      verb: 'restoreconfig',
      params: { configuration: JSON.parse(text) },
    });
    await restoring.then(
      ({ notes }) => expect(notes.length).toBeGreaterThan(0),
      (error) => expect(error.name).toBe('OperatorError'),
    );
    expect([...host.root.tree.allStorageObjects()]).toEqual([]);
    expect(dumpTree(host.root.tree).storage_objects.length).toBeGreaterThanOrEqual(before.storage_objects.length);
    await host.close();
  });

  it('refuses to merge over what is there, and replaces it when told to', async () => {
    const { host } = await restored(small);
    const restore = (clear_existing: boolean) =>
      host.root.apply({
        path: '/',
        verb: 'restoreconfig',
        params: { configuration: small as unknown as ParameterValues, clear_existing },
      });
    await expect(restore(false)).rejects.toThrow("storageobject 'ramdisk:rd0' exist not restoring");
    await restore(true);
    expect([...host.root.tree.allStorageObjects()].map(({ name }) => name)).toEqual(['rd0']);
    await host.close();
  });
});

describe('the home', () => {
  it('a saved file that is no JSON stops the start and stays as it is', async () => {
    const home = temporaryDirectory();
    await writeFile(join(home, 'saveconfig.json'), '{"storage_objects": [');
    await expect(open(home)).rejects.toThrow(/saveconfig.json is not valid JSON/);
    expect(await readFile(join(home, 'saveconfig.json'), 'utf8')).toBe('{"storage_objects": [');
  });

  it('an operation that cannot be stored is not carried out', async () => {
    const host = await open(temporaryDirectory());
    host.root.recordTo(async () => {
      throw new Error('no space');
    });
    const create = { path: '/iscsi', verb: 'create', params: { wwn: target } };
    await expect(host.root.apply(create)).rejects.toThrow('no space');
    expect([...host.root.tree.targets()]).toEqual([]);
    await host.close();
  });
});

const recordings = recorded('saveconfig');

describe('files that a kernel target wrote', needs('recordings'), () => {
  const files = has('recordings') ? readdirSync(recordings).filter((file) => file.endsWith('.json')) : [];
  it.each(files)('%s: every value comes back', async (file) => {
    const saved = JSON.parse(readFileSync(join(recordings, file), 'utf8'));
    const { host } = await restored(saved);
    const again = JSON.parse(formatSaved(dumpTree(host.root.tree)));
    // Not every kernel has it: at its default it is left out.
    for (const { attributes } of saved.storage_objects)
      if (attributes?.emulate_rsoc === 1) delete attributes.emulate_rsoc;
    if (file !== 'saveconfig-bad.json') expect(sorted(again)).toMatchObject(sorted(saved) as object);
    expect(again.storage_objects.length).toBeGreaterThanOrEqual(
      saved.storage_objects.filter((each: unknown) => each).length,
    );
    await host.close();
  });
});

it('a change that comes while the configuration is being saved is not lost', async () => {
  const home = temporaryDirectory();
  const host = await open(home);
  const create = (name: string) =>
    host.root.apply({ path: '/backstores/ramdisk', verb: 'create', params: { name, size: '1M' } });
  await create('before');
  await Promise.all([host.save(undefined, 10), create('during'), host.save(undefined, 10), create('after')]);
  await host.close();
  const again = await open(home);
  expect([...again.root.tree.allStorageObjects()].map(({ name }) => name)).toEqual(['before', 'during', 'after']);
  await again.close();
});

it('a thread is told of a tree without what every new object has, and makes the same tree of it', async () => {
  const sameOf = async (tree: Host['root']['tree']) => {
    const whole = dumpTree(tree);
    const brief = dumpBriefly(tree);
    expect(dumpTree((await treeOf(brief)).tree)).toEqual(whole);
    return { whole, brief };
  };
  await fc.assert(
    fc.asyncProperty(trees, async (some) => void (await sameOf(await treeWith(some)))),
    { numRuns: 30 },
  );
  const { whole, brief } = await sameOf((await restored(small)).host.root.tree);
  expect(brief.storage_objects.length).toBe(whole.storage_objects.length);
  expect(JSON.stringify(brief).length).toBeLessThan(JSON.stringify(whole).length / 2);
});
