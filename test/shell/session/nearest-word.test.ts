// The lines of an error below its first one: the place, and the word that was probably meant.

import { beforeEach, expect, test } from 'vitest';
import { didYouMean, nearestWords } from '../../../shell/session/nearest-word.ts';
import { ownShell, type TestShell } from '../../support/own-shell.ts';

test.each([
  ['crate', ['create']],
  ['ceate', ['create']],
  ['craete', ['create']],
  ['cre', ['create']],
  ['s', ['set', 'status']],
  ['LS', ['ls']],
  ['xyz', []],
  ['', []],
])('%j is near %j', (typed, near) => {
  expect(nearestWords(typed, ['create', 'delete', 'ls', 'set', 'status'])).toEqual(near);
});

test('two candidates are named, more are not', () => {
  expect(didYouMean('s', ['set', 'status'])).toBe('Did you mean set or status?');
  expect(didYouMean('s', ['set', 'status', 'sessions'])).toBeUndefined();
});

let shell: TestShell;
beforeEach(async () => {
  shell = await ownShell();
});

test.each([
  ['pwdd', ['E| Command not found pwdd', 'E| Did you mean pwd?']],
  [
    '/iscsi crate iqn.2003-01.org.example:x',
    [
      'E| Command not found crate',
      'E|   /iscsi crate iqn.2003-01.org.example:x',
      'E|          ^^^^^',
      'E| Did you mean create?',
    ],
  ],
  ['/isci ls', ['E| No such path /isci', 'E|   /isci ls', 'E|   ^^^^^', 'E| Did you mean /iscsi?']],
  [
    '/backstores/ramdisk create r0 siz=1M',
    [
      'E| Missing required parameter size',
      'E|   /backstores/ramdisk create r0 siz=1M',
      'E|                                 ^^^',
      'E| Did you mean size=?',
      'E| Syntax: create name size [nullio] [wwn]',
    ],
  ],
  [
    '/backstores/ramdisk create r0 1M nulio=true',
    [
      "E| Unexpected keyword parameter 'nulio'.",
      'E|   /backstores/ramdisk create r0 1M nulio=true',
      'E|                                    ^^^^^',
      'E| Did you mean nullio=?',
      'E| Syntax: create name size [nullio] [wwn]',
    ],
  ],
  [
    '/backstores/ramdisk create r0 1M treu',
    [
      "E| Syntax error, 'treu' is not true|false.",
      'E|   /backstores/ramdisk create r0 1M treu',
      'E|                                    ^^^^',
      'E| Did you mean true?',
      'E| Syntax: create name size [nullio] [wwn]',
    ],
  ],
  [
    'set global promt_length=0',
    ["E| Unknown parameter promt_length in group 'global'.", 'E| Did you mean prompt_length?'],
  ],
  ['get globl', ['E| Unknown configuration group: globl', 'E| Did you mean global?']],
])('%s', async (line, said) => {
  const answer = (await shell.run(line)).split('\n');
  expect(answer.slice(0, said.length)).toEqual(said);
});
