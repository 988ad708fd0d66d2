/**
 * Whole sessions of the interactive shell on a real terminal, with a session that is fake and a worker that is real. Not here: each key
 * of the editor (line-editor), the commands of the real session.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildPrograms } from '../../support/build-programs.ts';
import { temporaryDirectory } from '../../support/tcli.ts';
import { type TerminalOptions, TestTerminal } from '../../support/terminal.ts';

let program = '';
beforeAll(async () => {
  [program = ''] = await buildPrograms('session', ['test/support/fake-shell.ts', 'test/support/fake-engine.ts']);
});

let history: string;
const terminals: TestTerminal[] = [];
beforeEach(() => {
  history = join(temporaryDirectory(), 'history.txt');
});
afterEach(() => {
  for (const terminal of terminals.splice(0)) terminal.kill();
});

function start(options?: TerminalOptions): TestTerminal {
  const terminal = new TestTerminal(process.execPath, [program, history], options);
  terminals.push(terminal);
  return terminal;
}

/** A shell whose prompt is drawn and reads keys. */
async function ready(options?: TerminalOptions): Promise<TestTerminal> {
  const terminal = start(options);
  await terminal.until('/> ');
  terminal.type('echo ready\r');
  await terminal.until(/\nready\n\/> ▏/);
  return terminal;
}

test('keys typed before the shell is there are not lost, Ctrl-D among them', async () => {
  const terminal = start();
  terminal.type('echo earliest\r');
  await terminal.until('fake shell');
  terminal.type('echo early\rcd /iscsi\r\x04');
  expect(await terminal.exit()).toBe(0);
  // The terminal itself may echo text that comes before the shell has it.
  expect(terminal.screen().replace(/^echo earliest\n/, '')).toMatchSnapshot();
});

test('Ctrl-D on an empty line prints exit and leaves the terminal as it was', async () => {
  const terminal = await ready();
  terminal.type('x\x04\x7f\x04');
  expect(await terminal.exit()).toBe(0);
  expect(terminal.picture()).toMatchSnapshot();
  const { raw } = terminal;
  expect(raw.lastIndexOf('\x1b[?2004l')).toBeGreaterThan(raw.lastIndexOf('\x1b[?2004h'));
  expect(raw.lastIndexOf('\x1b[?25h')).toBeGreaterThan(raw.lastIndexOf('\x1b[?25l'));
});

test('Ctrl-C drops the line for a fresh prompt, and interrupts a line that runs', async () => {
  const terminal = await ready();
  terminal.type('half a li');
  await terminal.until('half a li▏');
  terminal.type('\x03');
  await terminal.until(/half a li\n\/> ▏/);
  terminal.type('wait\r');
  await terminal.until('waiting');
  terminal.type('echo dropped with it\r\x03');
  await terminal.until(/interrupted\n\/> ▏/);
  expect(terminal.picture()).toMatchSnapshot();
});

test('Tab: one candidate, a common start, a menu with help that narrows, takes and closes', async () => {
  const terminal = await ready();
  terminal.type('pi\t');
  await terminal.until('/> pick ▏');
  terminal.type('\x15co\t');
  await terminal.until('/> count ▏');
  terminal.type('\x15c\t');
  await terminal.until('\n> cd');
  expect(terminal.picture()).toMatchSnapshot('menu');
  terminal.type('\t\t');
  await terminal.until('\n> count');
  terminal.type('r');
  await terminal.until('\n> create');
  expect(terminal.picture()).toMatchSnapshot('narrowed');
  terminal.type('\x1b[B');
  await terminal.until('\n> crash');
  terminal.type('\x1b[Z');
  await terminal.until('\n> create');
  terminal.type('\r');
  await terminal.until('/> create ▏');
  terminal.type('\x15c\t');
  await terminal.until('\n> cd');
  terminal.type('\x1b');
  await terminal.until('/> c▏d');
  expect(terminal.picture()).toMatchSnapshot('closed');
});

test('Tab on a low screen: the menu scrolls, and the scrollback stays clean', async () => {
  const terminal = await ready({ rows: 8, columns: 60 });
  terminal.type('\t');
  await terminal.until(/ 1 of \d+/);
  terminal.type('\t'.repeat(9));
  await terminal.until(/ 10 of \d+/);
  expect(terminal.picture()).toMatchSnapshot();
  terminal.type('\x1b\x03');
  await terminal.until((picture) => picture.endsWith('/> ▏'));
  expect(terminal.all().match(/ of \d+/g)).toBeNull();
});

test('a paste of several lines runs line by line; its last piece waits for Enter', async () => {
  const terminal = await ready();
  terminal.type('\x1b[200~echo one\r\necho\ttwo\nsure\ny\necho th\x1b[201~');
  await terminal.until('/> echo th▏');
  terminal.type('ree\r');
  await terminal.until(/\nthree\n\/> ▏/);
  expect(terminal.picture()).toMatchSnapshot();
});

test('a paste ends at the first error, and says what was not run', async () => {
  const terminal = await ready();
  terminal.type('\x1b[200~echo one\rnonsense\recho two\rset auth password=verysecret1\r\x1b[201~');
  await terminal.until(/Not run:\n {2}echo two\n {2}set auth password=\*\*\*\n\/> ▏/);
});

test('wide characters and accents: the cursor stands where the terminal has them', async () => {
  const terminal = await ready({ columns: 20 });
  terminal.type('echo 漢字e\u0301👍');
  await terminal.until('👍');
  expect(terminal.cursor()).toMatchObject({ x: 3 + 5 + 4 + 1 + 2 });
  terminal.type('\x02\x02\x02');
  await terminal.until(() => terminal.cursor().x === 3 + 5 + 2);
  terminal.type('漢漢漢漢');
  await terminal.until('漢漢漢漢漢▏字\n');
  expect(terminal.picture()).toMatchSnapshot();
});

test('a line longer than the screen wraps, and can be edited in its middle', async () => {
  const terminal = await ready({ columns: 20, rows: 8 });
  terminal.type(`echo ${'0123456789'.repeat(4)}`);
  await terminal.until('6789▏');
  terminal.type('\x01\x1bfX');
  await terminal.until('echoX▏');
  expect(terminal.picture()).toMatchSnapshot();
});

test('output that is taller than the screen is a page at a time; what was seen stands above the prompt, once', async () => {
  const terminal = await ready({ rows: 10, columns: 60 });
  terminal.type('count 7\r');
  await terminal.until(/line 7\n\/> ▏/);
  terminal.type('count 40\r');
  await terminal.until('1-8 of 40 ');
  terminal.type(' ');
  await terminal.until('9-16 of 40 ');
  expect(terminal.picture()).toMatchSnapshot('page');
  terminal.type('/line 4');
  await terminal.until('/line 4▏');
  terminal.type('\r');
  await terminal.until('33-40 of 40 ');
  terminal.type('b');
  await terminal.until('25-32 of 40 ');
  terminal.type('q');
  await terminal.until(/\n\/> ▏/);
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}`);
  const shown = terminal
    .all()
    .split('\n')
    .filter((line) => line.startsWith('line '));
  expect(shown).toEqual([...numbers(1, 7), ...numbers(1, 40)]);
  // The rest of the output is dropped.
  terminal.type('count 10000\r');
  await terminal.until('1-8 of 10000');
  terminal.type('q');
  await terminal.until(/line 8\n\/> ▏/);
});

test('a page follows the size of the screen; Ctrl-C ends it and the line that still prints', async () => {
  const terminal = await ready({ rows: 10, columns: 60 });
  terminal.type('count 40 and wait\r');
  await terminal.until('1-8 of 41 so far');
  terminal.resize(60, 14);
  await terminal.until('1-12 of 41 so far');
  terminal.type('\x03');
  await terminal.until(/line 12\n\/> ▏/);
  expect(terminal.all()).not.toContain('interrupted');
});

test('the lines of a paste are no keys of a page', async () => {
  const terminal = await ready({ rows: 10 });
  terminal.type('\x1b[200~count 40\necho q\necho last\n\x1b[201~');
  await terminal.until(/line 40\n\/> echo q\nq\n\/> echo last\nlast\n\/> ▏/);
});

test('10,000 lines come out whole and in order, and the prompt after them', async () => {
  const terminal = await ready();
  terminal.type('pager off\rcount 10000\r');
  await terminal.until(/line 10000\n\/> ▏/);
  const lines = terminal.all().split('\n');
  const first = lines.indexOf('line 1');
  expect(lines.slice(first, first + 10_001)).toEqual([
    ...Array.from({ length: 10_000 }, (_, n) => `line ${n + 1}`),
    '/>',
  ]);
});

test('output without a newline at its end gets one before the prompt', async () => {
  const terminal = await ready();
  terminal.type('partial\r');
  await terminal.until(/no newline\n\/> ▏/);
});

test('a question of yes or no in the middle of a line; Ctrl-C cancels it and nothing else', async () => {
  const terminal = await ready();
  for (const [keys, answer] of [
    ['y', 'yes'],
    ['n', 'no'],
    ['\r', 'no'],
    ['exit\r', 'no'],
    ['\x03', 'null'],
    ['\x04', 'null'],
    ['\x1b', 'null'],
  ] as const) {
    terminal.type('\x0csure\r');
    await terminal.until(/^\/> sure\n\? Delete all\?.*no/);
    terminal.type(keys);
    await terminal.until(new RegExp(`answer: ${answer}\n/> ▏`));
  }
  expect(terminal.picture()).toMatchSnapshot();
});

test('a list to choose from: stands at the present item, scrolls, filters, takes, and can be left', async () => {
  const terminal = await ready({ rows: 12, columns: 60 });
  terminal.type('pick\r');
  await terminal.until('8 of 50');
  expect(terminal.picture()).toMatchSnapshot('initial');
  terminal.type('\x1b[B\x1b[B');
  await terminal.until('10 of 50');
  terminal.type('\x1b[6~');
  await terminal.until('19 of 50');
  terminal.type('4 de');
  await terminal.until('Go to: 4 de▏');
  expect(terminal.picture()).toMatchSnapshot('filtered');
  terminal.type('zzz');
  await terminal.until('(nothing matches)');
  terminal.type('\x7f\x7f\x7f\x1b[B\r');
  await terminal.until(/picked: \/node14\n/);
  terminal.type('pick\r');
  await terminal.until('8 of 50');
  terminal.type('\x1b');
  await terminal.until('picked: null');
});

test('history: up and down, a grey suggestion, Ctrl-R; over shells, secrets left out', async () => {
  writeFileSync(history, 'create old 1G\necho from the file\n');
  const terminal = await ready();
  terminal.type('echo password=secret\r');
  await terminal.until('\npassword=secret');
  terminal.type('ec');
  await terminal.until('/> ec▏ho ready');
  terminal.type('\x1b[C');
  await terminal.until('/> echo ready▏');
  terminal.type('\x15\x1b[A\x1b[A');
  await terminal.until('/> echo from the file▏');
  terminal.type('\x15\x12');
  await terminal.until('history: ▏');
  terminal.type('old');
  await terminal.until((picture) => /history: old▏\n> create old 1G$/.test(picture));
  expect(terminal.picture()).toMatchSnapshot();
  terminal.type('\r');
  await terminal.until('/> create old 1G▏');
  terminal.type('\x15\x04');
  await terminal.exit();
  expect(readFileSync(history, 'utf8')).toBe('create old 1G\necho from the file\necho ready\n');
});

test('a new width is told to the session, and the prompt follows it', async () => {
  const terminal = await ready();
  terminal.type('echo 0123456789012345678901234567890123456789');
  await terminal.until('0123456789▏');
  terminal.resize(30, 10);
  await terminal.until(/echo 0123456789012345678901\n234567890123456789▏/);
  terminal.type('\x15width\r');
  await terminal.until('30 columns');
});

test('Ctrl-L clears the screen and keeps the line', async () => {
  const terminal = await ready();
  terminal.type('ab\x0c');
  await terminal.until((picture) => picture === '/> ab▏');
});

test('Ctrl-Z stops the shell as the job it is; it comes back with its prompt, its line and its keys', async () => {
  const terminal = new TestTerminal('/bin/bash', ['--norc', '-i'], { env: { PS1: 'outer$ ' } });
  terminals.push(terminal);
  await terminal.until('outer$ ▏');
  terminal.type(`"${process.execPath}" "${program}" "${history}"\r`);
  await terminal.until('/> ');
  terminal.type('echo kept');
  await terminal.until('/> echo kept▏');
  terminal.type('\x1a');
  await terminal.until(/Stopped[\s\S]*outer\$ ▏/);
  terminal.type('stty -a | grep -o -e "[- ]icanon"; fg\r');
  await terminal.until(/\n icanon\n[\s\S]*\/> echo kept▏/);
  terminal.type(' indeed\r');
  await terminal.until(/\nkept indeed\n\/> ▏/);
  terminal.type('\x04');
  await terminal.until(/exit\nouter\$ ▏/);
});

test('Ctrl-Z does not stop a shell that serves, and says so', async () => {
  const terminal = start({ env: { FAKE_HOSTED: '1' } });
  await terminal.until('/> ');
  terminal.type('echo on');
  await terminal.until('/> echo on▏');
  terminal.type('\x1a');
  await terminal.until(/Ctrl-Z would stop what this shell serves[\s\S]*\/> echo on▏/);
  terminal.type('\r');
  await terminal.until(/\non\n\/> ▏/);
});

test('the engine’s end is reported at once, with status 1, also from within a question', async () => {
  const terminal = await ready();
  terminal.type('crash\r');
  expect(await terminal.exit()).toBe(1);
  expect(terminal.screen()).toMatch(/tcli: the session was lost: the engine's thread ended with status 3$/);

  const other = await ready();
  other.type('sure crash\r');
  await other.until('Delete all?');
  other.resize(90, 24);
  expect(await other.exit()).toBe(1);
  expect(other.screen()).toContain('tcli: the session was lost: the engine');
});

/** Runs the shell from a script that shows, when the shell is over, its status and the modes of the terminal. */
async function underScript(): Promise<TestTerminal> {
  const script = '"$0" "$@"; echo "status $?"; stty -a | grep -ow -e "-\\?icanon" -e "-\\?echo" -e "-\\?isig"; read -r';
  const terminal = new TestTerminal('/bin/bash', ['-c', script, process.execPath, program, history]);
  terminals.push(terminal);
  await terminal.until('/> ▏');
  terminal.type('echo pid\r');
  await terminal.until(/\npid\n\/> ▏/);
  return terminal;
}

test.each([
  ['exit', 0, (terminal: TestTerminal) => terminal.type('exit\r')],
  ['the engine’s crash', 1, (terminal: TestTerminal) => terminal.type('crash\r')],
  ['a bug of the front end', 1, (terminal: TestTerminal) => terminal.signalChild('SIGUSR2')],
  ['SIGTERM', 143, (terminal: TestTerminal) => terminal.signalChild('SIGTERM')],
  ['SIGHUP', 129, (terminal: TestTerminal) => terminal.signalChild('SIGHUP')],
  [
    'SIGTERM while a line runs',
    143,
    async (terminal: TestTerminal) => {
      terminal.type('wait\r');
      await terminal.until('waiting');
      terminal.signalChild('SIGTERM');
    },
  ],
] as const)('after %s the terminal is as it was', async (_, status, end) => {
  const terminal = await underScript();
  await end(terminal);
  await terminal.until(new RegExp(`status ${status}\nisig\nicanon\necho\n▏`));
  const { raw } = terminal;
  expect(raw.lastIndexOf('\x1b[?2004l')).toBeGreaterThan(raw.lastIndexOf('\x1b[?2004h'));
  expect(raw.lastIndexOf('\x1b[?25h')).toBeGreaterThan(raw.lastIndexOf('\x1b[?25l'));
});

test('a terminal that goes away ends the shell', async () => {
  const terminal = await ready();
  terminal.hangUp();
  await expect.poll(() => existsSync(`/proc/${terminal.pid}`)).toBe(false);
});

test('notices of the engine stand above the prompt', async () => {
  const terminal = start({ env: { FAKE_NOTICE: '1' } });
  await terminal.until(/a notice from the engine\n\/> ▏/);
});

test('an engine that does not start can be given up with Ctrl-C', async () => {
  const terminal = start({ env: { FAKE_HANG: '1' } });
  await terminal.until('fake shell');
  terminal.type('\x03');
  expect(await terminal.exit()).toBe(130);
});

test('NO_COLOR: no colours, and no suggestion that could not be told from what was typed', async () => {
  const terminal = await ready({ env: { NO_COLOR: '1' } });
  terminal.type('ec');
  await terminal.until('/> ec▏');
  terminal.type('\x15c\t');
  await terminal.until('\n> cd');
  // Colours and grey are SGR with a number; moving and erasing are not SGR.
  expect(terminal.raw.match(/\x1b\[[0-9;]+m/g)).toBeNull();
  expect(terminal.raw).not.toContain('NO_COLOR');
});
