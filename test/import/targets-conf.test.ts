// Each directive of targets.conf(5): what it amounts to here. Other kinds, and what holds for all: import.test.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identityOfDevice } from '../../src/import/device-identity.ts';
import { dumpTree } from '../../src/index.ts';
import { importing, iqn, left } from '../support/importing.ts';

const on = importing();
const { imported, tree, tpgOf, lunsOf, valuesOf } = on;

/** A target of tgt with one disk, and lines of the disk or of the target. */
const withDisk = (lines: string, ofTarget = '') =>
  `<target ${iqn}>\n${ofTarget}\n<backing-store @/a>\n${lines}\n</backing-store>\n</target>\n`;

test.each<[string, Record<string, string | number>]>([
  ['vendor_id ACME', { vendor_id: 'ACME' }],
  ['product_id "MY DISK"', { product_id: 'MY DISK' }],
  ['product_rev 0103', { revision: '0103' }],
  ['scsi_id ID1', { scsi_id: 'ID1' }],
  ['scsi_sn = SN1', { scsi_sn: 'SN1' }],
  ['scsi_sn SN\\#1#a comment', { scsi_sn: 'SN#1' }],
  ["product_id 'X'", { product_id: "'X'" }],
  ['removable 1', { removable: 1 }],
  ['readonly 1', { read_only: 1 }],
  ['online 0', { online: 0 }],
  ['write-cache off', { emulate_write_cache: 0 }],
  ['write-cache on', { emulate_write_cache: 1 }],
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
  await on.run('/ undo');
  expect(left(await imported(withDisk('', line)))).toEqual([]);
  expect(valuesOf(1)).toMatchObject(values);
});

test.each(['sense_format 1', 'la_lba 0', 'optimal_xfer_gran 8', 'optimal_xfer_len 8', 'bsopts x'])(
  '%s has no effect here, and is listed',
  async (line) => {
    expect(left(await imported(withDisk(line)))).toEqual([expect.stringContaining(line.split(' ')[0]!)]);
  },
);

test('block-size of a disk; that of its target means nothing to tgt, and is listed', async () => {
  expect(left(await imported(withDisk('block-size 4096')))).toEqual([]);
  expect(valuesOf(1).block_size).toBe(4096);
  await on.run('/ undo');
  expect(left(await imported(withDisk('', 'block-size 4096')))).toEqual([
    expect.stringMatching(/^2 block-size 4096: /),
  ]);
  expect(valuesOf(1).block_size).toBe(512);
});

test('a direct-store has the identity of a SCSI disk; the vendor of a virtio disk is a number of PCI and none', () => {
  const sysfs = on.directory;
  const device = join(sysfs, 'block/sda/device');
  mkdirSync(device, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(device, name), text, 'latin1');
  write('vendor', 'QEMU    \n');
  write('model', 'QEMU HARDDISK   \n');
  write('rev', '2.5+\n');
  write('vpd_pg80', '\0\x80\0\x05disk1');
  expect(identityOfDevice('/dev/sda', sysfs)).toEqual({});
  write('scsi_level', '6\n');
  expect(identityOfDevice('/dev/sda', sysfs)).toEqual({
    ...{ vendor_id: 'QEMU', product_id: 'QEMU HARDDISK', product_rev: '2.5+', scsi_sn: 'disk1' },
  });
  expect(identityOfDevice('/dev/nosuch', sysfs)).toEqual({});
});

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
  const at = (name: string) => join(on.directory, name);
  expect(lunsOf()).toEqual([
    [1, at('a')],
    [2, at('b')],
    [3, at('c')],
  ]);
  expect(valuesOf(2).scsi_id).toBe('IET     00280002');
  expect(tpgOf('iqn.2026-11.org.example:z').attributes.print('labels')).toBe('tid=41');
  expect(shared).toBe(tpgOf().luns.get(3)!.storageObject);
});

test('a number that two targets ask for is one target alone: their disks could not be told apart', async () => {
  const target = (name: string, disk: string) =>
    `<target ${name}>\ncontroller_tid 10\nbacking-store @/${disk}\n</target>\n`;
  const said = await imported(target(iqn, 'a') + target(`${iqn}2`, 'b'));
  expect(left(said)).toEqual([`5 number 10 of ${iqn}2: another target has it; this one is 11`]);
  expect(tpgOf(`${iqn}2`).luns.get(1)!.storageObject.attributes.values.scsi_id).toBe('IET     000b0001');
});

/** Each directive of targets.conf(5), with a value, and whether it is taken over: beside the file, in a target, in a LUN. */
const directives: readonly (readonly [where: 'file' | 'target' | 'unit', line: string, taken: boolean])[] = [
  ['file', 'default-driver iscsi', true],
  ['file', 'include /nowhere/*.conf', true],
  ['file', 'ignore-errors yes', false],
  ['file', 'control-port 1', false],
  ['file', 'iSNSServerIP 192.0.2.1', false],
  ['file', 'iSNSAccessControl On', false],
  ['file', 'iSNSServerPort 3205', false],
  ['file', 'iSNS On', false],
  ['file', 'incomingdiscoveryuser disco the-secret-of-disco', true],
  ['file', 'outgoingdiscoveryuser back the-secret-of-back', true],
  ['target', 'backing-store @/b', true],
  ['target', 'direct-store @/b', true],
  ['target', 'driver iscsi', true],
  ['target', 'initiator-address 192.0.2.7', true],
  ['target', 'initiator-name iqn.1994-05.com.redhat:client1', true],
  ['target', 'incominguser fred the-secret-of-fred', true],
  ['target', 'outgoinguser out the-secret-of-out', true],
  ['target', 'controller_tid 7', true],
  ['unit', 'write-cache off', true],
  ['unit', 'scsi_id ID', true],
  ['unit', 'scsi_sn SN', true],
  ['unit', 'vendor_id ACME', true],
  ['unit', 'product_id DISK', true],
  ['unit', 'product_rev 1', true],
  ['unit', 'sense_format 1', false],
  ['unit', 'removable 1', true],
  ['unit', 'path /elsewhere', false],
  ['unit', 'mode_page 8:0:1:4', true],
  ['unit', 'readonly 1', true],
  ['unit', 'device-type disk', true],
  ['unit', 'bs-type aio', true],
  ['unit', 'allow-in-use yes', true],
  ['unit', 'block-size 4096', true],
  ['unit', 'lbppbe 3', true],
  ['unit', 'la_lba 0', false],
  ['unit', 'optimal_xfer_gran 8', false],
  ['unit', 'optimal_xfer_len 8', false],
  ['unit', 'params thin_provisioning=1', true],
];

test.each(directives)('%s: %s is taken over, or listed with its line', async (where, line, taken) => {
  const without = `<target ${iqn}>\n<backing-store @/a>\n</backing-store>\n</target>\n`;
  await imported(without);
  const before = JSON.stringify(dumpTree(tree()));
  await on.run('/ undo');
  const at = (one: string) => (where === one ? `${line}\n` : '');
  const kind = line.startsWith('backing-store') ? '' : '<backing-store @/a>\n</backing-store>\n';
  const unit = where === 'unit' ? `<backing-store @/a>\n${line}\n</backing-store>\n` : kind;
  const said = await imported(`${at('file')}<target ${iqn}>\n${at('target')}${unit}</target>\n`);
  expect(left(said)).toHaveLength(taken ? 0 : 1);
  // A line without an effect says what is so anyway, or is said in another way.
  const isSo = /^(default-driver|include|driver|device-type|allow-in-use|mode_page)/.test(line);
  if (!taken) expect(said).toContain(line.split(' ')[0]);
  else if (!isSo) expect(JSON.stringify(dumpTree(tree()))).not.toBe(before);
});

test('access rules, accounts, text keys, state', async () => {
  const said = await imported(`
      default-driver iscsi
      incomingdiscoveryuser disco the-secret-of-disco
      outgoingdiscoveryuser back the-secret-of-back
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
  expect([tpg.accounts, tpg.auth.mutual_userid, tpg.attribute('authentication')]).toEqual([['fred', 'bill'], 'out', 1]);
  expect([tpg.parameter('MaxXmitDataSegmentLength'), tpg.parameter('HeaderDigest'), tpg.enabled]).toEqual([
    '131072',
    'CRC32C',
    false,
  ]);
  const { discoveryAccounts, discoveryAuth, discoveryAuthEnabled } = tree().fabrics.get('iscsi')!;
  expect([discoveryAccounts, discoveryAuth.mutual_userid, discoveryAuthEnabled]).toEqual([['disco'], 'back', true]);
  expect(left(said)).toEqual([
    '5 iSNSServerIP',
    '17 nosuch',
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
  mkdirSync(join(on.directory, 'conf.d'));
  const inner = (name: string) => `<target ${iqn}>\nbacking-store ${join(on.directory, name)}\n</target>\n`;
  writeFileSync(join(on.directory, 'conf.d/1.conf'), inner('a'));
  writeFileSync(join(on.directory, 'conf.d/2.conf'), inner('b'));
  writeFileSync(join(on.directory, 'conf.d/3.off'), inner('c'));
  await imported('include conf.d/*.conf\ninclude /nosuch/*.conf\n');
  expect(lunsOf().map(([lun]) => lun)).toEqual([1, 2]);
  await on.run('/ undo');
  await imported('default-driver iscsi\n<<include conf.d>>\n');
  expect(lunsOf()).toHaveLength(3);
});

test.each([
  ['<target a>\nbacking-store x\n', ':1: <target> is not closed'],
  ['default-driver iscsi\n</target>\n', ':2: </target> closes nothing'],
  ['<target a>\n<b\n</target>', ':2: a < without its > is no block'],
  ['include /nosuch/file\n', ':1: /nosuch/file cannot be read'],
  ['default-driver iscsi\ninclude config\n', ':2: files include one another without end'],
])('%j: the line stands in the error', async (text, why) => {
  expect(await imported(text)).toContain(why);
});

test('files that are missing or no disk are left out; the rest is taken over', async () => {
  const said = await imported(`<target ${iqn}>
backing-store @/nosuch
backing-store @/a
<backing-store @/b>
device-type tape
</backing-store>
</target>`);
  expect(left(said)).toEqual([
    `2 ${on.directory}/nosuch: there is no ${on.directory}/nosuch`,
    `4 ${on.directory}/b: there is no tape here`,
  ]);
  expect(lunsOf()).toHaveLength(1);
});
