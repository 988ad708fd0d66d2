/** The editor's keys as people know them from readline. Not here: how keys are decoded (key), what Tab and Enter do (session). */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  acceptSuggestion,
  commonPrefix,
  EMPTY_LINE,
  editLine,
  LINE_LENGTH_MAX,
  type Line,
  replaceText,
  suggestion,
} from '../../../shell/ui/line-editor.ts';

const HISTORY = ['ls', 'cd /iscsi', 'create disk1 1G'];

/** `ab|cd` is the line abcd with the cursor before c. */
const line = (picture: string): Line => ({
  ...EMPTY_LINE,
  text: picture.replace('|', ''),
  cursor: picture.indexOf('|'),
});
const picture = ({ text, cursor }: Line) => `${text.slice(0, cursor)}|${text.slice(cursor)}`;
const press = (from: Line, ...chords: string[]) =>
  chords.reduce(
    (now, chord) =>
      editLine(now, chord.startsWith("'") ? key('text', chord.slice(1)) : key(chord), HISTORY) ?? expect.fail(chord),
    from,
  );
const key = (chord: string, text = '') => ({ chord, text, sequence: '' });

test.each([
  ['C-a', 'ab|c', '|abc'],
  ['C-e', 'ab|c', 'abc|'],
  ['C-b', 'ab|c', 'a|bc'],
  ['C-b', '|abc', '|abc'],
  ['C-f', 'ab|c', 'abc|'],
  ['M-b', '/iscsi/iqn.2003|', '/iscsi/iqn.|2003'],
  ['M-b', '/iscsi/|', '/|iscsi/'],
  ['M-f', '|/iscsi/iqn', '/iscsi|/iqn'],
  ['C-w', 'create disk1 |1G', 'create |1G'],
  ['M-backspace', 'cd /iscsi/|', 'cd /|'],
  ['M-d', 'a| bc d', 'a| d'],
  ['C-k', 'ab|c', 'ab|'],
  ['C-u', 'ab|c', '|c'],
  ['C-t', 'ab|cd', 'acb|d'],
  ['C-t', 'abc|', 'acb|'],
  ['C-t', '|abc', '|abc'],
  ['C-t', 'a|', 'a|'],
  ['backspace', 'ab|c', 'a|c'],
  ['backspace', '|abc', '|abc'],
  ['delete', 'a|bc', 'a|c'],
  ['delete', 'abc|', 'abc|'],
])('%s: %s becomes %s', (chord, before, after) => {
  expect(picture(press(line(before), chord))).toBe(after);
});

test('a character is what a person calls one: an emoji family, a flag, a letter and its accent go as one', () => {
  const family = '👨‍👩‍👧';
  for (const one of [family, '🇩🇪', 'e\u0301', '汉']) {
    expect(picture(press(line(`a${one}|b`), 'left'))).toBe(`a|${one}b`);
    expect(picture(press(line(`a${one}|b`), 'backspace'))).toBe('a|b');
    expect(picture(press(line(`a|${one}b`), 'delete'))).toBe('a|b');
    expect(picture(press(line(`a${one}|`), 'C-t'))).toBe(`${one}a|`);
  }
});

test('kills in a row come back together; any other key begins a new one', () => {
  const killed = press(line('one two three|'), 'C-w', 'C-w');
  expect(picture(press(killed, 'C-y'))).toBe('one two three|');
  expect(picture(press(line('one two|'), 'C-w', 'C-a', 'C-k', 'C-y', 'C-y'))).toBe('one one |');
  expect(picture(press(line('a b|c d'), 'C-u', 'C-k', 'C-y'))).toBe('a bc d|');
});

test('history: up walks back, down returns to the line that was typed', () => {
  const typed = line('set|');
  expect(picture(press(typed, 'up'))).toBe('create disk1 1G|');
  expect(picture(press(typed, 'up', 'up', 'up', 'up', 'up'))).toBe('ls|');
  expect(picture(press(typed, 'up', 'up', 'down', 'down', 'down'))).toBe('set|');
});

test('a suggestion is the newest line that starts alike, only at the end of the line, and a word of it can be taken', () => {
  expect(suggestion(line('c|'), HISTORY)).toBe('reate disk1 1G');
  expect(suggestion(line('cd|'), HISTORY)).toBe(' /iscsi');
  expect(suggestion(line('|c'), HISTORY)).toBe('');
  expect(suggestion(line('|'), HISTORY)).toBe('');
  expect(suggestion(line('ls|'), HISTORY)).toBe('');
  expect(picture(acceptSuggestion(line('c|'), 'reate disk1 1G', 'all'))).toBe('create disk1 1G|');
  expect(picture(acceptSuggestion(line('c|'), 'reate disk1 1G', 'word'))).toBe('create|');
});

test('a line that would become too long stays as it is', () => {
  const full = replaceText(EMPTY_LINE, 0, 0, 'x'.repeat(LINE_LENGTH_MAX));
  expect(press(full, "'y").text).toBe(full.text);
});

test('a key that is none of the editor is said to be none', () => {
  expect(editLine(EMPTY_LINE, key('f5'), [])).toBeUndefined();
});

test('the common start is cut between characters', () => {
  expect(commonPrefix(['lun0', 'lun1'])).toBe('lun');
  expect(commonPrefix(['a🇩🇪', 'a🇩🇰'])).toBe('a');
  expect(commonPrefix(['ab', 'abc'])).toBe('ab');
  expect(commonPrefix([])).toBe('');
});

test('the cursor stays in the line, whatever key is pressed', () => {
  const chords = ['left', 'right', 'M-b', 'M-f', 'C-w', 'M-d', 'C-k', 'C-u', 'C-y', 'C-t', 'up', 'down', 'backspace'];
  const presses = fc.array(fc.oneof(fc.constantFrom(...chords), fc.constantFrom("'a ", "'👩‍👧", "'\u0301", "'漢")));
  fc.assert(
    fc.property(presses, (keys) => {
      const { text, cursor } = press(EMPTY_LINE, ...keys);
      expect(cursor).toBeGreaterThanOrEqual(0);
      expect(cursor).toBeLessThanOrEqual(text.length);
    }),
  );
});

test('M-. is the last word of the line before; again, of the one before that; another key ends the row', () => {
  const words = ['ls', 'cd /iscsi', 'create disk1 "a b"'];
  const go = (from: Line, ...chords: string[]) =>
    chords.reduce((now, chord) => editLine(now, key(chord), words) ?? expect.fail(chord), from);
  expect(picture(go(line('ls |'), 'M-.'))).toBe('ls "a b"|');
  expect(picture(go(line('ls |'), 'M-.', 'M-.'))).toBe('ls /iscsi|');
  expect(picture(go(line('ls |'), 'M-.', 'M-.', 'M-.', 'M-.'))).toBe('ls ls|');
  expect(picture(go(line('|'), 'M-.', 'C-e', 'M-.'))).toBe('"a b""a b"|');
});

test('C-_ takes back what was typed, a run of letters at once, and what was killed', () => {
  expect(picture(press(line('|'), "'l", "'s", 'C-u', 'C-_'))).toBe('ls|');
  expect(picture(press(line('|'), "'l", "'s", 'C-u', 'C-_', 'C-_'))).toBe('|');
  expect(editLine(line('ls|'), key('C-_'), HISTORY)).toBeUndefined();
  expect(picture(press(line('|'), "'a", 'C-a', "'b", 'C-_'))).toBe('|a');
  let many = line('|');
  for (let at = 0; at < 500; at += 1) many = press(many, "'a", 'C-b', 'C-f');
  let steps = 0;
  for (let now: Line | undefined = many; now; now = now.before) steps += 1;
  expect(steps).toBeLessThanOrEqual(201);
});
