/** How a log is written: lines for people, or JSON lines for programs. */

import { type Log, type LogLevel, type LogRecord, logLevels } from '../log.ts';

/** What a reader that is slow may leave unread, in bytes; what comes beyond is lost. */
const unreadBytesMax = 4 << 20;

/** No record has a secret in it; one that a bug put there is not written. */
const secret = /password|secret/i;
const withoutSecrets = (detail: LogRecord['detail'] = {}): NonNullable<LogRecord['detail']> =>
  Object.fromEntries(Object.entries(detail).map(([name, value]) => [name, secret.test(name) ? '***' : value]));

/** Lines: time, level, event, then name=value. @param least what weighs less is left out */
export function lineLog(write: (line: string, level: LogLevel) => void, now: () => Date, least: LogLevel): Log {
  return ({ level, event, detail }: LogRecord) => {
    if (logLevels.indexOf(level) > logLevels.indexOf(least)) return;
    const words = Object.entries(withoutSecrets(detail)).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`,
    );
    write([now().toISOString(), level, event, ...words].join(' '), level);
  };
}

/** JSON lines on a descriptor: level, time, pid, the particulars, event. A reader that is slow holds up nobody. */
export async function jsonLog(fd: number, least: LogLevel): Promise<Log> {
  // Loaded by who writes JSON.
  const { default: pino } = await import('pino');
  const lines = pino.destination({ fd, sync: false, maxLength: unreadBytesMax });
  // Nobody reads, and nobody can be told.
  lines.on('error', () => {});
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
  const logger = pino(options, lines);
  return ({ level, event, detail }) => logger[level](withoutSecrets(detail), event);
}
