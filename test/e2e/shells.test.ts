// Interactive shells of the built program, on a real terminal: who serves, what the last one is asked, and what becomes of shells when
// the process behind them ends. Not here: what the commands do (transcripts), the keys of the line (test/shell/ui).

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { holderOf } from '../../src/durable/holder.ts';
import { homeOf } from '../../src/durable/home.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { configure, freePort, iqn, openTarget, tcli, temporaryDirectory } from '../support/tcli.ts';
import { type TerminalOptions, TestTerminal } from '../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const target = '/iscsi create iqn.2003-01.org.example:disk';

/** A home that nothing serves when the test has ended. */
function newHome(): string {
  const home = temporaryDirectory();
  // Port 3260 is other tests'.
  writeFileSync(join(home, 'preferences.json'), '{"auto_add_default_portal":false}');
  onTestFinished(async () => void (await tcli(home, ['daemon', 'stop', '--force'])));
  return home;
}

function open(home: string, options?: TerminalOptions, ...words: string[]): TestTerminal {
  const terminal = new TestTerminal(process.execPath, [program, '--home', home, ...words], options);
  onTestFinished(() => terminal.kill());
  return terminal;
}

async function shellAt(home: string, options?: TerminalOptions, ...words: string[]): Promise<TestTerminal> {
  const terminal = open(home, options, ...words);
  await terminal.until('> ▏');
  return terminal;
}

/** The process that has the home. */
const holder = (home: string) => holderOf(homeOf(home, {}, undefined));
const served = async (home: string) => (await tcli(home, ['daemon', 'status'])).status === 0;

/** A picture without what differs from run to run. */
const same = (text: string) =>
  text
    // Where a line is broken depends on the number.
    .replace(/Serv(?:ing|ed)\s[^.]*(?:\.\d[^.]*)*\(\w+\)\./g, (said) => said.replace(/\s+/g, ' '))
    .replace(/process \d+/g, 'process PID')
    .replace(/\(\w+\)\./g, '(USER).');

it('the first shell starts the process that serves, in a session of its own; those that come meanwhile wait for it', async () => {
  const home = newHome();
  const shells = [open(home), open(home), open(home)];
  for (const shell of shells) await shell.until('/> ▏');
  const { pid = 0, role } = holder(home) ?? {};
  expect(role).toBe('serve');
  expect(shells.map((shell) => shell.pid)).not.toContain(pid);
  for (const shell of shells) expect(shell.all()).toContain(`process ${pid}, started for a shell`);
  // Field 6 of proc_pid_stat(5) is the session.
  expect(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[3]).toBe(String(pid));
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
  expect(environment).toMatch(/(?:^|\0)PATH=/);
  expect(environment).not.toMatch(/(?:^|\0)(?:TERM|VITEST\w*|PWD)=/);
  expect(readFileSync(join(home, 'daemon.log'), 'utf8')).toContain('Serving 0 targets');
});

it('no shell is asked where nothing is served, and the process ends with the last shell', async () => {
  const home = newHome();
  const [one, two] = [await shellAt(home), await shellAt(home)];
  one.type('exit\r');
  expect(await one.exit()).toBe(0);
  expect(await served(home)).toBe(true);
  two.hangUp();
  await expect.poll(() => holder(home)).toBeUndefined();
});

it.each([
  ['80 columns', {}],
  ['40 columns and 15 rows', { columns: 40, rows: 15 }],
  ['160 columns', { columns: 160, rows: 50 }],
  ['no colour', { env: { NO_COLOR: '1' } }],
  ['TERM=dumb', { env: { TERM: 'dumb' } }],
] as const)('the last shell asks whether to go on serving: %s', async (_, options) => {
  const home = newHome();
  const dumb = 'env' in options && 'TERM' in options.env;
  const port = await freePort();
  await configure(home, '/backstores/ramdisk create rd0 1M', ...openTarget(port, '/backstores/ramdisk/rd0'));
  const shell = await shellAt(home, options);
  const { lost } = await connectInitiator(port, iqn, 'iqn.1994-05.com.redhat:one');
  lost.catch(() => {});
  shell.type(dumb ? 'exit\r' : '\x04');
  await shell.until(/stay in this shell/);
  await shell.until(dumb ? '(number) ▏' : 'Leave, and: ▏');
  const picture = same(shell.picture()).replaceAll(String(port), 'PORT');
  expect(picture).toMatchSnapshot();
  if ('env' in options) expect(shell.raw.slice(shell.raw.indexOf('logged in'))).not.toMatch(/\x1b\[3\dm/);
  // Esc, or an empty line, is an answer: it stays.
  shell.type(dumb ? '\r' : '\x1b');
  await shell.until((now) => now.endsWith('/> ▏'));
  expect(await served(home)).toBe(true);
});

it('go on serving: the process goes on, and is not asked about again; a shell beside it never asks', async () => {
  const home = newHome();
  const shell = await shellAt(home);
  const other = await shellAt(home);
  shell.type(`${target}\r`);
  await shell.until('Created TPG 1.');
  other.type('exit\r');
  expect(await other.exit()).toBe(0);
  shell.type('exit\r');
  await shell.until('> go on serving');
  shell.type('\r');
  expect(await shell.exit()).toBe(0);
  expect(await served(home)).toBe(true);
  const next = await shellAt(home);
  expect(next.all()).toContain('Serving 1 target; no portals yet: process');
  next.type('exit\r');
  expect(await next.exit()).toBe(0);
  expect(await served(home)).toBe(true);
});

it('stop serving: saved, and the process ends; the next shell and the next command find it gone', async () => {
  const home = newHome();
  const shell = await shellAt(home);
  shell.type(`${target}\r`);
  await shell.until('Created TPG 1.');
  shell.type('exit\r');
  await shell.until('stop serving');
  shell.type('\x1b[B\r');
  expect(await shell.exit()).toBe(0);
  expect(shell.all()).toContain('Configuration saved to');
  // A command waits for the process that ends.
  expect(await tcli(home, ['ls', '/iscsi'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('[Targets: 1]'),
  });
  await expect.poll(() => holder(home)).toBeUndefined();
});

it('a terminal that is closed, a pipe and -f neither ask nor stop anything', async () => {
  const home = newHome();
  const shell = await shellAt(home);
  shell.type(`${target}\r`);
  await shell.until('Created TPG 1.');
  const pid = holder(home)?.pid;
  shell.hangUp();
  await shell.exit();
  expect((await tcli(home, [], 'pwd\nexit\n')).stdout).toMatch(/^\/\n/);
  writeFileSync(join(home, 'leave.tcli'), 'exit\n');
  expect((await tcli(home, ['-f', join(home, 'leave.tcli')])).status).toBe(0);
  expect(holder(home)?.pid).toBe(pid);
});

it('a restart, and kill -9: the shell stands where it stood, with what was typed', async () => {
  const home = newHome();
  const shell = await shellAt(home);
  shell.type('/backstores/ramdisk create rd0 1M\rcd /backstores/ramdisk\r');
  await shell.until('/backstores/ramdisk> ▏');
  shell.type('create rd1 2');
  await shell.until('create rd1 2▏');
  const first = holder(home)?.pid ?? 0;
  expect((await tcli(home, ['daemon', 'restart'])).status).toBe(0);
  await shell.until(/Connected again\.(?:.|\n)*create rd1 2▏/);
  const second = holder(home)?.pid ?? 0;
  expect(second).not.toBe(first);
  shell.type('M\r');
  await shell.until('Created ramdisk rd1');
  shell.type('ls\x01');
  await shell.until('▏ls');
  process.kill(second, 'SIGKILL');
  await shell.until(
    (picture) => /Connected again\.(?:.|\n)*Connected again\./.test(picture) && picture.endsWith('> ▏ls'),
  );
  expect(same(shell.picture())).toMatchSnapshot();
  shell.type('\r');
  await shell.until('o- rd1 ');
});

it('a stop by somebody else is told; the next line starts the process again', async () => {
  const home = newHome();
  const shell = await shellAt(home);
  expect((await tcli(home, ['daemon', 'stop'])).status).toBe(0);
  await shell.until(/Stopped:(?:.|\n)*exit\s+leaves\.\n\/> ▏/);
  expect(holder(home)).toBeUndefined();
  shell.type('pwd\r');
  await shell.until(/\n\/\n\/> ▏/);
  expect(await served(home)).toBe(true);
  expect((await tcli(home, ['daemon', 'stop'])).status).toBe(0);
  await shell.until(/Stopped:(?:.|\n)*Stopped:(?:.|\n)*exit\s+leaves\.\n\/> ▏/);
  shell.type('exit\r');
  expect(await shell.exit()).toBe(0);
  expect(holder(home)).toBeUndefined();
});

it('--no-daemon: what the shell serves ends with it, which is asked', async () => {
  const home = newHome();
  const shell = await shellAt(home, {}, '--no-daemon');
  shell.type(`${target}\r`);
  await shell.until('Created TPG 1.');
  expect(holder(home)).toEqual({ pid: shell.pid, role: 'shell' });
  shell.type('exit\r');
  await shell.until('> stay in this shell');
  expect(same(shell.screen())).toMatchSnapshot();
  shell.type('\x1b[A\r');
  expect(await shell.exit()).toBe(0);
  expect(holder(home)).toBeUndefined();
});

it('a home that no process serves is not shown as healthy', async () => {
  const home = newHome();
  const port = await freePort();
  const disk = join(home, 'disk.img');
  await configure(home, `/backstores/fileio create fd ${disk} 1M`, ...openTarget(port, '/backstores/fileio/fd'));
  const offline = (await tcli(home, ['ls'])).stdout;
  expect(offline).not.toMatch(/\[OK\]|activated/);
  expect(offline).toMatch(/ \[not served\]\n/);
  expect(offline).toMatch(/1\.0MiB\) write-back not served\]\n/);
  expect(offline).toMatch(/\nNothing of this is served\. To serve it: tcli daemon start\n$/);
  expect((await tcli(home, ['status'])).stdout).toContain('Nothing of this is served.');
  expect((await tcli(home, ['sessions'])).stdout).toContain('Nothing is served');
  await tcli(home, ['daemon', 'start']);
  const online = (await tcli(home, ['ls'])).stdout;
  expect(online).toMatch(/ \[OK\]\n/);
  expect(online).not.toContain('not served');
});

it('Ctrl-C gives up a line that a stopped process does not answer, and says so; when it goes on, the shell says what became of it', async () => {
  const home = newHome();
  const shell = await shellAt(home);
  const { pid = 0 } = holder(home) ?? {};
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // The process has ended.
    }
  });
  shell.type('/backstores/ramdisk create late 1M\r');
  await shell.until((picture) => picture.endsWith('\n▏'));
  shell.type('\x03');
  await shell.until(/Given up: (?:.|\n)*\/> ▏/);
  process.kill(pid, 'SIGCONT');
  await shell.until(/It answers again\. (Carried|Not carried) out: (?:.|\n)*\/> ▏/);
  shell.type('pwd\r');
  await shell.until(/\n\/\n\/> ▏/);
});

it('tcli clear asks a person at a terminal before the configuration goes, and nobody elsewhere', async () => {
  const home = newHome();
  await configure(home, '/backstores/ramdisk create rd0 1M');
  for (const [answer, said] of [
    ['n\r', 'Nothing was removed.'],
    ['\x03', 'Nothing was removed.'],
    ['yes\r', 'All configuration cleared'],
  ] as const) {
    const terminal = open(home, { columns: 120 }, 'clear');
    await terminal.until('This removes 1 storage object, 0 targets, 0 sessions. Go on? (yes/no)');
    terminal.type(answer);
    await terminal.exit();
    expect(terminal.all()).toContain(said);
  }
  expect((await tcli(home, ['clear'])).status).toBe(0);
});
