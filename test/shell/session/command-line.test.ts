/** The grammar of lines, against what the original parser was seen to do. Not tested here: what lines then do (session.test.ts). */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCommandLine, quotePath, quoteWord } from '../../../shell/session/command-line.ts';

fc.configureGlobal({ seed: 7143 });

type Parsed = [path: string, command: string, positional: string[], keywords: Record<string, string>, rest: string];

const parsed = (line: string): Parsed => {
  const { path, command, positional, keywords, rest } = parseCommandLine(line);
  const words = positional.map(({ text }) => text);
  const named = Object.fromEntries(keywords.map(({ name, value }) => [name.text, value.text]));
  return [path?.text ?? '', command?.text ?? '', words, named, rest?.text ?? ''];
};

/** Lines that configshell reads to their end, and what it makes of them. */
const same: readonly (readonly [
  line: string,
  path: string,
  command: string,
  positional: string[],
  keywords: Record<string, string>,
])[] = [
  ['', '', '', [], {}],
  ['   ', '', '', [], {}],
  ['ls', '', 'ls', [], {}],
  ['   ls   ', '', 'ls', [], {}],
  ['ls\t/', '', 'ls', ['/'], {}],
  ['ls /iscsi 2', '', 'ls', ['/iscsi', '2'], {}],
  ['ls depth=1', '', 'ls', [], { depth: '1' }],
  ['ls depth = 1', '', 'ls', [], { depth: '1' }],
  ['/iscsi ls', '/iscsi', 'ls', [], {}],
  ['/iscsi/', '/iscsi/', '', [], {}],
  ['iscsi ls', '', 'iscsi', ['ls'], {}],
  ['iscsi/ ls', 'iscsi/', 'ls', [], {}],
  ['../ ls', '../', 'ls', [], {}],
  ['.. ls', '..', 'ls', [], {}],
  ['../.. ls', '../..', 'ls', [], {}],
  ['./ ls', './', 'ls', [], {}],
  ['. ls', '.', 'ls', [], {}],
  ['...', '..', '', ['.'], {}],
  ['@last ls', '@last', 'ls', [], {}],
  ['@last', '@last', '', [], {}],
  ['@b/x ls', '@b', '', ['/x', 'ls'], {}],
  ['@ ls', '', '', ['@', 'ls'], {}],
  ['* ls', '*', 'ls', [], {}],
  ['*', '*', '', [], {}],
  ['[::1]:3260 ls', '', '', ['[::1]:3260', 'ls'], {}],
  ['portals/[::1]:3260 ls', 'portals/[::1]:3260', 'ls', [], {}],
  ['/iscsi/iqn.2003-01.a.b:c_d/ ls', '/iscsi/iqn.2003-01.a.b:c_d/', 'ls', [], {}],
  ['/backstores/fileio/a+b ls', '/backstores/fileio/a', '', ['+b', 'ls'], {}],
  ['user:rbd/ create', 'user:rbd/', 'create', [], {}],
  ['a.b ls', '', 'a', ['.b', 'ls'], {}],
  ['set auth userid=a password=b', '', 'set', ['auth'], { userid: 'a', password: 'b' }],
  ['set auth password=', '', 'set', ['auth'], { password: '' }],
  ['set auth userid=a=b', '', 'set', ['auth'], { userid: 'a=b' }],
  ['set auth password=p@ss!word', '', 'set', ['auth'], { password: 'p@ss!word' }],
  ['set auth password=a b', '', 'set', ['auth', 'b'], { password: 'a' }],
  ['create a=1 b a=2', '', 'create', ['b'], { a: '2' }],
  ['create a\\ b', '', 'create', ['a\\', 'b'], {}],
  ['create =b', '', 'create', ['=b'], {}],
  ['a= b', '', 'a', ['=', 'b'], {}],
  ['create a,b;c', '', 'create', ['a,b;c'], {}],
  ['ls;', '', 'ls', [';'], {}],
  ['ls; pwd', '', 'ls', [';', 'pwd'], {}],
  ['ls#1', '', 'ls', ['#1'], {}],
  ['ls # comment', '', 'ls', ['#', 'comment'], {}],
  ['-x', '', '', ['-x'], {}],
  ['!ls', '', '', ['!ls'], {}],
  ['$(ls)', '', '', ['$(ls)'], {}],
  ['=x', '', '', ['=x'], {}],
];

describe('as targetcli: a line that configshell reads to its end means the same here', () => {
  test.each(same)('%j', (line, ...meaning) => {
    expect(parsed(line)).toEqual([...meaning, '']);
  });
});

describe('where configshell stopped reading without a word', () => {
  test.each<[string, ...Parsed]>([
    ['set auth password=a|b', '', 'set', ['auth'], { password: 'a' }, '|b'],
    ['set auth password=a^b', '', 'set', ['auth'], { password: 'a' }, '^b'],
    ['set auth password={a} x', '', 'set', ['auth'], { password: '' }, '{a}'],
    ['set auth password=`x`', '', 'set', ['auth'], { password: '' }, '`x`'],
    ['create {a}', '', 'create', [], {}, '{a}'],
    ['é', '', '', [], {}, 'é'],
    ['ls é', '', 'ls', [], {}, 'é'],
    ['ls \u00a0x', '', 'ls', [], {}, '\u00a0x'],
    ['/é ls', '/', '', [], {}, 'é'],
  ])('%j: the rest is told', (line, ...meaning) => {
    expect(parsed(line)).toEqual(meaning);
  });

  test.each<(typeof same)[number]>([
    ['create f1 "/tmp/with space.img" 1G', '', 'create', ['f1', '/tmp/with space.img', '1G'], {}],
    ['create name="x"', '', 'create', [], { name: 'x' }],
    [`set auth password='a "b" \\'c`, '', 'set', ['auth'], { password: 'a "b" \\c' }],
    ['set auth password="a \\"b\\" \\\\ \\n"', '', 'set', ['auth'], { password: 'a "b" \\ \\n' }],
    ['set auth password=x"{y}"z', '', 'set', ['auth'], { password: 'x{y}z' }],
    ['set auth password="" userid=a', '', 'set', ['auth'], { password: '', userid: 'a' }],
    ['"ls" 1', '', 'ls', ['1'], {}],
    ['/backstores/fileio/"a+b"/alua ls', '/backstores/fileio/a+b/alua', 'ls', [], {}],
    ['"/backstores/fileio/a+b" ls', '/backstores/fileio/a+b', 'ls', [], {}],
  ])('%j: quotes go on', (line, ...meaning) => {
    expect(parsed(line)).toEqual([...meaning, '']);
  });

  test('a quote that is not closed is known', () => {
    expect(parseCommandLine('set auth password="a b').unclosed).toBe('"');
    expect(parseCommandLine(`ls 'a`).unclosed).toBe("'");
  });
});

test.each<(typeof same)[number]>([
  ['/iscsi/* ls', '/iscsi/*', 'ls', [], {}],
  ['/iscsi/iqn*/tpg? ls', '/iscsi/iqn*/tpg?', 'ls', [], {}],
  ['*/tpg1 ls', '*/tpg1', 'ls', [], {}],
])('%j: targetcli ended a path at * and ?', (line, ...meaning) => {
  expect(parsed(line)).toEqual([...meaning, '']);
});

test('userid= password=x: an empty value does not eat the next keyword, and still takes a word after a blank', () => {
  expect(parsed('set auth userid= password=x')).toEqual(['', 'set', ['auth'], { userid: '', password: 'x' }, '']);
  expect(parsed('set auth userid= password =x')).toEqual(['', 'set', ['auth'], { userid: '', password: 'x' }, '']);
  expect(parsed('set auth userid= x')).toEqual(['', 'set', ['auth'], { userid: 'x' }, '']);
});

test('every word knows where it stands', () => {
  const line = '/iscsi  set  auth userid = a password="b c"';
  const { path, command, positional, keywords } = parseCommandLine(line);
  const at = (word: { from: number; to: number } | undefined) => word && line.slice(word.from, word.to);
  expect([path, command, positional[0]].map(at)).toEqual(['/iscsi', 'set', 'auth']);
  expect(keywords.map(({ name, value }) => [at(name), at(value)])).toEqual([
    ['userid', 'a'],
    ['password', '"b c"'],
  ]);
});

test('a quoted word is read back as it was, whatever is in it', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', minLength: 1 })), (words) => {
      const line = ['x', ...words.map((word) => `k=${quoteWord(word)}`)].join(' ');
      expect(parseCommandLine(line).keywords.map(({ value }) => value.text)).toEqual(words);
    }),
  );
});

test('any line is read without throwing, and its spans are in order and within it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (line) => {
      const { path, command, positional, keywords, rest } = parseCommandLine(line);
      const spans = [path, command, ...positional, ...keywords.map(({ name }) => name), rest].filter((word) => word);
      for (const word of spans) expect(word!.from >= 0 && word!.from < word!.to && word!.to <= line.length).toBe(true);
    }),
  );
});

test.each(['/iscsi/iqn.2003-01.a.b:c', '/a/[::1]:3260', '@last', '/backstores/fileio/a+b'])(
  '%s can be typed back',
  (path) => {
    expect(parseCommandLine(quotePath(path)).path?.text).toBe(path);
  },
);
