/** Licences of what dist has in it and of what is installed beside it: each is one that allows that, and its words go along. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const project = join(import.meta.dirname, '..');

/** Licences that allow to pass on the work in another one, with their words. */
const allowed = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD'];

it('every module that is bundled into dist has an allowed licence, whose words are in THIRD-PARTY-LICENSES.txt', () => {
  const notices = readFileSync(join(project, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8').split(`\n${'-'.repeat(80)}\n\n`);
  expect(notices.length).toBeGreaterThan(50);
  const wrong = notices.filter((notice) => {
    const [, licence = '', words = ''] = /^\S+ \S+ \((.+)\)\n\n([\s\S]*)$/.exec(notice) ?? [];
    return !allowed.includes(licence) || words.trim().length < 200;
  });
  expect(wrong.map((notice) => notice.split('\n', 1)[0])).toEqual([]);
});

it('so does what is installed beside it', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  const installed = Object.keys(optionalDependencies).flatMap((name) => {
    const scope = name.startsWith('@') ? name.split('/', 1)[0]! : name === 'koffi' ? '@koromix' : undefined;
    const parts = scope ? readdirSync(join(project, 'node_modules', scope)).map((part) => `${scope}/${part}`) : [];
    return [name, ...parts];
  });
  const licences = [...new Set(installed)].flatMap((name) => {
    try {
      return [[name, JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')).license]];
    } catch {
      // For another machine.
      return [];
    }
  });
  expect(licences.length).toBeGreaterThan(3);
  expect(licences.filter(([, licence]) => !allowed.includes(licence))).toEqual([]);
});
