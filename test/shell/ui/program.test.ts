/**
 * The built program on a real terminal with the real engine behind it: that the parts fit. Not here: the screen in detail (session),
 * the commands (transcripts).
 */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../support/tcli.ts';
import { TestTerminal } from '../../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../../dist/tcli.js');

function start(home: string): TestTerminal {
  const terminal = new TestTerminal(process.execPath, [program, '--home', home], { columns: 100 });
  onTestFinished(() => terminal.kill());
  return terminal;
}

/** Types a line and waits for the prompt after its output. */
async function run(terminal: TestTerminal, line: string, prompt = '/> ', output = ''): Promise<void> {
  terminal.type(`\x0c${line}\r`);
  await terminal.until((picture) => picture.includes(`> ${line}\n${output}`) && picture.endsWith(`\n${prompt}▏`));
}

test('a session: create, complete, choose a node, leave; the next one comes back to all of it', async () => {
  const home = temporaryDirectory();
  const terminal = start(home);
  await terminal.until('\n/> ▏');
  await run(terminal, '/backstores/ramdisk create disk1 10M', '/> ', 'Created');
  terminal.type('\x0c/backstores/ramdisk/disk1 set attribute emulate_t\t');
  await terminal.until('emulate_tpu=');
  terminal.type('\x03\x0ccd\r');
  await terminal.until('> o- /');
  terminal.type('disk1\r');
  await terminal.until('\n/backstores/ramdisk/disk1> ▏');
  await run(terminal, 'pwd', '/backstores/ramdisk/disk1> ', '/backstores/ramdisk/disk1\n');
  terminal.type('\x04');
  expect(await terminal.exit()).toBe(0);
  // The last output may arrive after the news of the program's end.
  await terminal.until('Configuration saved to ');

  const history = join(home, 'history.txt');
  expect(readFileSync(history, 'utf8')).toBe('/backstores/ramdisk create disk1 10M\ncd\npwd\n');
  expect(statSync(history).mode & 0o777).toBe(0o600);
  const next = start(home);
  await next.until('\n/backstores/ramdisk/disk1> ▏');
  next.type('\x1b[A\x1b[A\x1b[A');
  await next.until('disk1> /backstores/ramdisk create disk1 10M▏');
});

test('a configuration that cannot be read: its reason in words, status 1, the terminal restored', async () => {
  const home = temporaryDirectory();
  writeFileSync(join(home, 'saveconfig.json'), '{ "storage_objects": [');
  const terminal = start(home);
  expect(await terminal.exit()).toBe(1);
  await terminal.until('is not valid JSON');
  expect(terminal.screen()).not.toContain('internal error');
  expect(terminal.raw.lastIndexOf('\x1b[?2004l')).toBeGreaterThan(terminal.raw.lastIndexOf('\x1b[?2004h'));
});

test('TERM=dumb: prompts and lines, nothing that moves a cursor', async () => {
  const home = temporaryDirectory();
  const terminal = new TestTerminal(process.execPath, [program, '--home', home], { env: { TERM: 'dumb' } });
  onTestFinished(() => terminal.kill());
  await terminal.until('/> ▏');
  terminal.type('pwd\r');
  await terminal.until('/> pwd\n/\n/> ▏');
  terminal.type('\x04');
  expect(await terminal.exit()).toBe(0);
  expect(terminal.raw).not.toContain('\x1b');
});
