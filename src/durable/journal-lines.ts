/** The lines of the journal: the meaning of each, and the place among them where the configuration begins. */

import { OperatorError, parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import type { Operation, PartOfChange } from '../operations/operation.ts';
import type { Files } from './atomic-file.ts';

/** The change that a line is a part of, and its time. */
export interface Mark extends PartOfChange {
  /** In a cluster: the gateway that made the change, and the number of the change among those of the shared tree. */
  readonly gateway?: string;
  readonly number?: number;
  /** The time of the line; ISO 8601, UTC. */
  readonly at: string;
}

/** One line; `journal.ts` says what each kind of line means. */
export interface JournalLine extends Partial<Mark> {
  readonly journal?: number;
  readonly base?: string | null;
  readonly folded?: number;
  readonly do?: Operation | readonly Operation[];
  readonly on?: string | null;
  readonly saved?: string;
  /** The name of a change on trial that is to stay. */
  readonly confirms?: string;
}

/** The operations of a line. */
export const operationsOf = (line: JournalLine): Operation[] => [line.do ?? []].flat() as Operation[];

/** The number of the last line that names its base: no later operation is in saveconfig.json for certain. */
const sectionIn = (lines: readonly JournalLine[]): number =>
  Math.max(
    0,
    lines.findLastIndex(({ base }) => base !== undefined),
  );

/** The first line behind all that a saved file holds whose hash is `base`; undefined when no such line is known. */
export function savedAt(lines: readonly JournalLine[], base: string | null): number | undefined {
  const section = sectionIn(lines);
  const written = lines.findLastIndex(({ saved }, at) => at >= section && saved !== undefined && saved === base);
  if (written >= 0) return written + 1;
  return lines.length === 0 || lines[section]?.base === base ? section : undefined;
}

/** The first line to replay onto a saved file whose hash is `base`; undefined when the journal does not go with it. */
export function startOf(lines: readonly JournalLine[], base: string | null): number | undefined {
  const section = sectionIn(lines);
  const saved = savedAt(lines, base);
  // An operation that replaces everything also goes with the file that was there when it was carried out.
  const whole = lines.findLastIndex(({ on }, at) => at >= (saved ?? section) && on !== undefined && on === base);
  return whole >= 0 ? whole : saved;
}

/** The number of the last change of the shared tree among some lines; 0: there is none. */
export const numberIn = (lines: readonly JournalLine[]): number =>
  lines.reduce((last, { number = 0 }) => Math.max(last, number), 0);

/** The number of operations that the first line of a journal stands for and that are not in saveconfig.json; `lines` begins at `start`. */
export const foldedAt = (lines: readonly JournalLine[], start: number): number =>
  start === 0 ? (lines[0]?.folded ?? 0) : 0;

/**
 * All lines that were acknowledged.
 * @throws OperatorError when they cannot be read, or one in the middle is damaged
 */
export async function readLines(path: string, files: Files): Promise<JournalLine[]> {
  let text: string;
  try {
    text = await files.readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw unreadable(path, reasonOf(error));
  }
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  return lines.map((line, number) => {
    try {
      const parsed = parseJson(line);
      if (!isJournalLine(parsed)) throw new Error('this is no line of a journal');
      return parsed;
    } catch (error) {
      throw unreadable(path, `${path} is damaged at line ${number + 1}: ${reasonOf(error)}`);
    }
  });
}

/** @param reason why the journal at `path` cannot be read */
export const unreadable = (path: string, reason: string): OperatorError =>
  new OperatorError(`Cannot read the journal: ${reason}`, `Mend or move away ${path}`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isOperation = (value: unknown): boolean =>
  isObject(value) &&
  typeof value['path'] === 'string' &&
  typeof value['verb'] === 'string' &&
  isObject(value['params']);

function isJournalLine(value: unknown): value is JournalLine {
  if (!isObject(value)) return false;
  const { do: done } = value;
  return done === undefined || (Array.isArray(done) ? done.every(isOperation) : isOperation(done));
}
