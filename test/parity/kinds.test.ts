// The listed kinds of difference: each is documented, each document names one, and what no rule knows counts against us.
// It does not test the recordings themselves: `npm run parity` does, where there are any.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cells } from './cells.ts';
import { compare } from './compare.ts';
import { kinds } from './kinds.ts';
import type { RecordedStep } from './recording.ts';

const [differences = '', machines = ''] = readFileSync('docs/differences.md', 'utf8').split('\n## Machines\n');
const sections = (text: string) => Array.from(text.matchAll(/^### (\S+)$/gm), ([, name]) => name).sort();
const names = (some: typeof kinds) => some.map(({ name }) => name).sort();

test('every kind has a section of its name in docs/differences.md, and every section is a kind', () => {
  expect(sections(differences)).toEqual(names(kinds.filter(({ machine }) => !machine)));
  expect(sections(machines)).toEqual(names(kinds.filter(({ machine }) => machine)));
});

const step = (text: string, shown: readonly string[]): RecordedStep => ({ kind: 'words', text, shown, exit: 0 });
const line = (text: string, hint = false) => ({ text, hint });

test('equal lines are counted, listed differences are named, others are printed', () => {
  const answers = [
    { step: step('pwd', ['/']), shown: [line('/')], exit: 0 },
    { step: step('--version', ['E| targetcli version 2.1.53']), shown: [line('tcli version 1.2.3')], exit: 0 },
    { step: step('pwd', ['/']), shown: [line('/x'), line('Try …', true)], exit: 1 },
  ];
  const { equal, recorded, listed, unlisted } = compare(answers);
  expect({ equal, recorded, listed }).toEqual({ equal: 3, recorded: 6, listed: 1 });
  expect(unlisted).toEqual(['pwd\n    - /', 'pwd\n    - [exit 0]', 'pwd\n    + /x', 'pwd\n    + [exit 1]']);
});

test('names that chance made are equal', () => {
  const uuid = (digit: string) => `wwn: ${digit.repeat(8)}-1111-2222-3333-444455556666`;
  const answers = [{ step: step('info', [uuid('a')]), shown: [line(uuid('b'))], exit: 0 }];
  expect(compare(answers).unlisted).toEqual([]);
});

describe('sentences of help', () => {
  const help = (...sentences: string[]) => [
    '',
    'SYNTAX',
    '======',
    'pwd ',
    '',
    'DESCRIPTION',
    '===========',
    ...sentences,
  ];
  const compared = (theirs: string[], ours: string[]) =>
    compare([{ step: step('help pwd', help(...theirs)), shown: help(...ours).map((text) => line(text)), exit: 0 }]);

  test('count where ours stand in the place of theirs, each once', () => {
    const { equal, reworded, listed, unlisted } = compared(['Tells the path.', 'In full.'], ['Shows where you are.']);
    expect({ equal, reworded, listed, unlisted }).toEqual({ equal: 8, reworded: 1, listed: 1, unlisted: [] });
  });

  test('may not be theirs', () => {
    expect(compared(['Tells the whole path.'], ['Tells the whole path.']).copied).toEqual([
      'help pwd\n    = Tells the whole path.',
    ]);
  });

  test('are no headings, syntax lines or names: those must be the same', () => {
    const shown = help().map((text) => line(text.replace('pwd ', 'pwd [all] ')));
    const { unlisted } = compare([{ step: step('help pwd', help()), shown, exit: 0 }]);
    expect(unlisted).toEqual(['help pwd\n    - pwd ']);
  });
});

test('colours are compared as a terminal shows them', () => {
  expect(cells('\x1b[31mred\x1b[0m\x1b[0m')).toBe(cells('\x1b[31mr\x1b[31med\x1b[0m'));
  expect(cells('\x1b[1m\x1b[34mname\x1b[0m')).toBe(cells('\x1b[34;1mname\x1b[m'));
  expect(cells('\x1b[31mred\x1b[0m')).not.toBe(cells('\x1b[31mred'));
  expect(cells('\x1b[31mred\x1b[0m')).not.toBe('red');
});
