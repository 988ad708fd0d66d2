// Patterns with `*` and `?`, in lines of the shell and in files that include others.

import { expect, it, test } from 'vitest';
import { matchesPattern } from '../src/wildcard.ts';

test.each([
  ['*', '', true],
  ['disk*', 'disk', true],
  ['disk?', 'disk', false],
  ['disk?', 'disk12', false],
  ['*k?', 'disk0', true],
  ['*a*b', 'xaxbxb', true],
  ['*a*b', 'xaxbx', false],
  ['a.b', 'aXb', false],
])('%s and %j', (pattern, name, is) => expect(matchesPattern(pattern, name)).toBe(is));

it('the worst pattern and name are compared in a moment', () => {
  expect(matchesPattern(`${'*a'.repeat(120)}b`, 'a'.repeat(255))).toBe(false);
});
