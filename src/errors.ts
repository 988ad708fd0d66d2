/**
 * The operator's kind of error. The other two kinds live where they are spoken: `CheckCondition` in scsi/sense.ts and
 * `ProtocolError` in iscsi/; anything else that is thrown is a bug of ours.
 */

/** Something the operator can put right: one clear line, exit status 1. */
export class OperatorError extends Error {
  /** The advice: words to type or things to do next, shown on lines of their own after the message. */
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

/** The reason of an error in one line, for a log or an operator: system errors without Node's "CODE: …, syscall". */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = systemErrorCode(error);
  const text = error.message.split('\n', 1)[0] ?? '';
  if (code === undefined) return text;
  return text.replace(/^E[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/, '');
}

/** The reason as `reasonOf` gives it, with the advice of an operator's error on the lines below its first one. */
export function wholeReasonOf(error: unknown): string {
  const hint = error instanceof OperatorError ? error.hint : undefined;
  return hint === undefined ? reasonOf(error) : `${reasonOf(error)}: ${hint.replaceAll('\n', ' ')}`;
}

/** The text of a file of ours → its JSON. @throws Error that says what is wrong and where, and quotes nothing: secrets may stand there */
export function parseJson(text: string): unknown {
  try {
    // RFC 8259 8.1: a byte order mark before it may be passed over; editors put one there.
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    throw new Error(withoutQuote((error as Error).message, text));
  }
}

/** V8 says where, except for a token that it did not expect: there it shows ten characters before the token instead. */
function withoutQuote(reason: string, text: string): string {
  const quote = /^(Unexpected token '.'), (\.\.\.)?"(.*)"(?:\.\.\.)? is not valid JSON$/su;
  const [, what = reason, cut, excerpt] = quote.exec(reason) ?? [];
  if (excerpt === undefined) return what;
  const at = text.indexOf(excerpt) + (cut ? 10 : excerpt.indexOf(what.slice(-2, -1)));
  const lines = text.slice(0, at).split('\n');
  return `${what} (line ${lines.length} column ${lines.at(-1)!.length + 1})`;
}

/** The last words of a program: the operator's errors as they are, anything else as the bug that it is. */
export function lastWords(error: unknown): string {
  if (error instanceof OperatorError) return error.hint ? `${error.message}\n${error.hint}` : error.message;
  return `internal error: ${error instanceof Error ? (error.stack ?? error.message) : reasonOf(error)}`;
}
