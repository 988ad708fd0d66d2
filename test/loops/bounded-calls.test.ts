// Calls of a loop to a main thread that stands still, over a real port: how many are kept, and what is told of the rest.

import { MessageChannel } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { LogRecord } from '../../src/log.ts';
import { boundedLog, coalesced } from '../../src/loops/bounded-calls.ts';
import { Calls, offerObject, remoteObject } from '../../src/loops/calls.ts';

interface MainThread {
  log(record: LogRecord): void;
  look(): void;
}
const boundary = { log: {}, look: {} };

/** Both ends are in this thread: neither takes anything before the test waits. */
function ends() {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const logged: LogRecord[] = [];
  const main = { log: (record: LogRecord) => void logged.push(record), look: vi.fn() };
  new Calls(port2, offerObject<MainThread>(main, boundary));
  const remote = remoteObject<MainThread>(new Calls(port1, offerObject({}, {})), boundary);
  return { logged, look: main.look, remote };
}

test('a flood of records that nobody takes is bounded and counted, and errors come through all the same', async () => {
  const { logged, remote } = ends();
  const log = boundedLog((record) => remote.log(record));
  for (let i = 0; i < 100_000; i += 1) log({ level: 'warning', event: 'iscsi login refused', detail: { i } });
  log({ level: 'error', event: 'medium error' });
  await expect.poll(() => logged.some(({ event }) => event === 'log records left out')).toBe(true);
  expect(logged).toHaveLength(1024 + 2);
  expect(logged.at(-1)).toMatchObject({ detail: { level: 'below error', count: 100_000 - 1024 } });
  expect(logged.filter(({ level }) => level === 'error')).toHaveLength(1);
  // From then on everything is written again.
  log({ level: 'warning', event: 'iscsi login refused' });
  await expect.poll(() => logged.length === 1024 + 3).toBe(true);
});

test('asked to look over and over, the main thread looks once, and once more for what came meanwhile', async () => {
  const { look, remote } = ends();
  const ask = coalesced(() => remote.look());
  for (let i = 0; i < 1000; i += 1) ask();
  await expect.poll(() => look.mock.calls.length === 2).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(look).toHaveBeenCalledTimes(2);
});
