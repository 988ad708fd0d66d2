// A secret that is typed, on real terminals: nothing of it is on the screen, in the history or in what the terminal got.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { configure, tcli, temporaryDirectory } from '../../support/tcli.ts';
import { TestTerminal } from '../../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../../dist/tcli.js');
const tpg = '/iscsi/iqn.2003-01.org.example:t/tpg1';
const secret = 'S3cr3t-0f-0urs';

async function home(): Promise<string> {
  const directory = temporaryDirectory();
  await configure(directory, '/ set global auto_add_default_portal=false', '/iscsi create iqn.2003-01.org.example:t');
  onTestFinished(async () => void (await tcli(directory, ['daemon', 'stop', '--force'])));
  return directory;
}

const known = async (directory: string) => (await tcli(directory, [tpg, 'get', 'auth', 'password'])).stdout.trim();

test.each([
  ['the shell', [], {}],
  ['the shell, TERM=dumb', [], { TERM: 'dumb' }],
  ['one command', [tpg, 'set', 'auth', 'password'], {}],
] as const)('%s: typed twice, unseen; other words the second time are asked for again', async (_name, words, env) => {
  const directory = await home();
  const terminal = new TestTerminal(process.execPath, [program, '--home', directory, ...words], { env });
  onTestFinished(() => terminal.kill());
  if (words.length === 0) {
    await terminal.until('> ▏');
    terminal.type(`${tpg} set auth password\r`);
  }
  await terminal.until('password: ▏');
  terminal.type(`${secret}\r`);
  await terminal.until('password, again: ▏');
  terminal.type('another\r');
  await terminal.until('They differ. password: ▏');
  terminal.type(`${secret}x\x7f\r`);
  await terminal.until('password, again: ▏');
  terminal.type(`${secret}\r`);
  await terminal.until("Parameter password is now '***'.");
  expect(terminal.raw).not.toContain(secret.slice(0, 4));
  expect(await known(directory)).toBe(`password=${secret}`);
  if (words.length > 0) return;
  terminal.type('exit\r');
  await terminal.until('stay in this shell');
  const history = join(directory, 'history.txt');
  if (!('TERM' in env)) expect(readFileSync(history, 'utf8')).not.toContain(secret);
});

test('one command takes a line of standard input; a script, whose lines stand there, is not asked', async () => {
  const directory = await home();
  expect((await tcli(directory, [tpg, 'set', 'auth', 'password'], `${secret}\n`)).status).toBe(0);
  expect(await known(directory)).toBe(`password=${secret}`);
  const { stderr } = await tcli(directory, [], `${tpg} set auth password\nexit\n`);
  expect(stderr).toContain('No password was given.');
});
