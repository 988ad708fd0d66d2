// The listed kinds of difference: each is documented, each document names one, and what no rule knows counts against us.
// It does not test the recordings themselves: `npm run parity` does, where there are any.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compare } from './compare.ts';
import { kinds } from './kinds.ts';
import type { Step } from './recording.ts';

const documented = [...readFileSync('docs/differences.md', 'utf8').matchAll(/^### (\S+)$/gm)].map(([, name]) => name);

test('every kind has a section of its name in docs/differences.md, and every section is a kind', () => {
  expect([...documented].sort()).toEqual(kinds.map(({ name }) => name).sort());
});

const step = (text: string, shown: readonly string[]): Step => ({ kind: 'words', text, shown, exit: 0 });
const line = (text: string, hint = false) => ({ text, hint });

test('equal lines are counted, listed differences are named, others are printed', () => {
  const answers = [
    { step: step('pwd', ['/']), shown: [line('/')], exit: 0 },
    { step: step('help', ['old words']), shown: [line('new words')], exit: 0 },
    { step: step('pwd', ['/']), shown: [line('/x'), line('Try …', true)], exit: 1 },
  ];
  const { equal, recorded, listed, unlisted } = compare(answers);
  expect({ equal, recorded, listed }).toEqual({ equal: 3, recorded: 6, listed: 3 });
  expect(unlisted).toEqual(['pwd\n    - /', 'pwd\n    - [exit 0]', 'pwd\n    + /x', 'pwd\n    + [exit 1]']);
});

test('names that chance made are equal', () => {
  const uuid = (digit: string) => `wwn: ${digit.repeat(8)}-1111-2222-3333-444455556666`;
  const answers = [{ step: step('info', [uuid('a')]), shown: [line(uuid('b'))], exit: 0 }];
  expect(compare(answers).unlisted).toEqual([]);
});
