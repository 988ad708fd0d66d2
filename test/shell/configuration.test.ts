/**
 * The configuration as a whole, by lines: exit, clearconfig, saveconfig, restoreconfig, sessions.
 * Not tested here: the saved file itself (test/saved/saveconfig.test.ts).
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
});

/** The first line of what a line prints: targetcli's own text. */
const first = async (line: string) => (await shell.run(line)).split('\n', 1)[0];

const iqn = 'iqn.2003-01.org.example:t1';
const client = 'iqn.1994-05.com.redhat:client1';
const tpg = `/iscsi/${iqn}/tpg1`;
const withLun = () =>
  shell.run('/backstores/ramdisk create rd0 16M', `/iscsi create ${iqn}`, `${tpg}/luns create /backstores/ramdisk/rd0`);

describe('exit', () => {
  test('saves when the shell is one that does', async () => {
    const saving = shell.another({ saveOnExit: true });
    const saved = join(shell.directory, 'saveconfig.json');
    expect(await saving.run('exit')).toBe(`Global pref auto_save_on_exit=true\nConfiguration saved to ${saved}\n`);
    expect(await saving.run('/backstores/ramdisk create rd0 1M', 'exit')).toBe(
      `Created ramdisk rd0 with size 1M.\nGlobal pref auto_save_on_exit=true\nLast 10 configs saved in ${join(shell.directory, 'backup')}/.\nConfiguration saved to ${saved}\n`,
    );
    expect(await saving.run('set global auto_save_on_exit=false', 'exit')).toBe(
      "Parameter auto_save_on_exit is now 'false'.\n",
    );
  });

  test('is told, and does not save otherwise', async () => {
    const sink = { write: () => {}, ask: async () => null };
    const result = await shell.session.run('exit', sink, new AbortController().signal);
    expect(result).toEqual({ ok: true, exit: true });
    expect(await first('exit now')).toBe('E| Got 1 positionnal parameters, expected exactly 0.');
  });
});

describe('configuration', () => {
  test('clearconfig wants to be meant', async () => {
    await withLun();
    const precaution = 'E| As a precaution, confirm=True needs to be set\n';
    expect(await shell.run('clearconfig', 'clearconfig false')).toBe(precaution + precaution);
    shell.session.setTerminal({ columns: 80, color: false, interactive: true });
    shell.answer = 'no';
    expect(await shell.run('clearconfig')).toBe('Nothing was removed.\n');
    expect(shell.questions).toHaveLength(1);
    expect(await shell.run('clearconfig confirm=True')).toBe('All configuration cleared\n');
    expect(shell.questions).toHaveLength(1);
    expect([...shell.host.root.tree.allStorageObjects(), ...shell.host.root.tree.targets()]).toEqual([]);
  });

  test('a saved configuration is restored', async () => {
    const file = join(shell.directory, 'other.json');
    await withLun();
    await shell.run(`${tpg}/acls create ${client}`, `${tpg}/acls tag ${client} web`);
    const parts = ['ls /backstores', 'ls /iscsi'];
    const before = await shell.run(...parts, `saveconfig ${file}`);
    await shell.run('clearconfig true');
    expect(await shell.run(`restoreconfig ${file}`)).toBe(`Configuration restored from ${file}\n`);
    expect(before).toBe(`${await shell.run(...parts)}Configuration saved to ${file}\n`);
    expect(await first(`restoreconfig ${file} clear_existing=false`)).toBe(
      "E| storageobject 'ramdisk:rd0' exist not restoring",
    );
    for (const word of ['clear_existing', 'true', 'clear_existing=1'])
      expect(await shell.run(`restoreconfig ${file} ${word}`)).toBe(`Configuration restored from ${file}\n`);
  });

  test('ls (to a person) and status say what is not in saveconfig.json yet, without secrets; saving and restoring it end that', async () => {
    await withLun();
    await shell.run('saveconfig');
    const tree = await shell.run('ls / 1');
    await shell.run('/backstores/ramdisk create rd9 1M wwn=x', `${tpg} set auth password=hidden`);
    expect(await shell.run('ls / 1')).toBe(tree);
    const count = 'Changes that are stored but not in saveconfig.json: 3';
    expect((await shell.run('status')).split('\n')).toEqual([
      'Status for /: ',
      count,
      '  /backstores/ramdisk create name=rd9 size=1M wwn=x',
      '  /backstores/ramdisk/rd9 set attribute emulate_model_alias=1',
      `  ${tpg} set auth password=***`,
      '',
    ]);
    shell.session.setTerminal({ columns: 132, color: false, interactive: true });
    expect(await shell.run('ls / 1')).toBe(`${tree}${count}\n`);
    await shell.run('restoreconfig clear_existing=true');
    expect([await shell.run('ls / 1'), await shell.run('status')]).toEqual([tree, 'Status for /: \n']);
  });

  test.each([false, true])(
    'a file that is missing is reported; with wait, it is waited for (served: %s)',
    async (served) => {
      if (served) await shell.host.root.start();
      const disk = join(shell.directory, 'disk.img');
      await shell.run(`/backstores/fileio create disk0 ${disk} 1M`, 'saveconfig', 'clearconfig true');
      renameSync(disk, `${disk}.away`);
      expect(await shell.run('restoreconfig')).toBe(
        `E| Configuration restored, 1 recoverable errors:\nE| Could not create StorageObject disk0: Could not open ${disk}: The file is gone; it had 1048576 bytes. Put it back, or delete the storage object., skipped\n`,
      );
      await shell.run('clearconfig true');
      const waiting = shell.run('restoreconfig wait=60');
      await expect.poll(() => [...shell.host.root.tree.allStorageObjects()]).toHaveLength(1);
      renameSync(`${disk}.away`, disk);
      expect(await waiting).toBe(`Configuration restored from ${join(shell.directory, 'saveconfig.json')}\n`);
      expect([...shell.host.root.tree.allStorageObjects()][0]?.volume !== undefined).toBe(served);
    },
  );

  test('a storage object that cannot be meant is missing, and everything else is shown', async () => {
    const file = join(shell.directory, 'bad.json');
    const objects = [-1, 1.5, 1e300].map((size, at) => ({ plugin: 'ramdisk', name: `rd${at}`, size, wwn: `${at}` }));
    writeFileSync(file, JSON.stringify({ storage_objects: objects }));
    expect(await first(`restoreconfig ${file}`)).toBe('E| Configuration restored, 3 recoverable errors:');
    await shell.host.root.start();
    expect(await shell.run('ls /backstores/ramdisk 1')).toMatch(
      /o- rd0 \.+ \[\(-1 bytes\) missing: A ramdisk cannot have the size -1\]\n.*rd1.* missing: .*\]\n.*rd2.* missing: .*\]\n$/,
    );
  });

  test('parts that cannot be restored are told, line by line', async () => {
    const file = join(shell.directory, 'bad.json');
    writeFileSync(file, '{"storage_objects":[{"name":"x","plugin":"nosuch"},{"plugin":"ramdisk"}]}');
    expect(await shell.run(`restoreconfig ${file}`)).toBe(
      [
        'E| Configuration restored, 2 recoverable errors:',
        "E| 'plugin' not defined or invalid in storageobject x, skipped",
        "E| 'name' not defined in storage object 1, skipped",
        '',
      ].join('\n'),
    );
  });

  test('parts of a file that are kept and not used are named where the file is saved, and where it is looked at', async () => {
    const alien = (name: string) => ({ name, plugin: 'alien' });
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const portals = [
      { ip_address: '127.0.0.1', port: 3261, iser: true, offload: false },
      { ip_address: '127.0.0.1', port: 3262, iser: false, offload: true },
    ];
    const targets = [{ fabric: 'iscsi', wwn: iqn, tpgs: [{ tag: 1, portals }] }];
    const file = join(shell.directory, 'kept.json');
    writeFileSync(file, JSON.stringify({ fabric_modules: [], storage_objects: names.map(alien), targets }));
    await shell.run(`restoreconfig ${file} true`);
    expect(await shell.run('saveconfig')).toContain(
      'Kept in it as it came, and not used here: alien/a, alien/b, alien/c, alien/d, alien/e, and 2 more\n',
    );
    for (const [port, word] of [
      [3261, 'iser'],
      [3262, 'offload'],
    ]) {
      const portal = `${tpg}/portals/127.0.0.1:${port}`;
      expect(await shell.run(`${portal} info`)).toContain(`transport: TCP; ${word} is kept in the saved file\n`);
      expect(await shell.run(`${portal} ls`)).toContain(`[${word} kept, TCP]`);
    }
  });

  test('a file that is not there, or is none', async () => {
    expect(await shell.run('restoreconfig /nosuch.json')).toBe('E| Restore file /nosuch.json not found\n');
    const file = join(shell.directory, 'bad.json');
    writeFileSync(file, '{');
    expect(await first(`restoreconfig ${file}`)).toMatch(/^E\| .*bad\.json is not valid JSON: /);
  });

  test('as targetcli: sessions, of initiators with an ACL and in demo mode', async () => {
    await withLun();
    await shell.run('/backstores/ramdisk create rd1 1M', `${tpg}/luns create /backstores/ramdisk/rd1`);
    await shell.run(`${tpg}/acls create ${client} false`, `${tpg}/acls/${client} create 7 1 1`);
    const connections = [{ cid: 0, state: 'LOGGED_IN', address: '10.0.0.9:34702', transport: 'TCP' }];
    const common = { fabric: 'iscsi', targetWwn: iqn, tpgTag: 1, type: 'Normal', state: 'LOGGED_IN', connections };
    const known = { ...common, id: 1, initiatorWwn: client, initiatorAlias: 'client1', authenticated: true, acl: true };
    const demo = { ...common, id: 2, initiatorWwn: 'iqn.x', initiatorAlias: '', authenticated: false, acl: false };
    Object.assign(shell.host.root, { sessions: () => [known, demo] });
    expect(await shell.run('sessions detail')).toBe(
      [
        'alias: client1\tsid: 1 type: Normal session-state: LOGGED_IN',
        `    name: ${client} (authenticated)`,
        '    mapped-lun: 7 backstore: ramdisk/rd1 mode: r',
        '    address: 10.0.0.9 (TCP)  cid: 0 connection-state: LOGGED_IN',
        'alias: \tsid: 2 type: Normal session-state: LOGGED_IN',
        '    name: iqn.x (NOT AUTHENTICATED)',
        '    mapped-lun: 0 backstore: ramdisk/rd0 mode: r',
        '    mapped-lun: 1 backstore: ramdisk/rd1 mode: r',
        '    address: 10.0.0.9 (TCP)  cid: 0 connection-state: LOGGED_IN',
        '',
      ].join('\n'),
    );
    expect(await shell.run('sessions list 2')).toBe('alias: \tsid: 2 type: Normal session-state: LOGGED_IN\n');
  });

  test('sessions, when there are none', async () => {
    expect(await shell.run('sessions', 'sessions detail')).toBe('(no open sessions)\n(no open sessions)\n');
    expect(await first('sessions foo')).toBe('E| action must be one of: list, detail');
    expect(await first('sessions list x')).toBe("E| sid must be a number, 'x' given");
    expect(await first('sessions list 9')).toBe('E| no session found with sid 9');
  });
});

test('as targetcli: saveconfig of a storage object merges it and its first target into a file, and leaves the rest', async () => {
  const path = join(shell.directory, 'part.json');
  const names = () => {
    const { storage_objects, targets } = JSON.parse(readFileSync(path, 'utf8'));
    return [storage_objects, targets].map((list) =>
      list.map((one: Record<string, string>) => one['name'] ?? one['wwn']),
    );
  };
  await withLun();
  await shell.run('/backstores/ramdisk create rd1 16M');
  expect(await shell.run(`/backstores/ramdisk/rd1 saveconfig ${path}`)).toBe(
    `Storage Object 'ramdisk:rd1' config saved to ${path}.\n`,
  );
  expect(names()).toEqual([['rd1'], []]);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"targets": []', '"targets": [], "theirs": 1'));
  await shell.run(`/backstores/ramdisk/rd0 saveconfig ${path}`, `/backstores/ramdisk/rd0 saveconfig ${path}`);
  expect(names()).toEqual([['rd1', 'rd0'], [iqn]]);
  expect(JSON.parse(readFileSync(path, 'utf8')).theirs).toBe(1);
});
