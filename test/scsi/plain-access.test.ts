/**
 * The fast path of READ and WRITE beside the device server, which is the truth: in each state that a subject of a logical unit
 * can have, either the fast path does not take a command, or both come to the same.
 */

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { AttributeTable } from '../../src/attribute.ts';
import type { Volume } from '../../src/backstore/backstore.ts';
import { stateChanged } from '../../src/scsi/alua.ts';
import { diskAttributes } from '../../src/scsi/attributes.ts';
import { controlMode } from '../../src/scsi/control-mode.ts';
import { admitTask } from '../../src/scsi/device-server.ts';
import { informationalExceptions } from '../../src/scsi/informational-exceptions.ts';
import { writesOf } from '../../src/scsi/lost-writes.ts';
import { mediumWork } from '../../src/scsi/medium-work.ts';
import { opcodes } from '../../src/scsi/opcode-table.ts';
import { countPlain, plainPosition, writePlain } from '../../src/scsi/plain-access.ts';
import { askForThresholds } from '../../src/scsi/provisioning-threshold.ts';
import { rangeLocks } from '../../src/scsi/range-locks.ts';
import { power } from '../../src/scsi/readiness.ts';
import { reservations } from '../../src/scsi/reservation-conflict.ts';
import { sense } from '../../src/scsi/sense.ts';
import { statistics } from '../../src/scsi/statistics.ts';
import type { TaskAttribute } from '../../src/scsi/task.ts';
import { abortTask, logicalUnitReset } from '../../src/scsi/task-management.ts';
import {
  addUnitAttention,
  clearUnitAttentions,
  pendingUnitAttention,
  reportToAll,
} from '../../src/scsi/unit-attention.ts';
import { unitSubjects } from '../../src/scsi/unit-state.ts';
import { cdbOf } from '../support/cdb.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../support/logical-unit.ts';
import { type MemoryVolume, memoryVolume } from '../support/memory-volume.ts';
import { sharedSituations } from '../support/shared-unit.ts';

const blockBytes = 512;
const lba = 3;
const blocks = 2;
const mediumBytes = 16 * 1024;
/** READ(10) of the first blocks. */
const readOf = (count: number) => Uint8Array.of(0x28, 0, 0, 0, 0, 0, 0, 0, count, ...new Array(7).fill(0));

/** A unit with something on its medium, and two initiators that have nothing to be told. */
function world() {
  const asked = { forSpace: 0 };
  const space = async () => {
    asked.forSpace += 1;
    return { available: 2 ** 30, allocated: 2 ** 20 };
  };
  const volume = memoryVolume(mediumBytes, { space });
  volume.bytes.set(pattern(volume.bytes.length));
  const { lu } = logicalUnit({ volume });
  // A standing clock, whose timers the test does not wait for.
  lu.clock.now = () => 1_000_000;
  lu.clock.after = () => {};
  return { lu, volume, asked, a: new ScsiInitiator(lu).login(), b: new ScsiInitiator(lu, 'b').login() };
}
type World = ReturnType<typeof world>;

/** A command of the initiator `a`, and what it writes. */
interface Sent {
  readonly kind: 'read' | 'write';
  readonly cdb: readonly number[];
  readonly data: Buffer;
}

const plainOpcodes = opcodes.filter(({ plain, cdbLength }) => plain && cdbLength <= 16);
const sent = plainOpcodes.map((row): [name: string, Sent] => [
  row.name,
  {
    kind: row.plain!,
    cdb: cdbOf(row, { lba, blocks }),
    data: row.plain === 'write' ? pattern(blocks * blockBytes, 9) : Buffer.alloc(0),
  },
]);

/** The outcome of a command: its answer, and the visible state of the unit afterwards. */
async function outcome(here: World, answer: object) {
  const { lu, volume, asked, a, b } = here;
  const { readCommands, writeCommands, blocksRead, blocksWritten } = statistics.of(lu);
  return {
    ...answer,
    medium: Buffer.from(volume.bytes).toString('base64'),
    counted: { readCommands, writeCommands, blocksRead, blocksWritten },
    pending: [a, b].map(({ nexus }) => pendingUnitAttention(nexus, lu)),
    power: power.of(lu).condition,
    flushes: volume.calls.filter((call) => call === 'flush' || call.endsWith('durable')).length,
    asked: asked.forSpace,
  };
}

/** By the device server; of a command that has to wait for another, that. */
async function generally(here: World, { cdb, data }: Sent) {
  const answered = here.a.send(cdb, data);
  const waits = new Promise<'waits'>((resolve) => setTimeout(() => setImmediate(() => resolve('waits')), 1));
  const answer = await Promise.race([answered, waits]);
  return outcome(
    here,
    answer === 'waits' ? { waits: true } : { status: answer.status, data: answer.data, sense: answer.sense },
  );
}

/** By the fast path, as a transport takes it; undefined when it does not take the command. */
async function plainly(here: World, { kind, cdb, data }: Sent) {
  const view = here.a.nexus.view(0)!;
  const position = plainPosition(kind, here.a.nexus, view, Uint8Array.from(cdb), 0, blocks * blockBytes);
  if (position < 0) return undefined;
  const { volume } = here.lu;
  const into = Buffer.alloc(kind === 'read' ? blocks * blockBytes : 0);
  const done = kind === 'read' ? volume?.readNow?.(into, position) : writePlain(here.lu, data, position);
  if (!done) return undefined;
  countPlain(kind, here.lu.plain!, blocks * blockBytes);
  return outcome(here, { status: 0, data: into, sense: '' });
}

const held = { initiator: 'iqn.2026-01.com.example:b', port: null, key: '0000000000000001' };
const own = { initiator: 'iqn.2026-01.com.example:a', port: null, key: '0000000000000002' };
const reservedAs =
  (type: number, registrations: readonly (typeof held)[]) =>
  ({ lu }: World) => {
    const reservation = { type, holder: type >= 7 ? null : registrations[0]! };
    reservations.set(lu, { persistent: { generation: 1, aptpl: false, registrations, reservation } });
  };
const setGroups = ({ lu }: World, settings: Readonly<Record<string, unknown>>) => {
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, ...settings }));
};
const inQueue =
  (attribute: TaskAttribute) =>
  ({ b }: World) =>
    admitTask(b.task([0x28, 0, 0, 0, 0, 0, 0, 0, 1], { attribute }));
const work =
  (failed: boolean) =>
  ({ lu }: World) =>
    mediumWork.set(lu, { work: { does: 'format', exit: false, failed, medium: {} } });
const never = new Promise<void>(() => {});

type Situation = (here: World) => unknown;

/** States of each subject, by its name: what is in a command's way, what is not, and what concerns another initiator alone. */
const situations: Readonly<Record<string, Readonly<Record<string, Situation>>>> = {
  'ALUA transitions': {
    ...Object.fromEntries(
      [1, 2, 3, 4, 14, 15].map((state): [string, Situation] => [
        `state ${state}`,
        (here) => setGroups(here, { alua_access_state: state }),
      ]),
    ),
    ...sharedSituations,
    'a transition': (here) => {
      setGroups(here, { trans_delay_msecs: 500 });
      stateChanged(here.lu, 'default_tg_pt_gp');
      for (const { nexus } of [here.a, here.b]) clearUnitAttentions(nexus);
    },
    'another group is unavailable': ({ lu }) => {
      lu.aluaGroups = [...lu.aluaGroups, { ...lu.aluaGroups[0]!, name: 'g1', tg_pt_gp_id: 1, alua_access_state: 3 }];
    },
    'a state without ALUA': (here) => {
      here.lu.attributes.set('alua_support', 0);
      setGroups(here, { alua_access_state: 2 });
    },
  },
  buffers: { written: ({ a }) => a.send([0x3b, 2, 0, 0, 0, 0, 0, 0, 4], Buffer.alloc(4)) },
  'control mode': {
    'write protection': ({ lu }) => controlMode.set(lu, { softwareWriteProtect: true }),
    'descriptor format': ({ lu }) => controlMode.set(lu, { descriptorSense: true }),
  },
  'copy results': { 'a copy of nothing': ({ a }) => a.send([0x83, 0, ...be(0, 8), ...be(16, 4)], Buffer.alloc(16, 0)) },
  'informational exceptions': { test: ({ lu }) => informationalExceptions.set(lu, { test: true, reporting: 4 }) },
  'lost writes': { lost: ({ lu }) => writesOf(lu).failed('the medium was pulled out') },
  medium: {
    none: ({ lu }) => {
      lu.volume = undefined;
    },
    out: ({ lu }) => {
      lu.ejected = true;
    },
    'of less than a block': ({ lu }) => {
      lu.volume = memoryVolume(blockBytes - 1);
    },
    'of one block': ({ lu }) => {
      lu.volume = memoryVolume(blockBytes);
    },
    'one that cannot be written': ({ lu }) => {
      lu.volume = memoryVolume(16 * 1024, { readOnly: true });
    },
    'a SCSI device': ({ lu }) => {
      const answer = { status: 2, sense: new Uint8Array(), dataIn: Buffer.alloc(0) };
      lu.volume = memoryVolume(16 * 1024, { passThrough: async () => answer });
    },
    'on its way from another event loop': ({ lu }) => {
      lu.arriving = true;
    },
    'protected by the operator': ({ lu }) => lu.attributes.set('read_only', 1),
  },
  'medium removal': { prevented: ({ a }) => a.send([0x1e, 0, 0, 0, 1]) },
  'medium work': { 'goes on': work(false), 'has failed': work(true) },
  nexuses: { 'one more': ({ lu }) => new ScsiInitiator(lu, 'c').login(), 'one less': ({ b }) => b.logout() },
  power: { idle: ({ a }) => a.send([0x1b, 0, 0, 0, 0x20]), standby: ({ a }) => a.send([0x1b, 0, 0, 0, 0x30]) },
  'provisioning thresholds': {
    enabled: ({ lu }) => {
      lu.attributes.set('emulate_tpu', 1);
      askForThresholds(lu, { available: { enabled: true, count: 0 } });
    },
    'not reported': ({ lu }) => askForThresholds(lu, { reports: false }),
  },
  'aborted writes': {
    'under way': ({ b }) => {
      const task = Object.assign(b.task([0x2a, 0, 0, 0, 0, lba, 0, 0, 1]), { running: new Promise<never>(() => {}) });
      void (admitTask(task) ?? abortTask(b.nexus, 0, task.tag));
    },
  },
  'range locks': {
    'held alone': ({ lu }) => void rangeLocks.of(lu).during(0, 4096, true, () => never),
    'to be held alone': ({ lu }) => {
      void rangeLocks.of(lu).during(4096, 8192, false, () => never);
      void rangeLocks.of(lu).during(0, 8192, true, () => never);
    },
    'held alone elsewhere': ({ lu }) => void rangeLocks.of(lu).during(8192, 9216, true, () => never),
    'being written': ({ lu }) => void rangeLocks.of(lu).during(0, 4096, false, () => never),
    'not held any more': ({ lu }) => rangeLocks.of(lu).during(0, 4096, true, async () => {}),
  },
  reservations: {
    'RESERVE of another': ({ b }) => b.send([0x16]),
    RESERVE: ({ a }) => a.send([0x16]),
    ...Object.fromEntries(
      [1, 3, 5, 6, 7, 8].flatMap((type): [string, Situation][] => [
        [`type ${type}`, reservedAs(type, [held])],
        [`type ${type}, registered`, reservedAs(type, [held, own])],
        [`type ${type}, held`, reservedAs(type, [own, held])],
      ]),
    ),
  },
  statistics: { counted: ({ b }) => b.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1]) },
  'task set': {
    'a simple task': inQueue('simple'),
    'an ordered task': inQueue('ordered'),
    'a task at the head of the queue': inQueue('head of queue'),
    'an ordered task that has ended': ({ b }) => b.send([0x00], undefined, { attribute: 'ordered' }),
  },
  timestamp: { set: ({ a }) => a.send([0xa4, 0x0f, 0, 0, 0, 0, ...be(12, 4)], Buffer.alloc(12)) },
  'unit attentions': {
    'for all': ({ lu }) => reportToAll(lu, sense.modeParametersChanged),
    'a deferred error': ({ lu }) => reportToAll(lu, sense.deferredWriteError),
    'a reset': ({ a }) => logicalUnitReset(a.nexus, 0),
    'for another': ({ lu, b }) => addUnitAttention(b.nexus, lu, sense.modeParametersChanged),
    'told already': async ({ lu, a }) => {
      addUnitAttention(a.nexus, lu, sense.modeParametersChanged);
      await a.send([0x00]);
    },
  },
};

/** Whether both come to the same, each in a world of its own; 'general' where the fast path does not take the command. */
async function compare(situation: Situation, one: Sent): Promise<'general' | 'same' | 'differs'> {
  const [there, here] = [world(), world()];
  // The flag is computed once before, so that what changes then has to say so.
  for (const { a } of [there, here])
    expect(plainPosition('read', a.nexus, a.nexus.view(0)!, readOf(1), 0, blockBytes)).toBe(0);
  await situation(there);
  await situation(here);
  const plain = await plainly(here, one);
  if (!plain) return 'general';
  const general = await generally(there, one);
  return isDeepStrictEqual(general, plain) ? 'same' : 'differs';
}

const all = Object.entries(situations).flatMap(([subject, states]) =>
  Object.entries(states).map(([state, situation]) => [`${subject}: ${state}`, situation] as const),
);

test('every subject of a logical unit has its states here', () => {
  expect(Object.keys(situations).sort()).toEqual(unitSubjects.map(({ name }) => name).sort());
});

const inSituations = () => {};

/** The fields of a unit itself, each with another value, where neither a subject's state nor an attribute gives it one. */
const fields: Readonly<Record<string, Situation>> = {
  ...Object.fromEntries(
    ['volume', 'ejected', 'arriving', 'shared', 'aluaGroups', 'attributes', 'states', 'plain'].map((name) => [
      name,
      inSituations,
    ]),
  ),
  ...Object.fromEntries(
    Object.entries({
      backstore: { name: 'other' },
      name: 'other',
      config: { dev: '/dev/null' },
      wwn: 'other',
      isSerialMade: true,
      contents: [],
      sizeElsewhere: 1,
      missing: 'no such file',
      contentsLost: 'its loop is gone',
      exports: new Set([{}]),
      clock: { now: () => 7, after: () => {} },
      keep: async () => {},
      configure: async () => {},
      ports: () => [],
      log: () => {},
      unknown: { key: 1 },
    }).map(([name, value]): [string, Situation] => [name, ({ lu }) => Object.assign(lu, { [name]: value })]),
  ),
};
test('every field of a logical unit is here, too', () => {
  expect(Object.keys(fields).sort()).toEqual(Object.keys(world().lu).sort());
});

describe.each(sent)('%s', (_name, one) => {
  test('is taken where nothing is in its way', async () => {
    expect(await compare(() => {}, one)).toBe('same');
  });

  test.each(all)('%s', async (_state, situation) => {
    expect(await compare(situation, one)).not.toBe('differs');
  });

  test.each(Object.entries(fields))('another %s', async (_name, situation) => {
    expect(await compare(situation, one)).not.toBe('differs');
  });

  test('is answered as on the general path, with each attribute at each value', async () => {
    for (const [name, { min, max, only, readOnly }] of Object.entries(diskAttributes as AttributeTable)) {
      if (readOnly) continue;
      for (const value of [min, max, ...(only ?? [])])
        if (value !== undefined) {
          const set: Situation = ({ lu }) => lu.attributes.set(name as never, value);
          expect([name, value, await compare(set, one)]).not.toContain('differs');
        }
    }
  });

  test('is answered as on the general path, with each further bit of its CDB set', async () => {
    for (let bit = 0; bit < one.cdb.length * 8; bit += 1) {
      const cdb = one.cdb.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect([bit, await compare(() => {}, { ...one, cdb })]).not.toContain('differs');
    }
  });

  test('up to the last block', async () => {
    const last = (first: number) => cdbOf(opcodes.find(({ code }) => code === one.cdb[0])!, { lba: first, blocks });
    expect(await compare(() => {}, { ...one, cdb: last(mediumBytes / blockBytes - blocks) })).toBe('same');
    expect(await compare(() => {}, { ...one, cdb: last(mediumBytes / blockBytes - 1) })).toBe('general');
  });
});

describe('without a write cache', () => {
  const writes = sent.filter(([, { kind }]) => kind === 'write').map(([, one]) => one);
  const off =
    (differing: Partial<Volume>): Situation =>
    ({ lu, volume }) => {
      // A volume that answers for itself, without a record.
      lu.volume = Object.assign(volume, differing);
      lu.attributes.set('emulate_write_cache', 0);
    };
  const inMemory = {
    writeNow(this: MemoryVolume, from: Uint8Array, position: number) {
      this.bytes.set(from, position);
      return true;
    },
  };

  test.each<[string, Partial<Volume>, string]>([
    ['where writes are stable at once', { ...inMemory, isFlushed: () => true }, 'same'],
    ['where they are not', { ...inMemory, isFlushed: () => false }, 'general'],
    ['where nobody knows', inMemory, 'general'],
  ])('%s', async (_where, differing, expected) => {
    for (const one of writes) expect(await compare(off(differing), one)).toBe(expected);
  });
});

test('an initiator that sees the unit write protected writes nothing', () => {
  const { lu } = world();
  const { nexus } = new ScsiInitiator(lu, 'c', { writeProtected: true }).login();
  const [write] = sent.find(([, { kind }]) => kind === 'write')!.slice(1) as [Sent];
  expect(plainPosition('write', nexus, nexus.view(0)!, Uint8Array.from(write.cdb), 0, write.data.length)).toBe(-1);
});

describe('a subject whose obstruction is forgotten is found', () => {
  const obstructing = unitSubjects.filter(({ obstructs }) => obstructs);
  test.each(obstructing.map((subject) => [subject.name, subject as { obstructs?: unknown }] as const))(
    '%s',
    async (name, subject) => {
      const { obstructs } = subject;
      delete subject.obstructs;
      try {
        const found: string[] = [];
        for (const situation of Object.values(situations[name]!))
          for (const [, one] of sent) found.push(await compare(situation, one).catch(() => 'differs'));
        expect(found).toContain('differs');
      } finally {
        subject.obstructs = obstructs;
      }
    },
  );
});
