/** The values that fit a parameter: those that its record lists or suggests, and the names of its kind. */

import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Parameter } from '../../src/index.ts';
import type { Candidate } from '../channel/protocol.ts';
import type { CommandParameter, Node, Suggesting } from './node.ts';
import { resolvePath } from './path.ts';
import { sorted } from './tree-drawing.ts';

/** A value before it is put into a line: its meaning, without quotes. */
export type Suggestion = Omit<Candidate, 'help'> & { readonly help?: string };

/** The number of entries of one folder that are offered. */
const folderEntriesMax = 1000;

/** Values for `parameter` that begin with `typed`. */
export async function suggestValues(
  parameter: CommandParameter,
  typed: string,
  node: Node,
  session: Suggesting,
): Promise<Suggestion[]> {
  const own = Array.from(parameter.suggest?.(node, session) ?? [], (one): Suggestion => {
    const [text, help] = typeof one === 'string' ? [one, ''] : one;
    return { text, help, kind: 'parameter', final: true };
  });
  const words = (parameter.type.words ?? []).map((text): Suggestion => ({ text, kind: 'parameter', final: true }));
  const named = await suggestKind(parameter.kind, typed, node, session);
  return [...own, ...words, ...named].filter(({ text }) => text.startsWith(typed));
}

async function suggestKind(
  kind: Parameter['kind'],
  typed: string,
  node: Node,
  session: Suggesting,
): Promise<Suggestion[]> {
  if (kind === 'path') return [...suggestBookmarks(node, session), ...suggestPaths(typed, node, session)];
  if (kind === 'file') return suggestFiles(typed, session, () => true);
  if (kind === 'block-device') return suggestFiles(typed, session, (entry) => entry.isBlockDevice());
  // Objects of the tree come first; files are offered to a person who begins to type the name of one.
  if (kind === 'storage-object' && typed.includes('/')) return suggestFiles(typed, session, () => true);
  return [];
}

/** The bookmarks whose paths exist. */
export const suggestBookmarks = (from: Node, { preferences }: Suggesting): Suggestion[] =>
  [...preferences.bookmarks]
    .filter(([, path]) => isThere(path, from))
    .map(([name, path]) => ({ text: `@${name}`, help: path, kind: 'bookmark', final: true }));

function isThere(path: string, from: Node): boolean {
  try {
    resolvePath(path, from, new Map());
    return true;
  } catch {
    return false;
  }
}

/** The nodes below the last slash of `typed`, each with a slash at its end. */
export function suggestPaths(typed: string, from: Node, { preferences }: Suggesting): Suggestion[] {
  const folder = typed.slice(0, typed.lastIndexOf('/') + 1);
  return sorted(resolvePath(folder, from, preferences.bookmarks).children()).map((child) => ({
    text: `${folder}${child.name}/`,
    help: child.summary().text || child.doc,
    kind: 'path',
    final: false,
  }));
}

type Entry = { isDirectory(): boolean; isFile(): boolean; isBlockDevice(): boolean };

async function suggestFiles(
  typed: string,
  { fileNamed }: Suggesting,
  wanted: (entry: Entry) => boolean,
): Promise<Suggestion[]> {
  const folder = typed.slice(0, typed.lastIndexOf('/') + 1);
  const place = fileNamed(folder);
  const hidden = typed.slice(folder.length).startsWith('.');
  const entries = await readdir(place, { withFileTypes: true });
  const suggestions: Suggestion[] = [];
  for (const entry of entries.slice(0, folderEntriesMax)) {
    if (entry.name.startsWith('.') && !hidden) continue;
    const found = entry.isSymbolicLink() ? await stat(resolve(place, entry.name)).catch(() => entry) : entry;
    if (found.isDirectory())
      suggestions.push({ text: `${folder}${entry.name}/`, help: 'folder', kind: 'parameter', final: false });
    else if (wanted(found)) suggestions.push({ text: folder + entry.name, kind: 'parameter', final: true });
  }
  return suggestions.sort((a, b) => (a.text < b.text ? -1 : 1));
}
