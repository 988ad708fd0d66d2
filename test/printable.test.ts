/** Text that others wrote, as it is shown: which characters are written out, and that logs of both forms do so. Not here: where else it is shown (test/shell/printing.test.ts). */

import { expect, test } from 'vitest';
import { jsonLog, lineLog } from '../src/daemon/log-lines.ts';
import { isPrintable, printable, printableLine, unprintableOf } from '../src/printable.ts';
import { hostile, rawIn } from './support/hostile.ts';

test('control, format and bidirectional characters, line separators and half characters are written as JSON writes them', () => {
  expect(printableLine('a\x1b[31mb\x07\x7f\x9b\u202e\u2028\u200d\ufeff\ud800c\n\t')).toBe(
    'a\\u001b[31mb\\u0007\\u007f\\u009b\\u202e\\u2028\\u200d\\ufeff\\ud800c\\u000a\\u0009',
  );
  // A format character outside of the first plane, and one that can be seen.
  expect(printableLine('\u{e0041}\u{1f600}')).toBe('\\udb40\\udc41\u{1f600}');
  expect(printable('two\nlines\tand\r\x1b')).toBe('two\nlines\tand\\u000d\\u001b');
  for (const text of ['', 'plain "text" \\u001b', 'Grüße, 漢字, العربية'])
    expect([printableLine(text), isPrintable(text)]).toEqual([text, true]);
});

test('escaped characters can be read back; others are left alone', () => {
  const back = (text: string) => text.replace(/\\u([0-9a-f]{4})/g, (as, digits: string) => unprintableOf(digits) ?? as);
  for (const text of [hostile, '\u{e0041}\ud800']) expect(back(printableLine(text))).toBe(text);
  expect(back('\\u0041')).toBe('\\u0041');
});

test('a log line, of either form, has none of them, and is one line', async () => {
  const lines: string[] = [];
  const record = { level: 'error', event: `login ${hostile}`, detail: { initiator: hostile, path: `a${hostile}` } };
  lineLog(
    (line) => void lines.push(line),
    () => new Date(0),
    'debug',
  )(record as never);
  (await jsonLog({ write: (line) => void lines.push(line.replace(/\n$/, '')) }, 'debug'))(record as never);
  expect(lines).toHaveLength(2);
  for (const line of lines) expect([rawIn(line), line.includes('\n')]).toEqual(['', false]);
  expect(JSON.parse(lines[1]!)).toMatchObject(record.detail);
});
