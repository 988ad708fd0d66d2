/**
 * The types of the library are those of the records (`npx vitest run test/library/declarations.test.ts -u` prints them
 * anew). What they do: library.test.ts.
 */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { creations, verbs } from './creation-declarations.ts';
import { settings } from './settings-declarations.ts';
import { saved, tree } from './tree-declarations.ts';

const project = join(import.meta.dirname, '../..');

/** The text as the formatter of this project has it. */
const formatted = (name: string, text: string) =>
  execFileSync(join(project, 'node_modules/.bin/biome'), ['format', '--stdin-file-path', name], {
    cwd: project,
    input: text,
    encoding: 'utf8',
  });

it.each([
  ['src/library/settings.ts', settings],
  ['src/library/creations.ts', creations],
  ['src/library/saved.ts', saved],
  ['src/library/tree.ts', tree],
  ['src/library/verbs.ts', verbs],
])('%s is what the records say', async (name, print) => {
  await expect(formatted(name, print())).toMatchFileSnapshot(join(project, name));
});
