// Configurations of IET, gotgt and ctld, and what holds for every import and export. tgt's: targets-conf.test.ts.

import fs, { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { OperatorError } from '../../src/errors.ts';
import { importKinds, planImport } from '../../src/import/index.ts';
import { dumpTree } from '../../src/index.ts';
import { importing, iqn, left } from '../support/importing.ts';

const on = importing();
const { imported, tree, tpgOf, lunsOf, valuesOf } = on;

test('ietd.conf', async () => {
  const said = await imported(`
IncomingUser disco the-secret-of-disco
Target ${iqn}
\tIncomingUser fred the-secret-of-fred
\tLun 0 Path=@/a,Type=fileio,IOMode=wt,ScsiSN=SN1
\tLun 3 Path=@/b,Type=blockio,IOMode=ro,ScsiId=xyz
\tLun 4 Sectors=100,Type=nullio
\tAlias Test
\tMaxConnections 4
\tWthreads 8
`);
  expect(lunsOf().map(([lun]) => lun)).toEqual([0, 3, 4]);
  expect(valuesOf(0)).toMatchObject({ emulate_write_cache: 0, scsi_sn: 'SN1', vendor_id: 'LIO-ORG' });
  expect(valuesOf(3)).toMatchObject({ read_only: 1 });
  expect([tpgOf().accounts, tpgOf().parameter('TargetAlias'), tpgOf().accessList]).toEqual([
    ['fred'],
    'Test',
    undefined,
  ]);
  expect(left(said).map((line) => line.slice(0, 24))).toEqual([
    '1 initiators.allow and t',
    '1 the identities of disk',
    '6 LUN 3: scsiid',
    '7 LUN 4: sectors',
    '10 Wthreads',
  ]);
});

test('every key of ietd.conf(5), lines that go on, and secrets with any sign', async () => {
  const said = await imported(`
# only lines are comments
IncomingUser joe a#secret-of-joe
OutgoingUser jack a-secret-of-jack
Target ${iqn}
    IncomingUser jim a-secret-of-jim
    OutgoingUser james a-secret-of-james
    Lun 0 Path=@/a,\\
Type=fileio
    Lun 1 Blocks=10000,BlockSize=4096,Type=nullio
    HeaderDigest None
    DataDigest None
    MaxConnections 1
    MaxSessions 0
    InitialR2T Yes
    ImmediateData No
    MaxRecvDataSegmentLength 16384
    MaxXmitDataSegmentLength 32768
    MaxBurstLength 262144
    FirstBurstLength 65536
    DefaultTime2Wait 2
    DefaultTime2Retain 0
    MaxOutstandingR2T 8
    NOPInterval 0
    NOPTimeout 0
    DataPDUInOrder Yes
    DataSequenceInOrder Yes
    ErrorRecoveryLevel 0
`);
  expect(tree().fabrics.get('iscsi')!.accounts.get('joe')).toBe('a#secret-of-joe');
  expect(lunsOf()).toEqual([
    [0, join(on.directory, 'a')],
    [1, undefined],
  ]);
  const of = (name: string) => tpgOf().parameter(name);
  expect([of('ImmediateData'), of('MaxXmitDataSegmentLength'), of('MaxRecvDataSegmentLength')]).toEqual([
    'No',
    '16384',
    '32768',
  ]);
  expect([of('MaxOutstandingR2T'), of('DefaultTime2Retain'), of('HeaderDigest')]).toEqual(['8', '0', 'CRC32C,None']);
  expect(left(said).slice(2)).toEqual(['10 LUN 1: blocks', '14 MaxSessions', '24 NOPInterval', '25 NOPTimeout']);
});

test("the first example of gotgt's own pages: without block size or provisioning", async () => {
  const config = {
    storages: [{ deviceID: 1000, path: 'file:@/a', online: true }],
    iscsiportals: [{ id: 0, portal: '127.0.0.1:3260' }],
    iscsitargets: { [iqn]: { tpgts: { 1: [0] }, luns: { 0: 1000 } } },
  };
  await imported(JSON.stringify(config));
  expect([lunsOf(), valuesOf(0).block_size]).toEqual([[[0, join(on.directory, 'a')]], 512]);
});

test("the first example of FreeBSD's handbook: whoever comes, on every address", async () => {
  const said = await imported(`portal-group pg0 {
	discovery-auth-group no-authentication
	listen 0.0.0.0
	listen [::]
}

target ${iqn} {
	auth-group no-authentication
	portal-group pg0

	lun 0 {
		path @/a
		size 1M
	}
}`);
  expect(tpgOf().accessList).toBeUndefined();
  expect(tpgOf().attribute('authentication')).toBe(0);
  expect(tpgOf().portals.map(({ address, port }) => [address, port])).toEqual([
    ['0.0.0.0', 3260],
    ['::', 3260],
  ]);
  expect(lunsOf()).toEqual([[0, join(on.directory, 'a')]]);
  expect(left(said).slice(1)).toEqual(['2 discovery-auth-group']);
});

test("gotgt's config.json, as the seeds of this project have it", async () => {
  const config = {
    iscsiportals: [{ id: 0, portal: '127.0.0.1:3261' }],
    iscsitargets: { [iqn]: { tpgts: { 1: [0] }, luns: { 0: 1000, 1: 1001, 2: 1002 } } },
    storages: [
      { blockShift: 9, deviceID: 1000, online: true, path: 'file:@/a', thinProvisioning: false },
      { blockShift: 12, deviceID: 1001, online: true, path: 'file:@/b', thinProvisioning: true },
      { blockShift: 9, deviceID: 1002, online: true, path: 'RemBs:x', thinProvisioning: false },
    ],
  };
  const said = await imported(JSON.stringify(config, null, 2));
  expect(lunsOf().map(([lun]) => lun)).toEqual([0, 1]);
  expect(tpgOf().portals.map(({ address, port }) => `${address}:${port}`)).toEqual(['127.0.0.1:3261']);
  expect(valuesOf(1)).toMatchObject({ block_size: 4096, emulate_tpu: 1 });
  expect(left(said)).toEqual([
    expect.stringContaining('1 the identities'),
    `9 LUN 2 of ${iqn}: there is no RemBs:x here`,
  ]);
});

test('ctl.conf', async () => {
  const said = await imported(`
portal-group pg0 {
  discovery-auth-group no-authentication
  listen 127.0.0.1:3262
  listen [::1]
}
auth-group ag0 {
  chap fred "the secret of fred"
  chap-mutual bill s1 out s2
  initiator-portal [2001:db8::]/32
}
lun shared { path @/b; blocksize 4096 }
target ${iqn} {
  alias "My disks"
  auth-group ag0
  portal-group pg0
  lun 0 {
    path @/a
    serial SN0
    option vendor "FreeBSD"
  }
  lun 1 shared
}
target ${iqn}2 { portal-group pg0 }
`);
  expect(lunsOf().map(([lun]) => lun)).toEqual([0, 1]);
  const tpg = tpgOf();
  expect([tpg.accounts, tpg.auth.mutual_userid, tpg.accessList]).toEqual([
    ['fred', 'bill'],
    'out',
    { addresses: ['2001:db8::/32'], names: [] },
  ]);
  expect(tpg.portals.map(({ address, port }) => [address, port])).toEqual([
    ['127.0.0.1', 3262],
    ['::1', 3260],
  ]);
  expect([valuesOf(0).scsi_sn, valuesOf(1).block_size, tpg.parameter('TargetAlias')]).toEqual([
    'SN0',
    4096,
    'My disks',
  ]);
  // ctld lets nobody in where nobody said whom.
  expect(tpgOf(`${iqn}2`).accessList).toEqual({ addresses: [], names: [] });
  expect(left(said).map((line) => line.slice(0, 25))).toEqual([
    '1 the identities of disks',
    '3 discovery-auth-group',
    '20 option',
  ]);
});

test('dry_run changes nothing; the same file again changes nothing; undo takes all of it back', async () => {
  const before = JSON.stringify(dumpTree(tree()));
  const text = `<target ${iqn}>\n<backing-store @/a>\nvendor_id ACME\n</backing-store>\n</target>\n`;
  writeFileSync(join(on.directory, 'config'), text.replaceAll('@', on.directory));
  const dry = await on.run(`/ import ${join(on.directory, 'config')} dry_run=true`);
  expect(dry).toContain('/backstores/fileio/tgt1-lun1 set attribute vendor_id=ACME\n');
  expect(JSON.stringify(dumpTree(tree()))).toBe(before);
  await imported(text);
  const after = JSON.stringify(dumpTree(tree()));
  expect(await imported(text)).toContain('Nothing to do.');
  expect(JSON.stringify(dumpTree(tree()))).toBe(after);
  await on.run('/ undo');
  expect(JSON.stringify(dumpTree(tree()))).toBe(before);
});

test('twice as many units are twice as many looks at files, not four times as many', async () => {
  const configuration = (wwn: string, units: number) => {
    const paths = Array.from({ length: units }, (_, at) => join(on.directory, `${wwn.slice(-1)}${at}`));
    for (const path of paths) writeFileSync(path, 'x'.repeat(4096));
    return `<target ${wwn}>\n${paths.map((path) => `backing-store ${path}\n`).join('')}</target>\n`;
  };
  await imported(configuration(`${iqn}a`, 16));
  const looks = async (wwn: string, units: number) => {
    const path = join(on.directory, 'config');
    writeFileSync(path, configuration(wwn, units));
    const looked = vi.spyOn(fs, 'statSync');
    syncBuiltinESMExports();
    try {
      const { operations } = await planImport(tree(), path);
      expect(operations.filter(({ path }) => path === '/backstores/fileio')).toHaveLength(units);
      return looked.mock.calls.length;
    } finally {
      looked.mockRestore();
      syncBuiltinESMExports();
    }
  };
  const [few, many] = [await looks(`${iqn}b`, 8), await looks(`${iqn}c`, 16)];
  // The units of the tree are looked at once in all, and not once for each unit of the file.
  expect(few).toBeLessThan(16 * 8);
  expect(many - few).toBe(few - 16);
});

test('an imported configuration is exported as a targets.conf, from which the same is imported again', async () => {
  await imported(String.raw`
    incomingdiscoveryuser disco the-secret\#of-disco
    <target ${iqn}>
      controller_tid 9
      initiator-address 192.0.2.7
      initiator-name iqn.1994-05.com.redhat:client1
      incominguser fred the-secret-of-fred
      outgoinguser out the-secret-of-out
      <backing-store @/a>
        lun 4
        vendor_id ACME
        write-cache off
        readonly 1
        block-size 4096
      </backing-store>
      <backing-store @/b>
        scsi_sn SN1
      </backing-store>
    </target>`);
  const before = dumpTree(tree());
  expect(tree().fabrics.get('iscsi')!.accounts.get('disco')).toBe('the-secret#of-disco');
  const text = await on.run('/ export tgt secrets=true');
  const without = await on.run('/ export tgt');
  expect(without).toMatch(/^incomingdiscoveryuser disco [0-9a-f]{18}$/m);
  expect(without).not.toMatch(/secret.?#/);
  await on.run('/ clearconfig confirm=true');
  await imported(text);
  const serial = (from: typeof before) =>
    from.storage_objects.map(({ name, ...others }) => [name, { ...others, wwn: '' }]);
  expect(Object.fromEntries(serial(dumpTree(tree())) as never)).toEqual(Object.fromEntries(serial(before) as never));
  expect(
    lunsOf()
      .map(([lun]) => lun)
      .toSorted(),
  ).toEqual([1, 4]);
  expect(tpgOf().accessList).toEqual({ addresses: ['192.0.2.7'], names: ['iqn.1994-05.com.redhat:client1'] });
  expect(tree().fabrics.get('iscsi')!.accounts.get('disco')).toBe('the-secret#of-disco');
});

test('a target that nobody may come to is not exported as one that everybody may', async () => {
  await on.run(`/iscsi create ${iqn}`);
  const text = await on.run('/ export tgt');
  expect(text).toContain('initiator-address 192.0.2.255');
  await on.run(`/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1`);
  expect(await on.run('/ export tgt')).toContain('initiator-address ALL');
});

test('any file is read, or refused with its line', async () => {
  const words = [
    '<target a>',
    '</target>',
    '<backing-store /x>',
    '</backing-store>',
    'Target iqn.x',
    'Lun 0 Path=/x',
    '{',
    '}',
  ];
  const more = [
    'target a {',
    'lun 0 {',
    'path /x',
    '"',
    '\\',
    'include x',
    'controller_tid -1',
    'lun 99999',
    ';',
    '#',
    'params =,',
  ];
  const line = fc.oneof(fc.constantFrom(...words, ...more), fc.string());
  for (const kind of importKinds)
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        try {
          for (const { line } of kind.read(lines.join('\n'), '/nowhere/config').left) expect(line).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(OperatorError);
        }
      }),
      { numRuns: 300 },
    );
  fc.assert(fc.property(fc.json(), (text) => void importKinds[0]!.read(text, '/nowhere/config')));
  await expect(planImport(tree(), '/dev/null')).rejects.toThrow('Cannot read /dev/null: it is no regular file');
});
