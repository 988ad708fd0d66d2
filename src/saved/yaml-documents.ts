/** Reads YAML, of which JSON is a part, within bounds: a client that may type `apply` must not hold up, or fill, the process that serves. */

import { setImmediate } from 'node:timers/promises';
import type { Document, Node, Range } from 'yaml';
import { OperatorError } from '../errors.ts';

/** The longest text that is read. */
const textBytesMax = 1 << 20;

/** The depth to which lists and objects may stand in each other; a description needs 8. */
const depthMax = 32;

/** The number of pieces (words, brackets, indents, ends of lines) that a text may have: 10,000 lines or so. */
const piecesMax = 100_000;

/** The number of values that a text may stand for, each counted as often as an alias repeats it. */
const valuesMax = 100_000;

/** The number of pieces after which other work of the process has its turn. */
const piecesAtOnce = 5000;
const documentsAtOnce = 100;

/**
 * Loads the library when there is a description to read. The library is a module of CommonJS, whose exports are one object once it is
 * bundled.
 */
export const yaml = async () => (await import('yaml')).default;
type Yaml = Awaited<ReturnType<typeof yaml>>;

/** A document of a text. */
export interface YamlDocument {
  readonly value: unknown;
  /** Finds a line. @returns the line of the value that the words lead to, or of the nearest value around it */
  lineOf(at: readonly (string | number)[]): number;
}

/** The documents of a text. @param name of the file @throws OperatorError, with the line, for what is no YAML, or too much of it */
export async function readDocuments(text: string, name: string): Promise<YamlDocument[]> {
  if (Buffer.byteLength(text) > textBytesMax)
    throw new OperatorError(`${name} has more than ${textBytesMax} bytes`, split);
  const library = await yaml();
  const lines = new library.LineCounter();
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const tokens = await tokensOf(library, text, lines, name);
  // This file looks for names that occur twice: the library would compare each name with each.
  const composer = new library.Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'error' });
  const documents: YamlDocument[] = [];
  for (const document of composer.compose(tokens)) {
    if (documents.length % documentsAtOnce === 0) await setImmediate();
    const refuse = (offset: number, what: string): never => {
      throw new OperatorError(`${name}:${lineAt(offset)}: ${what}`);
    };
    const [error] = document.errors;
    if (error) refuse(error.pos[0], error.message);
    const lineOf = (at: readonly (string | number)[]): number => {
      const node = at.length > 0 ? (document.getIn(at, true) as { range?: Range } | undefined) : document;
      return node?.range ? lineAt(node.range[0]) : lineOf(at.slice(0, -1));
    };
    documents.push({ value: saidBy(library, document as Document, refuse), lineOf });
  }
  return documents;
}

const split = 'Describe it in several files, and apply one after the other.';

/** Reads the syntax, and looks at it meanwhile: deep nesting costs the library the square of its depth. */
async function tokensOf(library: Yaml, text: string, lines: InstanceType<Yaml['LineCounter']>, name: string) {
  lines.addNewLine(0);
  const parser = new library.Parser(lines.addNewLine);
  const tokens = [];
  const refuse = (what: string, hint?: string) =>
    new OperatorError(`${name}:${lines.linePos(parser.offset).line}: ${what}`, hint);
  let pieces = 0;
  for (const piece of new library.Lexer().lex(text)) {
    pieces += 1;
    if (pieces % piecesAtOnce === 0) await setImmediate();
    if (pieces > piecesMax)
      throw refuse(`there is too much from here on: ${piecesMax} words and signs are read`, split);
    for (const token of parser.next(piece)) {
      if (token.type === 'error') throw refuse(token.message);
      tokens.push(token);
    }
    // The parser has at most one thing more between a list and its entries, and one for the document.
    if (parser.stack.length > 2 * depthMax) throw refuse(tooDeep);
  }
  return [...tokens, ...parser.end()];
}

const tooDeep = `lists and objects stand more than ${depthMax} deep in each other`;

/** A value that an alias may stand for. */
interface Measured {
  readonly value: unknown;
  readonly values: number;
  readonly depth: number;
}

/** Reads the value of a document. */
function saidBy(library: Yaml, document: Document, refuse: (offset: number, what: string) => never): unknown {
  const { isAlias, isMap, isScalar, isSeq } = library;
  /** The values by anchor; undefined while the value is not whole yet. */
  const anchors = new Map<string, Measured | undefined>();
  const measured = (node: Node | null): Measured => {
    if (isScalar(node)) return { value: node.value, values: 1, depth: 0 };
    const offset = node?.range?.[0] ?? 0;
    if (isAlias(node))
      return anchors.get(node.source) ?? refuse(offset, `*${node.source} stands for nothing that is whole before it`);
    if (node === null) return { value: null, values: 1, depth: 0 };
    let [values, depth] = [1, 0];
    const add = (inner: unknown): unknown => {
      const one = anchored(inner as Node | null);
      const at = (inner as Node | null)?.range?.[0] ?? offset;
      values += one.values;
      depth = Math.max(depth, one.depth + 1);
      if (values > valuesMax) refuse(at, `with its aliases this stands for more than ${valuesMax} values`);
      if (depth > depthMax) refuse(at, tooDeep);
      return one.value;
    };
    if (isSeq(node)) return { value: node.items.map(add), values, depth };
    if (!isMap(node)) return refuse(offset, 'this is neither a list nor an object');
    const entries = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      const at = (key as Node | null)?.range?.[0] ?? offset;
      if (!isScalar(key)) return refuse(at, 'a name is to be a text');
      const word = String(key.value);
      if (entries.has(word)) refuse(at, `'${word}' is said twice`);
      entries.set(word, add(value));
    }
    return { value: Object.fromEntries(entries), values, depth };
  };
  const anchored = (node: Node | null): Measured => {
    const anchor = node && !isAlias(node) ? (node as { anchor?: string }).anchor : undefined;
    if (anchor !== undefined) anchors.set(anchor, undefined);
    const one = measured(node);
    if (anchor !== undefined) anchors.set(anchor, one);
    return one;
  };
  return anchored(document.contents).value;
}
