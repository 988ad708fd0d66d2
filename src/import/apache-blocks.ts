/** Apache-like configuration files: `<name argument>` … `</name>` around lines of a key and a value, and files that include others. */

import { readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { OperatorError, reasonOf } from '../errors.ts';
import { statOf } from '../system/stat.ts';
import { isPattern, matchesPattern } from '../wildcard.ts';
import { type At, keywordOf } from './imported.ts';
import { SourceFiles } from './source-files.ts';

export interface BlockOption extends At {
  readonly key: string;
  readonly value: string;
}

/** A block: its name, its argument, and its contents. */
export interface Block extends At {
  readonly name: string;
  readonly argument: string;
  readonly options: readonly BlockOption[];
  readonly blocks: readonly Block[];
}

interface Open extends At {
  readonly name: string;
  readonly argument: string;
  readonly options: BlockOption[];
  readonly blocks: Block[];
}

/** The depth to which files that include one another, and blocks in blocks, are followed. */
const depthMax = 16;

/** Reads blocks. @returns a block without a name around all of them @throws OperatorError with file and line */
export function readBlocks(text: string, file: string): Block {
  const root: Open = { name: '', argument: '', file, line: 1, options: [], blocks: [] };
  readInto([root], text, file, new SourceFiles(Buffer.byteLength(text)), 0);
  return root;
}

/** An error that names the file and the line. */
export const wrongAt = ({ file, line }: At, why: string): OperatorError => new OperatorError(`${file}:${line}: ${why}`);

function readInto(open: Open[], text: string, file: string, files: SourceFiles, depth: number): void {
  const outside = open.length;
  for (const { line, content } of linesOf(text)) {
    const at = { file, line };
    const inner = open.at(-1)!;
    const [, closing] = /^<\/\s*([^\s>]+)\s*>$/.exec(content) ?? [];
    // These regular expressions go through a line once, however long its blanks are.
    const [, name, argument = ''] = /^([^\s/>][^\s>]*)\s*(.*)$/.exec(bracketed(content)) ?? [];
    const [, included] = /^(?:<<\s*)?include\s+(.+)$/i.exec(content) ?? [];
    if (included !== undefined) {
      if (depth >= depthMax) throw wrongAt(at, 'files include one another without end');
      const names = unquoted(included.replace(/>>$/, '').trimEnd());
      for (const path of filesOf(names, file, files, at))
        readInto(open, textOf(path, files, at), path, files, depth + 1);
    } else if (closing !== undefined) {
      if (open.length <= outside || closing.toLowerCase() !== inner.name)
        throw wrongAt(
          at,
          `</${keywordOf(closing, true)}> closes nothing; open is ${inner.name ? `<${keywordOf(inner.name, true)}> of line ${inner.line}` : 'no block'}`,
        );
      open.pop();
      open.at(-1)?.blocks.push(inner);
    } else if (name !== undefined) {
      if (open.length >= depthMax) throw wrongAt(at, 'blocks stand in one another too deeply');
      open.push({ ...at, name: name.toLowerCase(), argument: unquoted(argument), options: [], blocks: [] });
    } else {
      const [, key = content, value = ''] = /^(\S+?)(?:\s*=\s*|\s+)(.*)$/s.exec(content) ?? [];
      if (content.startsWith('<')) throw wrongAt(at, 'a < without its > is no block');
      inner.options.push({ ...at, key, value: unquoted(value.trim()) });
    }
  }
  const inner = open.at(-1)!;
  if (open.length > outside) throw wrongAt(inner, `<${keywordOf(inner.name, true)}> is not closed`);
}

/** The lines of a text, without comments and empty lines; one that ends with a backslash goes on in the next. */
function* linesOf(text: string): Generator<{ line: number; content: string }> {
  let started = 0;
  let held = '';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (held === '') started = index + 1;
    // Behind a backslash, `#` begins no comment.
    const plain = raw.replace(/(?<!\\)#.*$/, '');
    if (plain.endsWith('\\')) {
      held += plain.slice(0, -1);
      continue;
    }
    const content = (held + plain).trim();
    held = '';
    if (content !== '') yield { line: started, content };
  }
  if (held.trim() !== '') yield { line: started, content: held.trim() };
}

/** The text between `<` and `>`; nothing where they are not around all of it. */
const bracketed = (content: string): string => (/^<.*>$/.test(content) ? content.slice(1, -1).trim() : '');

/** Takes away double quotes around a value, and backslashes before signs with a meaning. */
const unquoted = (text: string): string => text.replace(/^"(.*)"$/s, '$1').replace(/\\([$\\"#])/g, '$1');

/** The files that a name with `*` and `?` in its last part stands for; a folder stands for the files in it. */
function filesOf(name: string, from: string, files: SourceFiles, at: At): string[] {
  within(at, '', () => files.count());
  const path = resolve(dirname(from), name);
  const pattern = basename(path);
  if (statOf(path)?.isDirectory()) return filesIn(path, '*');
  return isPattern(pattern) ? filesIn(dirname(path), pattern) : [path];
}

function filesIn(folder: string, pattern: string): string[] {
  try {
    const names = readdirSync(folder).filter((one) => !one.startsWith('.') && matchesPattern(pattern, one));
    return names
      .sort()
      .map((one) => join(folder, one))
      .filter((one) => statOf(one)?.isFile());
  } catch {
    return [];
  }
}

const textOf = (path: string, files: SourceFiles, at: At): string =>
  within(at, `${path} cannot be read: `, () => files.read(path));

/** Does work; an error of it is told with the line that asked for it. */
function within<T>(at: At, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw wrongAt(at, `${what}${reasonOf(error)}`);
  }
}
