/**
 * The effect of lines, through a ShellSession on a real tree that serves nothing: messages of success and failure, paths, history,
 * settings. Not tested here: reading a line (command-line.test.ts), drawing (tree-drawing.test.ts).
 */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { backstores } from '../../../src/index.ts';
import { ownShell, type TestShell } from '../../support/own-shell.ts';

let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
});

/** The first line of what a line prints: targetcli's own text. */
const first = async (line: string) => (await shell.run(line)).split('\n', 1)[0];

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const withTarget = () => shell.run(`/iscsi create ${iqn}`);
const withLun = () =>
  shell.run('/backstores/ramdisk create rd0 16M', `/iscsi create ${iqn}`, `${tpg}/luns create /backstores/ramdisk/rd0`);

describe('as targetcli: the signature of a command', () => {
  test.each([
    ['/backstores/ramdisk create a name=b', 'E| Duplicate parameter name.'],
    ['pwd x', 'E| Got 1 positionnal parameters, expected exactly 0.'],
    ['ls a b c', 'E| Got 3 positionnal parameters, expected at most 2.'],
    ['/backstores/ramdisk create x', 'E| Missing required parameter size'],
    ['/backstores/fileio create', "E| Missing required parameters 'file_or_dev', 'name'"],
    ['ls foo=1', "E| Unexpected keyword parameter 'foo'."],
    ['ls foo=1 baz=2', "E| Unexpected keyword parameters 'baz', 'foo'."],
    ['set attribute a', 'E| Got 2 positionnal parameters, expected at most 1.'],
    ['/backstores/ramdisk create r 1.5M', 'E| Cannot interpret size, wrong format: 1.5M'],
    ['/backstores/ramdisk create r 1M maybe', "E| Syntax error, 'maybe' is not true|false."],
  ])('%s', async (line, message) => {
    expect(await first(line)).toBe(message);
  });

  test('the last of two identical keywords wins', async () => {
    expect(await shell.run('ls depth=x depth=-1')).toMatch(/^o- \/ \.+ \[\.\.\.\]\n$/);
  });
});

describe('paths', () => {
  test.each([
    ['/nosuch ls', 'E| No such path /nosuch'],
    ['ls /backstores/nosuch', 'E| No such path /backstores/nosuch'],
    ['@nosuch ls', 'E| No such bookmark nosuch'],
    ['nosuch', 'E| Command not found nosuch'],
    ['iscsi ls', 'E| Command not found iscsi'],
    ['/iscsi/* ls', 'E| Nothing matches /iscsi/*'],
    ['-x', 'E| Command not found -x'],
  ])('%s', async (line, message) => {
    expect(await first(line)).toBe(message);
  });

  test('the unreadable part is marked under the line', async () => {
    expect(await shell.run('set global logfile=a|b')).toBe(
      [
        'E| Syntax error near |b',
        'E|   set global logfile=a|b',
        'E|                       ^^',
        'E| Put "quotes" around a value that has such characters.',
        '',
      ].join('\n'),
    );
  });

  test('a path alone goes there; slashes, dots and the parent of the root are as in a file system', async () => {
    expect(await shell.run('/backstores//ramdisk/', 'pwd', '../fileio/.', 'pwd', '/', '..', 'pwd')).toBe(
      '/backstores/ramdisk\n/backstores/fileio\n/\n',
    );
  });

  test('* runs on every child, its path before it', async () => {
    expect(await shell.run('cd /backstores', '* status')).toBe(
      backstores
        .map(({ name }) => name)
        .map((kind) => `[/backstores/${kind}]\nStatus for /backstores/${kind}: Storage Objects: 0\n`)
        .join(''),
    );
  });

  test('blank lines and comments do nothing', async () => {
    expect(await shell.run('', '   ', '# ls', '  # é |')).toBe('');
  });

  test('a current path that somebody else deleted becomes the nearest that is left', async () => {
    const other = shell.another();
    await withTarget();
    await shell.run(`cd ${tpg}/luns`);
    await other.run(`/iscsi delete ${iqn}`);
    expect(shell.session.state).toMatchObject({ path: '/iscsi', prompt: '/iscsi> ' });
  });

  test('sessions on one host share the tree and keep their own place', async () => {
    const other = shell.another();
    await shell.run('cd /backstores/ramdisk', 'create rd0 1M');
    expect(await other.run('pwd', '/backstores/ramdisk/rd0 status')).toBe(
      '/\nStatus for /backstores/ramdisk/rd0: (1.0MiB) deactivated\n',
    );
  });
});

describe('as targetcli: history and bookmarks', () => {
  test('cd < and cd > walk what was visited', async () => {
    expect(
      await shell.run(
        'cd /backstores',
        'cd /iscsi',
        'cd <',
        'pwd',
        'cd <',
        'cd <',
        'cd >',
        'pwd',
        'cd >',
        'cd >',
        'pwd',
      ),
    ).toBe(
      [
        'Taking you back to /backstores.',
        '/backstores',
        'Taking you back to /.',
        'Reached begining of path history.',
        'Taking you back to /backstores.',
        '/backstores',
        'Taking you back to /iscsi.',
        'Reached the end of path history.',
        '/iscsi',
        '',
      ].join('\n'),
    );
  });

  test('a normal cd forgets what came after', async () => {
    expect(await shell.run('cd /backstores', 'cd /iscsi', 'cd <', 'cd /loopback', 'cd >', 'cd <', 'pwd')).toBe(
      'Taking you back to /backstores.\nReached the end of path history.\nTaking you back to /backstores.\n/backstores\n',
    );
  });

  test('bookmarks are made, listed, gone to, used as paths and forgotten', async () => {
    expect(await shell.run('bookmarks show', '/iscsi bookmarks add isc', 'bookmarks add here', 'bookmarks show')).toBe(
      [
        '\nBOOKMARKS\n=========\n\nNo bookmarks yet.',
        'Bookmarked /iscsi as isc.',
        'Bookmarked / as here.',
        '\nBOOKMARKS\n=========\n\nisc\n---\n/iscsi\n\nhere\n----\n/',
        '',
      ].join('\n'),
    );
    expect(await shell.run('bookmarks go isc', 'pwd', '@here pwd', 'bookmarks del isc', 'bookmarks add here')).toBe(
      '/iscsi\n/\nDeleted bookmark isc.\nE| Bookmark here already exists.\n',
    );
  });

  test('bookmarks and the shell go along with what is renamed or moved, back again by undo, and not with a line that failed', async () => {
    await withTarget();
    const wwn = tpg.split('/')[2];
    await shell.run('/backstores/ramdisk create rd0 1M', `${tpg}/luns create /backstores/ramdisk/rd0`);
    await shell.run(
      ...[`${tpg}/luns/lun0 bookmarks add lun`, `${tpg}/portals/0.0.0.0:3260 bookmarks add way`],
      ...['/backstores/ramdisk/rd0 bookmarks add disk', `${tpg}/luns bookmarks add luns`, 'cd @lun'],
    );
    const places = () => shell.run('pwd', '@lun pwd', '@way pwd', '@disk pwd', '@luns pwd');
    const before = await places();
    await shell.run(`/iscsi/${wwn} rename ${wwn}-db`, '/backstores/ramdisk/rd0 rename db');
    const base = `/iscsi/${wwn}-db/tpg1`;
    await shell.run(`${base}/luns/lun0 move 5`, `${base}/portals/0.0.0.0:3260 move ip_port=3261`);
    const after = [
      ...[`${base}/luns/lun5`, `${base}/luns/lun5`, `${base}/portals/0.0.0.0:3261`],
      ...['/backstores/ramdisk/db', `${base}/luns`, ''],
    ].join('\n');
    expect(await places()).toBe(after);
    expect(await shell.run(`/iscsi/${wwn}-db rename ''`, '/backstores/ramdisk/* rename x y')).toMatch(/^E\|/);
    expect(await places()).toBe(after);
    await shell.run('/ undo', '/ undo', '/ undo', '/ undo');
    expect(await places()).toBe(before);
    await shell.run('/ redo', '/ redo', '/ redo', '/ redo');
    expect(await places()).toBe(after);
  });

  test.each([
    ['bookmarks', 'E| Missing required parameter action'],
    ['bookmarks add', "E| Syntax error, see 'help bookmarks'."],
    ['bookmarks frob x', "E| Syntax error, see 'help bookmarks'."],
    ['bookmarks del x', 'E| No such bookmark x.'],
    ['bookmarks go x', 'E| No such bookmark x.'],
  ])('%s', async (line, message) => {
    expect(await first(line)).toBe(message);
  });

  test('@last is the object that was created last', async () => {
    await withTarget();
    expect(await shell.run('@last pwd', '/backstores/ramdisk create rd0 1M', '@last pwd')).toBe(
      `${tpg}\nCreated ramdisk rd0 with size 1M.\n/backstores/ramdisk/rd0\n`,
    );
  });

  test('auto_cd_after_create goes to it', async () => {
    await shell.run('set global auto_cd_after_create=true');
    expect(await shell.run('/backstores/ramdisk create rd0 1M', 'pwd')).toBe(
      'Created ramdisk rd0 with size 1M.\nEntering new node /backstores/ramdisk/rd0\n/backstores/ramdisk/rd0\n',
    );
  });

  test('cd alone asks whoever sits at a terminal, and nobody else', async () => {
    expect(await first('cd')).toBe('E| cd needs a path here.');
    shell.session.setTerminal({ columns: 80, color: false, interactive: true });
    shell.answer = '/backstores/ramdisk';
    await shell.run('cd /iscsi', 'cd');
    expect(shell.session.state.path).toBe('/backstores/ramdisk');
    expect(shell.questions[0]).toMatchObject({ kind: 'select', initial: '/iscsi' });
    expect(shell.questions[0]).toHaveProperty('choices.2', { value: '/backstores/block', label: '  | o- block' });
    shell.answer = null;
    await shell.run('cd');
    expect(shell.session.state.path).toBe('/backstores/ramdisk');
  });
});

describe('as targetcli: get and set', () => {
  test.each([
    ['get global color_mode prompt_length', 'color_mode=true \nprompt_length=30 \n'],
    ['get nosuch', 'E| Unknown configuration group: nosuch\nE| Groups here: global\n'],
    ['get global nosuch', "E| No parameter 'nosuch' in group 'global'.\nE| See: get global\n"],
    ['set global nosuch=1', "E| Unknown parameter nosuch in group 'global'.\nE| See: set global\n"],
    ['set global color_mode=maybe', "E| Not setting color_mode! Syntax error, 'maybe' is not true|false.\n"],
    ['set global color_mode=FALSE', "Parameter color_mode is now 'false'.\n"],
    ['set global tree_max_depth=x', "E| Not setting tree_max_depth! Syntax error, 'x' is not a NUMBER.\n"],
    ['set global tree_max_depth=', "Parameter tree_max_depth is now 'n/a'.\n"],
    [
      'set global loglevel_console=x',
      "E| Not setting loglevel_console! Syntax error, 'x' is not critical|error|warning|info|verbose|debug\n",
    ],
    [
      'set global color_path=x',
      "E| Not setting color_path! Syntax error, 'x' is not black|red|green|yellow|blue|magenta|cyan|white|default\n",
    ],
    [
      'set global color_default=x',
      "E| Not setting color_default! Syntax error, 'x' is not black|red|green|yellow|blue|magenta|cyan|white|none\n",
    ],
    ['get', '\nAVAILABLE CONFIGURATION GROUPS\n==============================\nglobal\n'],
  ])('%s', async (line, output) => {
    expect(await shell.run(line)).toBe(output);
  });

  test('the first setting that fails ends it; those before stay', async () => {
    await withTarget();
    expect(await shell.run(`${tpg} set parameter InitialR2T=no MaxBurstLength=1 ImmediateData=No`)).toBe(
      "Parameter InitialR2T is now 'No'.\nE| Cannot set parameter MaxBurstLength: [Errno 22] Invalid argument\nE| MaxBurstLength must be between 512 and 16777215.\n",
    );
    expect(await shell.run(`${tpg} get parameter InitialR2T ImmediateData`)).toBe(
      'InitialR2T=No \nImmediateData=Yes \n',
    );
  });

  test('groups of a node are listed in order, settings by name, read-only ones as such and not to be set', async () => {
    await withLun();
    expect(await shell.run(`${tpg} get`)).toContain('\nglobal parameter attribute auth\n');
    expect(await shell.run('/backstores/ramdisk/rd0 get attribute hw_block_size block_size')).toBe(
      'hw_block_size=512 [ro]\nblock_size=512 \n',
    );
    expect(await first('/backstores/ramdisk/rd0 set attribute hw_block_size=1')).toBe(
      'E| Parameter hw_block_size is read-only.',
    );
    const listed = (await shell.run(`${tpg} get auth`)).split('\n').filter((line) => line.endsWith('='));
    expect(listed).toEqual(['=================', 'mutual_password=', 'mutual_userid=', 'password=', 'userid=']);
  });

  test('userid= password=x sets the one and clears the other', async () => {
    await withTarget();
    expect(await shell.run(`${tpg} set auth userid= password="a b|c"`)).toBe(
      "Parameter userid is now ''.\nParameter password is now '***'.\n",
    );
  });

  test('requiring CHAP is seen in AuthMethod', async () => {
    await withTarget();
    expect(await shell.run(`${tpg} set attribute authentication=1`, `${tpg} get parameter AuthMethod`)).toBe(
      "Parameter authentication is now '1'.\nAuthMethod=CHAP \n",
    );
  });
});

describe('messages', () => {
  test('color_mode=false puts the level before a message, and not before output', async () => {
    await shell.run('set global color_mode=false');
    expect(await shell.run('/iscsi status', 'pwd', 'nosuch')).toMatch(
      /^Info: Status for \/iscsi: Targets: 0\n\/\nE\| Error: Command not found nosuch\n/,
    );
  });

  test('loglevel_console=error silences what is less serious', async () => {
    await shell.run('set global loglevel_console=error');
    expect(await shell.run('/iscsi status', 'pwd', 'nosuch')).toMatch(/^\/\nE\| Command not found nosuch\n/);
  });

  test('on a terminal messages are green, errors red, hints plain', async () => {
    shell.session.setTerminal({ columns: 80, color: true, interactive: true });
    expect(await shell.run('/iscsi status')).toBe('\x1b[32mStatus for /iscsi: Targets: 0\x1b[0m\n');
    expect(await shell.run('iscsi')).toBe(
      'E| \x1b[31mCommand not found iscsi\x1b[0m\nE| iscsi is a node: iscsi/ ls, or cd iscsi\n',
    );
  });

  test('bare errors have neither colour nor prefix', async () => {
    const bare = shell.another({ bareErrors: true });
    bare.session.setTerminal({ columns: 80, color: true, interactive: false });
    expect(await bare.run('iscsi')).toMatch(/^E\| Command not found iscsi\n/);
  });

  test('logfile keeps messages, and not what was typed', async () => {
    const file = join(shell.directory, 'log.txt');
    await shell.run(`set global logfile=${file}`, '/iscsi status', 'nosuch secret', 'pwd');
    expect(readFileSync(file, 'utf8').replace(/\d{4}-\S+ \S+/g, 'WHEN')).toBe(
      '[INFO] WHEN Status for /iscsi: Targets: 0\n[ERROR] WHEN Command not found nosuch\n',
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('a bug is told as one, and the session goes on', async () => {
    const broken = { change: () => Promise.reject(new TypeError('x is undefined')) };
    Object.assign(shell.host.root, broken);
    expect(await shell.run('/iscsi create', 'pwd')).toBe('E| internal error: x is undefined\n/\n');
  });

  test('an interrupted line does nothing', async () => {
    const interrupted = AbortSignal.abort();
    const said: string[] = [];
    const result = await shell.session.run(
      '/backstores/ramdisk create rd0 1M',
      { write: (text) => said.push(text), ask: async () => null },
      interrupted,
    );
    expect([result, said]).toEqual([{ ok: false, exit: false }, ['Interrupted.\n']]);
    expect(shell.host.root.tree.storageObject('/backstores/ramdisk/rd0')).toBeUndefined();
  });
});
