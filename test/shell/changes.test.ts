// diff, undo and restoreconfig dry_run. That operations lead from any tree to any other is tested in test/root/transition.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { dumpTree } from '../../src/index.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';

beforeEach(async () => {
  shell = await ownShell();
  await shell.run(
    'set global auto_add_default_portal=false',
    `/backstores/fileio create f0 ${shell.directory}/f0.img 1M`,
    `/iscsi create ${iqn}`,
    '/ saveconfig',
  );
});

const now = () => JSON.stringify(dumpTree(shell.host.root.tree));
const saveFile = () => join(shell.directory, 'saveconfig.json');

test('diff: what came, went and changed since the file was written; as data; secrets are not shown', async () => {
  expect(await shell.run('diff')).toBe(`Nothing differs from ${saveFile()}\n`);
  await shell.run(
    `${tpg}/luns create /backstores/fileio/f0`,
    `${tpg}/acls create ${client} false`,
    `${tpg}/acls/${client} set auth password=verysecret`,
    `${tpg} set attribute login_timeout=20`,
    `${tpg} disable`,
  );
  expect(await shell.run('diff')).toBe(
    [
      `~ ${tpg} set attribute login_timeout=20 (was 15)`,
      `+ ${tpg}/luns create storage_object=/backstores/fileio/f0 lun=0`,
      `+ ${tpg}/acls create wwn=${client}`,
      `~ ${tpg}/acls/${client} set auth password=*** (was empty)`,
      `- ${tpg} disable`,
      '',
    ].join('\n'),
  );
  const { data } = JSON.parse(await shell.run('diff --json'));
  expect(data).toMatchObject({ file: saveFile(), same: false, errors: [] });
  expect(data.differences[0]).toEqual({
    path: tpg,
    verb: 'set',
    params: { group: 'attribute', name: 'login_timeout', value: '20' },
    was: '15',
  });
  expect(JSON.stringify(data)).not.toContain('verysecret');
  await shell.run('/ saveconfig');
  expect(JSON.parse(await shell.run('diff --json')).data).toMatchObject({ same: true, differences: [] });
});

test('diff with another file: a backup, one of LIO without what it leaves out, one with what is not understood', async () => {
  const backup = join(shell.directory, 'old.json.gz');
  writeFileSync(backup, gzipSync(readFileSync(saveFile())));
  await shell.run('/backstores/ramdisk create rd0 1M');
  expect(await shell.run(`diff ${backup}`)).toBe('+ /backstores/ramdisk create name=rd0 size=1048576\n');
  const saved = JSON.parse(readFileSync(saveFile(), 'utf8'));
  const { wwn: _, alua_tpgs: __, ...object } = saved.storage_objects[0];
  const other = join(shell.directory, 'other.json');
  writeFileSync(other, JSON.stringify({ ...saved, storage_objects: [object], extra: 1 }));
  await shell.run('/backstores/ramdisk delete rd0');
  expect(await shell.run(`diff ${other}`)).toBe('~ parts that tcli keeps for the file and does not use\n');
  expect(await shell.run('diff /nosuch.json')).toMatch(/^E\| Restore file \/nosuch.json not found/);
});

test('a dry run names the change, which alone is taken back when another one was made meanwhile', async () => {
  const before = now();
  await shell.run(`${tpg}/acls create ${client}`);
  const [, name] = /^Last change \(([\da-f]{8})\):\n/.exec(await shell.run('undo dry_run=true')) ?? [];
  await shell.run('/backstores/ramdisk create meanwhile 1M');
  expect(await shell.run(`undo ${name}`)).toContain(`Change ${name}:\n  ${tpg}/acls create wwn=${client}\n`);
  expect(await shell.run('/backstores/ramdisk ls')).toContain('meanwhile');
  await shell.run('/backstores/ramdisk delete meanwhile');
  expect(now()).toBe(before);
  expect(await shell.run(`undo ${name}`)).toContain(`There is no change ${name} that could be taken back.`);
});

test('undo takes back what one line did, all of it; again, the line before; then nothing is left', async () => {
  const before = now();
  await shell.run(`${tpg}/luns create /backstores/fileio/f0`);
  const between = now();
  await shell.run(`${tpg}/acls create ${client}`);
  const said = await shell.run('undo');
  expect(said.replace(/[\da-f]{8}/, 'NAME')).toBe(
    [
      'Last change (NAME):',
      `  ${tpg}/acls create wwn=${client}`,
      `  ${tpg}/acls/${client} create mapped_lun=0 tpg_lun=0 write_protect=false`,
      'To take it back:',
      `  ${tpg}/acls delete wwn=${client}`,
      'The change was taken back.',
      '',
    ].join('\n'),
  );
  expect(now()).toBe(between);
  await shell.run('undo');
  expect(now()).toBe(before);
  expect(await shell.run('undo', 'undo', 'undo')).toMatch(/E\| Nothing to undo/);
});

test('undo goes on in the next process, and what it did comes back like any other change', async () => {
  const before = now();
  await shell.run(`${tpg}/luns create /backstores/fileio/f0`, '/backstores/fileio delete f0');
  for (const left of [2, 1]) {
    await shell.close();
    shell = await ownShell({ directory: shell.directory });
    expect(await shell.run('undo'), `${left} changes left`).toContain('was taken back');
  }
  expect(now()).toBe(before);
  await shell.close();
  shell = await ownShell({ directory: shell.directory });
  expect(now()).toBe(before);
});

test('a whole configuration that was cleared comes back, with what was never saved', async () => {
  await shell.run(
    `${tpg}/luns create /backstores/fileio/f0`,
    `${tpg}/acls create ${client}`,
    `${tpg}/acls tag ${client} web`,
    `${tpg}/acls/web set auth userid=me password=secret`,
    '/backstores/fileio/f0/alua create g1 1',
    `${tpg}/luns/lun0 set alua alua_tg_pt_gp_name=g1`,
  );
  const before = now();
  await shell.run('clearconfig confirm=true', 'undo');
  const same = (text: string) => text.replace(/"relative_port_id":\d+/g, '');
  expect(same(now())).toBe(same(before));
});

test('the contents of a ramdisk are gone: undo brings all else back, says so, and serves no zeros in its place until reopen', async () => {
  await shell.run(
    '/backstores/ramdisk create rd0 1M',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd0`,
  );
  await shell.run('/ saveconfig');
  await shell.host.root.start();
  const before = now();
  await shell.run('clearconfig confirm=true');
  const said = await shell.run('undo');
  expect(said).toContain('What /backstores/ramdisk/rd0 held in memory is gone');
  expect(said).toContain('The change was taken back.');
  expect(now()).toBe(before);
  const rd0 = shell.host.root.tree.storageObject('/backstores/ramdisk/rd0')!;
  expect(rd0.missing).toContain('what it held in memory went when it was deleted');
  await shell.run('/backstores/ramdisk/rd0 reopen');
  expect([rd0.missing, rd0.size]).toEqual([undefined, 1 << 20]);
  // A ramdisk that is made again was empty when it was made.
  await shell.run('/backstores/ramdisk create rd1 1M', 'undo');
  expect(await shell.run('redo')).not.toContain('is gone');
  expect(shell.host.root.tree.storageObject('/backstores/ramdisk/rd1')?.missing).toBeUndefined();
});

test('changes of several hands are kept apart', async () => {
  const gone = now();
  // A change of another program, written between the two operations of this one.
  const create = (path: string, params: Record<string, string | number>, of: string) =>
    shell.host.root.apply({ path, verb: 'create', params }, false, { of });
  await create('/iscsi', { wwn: 'iqn.2003-01.org.example:t2' }, 'mine');
  await create('/iscsi/iqn.2003-01.org.example:t2', { tag: 1 }, 'other');
  await create('/iscsi', { wwn: 'iqn.2003-01.org.example:t3' }, 'mine');
  expect(await shell.run('undo')).toContain('/iscsi/iqn.2003-01.org.example:t2 delete tag=1');
  expect(await shell.run('undo')).toContain('/iscsi delete wwn=iqn.2003-01.org.example:t3');
  expect(now()).toBe(gone);
});

test('while it is served, a target comes back with all that was in it; before the first save, all is new', async () => {
  const fresh = await ownShell();
  await fresh.run(`/iscsi create ${iqn}`, `${tpg}/acls create ${client}`, `${tpg} disable`);
  await fresh.host.root.start();
  const before = JSON.stringify(dumpTree(fresh.host.root.tree));
  await fresh.run(`/iscsi delete ${iqn}`);
  expect(await fresh.run('undo')).toContain('The change was taken back.');
  expect(JSON.stringify(dumpTree(fresh.host.root.tree)).replace(/"relative_port_id":\d+/, '')).toBe(
    before.replace(/"relative_port_id":\d+/, ''),
  );
  expect(await fresh.run('diff')).toMatch(/^\+ \/iscsi create/);
});

test('a size that changed is seen by diff; undo neither takes away what lies there nor says that it could bring it back', async () => {
  const f0 = '/backstores/fileio/f0';
  await shell.run(`${f0} resize 2M`);
  expect(await shell.run('diff')).toBe(`~ ${f0} resize size=2097152 (was 1048576)\n`);
  expect(await shell.run('undo')).toBe(
    [
      `E| The change cannot be taken back: ${f0} would be smaller again, and what lies beyond 1048576 bytes would be lost.`,
      `E| If nothing there is needed: ${f0} resize 1048576 force=true`,
      '',
    ].join('\n'),
  );
  await shell.run('/ saveconfig', `${f0} resize 1M force=true`);
  expect(await shell.run('diff')).toBe(`~ ${f0} resize size=1048576 force=true (was 2097152)\n`);
  expect(await shell.run('undo')).toBe(
    [
      `E| The change cannot be taken back: what ${f0} held beyond 1048576 bytes is gone.`,
      `E| To have the size again, with zeros there: ${f0} resize 2097152`,
      '',
    ].join('\n'),
  );
});

test('a saved size that is not the file’s: the file stays, the storage object has the size that was saved, or none', async () => {
  const f0 = '/backstores/fileio/f0';
  await shell.run(`${f0} resize 2M`);
  expect(await shell.run('restoreconfig clear_existing=true dry_run=true')).toContain(
    `~ ${f0} resize size=1048576 force=true (was 2097152)\n`,
  );
  await shell.run('restoreconfig clear_existing=true');
  expect(shell.host.root.tree.storageObject(f0)?.config['size']).toBe(1 << 20);
  expect(statSync(join(shell.directory, 'f0.img')).size).toBe(2 << 20);
});

test('in a terminal undo asks; dry_run only shows; somebody else’s change in between is seen', async () => {
  const asking = shell.another({ cwd: '/' });
  asking.session.setTerminal({ columns: 80, color: false, interactive: true });
  await shell.run(`${tpg}/luns create /backstores/fileio/f0`);
  const before = now();
  expect(await shell.run('undo dry_run=true')).not.toContain('was taken back');
  await asking.run('undo');
  expect(asking.questions).toEqual([{ kind: 'confirm', message: 'Take it back?' }]);
  expect(now()).toBe(before);
  const last = await shell.host.history.last();
  await shell.run('/iscsi create iqn.2003-01.org.example:t2');
  await expect(shell.host.history.take(last!)).rejects.toThrow('Something else was changed meanwhile.');
});

test('restoreconfig of what is there already leaves everything as it is; of anything else, it begins anew', async () => {
  await shell.run('/backstores/ramdisk create rd0 1M', '/ saveconfig');
  const ramdisk = () => shell.host.root.tree.storageObject('/backstores/ramdisk/rd0');
  const before = ramdisk();
  const restored = `Configuration restored from ${saveFile()}\n`;
  expect(await shell.run('restoreconfig clear_existing=true')).toBe(restored);
  expect(ramdisk()).toBe(before);
  expect(await shell.run('restoreconfig clear_existing=true storage_object=rd0')).toBe(restored);
  expect(ramdisk()).not.toBe(before);
  await shell.run('/backstores/ramdisk create rd1 1M');
  expect(await shell.run('restoreconfig clear_existing=true')).toBe(restored);
  expect([ramdisk() === before, ramdisk()?.wwn === before?.wwn]).toEqual([false, true]);
});

test('restoreconfig dry_run: says that sessions would end where they would', async () => {
  await shell.run('/backstores/ramdisk create rd0 1M', '/ saveconfig');
  await shell.host.root.start();
  const rehearsed = (words: string) => shell.run(`restoreconfig clear_existing=true dry_run=true ${words}`);
  expect(await rehearsed('')).not.toContain('All sessions would end');
  expect(await rehearsed('storage_object=rd0')).toContain('All sessions would end');
});

test('restoreconfig dry_run: what it would do, and what it would refuse; nothing is done', async () => {
  await shell.run(`${tpg}/luns create /backstores/fileio/f0`, '/backstores/ramdisk create rd0 1M');
  const before = now();
  expect(await shell.run('restoreconfig clear_existing=true dry_run=true')).toBe(
    [
      `- ${tpg}/luns delete lun=0`,
      '- /backstores/ramdisk delete name=rd0',
      `${saveFile()} would change this. Nothing was changed.`,
      '',
    ].join('\n'),
  );
  expect(await shell.run('restoreconfig dry_run=true')).toMatch(/^E\| storageobject 'fileio:f0' exist not restoring/);
  expect(now()).toBe(before);
});
