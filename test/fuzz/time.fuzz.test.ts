/**
 * Texts that are long: whoever reads one takes time in proportion to its length, whatever is in it. Measured against
 * itself, not against a clock: a text of four times the length may take four times as long, and some, never sixteen times.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCommandLine, quotePath, quoteWord } from '../../shell/session/command-line.ts';
import { parseNbdUri } from '../../src/backstore/nbd-uri.ts';
import { reasonOf } from '../../src/errors.ts';
import { parseBinary } from '../../src/iscsi/chap.ts';
import { refuseRedirection } from '../../src/iscsi/redirection.ts';
import { decodeTransportIds } from '../../src/scsi/transport-id.ts';
import { normaliseWwn } from '../../src/target/wwn.ts';
import { parseText } from '../../src/wire/text.ts';
import { openShell, removeHome, type TestShell } from '../support/shell.ts';

/** The text around a run of one character, by which a pattern gets as far as it can before it fails. */
const frames = [
  ['', ''],
  ['', '!'],
  ['iqn.2003-01.', '_'],
  ['naa.', 'x'],
  ['x', '\0x'],
  ['0x', '-'],
  ['0b', '='],
  ['[', 'x'],
  ['a=', ' x'],
] as const;
type Frame = (typeof frames)[number];
const characters = [...'.-_ \t\\[]()=/"\':@*+#,%&0aZ\0\u00e9\u202e', '..', '/..', 'a.', 'a=1 ', '1:', 'aA=='];
const lengths = [4_000, 16_000] as const;
/** The least time that is no chance: a shorter one is tried with the next length. */
const leastMs = 10;
/** Between 4, for what is in proportion to its length, and 16, for its square. */
const growthMax = 9;

/** The CPU time of this process, the best of some runs: other work only adds to it. */
async function bestMs(read: (text: string) => unknown, text: string): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round += 1) {
    const began = process.cpuUsage();
    try {
      await read(text);
    } catch {
      // Refused, as most of them are.
    }
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

/** Whether time grows with the square of the length. Chance does not make it grow every time. */
async function growsTooFast(read: (text: string) => unknown, short: string, long: string): Promise<boolean> {
  for (let attempt = 0; attempt < 4; attempt += 1)
    if ((await bestMs(read, long)) <= growthMax * (await bestMs(read, short))) return false;
  return true;
}

/** Texts for which it takes more time than their length explains, as far as they say what they are. */
async function slowFor(read: (text: string) => unknown, around: readonly Frame[] = frames): Promise<string[]> {
  const slow: string[] = [];
  for (const [before, after] of around)
    for (const one of characters) {
      const text = (length: number) => before + one.repeat(Math.ceil(length / one.length)) + after;
      for (const length of lengths) {
        const ms = await bestMs(read, text(4 * length));
        if (ms < leastMs) continue;
        if (await growsTooFast(read, text(length), text(4 * length))) slow.push(text(8));
        break;
      }
    }
  return slow;
}

const transportId = (text: string): Buffer => {
  const name = Buffer.from(text.slice(0, 0xffff - 4));
  const bytes = Buffer.concat([Buffer.alloc(4), name.subarray(0, 0xffff)]);
  bytes[0] = 0x45;
  bytes.writeUInt16BE(bytes.length - 4, 2);
  return bytes;
};

describe('time grows with the length of a text, not with its square', () => {
  it.each<[string, (text: string) => unknown]>([
    ['a WWN', (text) => normaliseWwn(text, ['iqn', 'naa', 'eui', 'ib', 'free'])],
    ['key=value text', (text) => parseText(Buffer.from(`${text}\0`), 256)],
    ['a number of CHAP', (text) => parseBinary(text, 1 << 20)],
    ['a redirection', refuseRedirection],
    ['a TransportID', (text) => decodeTransportIds(transportId(text), 0)],
    ['a URI', parseNbdUri],
    ['a command line', parseCommandLine],
    ['a word to be quoted', (text) => quoteWord(text) + quotePath(text)],
    ["a system's message", (text) => reasonOf(Object.assign(new Error(`EIO: ${text}`), { code: 'EIO' }))],
  ])('%s', async (_name, read) => {
    expect(await slowFor(read)).toEqual([]);
  });

  describe('a line of the shell', () => {
    let shell: TestShell;
    beforeAll(async () => {
      shell = await openShell();
    });
    afterAll(async () => {
      await shell.close();
      removeHome(shell.directory);
    });

    it.each([
      ['the name of a target', (text: string) => `/iscsi create ${text}`],
      ['a path', (text: string) => `${text} ls`],
      ['a value', (text: string) => `set global export_backstore_name_as_model=${text}`],
    ])('%s', async (_name, lineOf) => {
      expect(await slowFor((text) => shell.run(lineOf(text)), [frames[1], frames[2]])).toEqual([]);
    });
  });
});
