/** Bytes of a terminal to keys. Not here: kitty's key protocol, which is never switched on. */

import { expect, test } from 'vitest';
import { type Key, keyDecoder } from '../../../shell/ui/key.ts';

function decode(...reads: (string | Buffer)[]): string[] {
  const keys: Key[] = [];
  const write = keyDecoder((key) => keys.push(key));
  for (const read of reads) write(Buffer.from(read));
  return keys.map(({ chord, text }) => (chord === 'text' ? `'${text}` : chord));
}

test('keys that come in one read stay keys of their own', () => {
  expect(decode('ls\rx\t\x0b\x19')).toEqual(["'l", "'s", 'return', "'x", 'tab', 'C-k', 'C-y']);
});

test.each([
  ['\x1b[A', 'up'],
  ['\x1bOB', 'down'],
  ['\x1b[1;5C', 'C-right'],
  ['\x1b[Z', 'S-tab'],
  ['\x1bb', 'M-b'],
  ['\x1bB', 'M-b'],
  ['\x1b\x7f', 'M-backspace'],
  ['\x1b.', 'M-.'],
  ['\x1f', 'C-_'],
  ['\x7f', 'backspace'],
  ['\x1b[3~', 'delete'],
  ['\x1b[H', 'home'],
  ['\x01', 'C-a'],
  ['\x03', 'C-c'],
  ['\x1b\x03', 'C-c'],
  ['\n', 'return'],
  [' ', "' "],
  ['é', "'é"],
])('%j is %s', (bytes, chord) => {
  expect(decode(bytes)).toEqual([chord]);
});

test('Escape is a key when nothing follows it for a while', async () => {
  const key = await new Promise<Key>((resolve) => keyDecoder(resolve)(Buffer.from('\x1b')));
  expect(key.chord).toBe('escape');
});

test('a key cut between two reads at any byte is the same key', () => {
  for (const whole of ['\x1b[1;5C', '漢', '👍', '\x1b[200~a\rb\x1b[201~x']) {
    const bytes = Buffer.from(whole);
    for (let cut = 1; cut < bytes.length; cut++)
      expect(decode(bytes.subarray(0, cut), bytes.subarray(cut)), `${JSON.stringify(whole)} at ${cut}`).toEqual(
        decode(whole),
      );
  }
});

test('a paste is text: its line ends are Enter, its tabs blanks, its control characters nothing', () => {
  expect(decode('\x1b[200~cd /\r\nls\tx\n\x03\x1b[A\x07end\x1b[201~\t')).toEqual([
    "'cd /",
    'return',
    "'ls x",
    'return',
    "'end",
    'tab',
  ]);
});

test('a paste whose end never comes does not take the keyboard away', () => {
  const keys = decode(`\x1b[200~${'x'.repeat(2 << 20)}`, '\x03');
  expect(keys.at(-1)).toBe('C-c');
});

test('bytes that are no text are never text', () => {
  const all = Buffer.from(Array.from({ length: 32 }, (_, byte) => byte).filter((byte) => byte !== 0x1b));
  expect(decode(all).filter((key) => key.startsWith("'"))).toEqual([]);
});
