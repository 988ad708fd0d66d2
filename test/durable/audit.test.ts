// Changes that the journal drops are kept without secrets: every change once, in every failure, in files of bounded length.

import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Audit } from '../../src/durable/audit.ts';
import type { JournalLine } from '../../src/durable/journal-lines.ts';
import { homeOf, openHost } from '../../src/index.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const line = (of: string, name = 'rd'): JournalLine => ({
  of,
  at: '2026-11-20T18:15:00.000Z',
  by: { via: 'shell', user: 'alice' },
  do: { path: '/backstores/ramdisk', verb: 'create', params: { name } },
});
const names = async (audit: Audit, journal: readonly JournalLine[] = []) =>
  (await audit.read(journal)).changes.map(({ change }) => change);

it('a change that a crash left in the journal and in the audit is told once; a torn line is written anew', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const audit = new Audit(directory);
  const lines = ['a', 'b', 'c'].map((of) => line(of));
  await audit.keep(lines, 2);
  expect(await names(audit, lines)).toEqual(['a', 'b', 'c']);
  appendFileSync(join(directory, 'changes.jsonl'), '{"change":"c","di');
  expect(await names(audit)).toEqual(['a', 'b']);
  await audit.keep(lines, 3);
  expect(await names(audit)).toEqual(['a', 'b', 'c']);
});

it('a full file makes room: the oldest changes go, and what is there is readable by its owner only', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const audit = new Audit(directory, undefined, 1_000);
  for (let number = 0; number < 100; number += 1) await audit.keep([line(`c${number}`)], 1);
  const files = readdirSync(directory).map((name) => statSync(join(directory, name)));
  expect(files.map(({ mode }) => mode & 0o777)).toEqual(files.map(() => 0o600));
  expect(files.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(5_000);
  const left = await names(audit);
  expect(left).toEqual(Array.from({ length: left.length }, (_, at) => `c${100 - left.length + at}`));
  expect(left.length).toBeGreaterThan(10);
});

it('wherever a journal that is shortened fails, every change is told once, and none is told that was not made', async () => {
  const shortened = async (at: number) => {
    const directory = temporaryDirectory(memoryFolder);
    const home = homeOf(directory, {}, 1);
    const faulty = faultyFiles('crash', 0);
    const host = await openHost({ home, role: 'command', files: faulty.files });
    for (let number = 0; number < 6; number += 1)
      await host.root.apply({
        path: '/backstores/ramdisk',
        verb: 'create',
        params: { name: `rd${number}`, size: '1M' },
      });
    const before = await host.history.all();
    const from = faulty.calls.length;
    // The first call behind what was made.
    const failing = faultyFiles('crash', at);
    await host.close();
    const again = await openHost({ home, role: 'command', files: failing.files }).catch(() => undefined);
    await again?.history.shorten();
    await again?.close().catch(() => {});
    const last = await openHost({ home, role: 'command' });
    expect((await last.history.all()).changes, `crash at call ${at}`).toEqual(before.changes);
    expect([...last.root.tree.allStorageObjects()]).toHaveLength(6);
    await last.close();
    expect(from).toBeGreaterThan(0);
    return failing.calls.length;
  };
  const calls = await shortened(0);
  for (let at = 1; at <= calls; at += 1) await shortened(at);
});

it('no secret reaches it', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const host = await openHost({ home: homeOf(directory, {}, 1), role: 'command' });
  const iqn = 'iqn.2003-01.org.example:t';
  const steps = [
    { path: '/iscsi', verb: 'create', params: { wwn: iqn } },
    { path: `/iscsi/${iqn}`, verb: 'create', params: { tag: 1 } },
    { path: `/iscsi/${iqn}/tpg1`, verb: 'set', params: { group: 'auth', name: 'password', value: 'verysecret' } },
    { path: '/iscsi', verb: 'add_account', params: { userid: 'me', password: 'verysecret' } },
  ];
  for (const step of steps) await host.root.apply(step);
  await host.root.apply({ path: '/', verb: 'clearconfig', params: {} });
  await host.history.shorten();
  await host.history.shorten();
  await host.close();
  const kept = readFileSync(join(directory, 'changes.jsonl'), 'utf8');
  expect(kept).toContain('password=***');
  expect(kept).not.toContain('verysecret');
});
