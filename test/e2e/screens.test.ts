// Screens of the built program that are read when something is wrong, as goldens on a real terminal: why, list, and a shell that finds its
// process again. Not here: the question of the last shell (shells), top (test/shell/ui).

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { configure, freePort, iqn, serve, tcli, temporaryDirectory } from '../support/tcli.ts';
import { type TerminalOptions, TestTerminal } from '../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const tpg = `/iscsi/${iqn}/tpg1`;
const one = 'iqn.1994-05.com.redhat:one';

/** The terminals of each screen. */
const terminals = [
  ['160 columns', { columns: 160, rows: 50 }],
  ['80 columns', { columns: 80, rows: 24 }],
  ['40 columns', { columns: 40, rows: 60 }],
  ['no colour', { env: { NO_COLOR: '1' } }],
  ['TERM=dumb', { env: { TERM: 'dumb' } }],
] as const satisfies readonly (readonly [string, TerminalOptions])[];

/** A shell in front of a served home: two disks, of which an initiator sees one, and has no secret. */
async function shellAt(options: TerminalOptions): Promise<{ home: string; port: number; shell: TestTerminal }> {
  const [home, port] = [temporaryDirectory(), await freePort()];
  writeFileSync(join(home, 'preferences.json'), '{"auto_add_default_portal":false}');
  await configure(
    home,
    '/backstores/ramdisk create rd0 1M',
    '/backstores/ramdisk create archive 64M',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd0`,
    `${tpg}/acls create ${one}`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    `${tpg} set attribute authentication=1`,
  );
  await serve(home);
  const shell = new TestTerminal(process.execPath, [program, '--home', home], options);
  onTestFinished(() => shell.kill());
  await shell.until('/> ▏');
  return { home, port, shell };
}

/** A screen without what differs from run to run. A sentence with a process ID is joined to one line: where it wraps depends on the digits. */
const same = (screen: string, port: number) =>
  screen
    .replace(/Serving \d[\s\S]*?\(\w+\)\.|Restarting:[\s\S]*?successor\./g, (sentence) => sentence.replace(/\s+/g, ' '))
    .replaceAll(String(port), 'PORT')
    .replace(/process\s+\d+/g, 'process PID')
    .replace(/\(\w+\)\./g, '(USER).');

/** Types a line, and waits for a prompt below the answer. */
async function shown(shell: TestTerminal, line: string): Promise<void> {
  const prompts = () => shell.all().match(/^\/>(?: |$)/gm)?.length ?? 0;
  const before = prompts();
  shell.type(`${line}\r`);
  await shell.until(() => prompts() > before);
}

it.each(terminals)('why and list, one after the other: %s', async (_name, options) => {
  const { port, shell } = await shellAt(options);
  for (const line of [`why ${one}`, 'why', 'list disks', 'list initiators', 'list portals']) await shown(shell, line);
  expect(same(shell.all(), port)).toMatchSnapshot();
  const isPlain = 'env' in options;
  const colours = shell.raw.match(/\x1b\[(?:3|9)\d[;m]/g) ?? [];
  if (isPlain) expect(colours).toEqual([]);
  if (isPlain && 'TERM' in options.env) expect(shell.raw).not.toContain('\x1b');
});

it.each(terminals)(
  'a restart: the shell is back at its path, with the line that was typed: %s',
  async (_name, options) => {
    const { home, port, shell } = await shellAt(options);
    shell.type('cd /backstores/ramdisk\r');
    await shell.until('/backstores/ramdisk> ▏');
    shell.type('create rd1 2');
    await shell.until('create rd1 2▏');
    expect((await tcli(home, ['daemon', 'restart'])).status).toBe(0);
    onTestFinished(async () => void (await tcli(home, ['daemon', 'stop', '--force'])));
    // Where nothing can be drawn again, the terminal keeps what was typed, and a prompt stands below.
    const isDumb = 'env' in options && 'TERM' in options.env;
    await shell.until(isDumb ? /Connected again[\s\S]*ramdisk> ▏$/ : /Connected again[\s\S]*create rd1 2▏/);
    expect(same(shell.screen(), port)).toMatchSnapshot();
    shell.type('M\r');
    await shell.until('Created ramdisk rd1');
  },
);
