/** The prompt while a person types, on a real terminal: suggestions, notes, red words, and `?`. */

import { resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EMPTY_LINE } from '../../../shell/ui/line-editor.ts';
import { offered } from '../../../shell/ui/read-line.ts';
import { temporaryDirectory } from '../../support/tcli.ts';
import { TestTerminal } from '../../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../../dist/tcli.js');

async function start(): Promise<TestTerminal> {
  const terminal = new TestTerminal(process.execPath, [program, '--home', temporaryDirectory()], { columns: 100 });
  onTestFinished(() => terminal.kill());
  await terminal.until('\n/> ▏');
  return terminal;
}

test('a pause shows what a size comes to, what is nothing known in red, and what could follow in grey', async () => {
  const terminal = await start();
  terminal.type('/backstores/ramdisk create r0 10G');
  await terminal.until('10G = 10,737,418,240 B');
  terminal.type('\x15/backstores/ramdisk crx');
  await terminal.until(() => terminal.raw.includes('\x1b[31mcrx'));
  terminal.type('\x15/backstores/ramd');
  await terminal.until('/backstores/ramd▏isk/');
  terminal.type('\x05');
  await terminal.until('/backstores/ramdisk/▏');
});

test('? prints what may follow and keeps the line; in a value and in quotes it is a character', async () => {
  const terminal = await start();
  terminal.type('/backstores/ramdisk create r0 ?');
  await terminal.until((picture) => /size=\s+\S/.test(picture) && picture.includes('create r0 ▏'));
  terminal.type('\x15bookmarks add "a ?');
  await terminal.until('"a ?▏');
  terminal.type('\x15bookmarks add a?');
  await terminal.until('add a?▏');
  expect(terminal.screen().match(/size=/g)).toHaveLength(1);
});

test('a suggestion in grey stays while one types along it, and goes with the first other letter', () => {
  const at = (text: string) => ({ ...EMPTY_LINE, text, cursor: text.length });
  const one = (text: string) => ({ text, kind: 'path', help: '', final: false }) as const;
  const look = { at: at('ls /b'), completion: { from: 3, candidates: [one('/backstores/'), one('/bin/')] } };
  expect(['ls /b', 'ls /ba', 'ls /back', 'ls /bi', 'ls /bx', 'ls /'].map((text) => offered(at(text), look))).toEqual([
    'ackstores/',
    'ckstores/',
    'stores/',
    'n/',
    '',
    '',
  ]);
});
