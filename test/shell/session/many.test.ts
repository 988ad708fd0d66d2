// One line for many nodes. What the commands do is tested where they live.

import { beforeEach, expect, it } from 'vitest';
import { ownShell, type TestShell } from '../../support/own-shell.ts';

let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
  await shell.run('set global auto_add_default_portal=false');
  for (const name of ['disk0', 'disk1', 'other']) await shell.run(`/backstores/ramdisk create ${name} 1M`);
  for (const name of ['a', 'b']) await shell.run(`/iscsi create iqn.2003-01.org.example:${name}`);
});

const disks = () => [...shell.host.root.tree.storageObjects.get('ramdisk')!.keys()];

it('runs a command at each node, and says where; a path of ls may be a pattern, too', async () => {
  expect(await shell.run('/backstores/ramdisk/disk*/ get attribute block_size')).toBe(
    '[/backstores/ramdisk/disk0]\nblock_size=512 \n[/backstores/ramdisk/disk1]\nblock_size=512 \n',
  );
  expect(await shell.run('/backstores/ramdisk/disk* info --json')).toMatch(/"disk0"[\s\S]*"disk1"/);
  expect(await shell.run('ls /iscsi/*/tpg1/luns')).toMatch(
    /^\[\S+:a\/tpg1\/luns\]\no- luns [\s\S]*\n\[\S+:b\/tpg1\/luns\]\no- luns /,
  );
});

it('a setting at many nodes is one change, all or nothing, and undone as one', async () => {
  const values = () =>
    disks().map(
      (name) => shell.host.root.tree.storageObject(`/backstores/ramdisk/${name}`)!.attributes.values.emulate_caw,
    );
  await shell.run('/iscsi/iqn.2003-01.org.example:a/tpg1/luns create /backstores/ramdisk/disk1');
  // disk1 is exported, and its block size stays: so does that of disk0.
  expect(await shell.run('/backstores/ramdisk/disk? set attribute emulate_caw=0 block_size=4096')).toContain(
    'E| /backstores/ramdisk/disk1: ',
  );
  expect(values()).toEqual([1, 1, 1]);
  await shell.run('/backstores/ramdisk/disk? set attribute emulate_caw=0');
  expect(values()).toEqual([0, 0, 1]);
  await shell.run('/ undo');
  expect(values()).toEqual([1, 1, 1]);
});

it('a line that takes things away asks once, with the whole list; no is no for all of it', async () => {
  const person = shell.another();
  person.session.setTerminal({ columns: 100, color: false, interactive: true });
  await shell.run('/iscsi/iqn.2003-01.org.example:a/tpg1/luns create /backstores/ramdisk/disk1');
  person.answer = 'no';
  expect(await person.run('/backstores/ramdisk/ delete disk*')).toBe(
    [
      '/backstores/ramdisk/ delete disk0',
      '/backstores/ramdisk/ delete disk1',
      '/backstores/ramdisk/disk1 takes /iscsi/iqn.2003-01.org.example:a/tpg1/luns/lun0 along.\n',
    ].join('\n'),
  );
  expect([disks(), person.questions.length]).toEqual([['disk0', 'disk1', 'other'], 1]);
  person.answer = 'yes';
  await person.run('/backstores/ramdisk/ delete disk*');
  expect([disks(), person.questions.length]).toEqual([['other'], 2]);
  await person.run('/ undo dry_run=true');
  await shell.run('/iscsi/ delete *');
  expect([...shell.host.root.tree.targets()]).toEqual([]);
});

it('a name that has the character is that name, quotes leave it as it is, and what matches nothing is an error that says what is there', async () => {
  await shell.run('/backstores/ramdisk create disk* 1M');
  expect(await shell.run('/backstores/ramdisk/disk*/ get attribute block_size')).toBe('block_size=512 \n');
  await shell.run('/backstores/ramdisk delete disk*');
  expect(disks()).toEqual(['disk0', 'disk1', 'other']);
  expect(await shell.run('/backstores/ramdisk/"disk*" info')).toContain('E| No such path /backstores/ramdisk/disk*');
  expect(await shell.run('/backstores/ramdisk/ delete "disk*"')).toContain('E| No storage object named disk*.');
  const nothing = await shell.run('/backstores/ramdisk/none* info');
  expect(nothing).toContain('E| Nothing matches /backstores/ramdisk/none*\n');
  expect(nothing).toContain('E| What is there: ls /backstores/ramdisk 1\n');
  expect(await shell.run('/backstores/ramdisk/ delete none?')).toContain('E| Here: disk0, disk1, other\n');
});

it('completion goes on behind a pattern with what the first of its nodes has', async () => {
  expect(await shell.complete('/backstores/ramdisk/disk*/ resi')).toEqual(['resize']);
});
