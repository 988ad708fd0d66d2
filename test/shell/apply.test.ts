// apply and export as they are typed, with real media. That a description gives the same tree again is tested in test/saved/description.

import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
let file: string;
const iqn = 'iqn.2003-01.org.example:disks';
const client = 'iqn.1994-05.com.redhat:client1';

beforeEach(async () => {
  shell = await ownShell();
  file = join(shell.directory, 'disks.yaml');
});

/** A LUN for two hosts, with CHAP, over two portals. */
const disks = (size = '4M') => `# What two hosts share.
storage_objects:
  - {plugin: fileio, name: disk0, dev: ${shell.directory}/disk0.img, size: ${size}, attributes: {is_nonrot: 1}}
targets:
  - wwn: ${iqn}
    tpgs:
      - attributes: {authentication: 1}
        portals: [{ip_address: 127.0.0.1, port: 0}, {ip_address: "::1", port: 0}]
        luns: [{index: 0, storage_object: /backstores/fileio/disk0}]
        node_acls:
          - {node_wwn: ${client}, chap_userid: one, chap_password: {file: ${shell.directory}/one.secret}, mapped_luns: [{index: 0}]}
          - {node_wwn: ${client}2, chap_userid: two, chap_password: {env: TCLI_TEST_SECRET}, mapped_luns: [{index: 0, write_protect: true}]}
`;

test('one line makes all of it, the media as well, as one change; the same again changes nothing', async () => {
  writeFileSync(file, disks());
  writeFileSync(join(shell.directory, 'one.secret'), 'secret-number-one\n');
  expect(await shell.run(`apply ${file}`)).toBe('E| Cannot read the variable TCLI_TEST_SECRET: it is not set\n');
  process.env['TCLI_TEST_SECRET'] = 'secret-number-two';
  const dry = await shell.run(`apply ${file} dry_run=true`);
  expect(dry).toContain(`/backstores/fileio create name=disk0 file_or_dev=${shell.directory}/disk0.img size=4194304\n`);
  expect(dry).toMatch(/Nothing was changed: dry_run=true\.\n$/);
  expect(existsSync(join(shell.directory, 'disk0.img'))).toBe(false);
  const said = await shell.run(`apply ${file}`);
  expect(said).toMatch(/\nApplied: \d+ operations\.\n$/);
  expect(said).not.toContain('secret-number');
  delete process.env['TCLI_TEST_SECRET'];
  expect(statSync(join(shell.directory, 'disk0.img')).size).toBe(4 << 20);
  const acls = `/iscsi/${iqn}/tpg1/acls`;
  expect(await shell.run(`${acls}/${client} get auth password`, `${acls}/${client}2/mapped_lun0 status`)).toBe(
    `password=secret-number-one \nStatus for ${acls}/${client}2/mapped_lun0: lun0 fileio/disk0 (ro)\n`,
  );
  process.env['TCLI_TEST_SECRET'] = 'secret-number-two';
  expect(await shell.run(`apply ${file}`)).toBe('Nothing to do.\n');
  expect(JSON.parse(await shell.run(`apply ${file} --json`)).data).toEqual({ changed: false, plan: [] });
  delete process.env['TCLI_TEST_SECRET'];
  await shell.run('undo');
  expect(JSON.parse(await shell.run('export json')).targets).toEqual([]);
});

test('a change is what differs: another size resizes, what goes with prune goes, a fault changes nothing', async () => {
  const text = (size: string) =>
    `storage_objects: [{plugin: fileio, name: d, dev: ${shell.directory}/d.img, size: ${size}}]\n`;
  writeFileSync(file, text('1M'));
  await shell.run(`apply ${file}`, `/backstores/fileio create e ${shell.directory}/e.img 1M`);
  writeFileSync(file, text('2M'));
  expect(await shell.run(`apply ${file}`)).toBe('/backstores/fileio/d resize size=2097152\nApplied: 1 operation.\n');
  expect(JSON.parse(await shell.run(`apply ${file} prune=true --json`)).data).toEqual({
    changed: true,
    plan: ['/backstores/fileio delete name=e'],
  });
  writeFileSync(file, text('1M'));
  expect(await shell.run(`apply ${file}`)).toMatch(
    /disks\.yaml:1: .*\n.* \/backstores\/fileio\/d resize 1048576 force=true\n$/,
  );
  expect(statSync(join(shell.directory, 'd.img')).size).toBe(2 << 20);
  const before = await shell.run('export yaml secrets=true');
  writeFileSync(
    file,
    `${text('2M')}targets:\n  - {wwn: ${iqn}, tpgs: [{luns: [{index: 0, storage_object: /backstores/fileio/none}]}]}\n`,
  );
  expect(await shell.run(`apply ${file}`)).toMatch(/^E\| Could not find matching StorageObject for LUN 0\n/);
  expect(await shell.run('export yaml secrets=true')).toBe(before);
});

test('export: yaml, json and the schema; what there is not is named', async () => {
  await shell.run('/backstores/ramdisk create rd0 1M wwn=11111111-1111-4111-8111-111111111111');
  expect(await shell.run('export yaml')).toBe(
    [
      'storage_objects:',
      '  - name: rd0',
      '    plugin: ramdisk',
      '    wwn: 11111111-1111-4111-8111-111111111111',
      '    size: 1048576',
      '    attributes:',
      '      emulate_model_alias: 1',
      '',
    ].join('\n'),
  );
  expect(Object.keys(JSON.parse(await shell.run('export schema')).properties)).toEqual([
    'storage_objects',
    'fabric_modules',
    'targets',
  ]);
  expect(await shell.run('export toml')).toContain('There are: yaml, json, schema, tgt, lio.');
});
