/** What the engine says while it runs: records, never text with secrets in it. Where they go is the program's affair. */

/** From the weightiest on. */
export const logLevels = ['error', 'warning', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogRecord {
  readonly level: LogLevel;
  /** What happened, in a few words that stay the same. */
  readonly event: string;
  /** The particulars: names, addresses, reasons. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

export type Log = (record: LogRecord) => void;

/** A bug of ours: logged with its stack; the process goes on. */
export function logBug(log: Log, where: string, error: unknown): void {
  log({
    level: 'error',
    event: 'internal error',
    detail: { where, stack: error instanceof Error ? (error.stack ?? error.message) : String(error) },
  });
}
