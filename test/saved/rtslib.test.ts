/**
 * LIO restores the files that tcli saves: rtslib's own code does, over a folder that behaves as the kernel's configfs
 * (test/support/rtslib.py). Not tested: the kernel's use of the values.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backstores } from '../../src/backstore/index.ts';
import { fabrics } from '../../src/fabric/index.ts';
import { dumpTree } from '../../src/index.ts';
import {
  aclFields,
  fabricFields,
  lunFields,
  mappedLunFields,
  portalFields,
  type SavedFields,
  targetFields,
  tpgFields,
} from '../../src/target/fields.ts';
import { needs } from '../support/needs.ts';
import { openShell, removeHome, type TestShell } from '../support/shell.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = 'iqn.2003-01.org.example:disks';
const tpg = `/iscsi/${iqn}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';
const other = 'iqn.1994-05.com.redhat:client2';

/** Objects whose media are not on this machine, as they stand once they were made. */
const elsewhere = [
  ['block', 'disk', { dev: '/dev/sdx', readonly: false, write_back: false }],
  ['block', 'ro', { dev: '/dev/sdy', readonly: true, write_back: false }],
  ['block', 'past', { dev: '/dev/sdz', readonly: false, write_back: false, direct: true }],
  ['pscsi', 'tape', { dev: '/dev/sg9' }],
  ['user:qcow', 'image', { config: 'qcow//srv/disk.qcow2', size: 1 << 20, hw_max_sectors: 64 }],
  ['user:rbd', 'rbd', { config: 'rbd/pool/image', size: 1 << 20 }],
  ['user:nbd', 'nbd', { config: 'nbd/nbd://[2001:db8::1]:10809/a%3Ab', size: 1 << 20 }],
] as const;

/** Keys that are ours: LIO passes over them. */
const own = [fabricFields, targetFields, tpgFields, portalFields, lunFields, aclFields, mappedLunFields].flatMap(
  (fields: SavedFields) => Object.entries(fields).flatMap(([key, { ours }]) => (ours ? [key] : [])),
);

let shell: TestShell;
beforeAll(async () => {
  shell = await openShell();
});
afterAll(async () => {
  await shell.close();
  removeHome(shell.directory);
});

type Json = Record<string, unknown>;

/** rtslib's answer to a saved file. */
function restored(path: string): { errors: string[]; dump: Json } {
  const program = resolve(import.meta.dirname, '../support/rtslib.py');
  const words = [program, temporaryDirectory(), path];
  return JSON.parse(
    execFileSync('/usr/bin/python3', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  );
}

/** Lists of objects in an order of their own, and without what is ours. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !own.includes(key))
      .map(([key, part]) => [key, plain(part)]),
  );
}

const nameOf = (object: unknown): string => {
  const { plugin, fabric, name, wwn, node_wwn, tag, index, port } = object as Json;
  return JSON.stringify([plugin, fabric, name ?? wwn ?? node_wwn ?? tag ?? index ?? port]);
};

async function saved(name: string): Promise<string> {
  const path = join(shell.directory, name);
  expect(await shell.run(`saveconfig ${path}`)).toContain('Configuration saved to');
  return path;
}

describe('rtslib', needs('targetctl'), () => {
  test('restores every kind of object without an error line, and dumps it as we saved it', async () => {
    const file = (name: string) => join(shell.directory, name);
    const lines = [
      '/backstores/ramdisk create rd 1M',
      '/backstores/ramdisk create null 4M nullio=true',
      `/backstores/fileio create wb ${file('wb.img')} 1M`,
      `/backstores/fileio create wt ${file('wt.img')} 1M write_back=false`,
      '/backstores/ramdisk/rd set attribute emulate_tpu=1 emulate_caw=0 max_write_same_len=8',
      '/backstores/fileio/wb set attribute vendor_id=ACME emulate_tas=0',
      '/backstores/ramdisk/rd/alua create slow 2',
      '/backstores/ramdisk/rd/alua/slow set alua alua_access_state=1 preferred=1 trans_delay_msecs=5',
      `/iscsi create ${iqn}`,
      `${tpg}/luns create /backstores/ramdisk/rd`,
      `${tpg}/luns create /backstores/fileio/wb`,
      `${tpg}/luns/lun0 set alua alua_tg_pt_gp_name=slow`,
      `${tpg}/acls create ${client}`,
      `${tpg}/acls create ${other} false`,
      `${tpg}/acls/${other} create 7 1 1`,
      `${tpg}/acls/${client} set auth userid=u password=secretsecret1 mutual_userid=m mutual_password=secretsecret2`,
      `${tpg}/acls/${client} set attribute nopin_timeout=7`,
      `${tpg} set auth userid=tpg password=secretsecret3`,
      `${tpg} set attribute demo_mode_write_protect=0 default_cmdsn_depth=32`,
      `${tpg} set parameter MaxBurstLength=131072 HeaderDigest=None`,
      `${tpg}/portals create ::1 3261`,
      `/iscsi/${iqn} create 2`,
      `/iscsi/${iqn}/tpg2 disable`,
      '/iscsi set discovery_auth enable=1 userid=d password=secretsecret4 mutual_userid=e mutual_password=secretsecret5',
      '/loopback create naa.5001405000000001',
      '/loopback/naa.5001405000000001/luns create /backstores/ramdisk/null',
      '/vhost create naa.5001405000000002',
      '/vhost/naa.5001405000000002/tpg1/luns create /backstores/fileio/wt',
    ];
    expect(await shell.run(...lines)).not.toContain('E| ');
    for (const [kind, name, config] of elsewhere)
      await shell.host.root.apply({
        path: `/backstores/${kind}`,
        verb: 'create',
        params: { name, settled: { config, attributes: {} } },
      });
    await shell.run(`${tpg}/luns create /backstores/user:qcow/image`, `${tpg}/luns create /backstores/block/disk`);
    const kinds = new Set([...shell.host.root.tree.allStorageObjects()].map(({ backstore }) => backstore.name));
    expect([...kinds].sort()).toEqual(backstores.map(({ name }) => name).sort());
    const path = await saved('all.json');
    const ours = JSON.parse(readFileSync(path, 'utf8')) as Json;
    expect([...new Set((ours['targets'] as Json[]).map(({ fabric }) => fabric))]).toEqual(
      fabrics.map(({ name }) => name),
    );
    // Values that LIO does not have stand where its tools pass over them.
    expect(ours['storage_object_attributes']).toEqual({
      '/backstores/block/past': { direct: true },
      '/backstores/fileio/wb': { vendor_id: 'ACME' },
    });
    delete ours['storage_object_attributes'];
    const { errors, dump } = restored(path);
    expect(errors).toEqual([]);
    // LIO has no target port groups for devices that answer for themselves, and attributes that we have not.
    for (const one of ours['storage_objects'] as Json[]) if (one['plugin'] === 'user') one['alua_tpgs'] = [];
    for (const { luns } of (ours['targets'] as { tpgs: { luns: Json[] }[] }[]).flatMap(({ tpgs }) => tpgs))
      for (const lun of luns)
        if (String(lun['storage_object']).startsWith('/backstores/user/')) lun['alua_tg_pt_gp_name'] = null;
    expect(plain(dump)).toMatchObject(plain(ours) as Json);
    // Without secrets, LIO restores the rest.
    const bare = join(shell.directory, 'bare.json');
    writeFileSync(bare, await shell.run('export lio'));
    expect(restored(bare).errors).toEqual([]);
    // And to tcli the file says what it was written of.
    const before = dumpTree(shell.host.root.tree);
    const configs = () => [...shell.host.root.tree.allStorageObjects()].map(({ path, config }) => [path, config]);
    const told = configs();
    await shell.run(`restoreconfig ${path} true`);
    expect([dumpTree(shell.host.root.tree), configs()]).toEqual([before, told]);
  });
});
