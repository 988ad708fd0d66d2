// The control socket's framing, bytes in and messages out. Not here: what the messages mean.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeFrame, FrameError, FrameReader } from '../../src/daemon/frames.ts';

function readAll(bytes: Buffer, cuts: readonly number[], bytesMax = 1 << 20): unknown[] {
  const reader = new FrameReader(bytesMax);
  const at = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return at.slice(1).flatMap((end, index) => [...reader.read(bytes.subarray(at[index], end))]);
}

it('a message comes out as it went in, wherever the bytes are cut, also inside of a character', () => {
  fc.assert(
    fc.property(fc.array(fc.json(), { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 8 }), (texts, cuts) => {
      const messages = texts.map((text) => JSON.parse(text));
      const bytes = Buffer.from(messages.map(encodeFrame).join(''));
      const inside = cuts.map((cut) => cut % (bytes.length + 1));
      expect(readAll(bytes, inside)).toEqual(JSON.parse(JSON.stringify(messages)));
    }),
    { numRuns: 200 },
  );
  const text = Buffer.from(encodeFrame({ name: 'Größe 💾' }));
  for (let cut = 0; cut <= text.length; cut += 1) expect(readAll(text, [cut])).toEqual([{ name: 'Größe 💾' }]);
});

it('a line that never ends is given up at the limit, not collected', () => {
  const reader = new FrameReader(1000);
  expect([...reader.read(Buffer.alloc(1000, 0x20))]).toEqual([]);
  expect(() => [...reader.read(Buffer.alloc(1, 0x20))]).toThrow(FrameError);
});

it('a line that is no JSON is an error, and messages before it were heard', () => {
  const heard: unknown[] = [];
  const read = () => {
    for (const message of new FrameReader(1000).read(Buffer.from('1\n{oops\n2\n'))) heard.push(message);
  };
  expect(read).toThrow(FrameError);
  expect(heard).toEqual([1]);
});
