/** Task management and task attributes, on a volume whose writes end when the test says so. Not tested: answers on a wire. */

import { expect, test } from 'vitest';
import { controlMode } from '../../src/scsi/control-mode.ts';
import { admitTask, executeTask, retireTask } from '../../src/scsi/device-server.ts';
import type { Completion, Task } from '../../src/scsi/task.ts';
import {
  abortNexus,
  abortTask,
  abortTaskSet,
  clearTaskSet,
  logicalUnitReset,
  targetReset,
} from '../../src/scsi/task-management.ts';
import { blockSegment, copyCdb, copyList, copyTarget } from '../support/copy-list.ts';
import { logicalUnit, pattern, ScsiInitiator } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';

const write = (lba: number) => [0x2a, 0, 0, 0, 0, lba, 0, 0, 1];
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Two initiators on a logical unit whose writes hang until `finish`. */
function slow(attributes: Record<string, number> = {}) {
  const pending: (() => void)[] = [];
  const volume = memoryVolume(64 * 512, {
    writeNow: undefined,
    write: (_from, position) => {
      started.push(position / 512);
      return new Promise<void>((resolve) => pending.push(resolve));
    },
  });
  const started: number[] = [];
  const { lu } = logicalUnit({ volume, attributes });
  const start = (initiator: ScsiInitiator, cdb: number[], options: Partial<Task> = {}, dataOut = pattern(512)) => {
    const task = initiator.task(cdb, options);
    expect(admitTask(task)).toBeUndefined();
    task.dataOut = dataOut;
    const result = Promise.resolve(executeTask(task)).then((completion: Completion) => {
      retireTask(task);
      return completion.status;
    });
    return { task, result };
  };
  return {
    lu,
    started,
    start,
    finish: () => {
      for (const resolve of pending.splice(0)) resolve();
    },
    a: new ScsiInitiator(lu, 'a').login(),
    b: new ScsiInitiator(lu, 'b').login(),
  };
}

test('SAM-5 7.2 ABORT TASK: marks the task, and resolves when the write has stopped', async () => {
  const { a, start, finish } = slow();
  const { task } = start(a, write(0));
  let done = false;
  const aborting = abortTask(a.nexus, 0, task.tag).then((existed) => {
    done = true;
    return existed;
  });
  await turn();
  expect([task.aborted, done]).toEqual([true, false]);
  finish();
  expect(await aborting).toBe(true);
});

test('SAM-5 7.2 ABORT TASK: an unknown tag, and another nexus with the same tag, are no tasks', async () => {
  const { a, b, start, finish } = slow();
  const { task } = start(a, write(0));
  expect(await abortTask(b.nexus, 0, task.tag)).toBe(false);
  expect(await abortTask(a.nexus, 0, task.tag + 1)).toBe(false);
  expect(await abortTask(a.nexus, 9, task.tag)).toBe(false);
  expect(task.aborted).toBe(false);
  finish();
});

test('SAM-5 7.3 ABORT TASK SET: ends the own tasks and leaves the others', async () => {
  const { a, b, start, finish } = slow();
  const mine = [start(a, write(0)), start(a, write(1))];
  const other = start(b, write(2));
  const aborting = abortTaskSet(a.nexus, 0);
  finish();
  expect(await aborting).toBe(true);
  expect(mine.map(({ task }) => task.aborted)).toEqual([true, true]);
  expect(await other.result).toBe(0);
});

test('SAM-5 5.6.2 CLEAR TASK SET: with TAS, tasks of another nexus end with TASK ABORTED', async () => {
  const { a, b, start, finish } = slow();
  const other = start(b, write(0));
  const clearing = clearTaskSet(a.nexus, 0);
  finish();
  expect(await clearing).toBe(true);
  expect(await other.result).toBe(0x40);
  expect((await b.send([0x00])).status).toBe(0);
});

test('SAM-5 5.6.2 CLEAR TASK SET: without TAS they end in silence, and a unit attention tells', async () => {
  const { a, b, start, finish } = slow({ emulate_tas: 0 });
  const other = start(b, write(0));
  const clearing = clearTaskSet(a.nexus, 0);
  finish();
  await clearing;
  expect(other.task.aborted).toBe(true);
  expect((await b.send([0x00])).sense).toBe('6/2f/00');
  expect((await a.send([0x00])).status).toBe(0);
});

test('SAM-5 7.2 a task that is ended before its data came does nothing to the medium', async () => {
  const { a, b, started } = slow();
  const task = b.task(write(0));
  admitTask(task);
  await clearTaskSet(a.nexus, 0);
  task.dataOut = pattern(512);
  expect(executeTask(task)).toEqual({ status: 0x40 });
  expect(started).toEqual([]);
});

test('SAM-5 7.7 LOGICAL UNIT RESET: everybody is told, the one who asked too; an unknown LUN is none', async () => {
  const { a, b, lu } = slow();
  controlMode.set(lu, { softwareWriteProtect: true });
  expect(await logicalUnitReset(a.nexus, 0)).toBe(true);
  expect(await logicalUnitReset(a.nexus, 1)).toBe(false);
  expect(controlMode.of(lu).softwareWriteProtect).toBe(false);
  expect((await a.send([0x00])).sense).toBe('6/29/03');
  expect((await b.send([0x00])).sense).toBe('6/29/03');
});

test('RFC 7143 11.5.1 TARGET WARM RESET: resets every logical unit that the nexus reaches', async () => {
  const first = logicalUnit().lu;
  const second = logicalUnit({ name: 'disk1' }).lu;
  const initiator = new ScsiInitiator(
    new Map([
      [0, first],
      [1, second],
    ]),
  ).login();
  await targetReset(initiator.nexus);
  for (const lun of [0, 1]) expect((await initiator.send([0x00], undefined, { lun })).sense).toBe('6/29/03');
});

test('SAM-5 6.3.4 a lost nexus takes its tasks along, and nobody is told', async () => {
  const { a, b, start, finish } = slow({ emulate_tas: 0 });
  const { task } = start(a, write(0));
  const ending = abortNexus(a.nexus);
  finish();
  await ending;
  expect(task.aborted).toBe(true);
  expect((await b.send([0x00])).status).toBe(0);
});

test('SAM-5 8.6 ORDERED waits for what is older, SIMPLE for an older ORDERED or HEAD OF QUEUE, which waits for nobody', async () => {
  const { a, start, finish, started } = slow();
  const all = [
    start(a, write(0)),
    start(a, write(1), { attribute: 'ordered' }),
    start(a, write(2)),
    start(a, write(3), { attribute: 'head of queue' }),
    start(a, write(4)),
  ];
  await turn();
  expect(started).toEqual([0, 3]);
  finish();
  await turn();
  expect(started).toEqual([0, 3, 1]);
  finish();
  await turn();
  expect(started).toEqual([0, 3, 1, 2, 4]);
  finish();
  expect(await Promise.all(all.map(({ result }) => result))).toEqual([0, 0, 0, 0, 0]);
});

test('SAM-5 8.6 an ORDERED task that waits can be aborted', async () => {
  const { a, start, started } = slow();
  start(a, write(0));
  const waiting = start(a, write(1), { attribute: 'ordered' });
  expect(await abortTask(a.nexus, 0, waiting.task.tag)).toBe(true);
  await waiting.result;
  expect(started).toEqual([0]);
});

test('an aborted write that is still on its way keeps newer ones away from its blocks: BUSY, until it has ended', async () => {
  const { a, b, started, start, finish } = slow();
  const old = start(a, [0x2a, 0, 0, 0, 0, 4, 0, 0, 1]);
  const aborting = abortTask(a.nexus, 0, old.task.tag);
  await turn();
  const busy = 0x08;
  // WRITE(10) of the same block, by anybody; WRITE SAME to the end; UNMAP, which names its blocks later.
  expect(await start(a, write(4)).result).toBe(busy);
  expect(await start(b, write(4)).result).toBe(busy);
  expect(await start(b, [0x93, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4]).result).toBe(busy);
  const beside = start(b, write(5));
  expect(started).toEqual([4, 5]);
  finish();
  await aborting;
  expect(await beside.result).toBe(0);
  const newer = start(b, write(4));
  expect(started).toEqual([4, 5, 4]);
  finish();
  expect(await newer.result).toBe(0);
});

test('EXTENDED COPY does not write where an aborted write may still land, and nobody writes where an aborted copy may', async () => {
  const { lu, a, b, started, start, finish } = slow({ emulate_3pc: 1 });
  const copyTo = (initiator: ScsiInitiator, lba: number) => {
    const list = copyList([copyTarget(lu)], [blockSegment(0, 0, 1, 40, lba)]);
    return start(initiator, copyCdb(list), {}, Buffer.from(list));
  };
  const busy = 0x08;
  const old = start(a, write(4));
  const aborting = abortTask(a.nexus, 0, old.task.tag);
  await turn();
  expect(await copyTo(b, 4).result).toBe(busy);
  finish();
  await aborting;
  const copy = copyTo(b, 4);
  await expect.poll(() => started).toEqual([4, 4]);
  const abortingCopy = abortTask(b.nexus, 0, copy.task.tag);
  await turn();
  expect(await start(a, write(4)).result).toBe(busy);
  expect(await copyTo(a, 4).result).toBe(busy);
  const beside = start(a, write(5));
  expect(started).toEqual([4, 4, 5]);
  finish();
  await abortingCopy;
  expect(await beside.result).toBe(0);
  const newer = start(a, write(4));
  finish();
  expect(await newer.result).toBe(0);
});

test('a write of which nobody knows whether it was carried out is BUSY: the initiator sends it again, or not', async () => {
  const volume = memoryVolume(64 * 512, {
    writeNow: undefined,
    write: () => Promise.reject(Object.assign(new Error('reset'), { code: 'ECONNRESET', syscall: 'nbd' })),
  });
  const { lu } = logicalUnit({ volume });
  expect((await new ScsiInitiator(lu).login().send(write(0), pattern(512))).status).toBe(0x08);
});
