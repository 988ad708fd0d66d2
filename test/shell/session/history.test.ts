/** The history file. Not here: walking and searching it (line-editor, session). */

import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { History, mayBeKept } from '../../../shell/session/history.ts';
import { temporaryDirectory } from '../../support/tcli.ts';

let path: string;
beforeEach(() => {
  path = join(temporaryDirectory(), 'deep', 'history.txt');
});

const opened: History[] = [];
async function open(file = path): Promise<History> {
  const history = await History.open(file);
  opened.push(history);
  return history;
}
afterEach(async () => {
  for (const history of opened.splice(0)) await history.close();
});

test('lines outlive the shell, in order, a line that repeats the one before once', async () => {
  const history = await open();
  for (const line of ['ls', 'ls', 'cd /', 'ls']) history.add(line);
  expect((await open()).lines).toEqual(['ls', 'cd /', 'ls']);
});

test('the file is its owner’s alone from the first byte, and becomes so when it was not', async () => {
  await open();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  chmodSync(path, 0o644);
  await open();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.each([
  'set auth userid=u password=s3cret',
  '/iscsi/x/tpg1 set auth mutual_password=s',
  'set discovery_auth Password = s',
  'set auth "password"=s',
  'set auth password_mutual=s',
])('a secret is neither written nor remembered: %s', async (line) => {
  const history = await open();
  history.add(line);
  expect(history.lines).toEqual([]);
  expect(readFileSync(path, 'utf8')).toBe('');
});

test('shells side by side lose nothing of each other', async () => {
  const [one, other] = [await open(), await open()];
  for (let n = 0; n < 100; n++) {
    one.add(`one ${n}`);
    other.add(`other ${n}`);
  }
  expect((await open()).lines).toHaveLength(200);
});

test('of a file that grew for years the last 5,000 lines are read; what is no line of ours is left out', async () => {
  await open();
  writeFileSync(path, `${Array.from({ length: 200_000 }, (_, n) => `create disk${n} 1G`).join('\n')}\n\x1b[2Jtrap\n\n`);
  const { lines } = await open();
  expect(lines).toHaveLength(5_000);
  expect(lines.at(-1)).toBe('create disk199999 1G');
});

test('a history that cannot be kept says why, and the shell goes on', async () => {
  const history = await open('/dev/null');
  expect(history.problem).toBe('History is not kept: /dev/null is not a regular file');
  history.add('ls');
  expect(history.lines).toEqual(['ls']);
  expect((await open('/proc/nowhere/history')).problem).toMatch(/^History is not kept: /);
});

test('a line that is empty, long or not one line is not kept', () => {
  for (const line of ['', '  ', 'x'.repeat(5_000), 'a\nb', 'a\x1b[2J']) expect(mayBeKept(line)).toBe(false);
  expect(mayBeKept('create disk1 1G')).toBe(true);
});
