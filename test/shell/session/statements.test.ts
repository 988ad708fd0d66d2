/** The parts of one line: commands, filters, files; and the quotes and values that keep signs from being those. */

import { expect, test } from 'vitest';
import { commandsIn, statementsOf } from '../../../shell/session/statements.ts';

const commands = (line: string) => statementsOf(line).map(({ from, to }) => line.slice(from, to).trim());

test.each([
  ['ls; pwd', ['ls', 'pwd']],
  ['cd /iscsi;ls', ['cd /iscsi', 'ls']],
  [';; ls ;', ['ls']],
  ['set attribute a=1;b=2', ['set attribute a=1;b=2']],
  ['create d 1G POOL/IMAGE;id=USER; ls', ['create d 1G POOL/IMAGE;id=USER', 'ls']],
  [`create "a;b" 1M; create 'c; d' 1M`, [`create "a;b" 1M`, `create 'c; d' 1M`]],
  ['create "a\\";b" 1M', ['create "a\\";b" 1M']],
  ['# ls; pwd', ['# ls; pwd']],
  ['ls | json; pwd', ['ls | json', 'pwd']],
  ['cd >', ['cd >']],
  ['cd <; ls', ['cd <', 'ls']],
  ['add_account bob password=a|b>c', ['add_account bob password=a|b>c']],
])('%s', (line, expected) => {
  expect(commands(line)).toEqual(expected);
});

test('| grep and > belong to their command alone', () => {
  const [first, second] = statementsOf('ls / | grep -iv "rd 0" | grep x >> "out file"; pwd');
  expect(first).toMatchObject({ from: 0, to: 5, file: { path: 'out file', append: true } });
  expect(first?.greps).toEqual([
    { pattern: /rd 0/i, inverted: true, counts: false },
    { pattern: /x/, inverted: false, counts: false },
  ]);
  expect(second).toMatchObject({ greps: [] });
});

test.each(['ls | grep', 'ls | grep (', 'ls > a b', 'ls > a > b', 'try 5m ls; delete x'])('%s is refused', (line) => {
  expect(() => statementsOf(line)).toThrow();
});

test('a line that is being typed is cut where it can be', () => {
  expect(commandsIn('cd /iscsi; ls "a; b')).toEqual([
    { from: 0, to: 9 },
    { from: 10, to: 19 },
  ]);
});
