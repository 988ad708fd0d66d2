// The table of a command's states: commands whose lives take every step that it has, and what a step that it has not comes to.

import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type CommandEvent,
  type CommandState,
  commandTransitions,
  event,
  state,
  stateAfter,
} from '../../src/iscsi/command-state.ts';
import { dataOut, noTag } from '../../src/iscsi/pdu.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { be, logicalUnit, pattern } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { slowVolume } from '../support/slow-volume.ts';

const MiB = 1 << 20;
/** Each step that a command has taken: `gathering, dataComplete`. */
const taken = vi.hoisted(() => new Set<string>());

vi.mock('../../src/iscsi/command-state.ts', async (load) => {
  const module = await load<typeof import('../../src/iscsi/command-state.ts')>();
  return {
    ...module,
    stateAfter(from: CommandState, what: CommandEvent) {
      const next = module.stateAfter(from, what);
      taken.add(`${Object.keys(module.state)[from]}, ${Object.keys(module.event)[what]}`);
      return next;
    },
  };
});

const bytes = 4096;
const data = pattern(bytes);
const testUnitReady = [0, 0, 0, 0, 0, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0];
const asking = { InitialR2T: 'Yes', ImmediateData: 'No' };
const unasked = { InitialR2T: 'No', ImmediateData: 'No' };

/** A session, the answers of whose medium wait for `slow` where it is asked for. */
async function fresh(keys: Record<string, string> = {}, size = MiB, bytesPerSecond = 0) {
  const unit = logicalUnit({ volume: memoryVolume(size, { writeNow: undefined, readNow: undefined }) });
  const slow = slowVolume(unit.volume);
  unit.lu.volume = slow.volume;
  const target = new IscsiTarget(unit);
  target.tpg.luns.get(0)!.attributes.set('limit_bytes', bytesPerSecond);
  for (const [name, value] of Object.entries(keys)) target.tpg.parameters.set(name, value);
  const parts = await target.login(keys);
  const [session] = target.sessionTable;
  return { ...parts, ...unit, target, slow, session: session! };
}
type Session = Awaited<ReturnType<typeof fresh>>;

/** A session like that of `fresh`, whose LUN has had all that its limits allow for 10 seconds. */
async function limited() {
  const target = await fresh(asking, MiB, 1);
  const tag = target.initiator.sendCommand([0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0], { read: true, length: bytes });
  await expect.poll(() => target.slow.waiting.length > 0).toBe(true);
  target.slow.releaseAll();
  expect((await target.initiator.finish(tag)).status).toBe(0);
  return { ...target, tpg: target.target.tpg };
}

/** Sends what R2Ts ask for, as long as they do. */
function give(initiator: Session['initiator'], all: Uint8Array): void {
  while (initiator.inbox[0]?.name === 'Ready To Transfer') initiator.sendRequested(initiator.inbox.shift()!, all);
}

/** The lives of a command, step by step. */
const lives: Readonly<Record<string, () => Promise<void>>> = {
  'a command without data': async () => {
    const { initiator } = await fresh();
    expect((await initiator.command(testUnitReady)).status).toBe(0);
  },
  'a write by several R2Ts, one after the other': async () => {
    const { initiator, slow } = await fresh({ ...asking, MaxBurstLength: '2048' });
    const tag = initiator.sendCommand(write, { data });
    give(initiator, data);
    await expect.poll(() => slow.waiting.length > 0).toBe(true);
    slow.releaseAll();
    expect((await initiator.finish(tag)).status).toBe(0);
  },
  'a command that comes before its turn': async () => {
    const { initiator } = await fresh();
    initiator.cmdSn += 1;
    const early = initiator.sendCommand(testUnitReady);
    initiator.cmdSn -= 2;
    const first = initiator.sendCommand(testUnitReady);
    expect([(await initiator.finish(first)).status, (await initiator.finish(early)).status]).toEqual([0, 0]);
  },
  'one that is dropped before its turn': async () => {
    const { initiator, connection } = await fresh();
    initiator.cmdSn += 1;
    initiator.sendCommand(testUnitReady);
    await connection.close('lost');
  },
  'a write that waits for memory': async () => {
    const { initiator, session } = await fresh(asking);
    session.memory.add(64 * MiB);
    initiator.sendCommand(write, { data });
    expect(initiator.inbox).toEqual([]);
    session.memory.giveBack(64 * MiB);
    expect((await initiator.next()).name).toBe('Ready To Transfer');
  },
  'a write that waits for the limits of its LUN': async () => {
    const { initiator, tpg, slow } = await limited();
    const tag = initiator.sendCommand(write, { data });
    expect(initiator.inbox).toEqual([]);
    tpg.luns.get(0)!.attributes.set('limit_bytes', 0);
    await expect.poll(() => initiator.inbox.length > 0).toBe(true);
    give(initiator, data);
    await expect.poll(() => slow.waiting.length > 0).toBe(true);
    slow.releaseAll();
    expect((await initiator.finish(tag)).status).toBe(0);
  },
  'one that waits for them, and is dropped': async () => {
    const { initiator, connection } = await limited();
    initiator.sendCommand(write, { data });
    await connection.close('lost');
  },
  'one that is dropped without having got any': async () => {
    const { initiator, session, connection } = await fresh(asking);
    session.memory.add(64 * MiB);
    initiator.sendCommand(write, { data });
    await connection.close('lost');
    session.memory.giveBack(64 * MiB);
    expect(session.memory.held).toBe(0);
  },
  'one whose unsolicited data does not come': async () => {
    const { initiator, connection } = await fresh(unasked);
    initiator.sendCommand(write, { data, final: false });
    await connection.close('lost');
  },
  'one whose unsolicited data comes after it was refused': async () => {
    const { initiator, lu } = await fresh(unasked);
    lu.attributes.set('read_only', 1);
    const tag = initiator.sendCommand(write, { data, final: false });
    expect(initiator.inbox).toEqual([]);
    initiator.sendData({ initiatorTaskTag: tag, targetTransferTag: noTag }, data, 0, bytes);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: '7/27/00' });
  },
  'one that was refused, and is dropped before its data comes': async () => {
    const { initiator, lu, connection } = await fresh(unasked);
    lu.attributes.set('read_only', 1);
    initiator.sendCommand(write, { data, final: false });
    await connection.close('lost');
  },
  'one whose data is wrong': async () => {
    const { initiator } = await fresh(asking);
    const tag = initiator.sendCommand(write, { data });
    const { values } = await initiator.next();
    const task = { initiatorTaskTag: tag, targetTransferTag: values['targetTransferTag']! };
    initiator.send(dataOut, { ...task, final: true, dataSn: 7, bufferOffset: 0 }, data);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: 'b/47/05' });
  },
  'one that was asked for data, and is dropped': async () => {
    const { initiator, connection } = await fresh(asking);
    initiator.sendCommand(write, { data });
    await connection.close('lost');
  },
  'a long write, piece by piece, dropped on its way to the medium': async () => {
    const long = Buffer.alloc(9 * MiB, 1);
    const { initiator, connection, slow } = await fresh(asking, 16 * MiB);
    initiator.sendCommand([0x8a, 0, ...be(0, 8), ...be(long.length / 512, 4), 0, 0], { data: long });
    give(initiator, long);
    await expect.poll(() => slow.waiting.includes('write 0+8388608')).toBe(true);
    slow.releaseAll();
    await expect.poll(() => initiator.inbox.length > 0).toBe(true);
    give(initiator, long);
    await expect.poll(() => slow.waiting.includes('write 8388608+1048576')).toBe(true);
    const closed = connection.close('lost');
    slow.releaseAll();
    await closed;
  },
  'one whose answer the output does not take': async () => {
    const { initiator, connection, output } = await fresh();
    output.blocked = true;
    initiator.sendCommand(testUnitReady);
    await connection.close('lost');
  },
};

const steps = Object.entries(commandTransitions).flatMap(([from, events]) =>
  Object.keys(events).map((what) => `${from}, ${what}`),
);

describe('the life of a command', () => {
  it.each(Object.entries(lives))('%s', (_name, live) => live());

  it('takes every step of the table in one of these', () => {
    expect([...taken].sort()).toEqual([...steps].sort());
  });
});

describe('an event that cannot come', () => {
  let session: Session;
  beforeEach(async () => {
    session = await fresh();
  });

  it('is a bug: it is thrown, whatever the state', () => {
    expect(() => stateAfter(state.over, event.end)).toThrow("a command that is 'over' had the event 'end'");
  });

  it('ends the connection, and is logged as a bug of ours', async () => {
    const { initiator, target, connection, slow } = session;
    const tag = initiator.sendCommand(write, { data });
    const command = session.session.commands.get(tag)!;
    give(initiator, data);
    await expect.poll(() => slow.waiting.length > 0).toBe(true);
    command.state = state.short;
    slow.releaseAll();
    await expect.poll(() => connection.closed).toBe(true);
    expect(target.logged).toContainEqual(expect.objectContaining({ event: 'internal error' }));
  });
});
