/** How a log is written: lines for people, or JSON lines for programs. */

import { fstatSync, writeSync } from 'node:fs';
import { type Log, type LogLevel, type LogRecord, logLevels } from '../log.ts';
import { printable, printableLine } from '../printable.ts';
import { shownValue } from '../target/auth.ts';

/** What a reader that is slow may leave unread, in bytes; what comes beyond is lost. */
const unreadBytesMax = 4 << 20;

/** No record has a secret in it; one that a bug put there is not written. */
const withoutSecrets = (detail: LogRecord['detail'] = {}): NonNullable<LogRecord['detail']> =>
  Object.fromEntries(Object.entries(detail).map(([name, value]) => [name, shownValue(name, value)]));

/** Lines: time, level, event, then name=value. @param least what weighs less is left out */
export function lineLog(write: (line: string, level: LogLevel) => void, now: () => Date, least: LogLevel): Log {
  return ({ level, event, detail }: LogRecord) => {
    if (logLevels.indexOf(level) > logLevels.indexOf(least)) return;
    const words = Object.entries(withoutSecrets(detail)).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`,
    );
    write(printableLine([now().toISOString(), level, event, ...words].join(' ')), level);
  };
}

/** Where lines go. */
export interface Lines {
  write(text: string): void;
}

/** Lines on standard output or standard error: a reader that is slow or gone, or a full disk, holds up nobody. */
export function linesTo(stream: NodeJS.WriteStream & { readonly fd: number }): Lines {
  // Node gives a file up at its first error; a disk may have room again.
  if (fstatSync(stream.fd).isFile())
    return {
      write(text) {
        try {
          writeSync(stream.fd, text);
        } catch {
          // Nobody can be told.
        }
      },
    };
  stream.on('error', () => {});
  return { write: (text) => void (stream.writableLength < unreadBytesMax && stream.write(text)) };
}

/** JSON lines: level, time, pid, the particulars, event. */
export async function jsonLog(lines: Lines, least: LogLevel): Promise<Log> {
  // Loaded by who writes JSON.
  const { default: pino } = await import('pino');
  const customLevels = Object.fromEntries(logLevels.map((level, at) => [level, (logLevels.length - at) * 10]));
  const options = {
    level: least,
    customLevels: customLevels as Record<LogLevel, number>,
    useOnlyCustomLevels: true as const,
    formatters: { level: (level: string) => ({ level }) },
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'event',
  };
  const shown: Lines = { write: (text) => lines.write(printable(text)) };
  const logger = pino(options, shown);
  return ({ level, event, detail }) => logger[level](withoutSecrets(detail), event);
}
