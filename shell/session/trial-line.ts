/** Reads `try 5m LINE`, a line that is made on trial. */

import { OperatorError } from '../../src/client.ts';
import { durationType } from './time-type.ts';

/** The line of a trial, and its time. */
export interface TrialLine {
  readonly ms: number;
  /** The line, with blanks in the place of the words before it; absent where a file has the lines. */
  readonly line?: string;
  /** The file that has the lines. */
  readonly file?: string;
}

/** The longest trial: a week. */
const trialMsMax = 7 * 86_400_000;

/** Reads a line. @returns undefined for a line without `try`. @throws OperatorError for one that lacks something */
export function readTrialLine(line: string): TrialLine | undefined {
  const [head = '', time = '', rest = ''] = /^\s*(?:\/\s+)?try(?=\s|$)\s*(\S*)\s*(.*)$/s.exec(line) ?? [];
  if (head === '') return undefined;
  const ms = durationType.parse(time);
  if (ms === undefined || ms > trialMsMax || rest === '')
    throw new OperatorError(
      ms === undefined
        ? `'${time}' ${durationType.wrong}`
        : rest === ''
          ? 'What is to be tried?'
          : 'A trial lasts a week at most',
      'Syntax: try 5m LINE, or try 5m -f FILE',
    );
  const [, file] = /^-f\s+(\S.*?)\s*$/.exec(rest) ?? [];
  if (file !== undefined) return { ms, file: file.replace(/^(["'])(.*)\1$/, '$2') };
  if (/^(\/\s+)?(try|confirm|exit)\b/.test(rest)) throw new OperatorError(`${rest.split(/\s/, 1)[0]} cannot be tried`);
  return { ms, line: ' '.repeat(line.length - rest.length) + rest };
}
