/**
 * The lines of an answer that are prose: sentences of help and of the descriptions of settings, which are targetcli's and may not be
 * copied. Everything around them (headings, syntax lines, defaults, names, values, blank lines) is layout, and is compared as it stands.
 */

const rule = /^(?:=+|-+)$/;

/** @param typed the line that was run */
export function isProse(lines: readonly string[], at: number, typed: string): boolean {
  const line = lines[at] ?? '';
  if (line.trim() === '' || rule.test(line) || rule.test(lines[at + 1] ?? '') || isStatus(line)) return false;
  if (/(?:^|\s)[gs]et \w+$/.test(typed)) return /^-+$/.test(lines[at - 1] ?? '');
  if (!/(?:^|\s)help(?:\s|$)/.test(typed)) return false;
  const heading = lines.slice(0, at).findLastIndex((above, place) => rule.test(lines[place + 1] ?? '') && above !== '');
  const title = lines[heading];
  if (title === undefined || title === 'SYNTAX' || title === 'DEFAULT VALUES' || title === 'SEE ALSO') return false;
  return !/^ {2}- \w+ |^\[\w+\] COMMAND_NAME /.test(line);
}

const isStatus = (line: string): boolean => /^\[exit -?\d+\]$/.test(line);
