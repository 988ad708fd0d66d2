// Configurations of other targets: what each directive becomes, what is listed as left, and where errors are. That initiators of
// tgtd know its disks again: test/e2e/tgt-import.test.ts.

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '../../src/errors.ts';
import { importKinds, planImport } from '../../src/import/index.ts';
import { dumpTree } from '../../src/index.ts';
import { openShell, removeHome, type TestShell } from '../support/shell.ts';

let shell: TestShell;
const iqn = 'iqn.2026-11.org.example:one';

beforeEach(async () => {
  shell = await openShell();
  for (const name of ['a', 'b', 'c']) disk(name);
});

afterEach(async () => {
  await shell.close();
  removeHome(shell.directory);
});

function disk(name: string): string {
  const path = join(shell.directory, name);
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

/** Writes a file in which `@` stands for the folder of the disks, and imports it. */
async function imported(text: string, name = 'config'): Promise<string> {
  const path = join(shell.directory, name);
  writeFileSync(path, text.replaceAll('@', shell.directory));
  return shell.run(`/ import ${path}`);
}

const tree = () => shell.host.root.tree;
const tpgOf = (wwn = iqn) => tree().fabrics.get('iscsi')!.targets.get(wwn)!.tpgs.get(1)!;
const lunsOf = (wwn = iqn) =>
  [...tpgOf(wwn).luns.values()].map(({ index, storageObject }) => [index, storageObject.config['dev']]);
const valuesOf = (lun: number) => tpgOf().luns.get(lun)!.storageObject.attributes.values;
const left = (said: string) =>
  [...said.matchAll(/Not taken over: \S+?:(\d+): (.*)/g)].map(([, line, what]) => `${line} ${what}`);

/** A target of tgt with one disk, and lines of the disk or of the target. */
const withDisk = (lines: string, ofTarget = '') =>
  `<target ${iqn}>\n${ofTarget}\n<backing-store @/a>\n${lines}\n</backing-store>\n</target>\n`;

describe('targets.conf', () => {
  test.each<[string, Record<string, string | number>]>([
    ['vendor_id ACME', { vendor_id: 'ACME' }],
    ['product_id "MY DISK"', { product_id: 'MY DISK' }],
    ['product_rev 0103', { revision: '0103' }],
    ['scsi_id ID1', { scsi_id: 'ID1' }],
    ['scsi_sn = SN1', { scsi_sn: 'SN1' }],
    ['removable 1', { removable: 1 }],
    ['readonly 1', { read_only: 1 }],
    ['online 0', { online: 0 }],
    ['write-cache off', { emulate_write_cache: 0 }],
    ['write-cache on', { emulate_write_cache: 1 }],
    ['block-size 4096', { block_size: 4096 }],
    ['lbppbe 3', { physical_block_size: 4096 }],
    ['mode_page 8:0:1:0', { emulate_write_cache: 0 }],
    ['params thin_provisioning=1', { emulate_tpu: 1, emulate_tpws: 1 }],
    ['bsoflags sync', { emulate_write_cache: 0, labels: 'bstype=rdwr,bsoflags=sync' }],
    ['bs-type aio', { labels: 'bstype=aio' }],
    ['device-type cd', { removable: 1, read_only: 1, block_size: 2048 }],
    ['allow-in-use yes', {}],
  ])('%s, of a disk and of its target', async (line, values) => {
    expect(left(await imported(withDisk(line)))).toEqual([]);
    expect(valuesOf(1)).toMatchObject({ scsi_sn: 'beaf11', ...values });
    await shell.run('/ undo');
    expect(left(await imported(withDisk('', line)))).toEqual([]);
    expect(valuesOf(1)).toMatchObject(values);
  });

  test.each(['sense_format 1', 'la_lba 0', 'optimal_xfer_gran 8', 'optimal_xfer_len 8', 'bsopts x'])(
    '%s has no effect here, and is listed',
    async (line) => {
      expect(left(await imported(withDisk(line)))).toEqual([expect.stringContaining(line.split(' ')[0]!)]);
    },
  );

  test('targets are numbered in the order of their names, LUNs in the order of their paths, as tgt-admin does it', async () => {
    await imported(`
      <target iqn.2026-11.org.example:z>
        backing-store @/c
      </target>
      <target ${iqn}>
        controller_tid 40
        direct-store @/c
        backing-store @/b
        <backing-store @/a>
          lun 1
        </backing-store>
      </target>`);
    const shared = tpgOf('iqn.2026-11.org.example:z').luns.get(1)!.storageObject;
    const at = (name: string) => join(shell.directory, name);
    expect(lunsOf()).toEqual([
      [1, at('a')],
      [2, at('b')],
      [3, at('c')],
    ]);
    expect(valuesOf(2).scsi_id).toBe('IET     00280002');
    expect(tpgOf('iqn.2026-11.org.example:z').attributes.print('labels')).toBe('tid=41');
    expect(shared).toBe(tpgOf().luns.get(3)!.storageObject);
  });

  test('who may come, accounts, text keys, state', async () => {
    const said = await imported(`
      default-driver iscsi
      incomingdiscoveruser disco the-secret-of-disco
      outgoingdiscoveruser back the-secret-of-back
      iSNSServerIP 192.0.2.1
      <target ${iqn}>
        initiator-address 192.0.2.7   # and a comment
        initiator-address 198.51.100.0/24
        initiator-name iqn.1994-05.com.redhat:client1
        incominguser fred the-secret-of-fred
        incominguser bill the-secret-of-bill
        outgoinguser out the-secret-of-out
        MaxRecvDataSegmentLength 131072
        HeaderDigest CRC32C
        state offline
        driver iscsi
        nosuch 1
      </target>
      <target iqn.2026-11.org.example:iser>
        driver iser
      </target>`);
    const tpg = tpgOf();
    expect(tpg.accessList).toEqual({
      addresses: ['192.0.2.7', '198.51.100.0/24'],
      names: ['iqn.1994-05.com.redhat:client1'],
    });
    expect([tpg.accounts, tpg.auth.mutual_userid, tpg.attribute('authentication')]).toEqual([
      ['fred', 'bill'],
      'out',
      1,
    ]);
    expect([tpg.parameter('MaxXmitDataSegmentLength'), tpg.parameter('HeaderDigest'), tpg.enabled]).toEqual([
      '131072',
      'CRC32C',
      false,
    ]);
    const { discoveryAccounts, discoveryAuth, discoveryAuthEnabled } = tree().fabrics.get('iscsi')!;
    expect([discoveryAccounts, discoveryAuth.mutual_userid, discoveryAuthEnabled]).toEqual([['disco'], 'back', true]);
    expect(left(said)).toEqual([
      '5 iSNSServerIP 192.0.2.1',
      '17 nosuch 1',
      '19 target iqn.2026-11.org.example:iser: there is no driver iser here',
    ]);
    expect(said).not.toContain('the-secret-of');
  });

  test('without a rule everybody may come; with names alone, only they', async () => {
    await imported(`<target ${iqn}>\n</target>\n<target ${iqn}2>\ninitiator-name iqn.x\n</target>`);
    expect(tpgOf().accessList).toEqual({ addresses: ['ALL'], names: [] });
    expect(tpgOf(`${iqn}2`).accessList).toEqual({ addresses: [], names: ['iqn.x'] });
  });

  test('includes: a file, a pattern, a folder; blocks of one target are one', async () => {
    mkdirSync(join(shell.directory, 'conf.d'));
    const inner = (name: string) => `<target ${iqn}>\nbacking-store ${join(shell.directory, name)}\n</target>\n`;
    writeFileSync(join(shell.directory, 'conf.d/1.conf'), inner('a'));
    writeFileSync(join(shell.directory, 'conf.d/2.conf'), inner('b'));
    writeFileSync(join(shell.directory, 'conf.d/3.off'), inner('c'));
    await imported('include conf.d/*.conf\ninclude /nosuch/*.conf\n');
    expect(lunsOf().map(([lun]) => lun)).toEqual([1, 2]);
    await shell.run('/ undo');
    await imported('default-driver iscsi\n<<include conf.d>>\n');
    expect(lunsOf()).toHaveLength(3);
  });

  test.each([
    ['<target a>\nbacking-store x\n', ':1: <target a> is not closed'],
    ['default-driver iscsi\n</target>\n', ':2: </target> closes nothing'],
    ['<target a>\n<b\n</target>', ":2: '<b' is no block"],
    ['include /nosuch/file\n', ':1: /nosuch/file cannot be read'],
    ['default-driver iscsi\ninclude config\n', ':2: files include one another without end'],
  ])('%j: the line stands in the error', async (text, why) => {
    expect(await imported(text)).toContain(why);
  });

  test('what is not there, and what is no disk, is left; the rest is taken over', async () => {
    const said = await imported(`<target ${iqn}>
backing-store @/nosuch
backing-store @/a
<backing-store @/b>
device-type tape
</backing-store>
</target>`);
    expect(left(said)).toEqual([
      `2 ${shell.directory}/nosuch: there is no ${shell.directory}/nosuch`,
      `4 ${shell.directory}/b: there is no tape here`,
    ]);
    expect(lunsOf()).toHaveLength(1);
  });
});

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
    '6 LUN 3: scsiid=xyz',
    '10 Wthreads 8',
  ]);
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
    '3 discovery-auth-group no',
    '20 option vendor FreeBSD',
  ]);
});

test('dry_run changes nothing; the same file again changes nothing; undo takes all of it back', async () => {
  const before = JSON.stringify(dumpTree(tree()));
  const text = withDisk('vendor_id ACME');
  writeFileSync(join(shell.directory, 'config'), text.replaceAll('@', shell.directory));
  const dry = await shell.run(`/ import ${join(shell.directory, 'config')} dry_run=true`);
  expect(dry).toContain('/backstores/fileio/tgt1-lun1 set attribute vendor_id=ACME\n');
  expect(JSON.stringify(dumpTree(tree()))).toBe(before);
  await imported(text);
  const after = JSON.stringify(dumpTree(tree()));
  expect(await imported(text)).toContain('Nothing to do.');
  expect(JSON.stringify(dumpTree(tree()))).toBe(after);
  await shell.run('/ undo');
  expect(JSON.stringify(dumpTree(tree()))).toBe(before);
});

test('what was imported is exported as a targets.conf, from which the same is imported again', async () => {
  await imported(`
    incomingdiscoveruser disco the-secret-of-disco
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
  const text = await shell.run('/ export tgt');
  await shell.run('/ clearconfig confirm=true');
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
});

test('a target that nobody may come to is not exported as one that everybody may', async () => {
  await shell.run(`/iscsi create ${iqn}`);
  const text = await shell.run('/ export tgt');
  expect(text).toContain('initiator-address 192.0.2.255');
  await shell.run(`/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1`);
  expect(await shell.run('/ export tgt')).toContain('initiator-address ALL');
});

test('whatever a file says, it is read, or refused with its line', async () => {
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
  await expect(planImport(tree(), '/dev/null')).rejects.toThrow('no configuration that is known here');
});
