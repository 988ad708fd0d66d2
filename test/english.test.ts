// English that is read once: a comment and the name of a test begin with what they are about. Whether a sentence is true,
// and needed, a reader has to say.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const project = resolve(import.meta.dirname, '..');
const text = (file: string) => readFileSync(join(project, file), 'utf8');
const files = ['src', 'shell', 'test']
  .flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((name) => /\.tsx?$/.test(name));

/** Files that are printed from the records, whose texts are in the words of the shell's help. */
const printed = ['creations', 'saved', 'settings', 'tree', 'verbs'].map((name) => `src/library/${name}.ts`);

/** Beginnings of a comment whose subject stands elsewhere, or nowhere. A noun may follow `this`, `these` and `those`. */
const bareOpening =
  /^(It|They|He|She|Its|Their|His|What|Who|Whom|Whose|Whoever|Whatever|Of|Same|Whether (it|they)|The same(?=,| (of|by|for|on|from|without|in|as|that)\b)|Those (that|who|of)|One (that|who|of)|Th(is|at|ese|ose) (is|are|was|were|has|have|does|do|may|can|must)|As (in|of))\b/;

/** The first line of each comment of a file. */
const commentsOf = (file: string): { readonly line: number; readonly text: string }[] =>
  text(file)
    .split('\n')
    .flatMap((line, at, lines) => {
      const before = lines[at - 1] ?? '';
      const [, inLine, inBlock, behindSlashes] =
        /^\s*\/\*\*? (\S.*)|^\s*\* (\S.*)|(?:^|\s)\/\/ (\S.*)/.exec(line) ?? [];
      const first = /^\s*\/\*\*?$/.test(before) ? inBlock : /^\s*\/\//.test(before) ? undefined : behindSlashes;
      return (inLine ?? first) === undefined ? [] : [{ line: at + 1, text: inLine ?? first ?? '' }];
    });

it('a comment, and the name of a test, begins with its subject: no pronoun, no clause in its place', () => {
  const wrong = files
    .filter((file) => !printed.includes(file))
    .flatMap((file) => [
      ...commentsOf(file)
        .filter(({ text }) => bareOpening.test(text))
        .map(({ line, text }) => `${file}:${line} ${text}: name what it is about`),
      ...[...text(file).matchAll(/^\s*(?:it|test|describe)(?:\.each)?\([^'"`\n]*['"`](.*)/gm)]
        .filter(([, name = '']) => /^(it|they|its|their|what|who|whom|whose|whoever|whatever)\b/.test(name))
        .map(([, name]) => `${file} ${name}: name what it is about`),
    ]);
  expect(wrong).toEqual([]);
});

it('the glossary has the words that are ours and stand in more than one file of the product, in their order', () => {
  const words = [...text('docs/glossary.md').matchAll(/^\| (?!word )([^|]+?) \|/gm)].map(([, word = '']) => word);
  expect(words.length).toBeGreaterThan(30);
  expect(words).toEqual(words.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)));
  const product = files.filter((file) => !file.startsWith('test/') && !printed.includes(file)).map(text);
  const isUsed = (word: string) => new RegExp(`\\b${word.replace(' ', '[ -]')}s?\\b`, 'i');
  expect(words.filter((word) => product.filter((one) => isUsed(word).test(one)).length < 2)).toEqual([]);
});
