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
const printed = ['creations', 'settings', 'tree', 'verbs'].map((name) => `src/library/${name}.ts`);

/** Places that were being written when the law about beginnings was made. The list only gets shorter. */
const beingWritten: readonly string[] = [
  'shell/channel/session-client.ts',
  'shell/nodes/acl-group.ts',
  'shell/nodes/moving.ts',
  'shell/nodes/named-storage-object.ts',
  'shell/nodes/tpg.ts',
  'shell/process/ask-secret.ts',
  'shell/process/quoting.ts',
  'shell/process/serve-words.ts',
  'shell/session/configuration-groups.ts',
  'shell/session/given-secret.ts',
  'shell/session/inspect.ts',
  'shell/session/many.ts',
  'shell/session/node.ts',
  'shell/session/session.ts',
  'shell/ui/line-editor.ts',
  'shell/ui/read-line.ts',
  'src/backstore/fileio.ts',
  'src/backstore/rbd-lock.ts',
  'src/backstore/user.ts',
  'src/backstore/volume-shape.ts',
  'src/cluster/',
  'src/daemon/socket-server.ts',
  'src/library/saved.ts',
  'src/loops/bounded-calls.ts',
  'src/loops/calls.ts',
  'src/loops/local-loop.ts',
  'src/loops/loop.ts',
  'src/loops/object-states.ts',
  'src/loops/placement.ts',
  'src/loops/shared-units.ts',
  'src/operations/making-again.ts',
  'src/operations/medium-operations.ts',
  'src/operations/moving-operations.ts',
  'src/operations/storage-object-operations.ts',
  'src/root/changes.ts',
  'src/root/gateway.ts',
  'src/root/history.ts',
  'src/root/joining.ts',
  'src/root/made-portal.ts',
  'src/root/saving.ts',
  'src/root/shared-tree.ts',
  'src/root/sharing.ts',
  'src/saved/elsewhere.ts',
  'src/saved/saved-shape.ts',
  'src/saved/transition.ts',
  'src/scsi/alua.ts',
  'src/scsi/device-server.ts',
  'src/scsi/persistent-reservation.ts',
  'src/scsi/reservation-commands.ts',
  'src/scsi/shared-reservations.ts',
  'src/scsi/shared-unit.ts',
  'src/scsi/task.ts',
  'src/system/own-folder.ts',
  'src/system/places.ts',
  'src/target/auth.ts',
  'src/vhost/front-end.ts',
  'test/cluster/',
  'test/daemon/places.test.ts',
  'test/daemon/socket-server.test.ts',
  'test/e2e-cluster/',
  'test/e2e-engines/rbd-expiry.test.ts',
  'test/e2e/shells.test.ts',
  'test/iscsi/command-state.test.ts',
  'test/library/tree-declarations.ts',
  'test/loops/bounded-calls.test.ts',
  'test/packages/',
  'test/root/everyday.test.ts',
  'test/root/gateway.test.ts',
  'test/root/given.test.ts',
  'test/saved/rtslib.test.ts',
  'test/shell/changes.test.ts',
  'test/shell/messages.test.ts',
  'test/shell/session/given-secret.test.ts',
  'test/shell/session/many.test.ts',
  'test/shell/try.test.ts',
  'test/shell/ui/live.test.ts',
  'test/support/etcd.ts',
];

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
    .filter((file) => !printed.includes(file) && !beingWritten.some((place) => file.startsWith(place)))
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
