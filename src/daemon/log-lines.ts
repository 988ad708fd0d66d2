/** Writes a log: lines for people, or JSON lines for programs. */

import { copyFileSync, fstatSync, ftruncateSync, rmSync, writeSync } from 'node:fs';
import { type Log, type LogLevel, type LogRecord, logLevels } from '../log.ts';
import { printable, printableLine } from '../printable.ts';
import { shownValue } from '../target/auth.ts';

/** The bytes that a slow reader may leave unread; lines beyond are lost. */
const unreadBytesMax = 4 << 20;

/** The details of a record as they may be shown. A record should have no secret in it, and one that a bug put there is hidden. */
export const shownDetail = (detail: LogRecord['detail'] = {}): NonNullable<LogRecord['detail']> =>
  Object.fromEntries(Object.entries(detail).map(([name, value]) => [name, shownValue(name, value)]));

/** A log of lines: time, level, event, then name=value. @param least the lowest level that is written */
export function lineLog(write: (line: string, level: LogLevel) => void, now: () => Date, least: LogLevel): Log {
  return ({ level, event, detail }: LogRecord) => {
    if (logLevels.indexOf(level) > logLevels.indexOf(least)) return;
    const words = Object.entries(shownDetail(detail)).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`,
    );
    write(printableLine([now().toISOString(), level, event, ...words].join(' ')), level);
  };
}

/** The writer of lines. */
export interface Lines {
  write(text: string): void;
}

/** The bytes of a log file of our own; older lines are kept once, beside it. */
export const ownLogBytesMax = 4 << 20;

/**
 * Writes lines on standard output or standard error. A slow or missing reader, or a full disk, holds up nobody.
 * @param ownLog the file that `tcli daemon start` opened for it, for appending: nobody else bounds its length
 */
export function linesTo(stream: NodeJS.WriteStream & { readonly fd: number }, ownLog?: string): Lines {
  // Node gives a file up at its first error, and a disk may have room again.
  if (fstatSync(stream.fd).isFile())
    return {
      write(text) {
        try {
          if (ownLog !== undefined) bound(stream.fd, ownLog, Buffer.byteLength(text));
          writeSync(stream.fd, text);
        } catch {
          // A log that cannot be written has no way to say so.
        }
      },
    };
  stream.on('error', () => {});
  return { write: (text) => void (stream.writableLength < unreadBytesMax && stream.write(text)) };
}

/**
 * Empties a log that has no room for `more` bytes, once it is copied. The log is not renamed: its descriptor is standard output and
 * standard error of this process and of programs that it has started, and they all go on in the same file.
 */
function bound(fd: number, path: string, more: number): void {
  const { size } = fstatSync(fd);
  if (size === 0 || size + more <= ownLogBytesMax) return;
  const before = `${path}.1`;
  try {
    rmSync(before, { force: true });
    // The copy is made by the descriptor: the file may have been moved or removed.
    copyFileSync(`/dev/fd/${fd}`, before);
  } catch {
    // A full disk, or a folder that cannot be written, costs the lines from before.
  }
  ftruncateSync(fd, 0);
}

/** A log of JSON lines: level, time, pid, the details, event. */
export async function jsonLog(lines: Lines, least: LogLevel): Promise<Log> {
  // The library is loaded only where JSON is written.
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
  return ({ level, event, detail }) => logger[level](shownDetail(detail), event);
}
