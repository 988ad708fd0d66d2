// The journal alone: what comes back after a crash at any byte. Not tested here: what the operations do.

import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { Journal } from '../../src/durable/journal.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const now = new Date('2026-11-20T18:15:00Z');
const create = (name: string): Operation => ({ path: '/backstores/ramdisk', verb: 'create', params: { name } });
let path: string;

beforeEach(async () => {
  path = join(temporaryDirectory(), 'journal.jsonl');
});

const load = (base: string | null) => Journal.load({ path, base, now, readOnly: false });

async function written(base: string | null, ...names: string[]): Promise<void> {
  const { journal } = await load(base);
  for (const name of names) await journal.record([create(name)], base);
  await journal.close();
}

it('gives back what was recorded, in order', async () => {
  await written(null, 'a', 'b');
  const { journal, replay } = await load(null);
  expect(replay.operations).toEqual([create('a'), create('b')]);
  expect(journal.pending).toBe(2);
});

it('is private from the first byte', async () => {
  await written(null, 'a');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('loses nothing acknowledged when the last line was torn at any byte', async () => {
  await written(null, 'a', 'b');
  const whole = await readFile(path);
  const acknowledged = whole.lastIndexOf('\n', whole.length - 2) + 1;
  for (let size = whole.length - 1; size >= acknowledged; size -= 1) {
    await writeFile(path, whole);
    await truncate(path, size);
    expect((await load(null)).replay.operations, `cut at ${size}`).toEqual([create('a')]);
  }
});

it('a change of several operations comes back whole or not at all, wherever its line was torn, and the next one stands behind it', async () => {
  await written(null, 'a');
  const { journal } = await load(null);
  const many = ['b', 'ü', '\u2028', 'd'].map(create);
  await journal.record(many, null, { of: 'change', at: now.toISOString() });
  await journal.close();
  const whole = await readFile(path);
  const acknowledged = whole.lastIndexOf('\n', whole.length - 2) + 1;
  for (let size = whole.length; size >= acknowledged; size -= 1) {
    await writeFile(path, whole.subarray(0, size));
    const before = [create('a'), ...(size === whole.length ? many : [])];
    expect((await load(null)).replay.operations, `cut at ${size}`).toEqual(before);
    await written(null, 'e');
    const { journal: next, replay } = await load(null);
    expect(replay.operations, `cut at ${size}, and gone on`).toEqual([...before, create('e')]);
    const changes = (await next.past(null)).changes.map(({ id }) => id);
    expect(changes.slice(1, -1)).toEqual(size === whole.length ? ['change'] : []);
  }
});

it('goes on behind a torn line', async () => {
  await written(null, 'a');
  await appendFile(path, '{"do":{"pa');
  await written(null, 'b');
  expect((await load(null)).replay.operations).toEqual([create('a'), create('b')]);
});

it('says which line is damaged in the middle instead of skipping it', async () => {
  await written(null, 'a', 'b');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"a"', '"a'));
  await expect(load(null)).rejects.toThrow(/damaged at line 2/);
});

it.each(['null', '[]', '{"do":[[[1]]]}', '{"do":{"path":"/","verb":"create"}}'])(
  'says which line is none of a journal: %s',
  async (line) => {
    await written(null, 'a');
    await appendFile(path, `${line}\n`);
    await expect(load(null)).rejects.toThrow(/damaged at line 3/);
  },
);

it('a crash between announcing a save and the new file replays everything', async () => {
  const { journal } = await load('old');
  await journal.record([create('a')], 'old');
  await journal.announce('new', 'old');
  await journal.close();
  expect((await load('old')).replay.operations).toEqual([create('a')]);
});

it('a crash between the new file and the new journal replays nothing twice', async () => {
  const { journal } = await load('old');
  await journal.record([create('a')], 'old');
  await journal.announce('new', 'old');
  await journal.record([create('b')], 'old');
  await journal.close();
  expect((await load('new')).replay.operations).toEqual([create('b')]);
});

it('is put aside, not replayed and not lost, when somebody else replaced the saved file', async () => {
  await written('old', 'a');
  const { journal, replay } = await load('foreign');
  expect(replay.operations).toEqual([]);
  expect(replay.setAside).toMatchObject({ operations: 1 });
  expect(await readFile(replay.setAside!.path, 'utf8')).toContain('"name":"a"');
  await journal.record([create('b')], 'foreign');
  await journal.close();
  expect((await load('foreign')).replay.operations).toEqual([create('b')]);
  expect(await readdir(join(path, '..'))).toHaveLength(2);
});

it('begins anew after a save', async () => {
  const { journal } = await load(null);
  await journal.record([create('a')], null);
  await journal.settle('saved');
  await journal.record([create('b')], 'saved');
  await journal.close();
  expect(journal.pending).toBe(1);
  expect((await load('saved')).replay.operations).toEqual([create('b')]);
});
