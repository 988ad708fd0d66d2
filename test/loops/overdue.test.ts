// Media that hang: what operators are told, and when. The clock is the test's.

import { expect, test, vi } from 'vitest';
import { OverdueWatch } from '../../src/loops/overdue.ts';
import { admitTask, executeTask, retireTask } from '../../src/scsi/device-server.ts';
import { logicalUnit, pattern, ScsiInitiator } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';

let now = 0;
vi.mock('../../src/system/running-time.ts', () => ({ runningMs: () => now, whenLate: () => () => {} }));

test('a medium that has commands for long is said once, counted, and said again when it answers', async () => {
  const held: (() => void)[] = [];
  const volume = memoryVolume(64 * 512, {
    writeNow: undefined,
    write: () => new Promise<void>((resolve) => held.push(resolve)),
  });
  const { lu } = logicalUnit({ volume });
  const logged: unknown[] = [];
  const watch = new OverdueWatch(
    () => [lu],
    ({ event, detail }) => logged.push([event, detail]),
  );
  const initiator = new ScsiInitiator(lu).login();
  const send = () => {
    const task = initiator.task([0x2a, 0, 0, 0, 0, 0, 0, 0, 1]);
    admitTask(task);
    task.dataOut = pattern(512);
    return Promise.resolve(executeTask(task)).then(() => retireTask(task));
  };
  const writes = [send(), send()];
  watch.look();
  now = 9_000;
  writes.push(send());
  watch.look();
  expect([watch.states(), logged]).toEqual([[], []]);
  now = 12_000;
  watch.look();
  now = 30_000;
  watch.look();
  const { path } = lu;
  expect(watch.states()).toEqual([{ path, commands: 3, seconds: 30, total: 3 }]);
  const detail = { path, commands: 2, command: 'WRITE(10)', initiator: 'iqn.2026-01.com.example:a' };
  expect(logged).toEqual([['medium does not answer', detail]]);
  for (const answer of held) answer();
  await Promise.all(writes);
  watch.look();
  expect(watch.states()).toEqual([{ path, commands: 0, seconds: 0, total: 3 }]);
  expect(logged.slice(1)).toEqual([['medium answers again', { path }]]);
});

test('a command that waits for an initiator, and not for the medium, is not the medium’s', () => {
  now = 0;
  const { lu } = logicalUnit();
  const watch = new OverdueWatch(
    () => [lu],
    () => expect.fail('nothing is wrong with it'),
  );
  admitTask(new ScsiInitiator(lu).login().task([0x2a, 0, 0, 0, 0, 0, 0, 0, 1]));
  watch.look();
  now = 60_000;
  watch.look();
  expect(watch.states()).toEqual([]);
});
