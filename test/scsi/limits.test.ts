// Limits of a LUN, on a clock of the test's own: who goes when. Not tested: how exactly a real second is kept.

import { expect, test } from 'vitest';
import { admitTask, executeTask, retireTask } from '../../src/scsi/device-server.ts';
import { CommandLimits, limitAttributes } from '../../src/scsi/limits.ts';
import { plainPosition } from '../../src/scsi/plain-access.ts';
import { unmapList } from '../../src/scsi/provisioning.ts';
import { sense } from '../../src/scsi/sense.ts';
import type { Task } from '../../src/scsi/task.ts';
import { abortNexus, abortTask, clearTaskSet, endLimited, logicalUnitReset } from '../../src/scsi/task-management.ts';
import { addUnitAttention, changeLunsOf, clearUnitAttentions } from '../../src/scsi/unit-attention.ts';
import { blockSegment, copyCdb, copyList, copyTarget } from '../support/copy-list.ts';
import { be, logicalUnit, pattern, ScsiInitiator, senseOf } from '../support/logical-unit.ts';

const unlimited = Object.fromEntries(Object.entries(limitAttributes).map(([name, { default: none }]) => [name, none]));
const read = (blocks = 1) => [0x28, 0, 0, 0, 0, 0, 0, 0, blocks];
const write = (blocks = 1) => [0x2a, 0, 0, 0, 0, 0, 0, 0, blocks];
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A LUN with limits, and two initiators of it; time goes on when the test says so. */
function limited(values: Partial<Record<keyof typeof limitAttributes, number>>) {
  let now = 0;
  let timers: { at: number; what: () => void }[] = [];
  const limits = new CommandLimits({
    now: () => now,
    after: (ms, what) => {
      const timer = { at: now + ms, what };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
  });
  limits.set({ ...unlimited, ...values } as never);
  const { lu } = logicalUnit({ attributes: { emulate_tpu: 1, emulate_tpws: 1, emulate_3pc: 1 } });
  const done: string[] = [];
  const initiator = (name: string) => {
    const one = new ScsiInitiator(lu, name, { limits }).login();
    const send = (cdb: number[], label = name, dataOut?: Uint8Array) => {
      const task = one.task(cdb);
      expect(admitTask(task)).toBeUndefined();
      task.dataOut = dataOut ?? pattern(task.dataOutLength);
      void Promise.resolve(executeTask(task)).then(({ status, sense }) => {
        retireTask(task);
        done.push(status === 0 ? label : `${label}: ${sense ? senseOf(Buffer.from(sense)) : status}`);
      });
      return task;
    };
    return { one, send };
  };
  const pass = async (ms: number) => {
    for (const end = now + ms; now < end; ) {
      const due = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      now = Math.max(now, due?.at ?? end);
      timers = timers.filter((one) => one !== due);
      due?.what();
      await turn();
    }
  };
  return { lu, limits, done, pass, a: initiator('a'), b: initiator('b'), c: initiator('c') };
}

test.each([
  ['limit_iops', 1, 1, 1],
  ['limit_read_iops', 1, 1, 2],
  ['limit_write_iops', 1, 2, 1],
  ['limit_bytes', 512, 1, 1],
  ['limit_read_bytes', 512, 1, 2],
  ['limit_write_bytes', 512, 2, 1],
] as const)('%s: of two reads and of two writes of a block, so many go at once', async (name, most, reads, writes) => {
  for (const [cdb, count] of [
    [read(), reads],
    [write(), writes],
  ] as const) {
    const { a, done } = limited({ [name]: most });
    a.send(cdb);
    a.send(cdb);
    await turn();
    expect(done).toHaveLength(count);
  }
});

test('commands in a second: what is there goes at once, the rest as it fills up again', async () => {
  const { a, done, pass } = limited({ limit_iops: 10 });
  for (let i = 0; i < 30; i += 1) a.send(i % 2 === 0 ? read() : write());
  await turn();
  expect(done).toHaveLength(10);
  await pass(1000);
  expect(done.length).toBeGreaterThanOrEqual(19);
  expect(done.length).toBeLessThanOrEqual(21);
  await pass(1100);
  expect(done).toHaveLength(30);
});

test('bytes in a second, apart for reads and writes: one larger than what is there goes, and reads behind it wait for it', async () => {
  const { a, done, pass } = limited({ limit_read_bytes: 1024 });
  a.send(read(8), 'long read');
  a.send(read(), 'read');
  a.send(write(8), 'write');
  await turn();
  expect(done).toEqual(['long read', 'write']);
  await pass(2900);
  expect(done).toEqual(['long read', 'write']);
  await pass(200);
  expect(done).toEqual(['long read', 'write', 'read']);
});

test('a burst: what was not used is there later, so many seconds of it', async () => {
  const { a, done, pass } = limited({ limit_iops: 2, limit_burst: 5 });
  for (let i = 0; i < 30; i += 1) a.send(read());
  await turn();
  expect(done).toHaveLength(10);
  await pass(10_100);
  expect(done).toHaveLength(30);
});

test('initiators share a LUN: one that asks for much does not keep out one that asks for little', async () => {
  const { a, b, done, pass } = limited({ limit_bytes: 4096 });
  for (let i = 0; i < 200; i += 1) a.send(read(8));
  await pass(3000);
  done.length = 0;
  for (let i = 0; i < 200; i += 1) b.send(read(2));
  await pass(20_000);
  const [ofA, ofB] = ['a', 'b'].map((name) => done.filter((one) => one === name).length) as [number, number];
  // Half of the bytes each: four times as many commands of a quarter the length.
  expect(ofB / ofA).toBeGreaterThan(3);
  expect(ofB / ofA).toBeLessThan(5);
});

test('a command that waits and is aborted takes nothing, and is not carried out', async () => {
  const { a, b, lu, done, pass } = limited({ limit_write_iops: 1 });
  a.send(write(), 'first');
  const waiting = a.send(write(), 'aborted');
  b.send(write(), 'other');
  await abortTask(a.one.nexus, 0, waiting.tag);
  await pass(1050);
  expect(done.filter((one) => !one.startsWith('aborted'))).toEqual(['first', 'other']);
  expect(lu.volume).toBeDefined();
});

test('commands that move no data never wait, and those that write or read none of the initiator take no bytes', async () => {
  const { a, b, done, pass } = limited({ limit_bytes: 1024, limit_iops: 10 });
  const blocks = [...be(0, 8), ...be(2048, 4), 0, 0];
  a.send([0x90, 2, ...blocks], 'PRE-FETCH(16)');
  a.send([0x8f, 0, ...blocks], 'VERIFY(16)');
  b.send(read(8), 'read');
  await pass(1);
  await turn();
  expect(done.sort()).toEqual(['PRE-FETCH(16)', 'VERIFY(16)', 'read']);
  // The limit is used up for 3 seconds.
  done.length = 0;
  a.send(read(), 'late');
  const probes: Record<string, number[]> = {
    'TEST UNIT READY': [0x00],
    INQUIRY: [0x12, 0, 0, 0, 96],
    'MODE SENSE(10)': [0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255],
    'READ CAPACITY(10)': [0x25],
    'READ CAPACITY(16)': [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32],
    'REPORT LUNS': [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16],
    'REQUEST SENSE': [0x03, 0, 0, 0, 18],
    'GET LBA STATUS': [0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32],
    'PERSISTENT RESERVE IN': [0x5e, 0, 0, 0, 0, 0, 0, 0, 8],
    'REPORT TARGET PORT GROUPS': [0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 0, 32],
    'SYNCHRONIZE CACHE(10)': [0x35],
  };
  for (const [name, cdb] of Object.entries(probes)) a.send(cdb, name);
  await turn();
  await turn();
  expect([...done].sort()).toEqual(Object.keys(probes).sort());
});

test.each([
  ['one command', [1]],
  ['one command of each initiator', [1, 2]],
] as const)('%s, however long, is waited for 10 seconds at most', async (_case, senders) => {
  const at = limited({ limit_bytes: 512, limit_write_iops: 1 });
  at.a.send(read(255), 'long');
  if (senders.length > 1) at.b.send(read(255), 'long');
  at.c.send(read(), 'short');
  await at.pass(senders.length * 10_000 - 200);
  expect(at.done).toEqual(senders.map(() => 'long'));
  await at.pass(11_000);
  expect(at.done).toContain('short');
});

const copyOf = (lu: Limited['lu'], blocks: number) => copyList([copyTarget(lu)], [blockSegment(0, 0, blocks, 0, 1024)]);

test.each<[string, number, (lu: Limited['lu']) => [number[], Uint8Array]]>([
  ['WRITE SAME', 7000, () => [[0x93, 0, ...be(0, 8), ...be(64, 4), 0, 0], pattern(512)]],
  ['WRITE SAME with UNMAP', 7000, () => [[0x93, 8, ...be(0, 8), ...be(64, 4), 0, 0], Buffer.alloc(512)]],
  ['UNMAP', 7000, () => [[0x42, 0, 0, 0, 0, 0, 0, 0, 24], unmapList([{ lba: 0, blocks: 64 }])]],
  ['FORMAT UNIT, within the cap', 10_000, () => [[0x04], Buffer.alloc(0)]],
  ['EXTENDED COPY', 7000, (lu) => [copyCdb(copyOf(lu, 64)), Buffer.from(copyOf(lu, 64))]],
])('a command counts as what it writes: %s', async (name, ms, command) => {
  const { a, b, lu, done, pass } = limited({ limit_write_bytes: 4096 });
  const [cdb, dataOut] = command(lu);
  a.send(cdb, name.split(',')[0], dataOut);
  for (let i = 0; i < 20; i += 1) await turn();
  await new Promise((resolve) => setTimeout(resolve, 20));
  b.send(write(), 'write');
  await pass(ms - 100);
  expect(done).toEqual([name.split(',')[0]]);
  await pass(200);
  expect(done).toEqual([name.split(',')[0], 'write']);
});

test('a copy waits for the limits of the LUNs that it reads and writes, and ends at once when it is aborted', async () => {
  const { a, lu, done } = limited({ limit_write_iops: 1 });
  a.send(write(), 'first');
  const list = copyOf(lu, 64);
  const copy = a.send(copyCdb(list), 'copy', Buffer.from(list));
  for (let i = 0; i < 20; i += 1) await turn();
  expect(done).toEqual(['first']);
  await abortTask(a.one.nexus, 0, copy.tag);
  const there = Buffer.alloc(512);
  await lu.volume!.read(there, 1024 * 512);
  expect(there).toEqual(Buffer.alloc(512));
});

test('a waiting command goes by new limits as soon as they are set; without a limit all go', async () => {
  const { a, limits, done, pass } = limited({ limit_bytes: 512 });
  a.send(read(21), 'long');
  for (let i = 0; i < 40; i += 1) a.send(read());
  await turn();
  expect(done).toEqual(['long']);
  limits.set({ ...unlimited, limit_bytes: 5120 } as never);
  await turn();
  expect(done).toHaveLength(11);
  await pass(1050);
  expect(done.length).toBeGreaterThanOrEqual(20);
  expect(done.length).toBeLessThanOrEqual(22);
  limits.set({ ...unlimited } as never);
  await turn();
  expect(done).toHaveLength(41);
});

type Limited = ReturnType<typeof limited>;

test.each<[string, string, (at: Limited) => unknown]>([
  [
    'another initiator has reserved the LUN',
    'waiting: 24',
    async ({ b }) => {
      const key = be(0xabc, 8);
      const reserve = (action: number, type: number, list: number[]) =>
        b.one.send([0x5f, action, type, 0, 0, 0, 0, 0, 24], Buffer.from([...list, ...be(0, 8)]));
      expect(await reserve(0, 0, [...be(0, 8), ...key])).toMatchObject({ status: 0 });
      expect(await reserve(1, 1, [...key, ...be(0, 8)])).toMatchObject({ status: 0 });
    },
  ],
  ['the LUN is write protected', 'waiting: 7/27/00', ({ a }) => Object.assign(a.one.view, { writeProtected: true })],
  ['the unit is read-only', 'waiting: 7/27/00', ({ lu }) => lu.attributes.set('read_only', 1)],
  ['the LUN is not there any more', 'waiting: 5/25/00', ({ a }) => a.one.luns.delete(0)],
  ['another unit is behind the LUN', 'waiting: 8', ({ a }) => a.one.luns.set(0, logicalUnit({ name: 'other' }).lu)],
  [
    'its ALUA group is on standby',
    'waiting: 2/04/0b',
    ({ lu }) => {
      lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_access_state: 2 }));
    },
  ],
  [
    'a unit attention is pending',
    'waiting: 6/2a/09',
    ({ a, lu }) => addUnitAttention(a.one.nexus, lu, sense.capacityDataChanged),
  ],
])('a write that waits is checked again in its turn, and not carried out: %s', async (_case, outcome, change) => {
  const at = limited({ limit_write_iops: 1 });
  at.a.send(write(), 'first');
  await turn();
  const volume = at.lu.volume!;
  const before = Buffer.alloc(512);
  await volume.read(before, 512);
  at.a.send([0x2a, 0, 0, 0, 0, 1, 0, 0, 1], 'waiting');
  await change(at);
  await at.pass(1100);
  expect(at.done).toEqual(['first', outcome]);
  const after = Buffer.alloc(512);
  await volume.read(after, 512);
  expect(after).toEqual(before);
});

test.each<[string, string, (at: Limited, task: Task) => unknown]>([
  ['it is aborted', 'waiting: 64', ({ a }, { tag }) => abortTask(a.one.nexus, 0, tag)],
  ['the task set is cleared', 'waiting: 64', ({ b }) => clearTaskSet(b.one.nexus, 0)],
  ['the LUN is reset', 'waiting: 64', ({ b }) => logicalUnitReset(b.one.nexus, 0)],
  ['its nexus is ended', 'waiting: 64', ({ a }) => abortNexus(a.one.nexus)],
  ['its nexus is asked to go', 'waiting: 64', ({ a }) => endLimited(a.one.nexus)],
  [
    'its LUN is taken away',
    'waiting: 5/25/00',
    ({ a }) => {
      a.one.luns.delete(0);
      changeLunsOf(a.one.nexus);
    },
  ],
])('a write that waits ends at once, and takes nothing: %s', async (_case, outcome, end) => {
  const at = limited({ limit_write_iops: 1 });
  at.a.send(write(), 'first');
  const task = at.a.send(write(), 'waiting');
  await turn();
  expect(at.done).toEqual(['first']);
  await end(at, task);
  await turn();
  expect(at.done).toEqual(['first', outcome]);
  clearUnitAttentions(at.c.one.nexus);
  at.c.send(write());
  await at.pass(1050);
  expect(at.done).toEqual(['first', outcome, 'c']);
});

test('the fast path takes nothing of a LUN that is limited, and all where nothing is', () => {
  const { limits, a, lu } = limited({ limit_iops: 5 });
  const cdb = Uint8Array.from({ length: 16 }, (_, i) => read()[i] ?? 0);
  const plain = (initiator: ScsiInitiator) =>
    plainPosition('read', initiator.nexus, initiator.nexus.view(0)!, cdb, 0, 512);
  expect(plain(a.one)).toBe(-1);
  expect(plain(new ScsiInitiator(lu).login())).toBe(0);
  limits.set({ ...unlimited } as never);
  expect(limits.isSet).toBe(false);
});
