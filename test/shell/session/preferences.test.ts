/** Preferences in their file. Not tested here: what set global says (session.test.ts). */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { Preferences } from '../../../shell/session/preferences.ts';
import { temporaryDirectory } from '../../support/tcli.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, 'preferences.json');
});

const stored = () => JSON.parse(readFileSync(file, 'utf8'));

test('reading makes no file; what was set is there for the next, in a file for nobody else', async () => {
  const preferences = Preferences.open(directory);
  expect(preferences.get('prompt_length')).toBe(30);
  expect(() => statSync(file)).toThrow();
  await preferences.set('prompt_length', '10');
  await preferences.set('color_mode', 'False');
  expect(stored()).toEqual({ prompt_length: 10, color_mode: false });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const next = Preferences.open(directory);
  expect([next.get('prompt_length'), next.get('color_mode'), next.print('color_mode')]).toEqual([10, false, 'false']);
});

test('shells side by side keep each other’s changes', async () => {
  const [one, other] = [Preferences.open(directory), Preferences.open(directory)];
  await one.set('prompt_length', '10');
  await other.set('tree_max_depth', '2');
  await one.bookmark('a', '/iscsi');
  await other.bookmark('b', '/loopback');
  await one.bookmark('c', '/');
  await one.forget('a');
  expect(stored()).toEqual({ prompt_length: 10, tree_max_depth: 2, bookmarks: { b: '/loopback', c: '/' } });
  expect([...one.bookmarks.keys()]).toEqual(['b', 'c']);
});

test('no number is a value; a number that is too small is none', async () => {
  const preferences = Preferences.open(directory);
  await preferences.set('tree_max_depth', '');
  expect([preferences.get('tree_max_depth'), preferences.print('tree_max_depth')]).toEqual([null, 'n/a']);
  expect(Preferences.open(directory).get('tree_max_depth')).toBeNull();
  await expect(preferences.set('max_backup_files', '0')).rejects.toThrow('It must be at least 1.');
});

test('the history of paths ends in the last path, and is not longer than it may be', async () => {
  const preferences = Preferences.open(directory);
  for (let number = 0; number < 120; number += 1) await preferences.visit(`/backstores/${number}`);
  await preferences.visit('/backstores/119');
  expect(stored().path_history).toHaveLength(100);
  expect(await preferences.step(-1)).toBe('/backstores/118');
  expect(Preferences.open(directory).lastPath).toBe('/backstores/118');
  expect([await preferences.step(1), await preferences.step(1)]).toEqual(['/backstores/119', undefined]);
});

test('a value that somebody broke counts as absent; a file that is none is passed over, told once, and kept as it is', async () => {
  writeFileSync(file, '{"prompt_length":"x","bookmarks":[1],"path_history":"x","color_path":7}');
  const preferences = Preferences.open(directory);
  expect([preferences.get('prompt_length'), preferences.get('color_path'), preferences.lastPath]).toEqual([
    30,
    'magenta',
    '/',
  ]);
  expect([...preferences.bookmarks]).toEqual([]);
  writeFileSync(file, '{');
  const broken = Preferences.open(directory);
  expect(broken.get('prompt_length')).toBe(30);
  expect([broken.takeProblems(), broken.takeProblems()]).toEqual([
    [`Preferences file ${file} is not valid JSON. Mend it, or remove it. Until then the defaults hold.`],
    [],
  ]);
  await expect(broken.set('prompt_length', '10')).rejects.toThrow('is not valid JSON');
  expect(readFileSync(file, 'utf8')).toBe('{');
});

test('without a folder nothing outlives the object', async () => {
  const preferences = Preferences.open(undefined);
  await preferences.set('prompt_length', '10');
  expect(preferences.get('prompt_length')).toBe(10);
});
