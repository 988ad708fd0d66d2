// The ways in from a Unix shell: words, -c, -f, standard input; exit statuses and streams. Not tested here: the commands.

import { existsSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { configure, iqn, run, tcli, temporaryDirectory } from '../support/tcli.ts';

it('one command in many words or in one, from /', async () => {
  const home = temporaryDirectory();
  expect(await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '16M'])).toEqual({
    status: 0,
    stdout: 'Created ramdisk rd0 with size 16M.\n',
    stderr: '',
  });
  expect(await tcli(home, ['/backstores/ramdisk create rd1 16M'])).toMatchObject({ status: 0 });
  await tcli(home, ['cd', '/iscsi']);
  expect(await tcli(home, ['pwd'])).toMatchObject({ stdout: '/\n' });
});

it('a wrong one: status 1, the reason on standard error, nothing on standard output', async () => {
  const home = temporaryDirectory();
  const result = await tcli(home, ['/nosuch', 'ls']);
  expect(result).toMatchObject({ status: 1, stdout: '' });
  expect(result.stderr).toMatch(/^No such path \/nosuch\n/);
  expect(await tcli(home, ['--nosuch'])).toMatchObject({
    status: 1,
    stderr: 'Unknown option --nosuch\nSee: tcli --help\n',
  });
  expect(await tcli(home, ['-c', 'ls', 'ls'])).toMatchObject({ status: 1 });
  expect(await tcli(home, ['-c'])).toMatchObject({ status: 1 });
});

it('-c starts where the last session left off, so that a relative line works after a cd', async () => {
  const home = temporaryDirectory();
  await configure(
    home,
    `/backstores/fileio create disk0 ${home}/disk0.img 16M`,
    `/iscsi create ${iqn}`,
    `cd /iscsi/${iqn}/tpg1`,
  );
  expect(await tcli(home, ['-c', 'luns/ create /backstores/fileio/disk0'])).toEqual({
    status: 0,
    stdout: 'Created LUN 0.\n',
    stderr: '',
  });
  expect(await tcli(home, ['--cwd', '/iscsi', '-c', 'pwd'])).toMatchObject({ stdout: '/iscsi\n' });
});

it('-c lines run in order and stop at the first error', async () => {
  const home = temporaryDirectory();
  const result = await tcli(home, [
    '-c',
    '/backstores/ramdisk create a 1M',
    '-c',
    'nosuch',
    '-c',
    '/backstores/ramdisk create b 1M',
  ]);
  expect(result.status).toBe(1);
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toMatch(/ a /);
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).not.toMatch(/ b /);
});

it('standard input: comments and blank lines; an error goes on and makes the status 1; the end saves', async () => {
  const home = temporaryDirectory();
  const good = await tcli(home, [], '# a comment\n\ncd /backstores/ramdisk\ncreate a 1M\n   # another\ncreate b 1M\n');
  expect(good).toMatchObject({ status: 0, stderr: '' });
  expect(good.stdout).toContain(`Configuration saved to ${home}/saveconfig.json\n`);
  const bad = await tcli(home, [], 'cd /backstores/ramdisk\nnosuch\ncreate c 1M');
  expect(bad.status).toBe(1);
  expect(bad.stderr).toContain('Command not found nosuch');
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toMatch(/ c /);
});

it('called targetcli, a script on standard input has a banner and a prompt before each answer', async () => {
  const home = temporaryDirectory();
  const called = join(home, 'targetcli');
  await symlink(resolve('shell/bin/tcli'), called);
  const { status, stdout } = await run(called, ['--home', home], { input: 'cd /iscsi\npwd\n' });
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^tcli shell version \S+\nFor help on commands, type 'help'.\n\n\/> \/iscsi> \/iscsi\n\/iscsi> exit\nGlobal pref/,
  );
});

it('called targetcli, a line that failed leaves the status 0, since scripts of its users stop at another one', async () => {
  const home = temporaryDirectory();
  const called = join(home, 'targetcli');
  await symlink(resolve('shell/bin/tcli'), called);
  const { status, stderr } = await run(called, ['--home', home], {
    input: 'nosuch\n/backstores/ramdisk create a 1M\n',
  });
  expect([status, stderr]).toEqual([0, expect.stringContaining('Command not found nosuch')]);
});

it('called targetctl, it has the words of that one, and says them to others', async () => {
  const home = temporaryDirectory();
  const called = join(home, 'targetctl');
  await symlink(resolve('shell/bin/tcli'), called);
  const targetctl = (...words: string[]) => run(called, words, { env: { TCLI_HOME: home } });
  await tcli(home, ['/backstores/ramdisk', 'create', 'a', '1M']);
  expect((await targetctl('save')).status).toBe(0);
  expect((await targetctl('clear')).status).toBe(0);
  expect((await targetctl('restore')).status).toBe(0);
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toMatch(/ a /);
  for (const words of [[], ['--help'], ['ls'], ['save', 'a', 'b'], ['clear', 'x']])
    expect(await targetctl(...words)).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('targetctl restore ['),
    });
});

it('a word that the Unix shell has quoted is a value, whatever characters it has', async () => {
  const home = temporaryDirectory();
  const { tpg, secrets } = {
    tpg: '/iscsi/iqn.2003-01.org.example:disk/tpg1',
    secrets: ['Xk^9{q}|mT', `a"b'c\\d;<e>`, 'grün €'],
  };
  await tcli(home, ['/iscsi', 'create', 'iqn.2003-01.org.example:disk']);
  for (const secret of secrets) {
    expect(await tcli(home, [tpg, 'set', 'auth', `password=${secret}`])).toMatchObject({ status: 0, stderr: '' });
    expect((await tcli(home, [tpg, 'get', 'auth', 'password'])).stdout).toBe(`password=${secret} \n`);
  }
});

it('a word with blanks is a line where a command may stand, and a value behind one', async () => {
  const home = temporaryDirectory();
  const disk = join(home, 'my disk.img');
  expect(await tcli(home, ['/backstores/fileio', 'create', 'x1', disk, '1M'])).toMatchObject({ status: 0, stderr: '' });
  expect(existsSync(disk)).toBe(true);
  expect(await tcli(home, ['/backstores/fileio delete x1'])).toMatchObject({ status: 0 });
  expect(await tcli(home, ['/backstores/fileio', `create x2 "${disk}" 1M`])).toMatchObject({ status: 0, stderr: '' });
});

it('--json is an option of the program, or a word of the line', async () => {
  const home = temporaryDirectory();
  const answer = { tcli: 1, command: 'pwd', path: '/iscsi', data: '/iscsi' };
  for (const words of [
    ['--json', '/iscsi', 'pwd'],
    ['/iscsi', 'pwd', '--json'],
    ['--json', '-c', '/iscsi pwd'],
  ])
    expect(JSON.parse((await tcli(home, words)).stdout)).toEqual(answer);
  expect(JSON.parse((await tcli(home, ['daemon', 'status', '--json'])).stdout).data).toEqual({ running: false });
  expect(await tcli(home, ['--json'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^--json needs a command/),
  });
});

it('-f runs a file and stops at the first error', async () => {
  const home = temporaryDirectory();
  const file = join(home, 'script');
  await writeFile(file, '/backstores/ramdisk create a 1M\nnosuch\n/backstores/ramdisk create b 1M\n');
  expect((await tcli(home, ['-f', file])).status).toBe(1);
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).not.toMatch(/ b /);
  expect(await tcli(home, ['-f', join(home, 'absent')])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('no such file'),
  });
});

it('help and version are answers, not errors', async () => {
  const home = temporaryDirectory();
  expect(await tcli(home, ['--help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: tcli') });
  expect(await tcli(home, ['--version'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^tcli version \d/),
  });
});

it('a home that cannot be made is an error in words', async () => {
  const file = join(temporaryDirectory(), 'file');
  await writeFile(file, '');
  const { status, stderr } = await tcli(join(file, 'home'), ['ls']);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Cannot make .*\/file\/home: not a directory\nChoose another place with --home DIR/);
  // Node's recursive mkdir never comes back from there.
  expect(await tcli('/proc/nowhere', ['ls'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('no such file'),
  });
});

it('an error of a script names file and line; whether the rest runs can be said', async () => {
  const home = temporaryDirectory();
  const file = join(home, 's.tcli');
  await writeFile(
    file,
    '# disks\n/backstores/ramdisk create a 1M\n\n/backstores/ramdisk create a 1M\n/backstores/ramdisk create b 1M\n',
  );
  const stopped = await tcli(home, ['-f', file]);
  expect(stopped).toMatchObject({ status: 1, stderr: `${file}:4: Storage object ramdisk/a exists\n` });
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).not.toContain('o- b ');
  const gone = await tcli(home, ['--on-error', 'continue', '-f', file]);
  expect(gone.stderr).toContain(
    `${file}:2: Storage object ramdisk/a exists\n${file}:4: Storage object ramdisk/a exists\n`,
  );
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toContain('o- b ');
  const piped = await tcli(home, ['--on-error=stop'], 'pwd\nnosuch\npwd\n');
  expect(piped).toMatchObject({ status: 1, stdout: '/\n' });
  expect(piped.stderr).toContain('stdin:2: Command not found nosuch');
});

it('one word is a line, with ; and |; a word among others that the Unix shell quoted is a value', async () => {
  const home = temporaryDirectory();
  expect((await tcli(home, ['cd /iscsi; pwd'])).stdout).toBe('/iscsi\n');
  expect((await tcli(home, ['-c', 'ls /backstores | grep -c ramdisk'])).stdout).toBe('1\n');
  expect(await tcli(home, ['bookmarks', 'add', 'a; / clearconfig confirm=true'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("'a; / clearconfig confirm=true' cannot be a bookmark."),
  });
});

it('behind a command of the shell, --help is its help', async () => {
  const home = temporaryDirectory();
  expect((await tcli(home, ['daemon', 'start', '--help'])).stdout).toContain('--metrics [ADDRESS:]PORT');
  expect(await tcli(home, ['ls', '--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('ls [path] [depth]'),
  });
  expect((await tcli(home, ['/backstores/fileio', 'create', '--help'])).stdout).toContain('file_or_dev');
});
