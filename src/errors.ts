/**
 * The operator's kind of error. The other two kinds live where they are spoken: `CheckCondition` in scsi/sense.ts and
 * `ProtocolError` in iscsi/; anything else that is thrown is a bug of ours.
 */

/** Something the operator can put right: one clear line, exit status 1. */
export class OperatorError extends Error {
  /** What to type or to do next; shown on lines of its own after the message. */
  readonly hint: string | undefined;

  /** @param message the first line: targetcli's own text wherever targetcli has one */
  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'OperatorError';
    this.hint = hint;
  }
}

/** A system error's code (`ENOSPC`, `EIO` …), or undefined when `error` is not a system error. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** What went wrong, in one line, for a log or an operator: system errors without Node's "CODE: …, syscall 'path'" frame. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = systemErrorCode(error);
  const text = error.message.split('\n', 1)[0] ?? '';
  if (code === undefined) return text;
  return text.replace(/^E[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/, '');
}

/** The last words of a program: the operator's errors as they are, anything else as the bug that it is. */
export function lastWords(error: unknown): string {
  if (error instanceof OperatorError) return error.hint ? `${error.message}\n${error.hint}` : error.message;
  return `internal error: ${error instanceof Error ? (error.stack ?? error.message) : reasonOf(error)}`;
}
