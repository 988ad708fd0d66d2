/** The log of messages (preferences logfile, loglevel_file): the shell's messages, never the typed lines. */

import { appendFileSync, renameSync, statSync } from 'node:fs';

/** The levels, most serious first. */
const levels = ['critical', 'error', 'warning', 'info', 'verbose', 'debug'] as const;
export type LogLevelWord = (typeof levels)[number];

/** The size beyond which a log is set aside as FILE.1; so there are at most two. */
const logBytesMax = 1024 * 1024;

/** Whether a message of `level` is as serious as `least` or more. */
export const isWanted = (level: LogLevelWord, least: string): boolean =>
  levels.indexOf(level) <= levels.indexOf(least as LogLevelWord);

/** Appends a message. A log that cannot be written stops nothing. */
export function logMessage(file: string, level: LogLevelWord, text: string, now = new Date()): void {
  const stamp = now.toISOString().slice(0, 19).replace('T', ' ');
  try {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size > logBytesMax) renameSync(file, `${file}.1`);
    appendFileSync(file, `[${level.toUpperCase()}] ${stamp} ${text}\n`, { mode: 0o600 });
  } catch {}
}
