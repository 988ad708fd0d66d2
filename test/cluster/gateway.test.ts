/** A gateway and its loops, in virtual time: faults that came by one path each, and the state after them. */

import { describe, expect, it } from 'vitest';
import { numberKeys } from '../../src/cluster/numbers.ts';
import { unitKeys } from '../../src/cluster/unit-records.ts';
import { families } from '../../src/daemon/metrics.ts';
import type { ShareAnswer } from '../../src/loops/shared-units.ts';
import { ClusterInTime, disk, type InTime, keys, restoreDisk, serial, told } from './gateway-in-time.ts';

/** A gateway alone in its cluster, which serves its disk. */
async function serving() {
  const cluster = new ClusterInTime();
  const here = await cluster.gateway('a');
  await cluster.pass(1_000);
  expect(here.gateway.units()[0]?.here).toBe('active');
  return { cluster, here };
}
const keep = (generation: number) => ({ asks: 'keep' as const, kept: JSON.stringify({ generation }) });

describe('a gateway whose store is away for a while', () => {
  it('keeps the reservations that it has, also where nobody knows whether the last change of them was stored', async () => {
    const { cluster, here } = await serving();
    expect(told(here).find(({ standing }) => standing === 'active')).toMatchObject({ reservations: null });
    await cluster.outcome(here.gateway.answer(disk, keep(1)));
    here.process.cut.store = true;
    await expect(cluster.outcome(here.gateway.answer(disk, keep(2)))).rejects.toThrow();
    await cluster.pass(6_000);
    expect(told(here).at(-1)).toMatchObject({ standing: 'alone' });
    here.asked.length = 0;
    here.process.cut.store = false;
    await cluster.pass(3_000);
    expect(here.gateway.units()[0]?.here).toBe('active');
    // Undefined: what the unit has stays.
    const active = told(here).filter(({ standing }) => standing === 'active');
    expect(new Set(active.map(({ reservations }) => reservations))).toEqual(new Set([undefined]));
    expect(here.log.filter((event) => event.startsWith('unit '))).toEqual(['unit taken']);
  });
});

describe('a unit of a gateway', () => {
  it('is served again when the tree has it anew with the same serial number', async () => {
    const { cluster, here } = await serving();
    for (const epoch of [2, 3]) {
      await restoreDisk(here.root);
      here.gateway.follow();
      await cluster.pass(1_000);
      expect(here.gateway.units()).toMatchObject([{ here: 'active', epoch, owner: 'a' }]);
    }
    // Each of the three has opened the image by itself.
    expect(here.asked.filter(({ does }) => does === 'open')).toHaveLength(3);
  });

  it('is told to a loop that begins with it, and given up where its loop has ended', async () => {
    const { cluster, here } = await serving();
    here.asked.length = 0;
    await here.gateway.answer(disk, { asks: 'stands' });
    await cluster.pass(10);
    expect(told(here).map(({ standing }) => standing)).toEqual(['active']);
    here.answer = ({ does }) => ({ opened: does === 'open', clean: false });
    await here.gateway.answer(disk, { asks: 'lost', reason: 'its loop has ended' });
    await cluster.pass(100);
    expect(here.gateway.units()).toMatchObject([{ owner: undefined, here: 'standby' }]);
    here.asked.length = 0;
    await cluster.pass(10_000);
    expect(here.gateway.units()).toMatchObject([{ owner: 'a', epoch: 2 }]);
    expect(told(here).filter(({ unplanned }) => unplanned)).toHaveLength(1);
  });

  it('carries out no command that was given up before', async () => {
    const { cluster, here } = await serving();
    const { requests } = unitKeys(keys, serial);
    const command = (id: string) => {
      cluster.store.put(`${requests}${id}`, JSON.stringify({ epoch: 1, command: {} }));
      return `${requests}${id}`;
    };
    // The gateway hears of both; one is gone by then.
    cluster.store.remove(command('late'));
    command('asked');
    await cluster.pass(1_000);
    expect(here.asked.filter(({ does }) => does === 'carry out')).toHaveLength(1);
  });

  it('has the shape that its owner has put, and none of an owner before', async () => {
    const { cluster, here } = await serving();
    const { owner, shape } = unitKeys(keys, serial);
    const other = { gateway: 'b', process: 'q' };
    cluster.store.remove(shape);
    here.answer = (request) => {
      const isServed = request.does === 'stand' && request.standing === 'active';
      // The epoch ends while the shape is on its way.
      if (isServed && cluster.store.valueOf(owner)!.includes('"epoch":2')) {
        cluster.store.put(keys.aliveGateway('b'), JSON.stringify({ process: 'q', home: 'b' }));
        const record = JSON.parse(cluster.store.valueOf(owner)!) as object;
        cluster.store.put(owner, JSON.stringify({ ...record, epoch: 3, owner: other }));
      }
      return { opened: request.does === 'open', clean: true };
    };
    await restoreDisk(here.root);
    here.gateway.follow();
    await cluster.pass(1_000);
    expect(here.gateway.units()).toMatchObject([{ owner: 'b', epoch: 3 }]);
    expect(cluster.store.valueOf(shape)).toBeUndefined();
  });
});

describe('a gateway', () => {
  it('hears of changes that a watch does not tell of', async () => {
    const { cluster, here } = await serving();
    cluster.store.isSilent = true;
    cluster.store.put(unitKeys(keys, serial).prefer, 'a');
    await cluster.pass(4_000);
    expect(here.gateway.units()).toMatchObject([{ prefers: 'a' }]);
  });

  it('is there for the others until its lease runs out where a medium is not closed in time, and leaves no timer behind', async () => {
    const { cluster, here } = await serving();
    const { alive } = keys;
    here.answer = () => new Promise(() => {});
    await cluster.outcome(here.gateway.end());
    expect(cluster.store.valueOf(`${alive}a`)).toBeDefined();
    await cluster.pass(6_000);
    expect(cluster.store.valueOf(`${alive}a`)).toBeUndefined();
    const b = await cluster.gateway('b');
    await cluster.pass(10_000);
    // The store does not answer when its units are given.
    b.process.cut.store = true;
    await cluster.outcome(b.gateway.end());
    await cluster.pass(20_000);
    expect(cluster.pending).toBe(0);
  });

  it('says nothing of the others while it does not hear of them: a host believes every path about all groups', async () => {
    const { cluster, here } = await serving();
    const [b, c] = [await cluster.gateway('b'), await cluster.gateway('c')];
    await cluster.pass(6_000);
    const statesAt = (one: InTime) =>
      told(one)
        .at(-1)!
        .groups.map((group) => [group.name, group.alua_access_state]);
    const all = (a: number, b: number, c: number) => [
      ['gateway_a', a],
      ['gateway_b', b],
      ['gateway_c', c],
    ];
    expect([here, b, c].map(statesAt)).toEqual([all(0, 2, 2), all(0, 2, 2), all(0, 2, 2)]);
    for (const { process } of [here, c]) process.cut.store = true;
    await cluster.pass(10_000);
    expect([here, b, c].map(statesAt)).toEqual([[['gateway_a', 0]], all(3, 0, 3), [['gateway_c', 2]]]);
    // The medium refuses what the owner before writes.
    await here.gateway.answer(disk, { asks: 'lost', reason: 'shut out' });
    await cluster.pass(1_000);
    expect(told(here).at(-1)).toMatchObject({ standing: 'standby', groups: [{ alua_access_state: 2 }] });
    for (const { process } of [here, c]) process.cut.store = false;
    await cluster.pass(6_000);
    expect([here, b, c].map(statesAt)).toEqual([all(2, 0, 2), all(2, 0, 2), all(2, 0, 2)]);
  });

  it('ends a while after another one serves what it served, so that its initiators have seen that, and takes nothing back', async () => {
    const { cluster, here } = await serving();
    const there = await cluster.gateway('b');
    await cluster.pass(1_000);
    let open = (_answer: ShareAnswer) => {};
    there.answer = ({ does }) =>
      does === 'open' ? new Promise((resolve) => (open = resolve)) : { opened: false, clean: true };
    let isEnded = false;
    void here.gateway.end().then(() => (isEnded = true));
    await cluster.pass(2_000);
    expect({ isEnded, given: here.log.includes('unit given') }).toEqual({ isEnded: false, given: true });
    open({ opened: true, clean: true });
    await cluster.pass(1_000);
    expect(there.gateway.units()).toMatchObject([{ here: 'active', owner: 'b' }]);
    const asked = here.gateway.answer(disk, { asks: 'move', group: here.gateway.number });
    expect([await cluster.outcome(asked), isEnded]).toEqual([false, false]);
    await cluster.pass(4_000);
    expect(isEnded).toBe(true);
  });
});

describe('a gateway that starts without its store', () => {
  it('stands by with the number that it had, and takes part once the store answers and its tree is that of the cluster', async () => {
    const cluster = new ClusterInTime();
    await expect(cluster.gateway('a', { isCut: true })).rejects.toThrow('cannot begin to serve');
    cluster.store.put(`${numberKeys(keys)}a`, '3');
    let isCurrent = false;
    const here = await cluster.gateway('a', { number: 3, isCut: true, isCurrent: () => isCurrent });
    await cluster.pass(10_000);
    expect(told(here)).toMatchObject([{ standing: 'standby', own: 3, groups: [{ tg_pt_gp_id: 3 }] }]);
    here.process.cut.store = false;
    await cluster.pass(10_000);
    expect(here.gateway.units()).toMatchObject([{ here: 'standby', owner: undefined }]);
    isCurrent = true;
    await cluster.pass(2_000);
    expect(here.gateway.units()).toMatchObject([{ here: 'active', owner: 'a' }]);
  });

  it('takes no part where its number is not its own any more', async () => {
    const cluster = new ClusterInTime();
    const here = await cluster.gateway('a', { number: 3, isCut: true });
    here.process.cut.store = false;
    await cluster.pass(10_000);
    expect(here.gateway.units()).toMatchObject([{ here: 'standby', owner: undefined }]);
    expect(here.log).toContain('gateway name taken');
  });
});

describe('a move that an initiator asks for', () => {
  it('is refused at once where one was made a moment ago, and its initiator does not wait for it', async () => {
    const { cluster, here } = await serving();
    const there = await cluster.gateway('b');
    await cluster.pass(6_000);
    const move = (from: typeof here, group: number) =>
      cluster.outcome(from.gateway.answer(disk, { asks: 'move', group }));
    const groupOf = (name: string) => here.gateway.gateways().find((one) => one.name === name)!.number;
    expect(await move(there, groupOf('b'))).toBe(true);
    const asked = cluster.time.now;
    expect(await move(here, groupOf('a'))).toBe(false);
    expect(cluster.time.now - asked).toBeLessThan(2_000);
    expect(there.gateway.units()).toMatchObject([{ owner: 'b', here: 'active' }]);
    await cluster.pass(30_000);
    expect(await move(here, groupOf('a'))).toBe(true);
  });

  it('is refused at first where the unit has come to another gateway otherwise, since it may go by the states before', async () => {
    const { cluster, here } = await serving();
    const there = await cluster.gateway('b');
    await cluster.pass(1_000);
    cluster.pause(here);
    while (there.gateway.units()[0]?.here !== 'active') await cluster.pass(10);
    cluster.resume(here);
    await cluster.pass(1_500);
    const back = () => cluster.outcome(here.gateway.answer(disk, { asks: 'move', group: here.gateway.number }));
    const asked = cluster.time.now;
    expect(await back()).toBe(false);
    expect(cluster.time.now - asked).toBeLessThan(100);
    await cluster.pass(5_000);
    expect(await back()).toBe(true);
  });

  it('does not take the place of the move that an operator asks for, and asks for the same where it is one to the same gateway', async () => {
    const { cluster, here } = await serving();
    const [there, third] = [await cluster.gateway('b'), await cluster.gateway('c')];
    await cluster.pass(1_000);
    // The owner takes its time to close the medium.
    here.answer = async ({ does }) => {
      if (does === 'close') await new Promise<void>((resolve) => void cluster.time.at(3_000, resolve));
      return { opened: does === 'open', clean: true };
    };
    const operator = here.gateway.move(disk, 'b');
    await cluster.pass(100);
    const asks = [there, third].map((one) => one.gateway.answer(disk, { asks: 'move', group: one.gateway.number }));
    expect(await cluster.outcome(Promise.all(asks))).toEqual([true, false]);
    await cluster.outcome(operator);
    expect(there.gateway.units()).toMatchObject([{ owner: 'b', epoch: 2 }]);
  });

  it('is what decides who takes a unit that nobody serves, also where another gateway would be the first to', async () => {
    const { cluster, here } = await serving();
    const there = await cluster.gateway('b');
    cluster.store.put(unitKeys(keys, serial).prefer, 'a');
    await cluster.pass(1_000);
    const group = there.gateway.number;
    here.process.dead = true;
    const moved = there.gateway.answer(disk, { asks: 'move', group });
    await cluster.pass(100);
    // The owner is back at once.
    const again = await cluster.gateway('a');
    expect(await cluster.outcome(moved)).toBe(true);
    expect(again.gateway.units()).toMatchObject([{ owner: 'b', epoch: 2, prefers: 'a' }]);
  });

  it('is known to be refused by a gateway that stood still while its wish came and went', async () => {
    const { cluster, here } = await serving();
    const there = await cluster.gateway('b');
    await cluster.pass(6_000);
    const groupOf = (name: string) => here.gateway.gateways().find((one) => one.name === name)!.number;
    const move = (from: typeof here, name: string) => from.gateway.answer(disk, { asks: 'move', group: groupOf(name) });
    expect(await cluster.outcome(move(there, 'b'))).toBe(true);
    const asked = cluster.time.now;
    const refused = move(here, 'a');
    const { wish } = unitKeys(keys, serial);
    while (cluster.store.valueOf(wish) === undefined) await cluster.pass(1);
    cluster.pause(here);
    await cluster.pass(500);
    expect(cluster.store.valueOf(wish)).toBeUndefined();
    cluster.resume(here);
    expect(await cluster.outcome(refused)).toBe(false);
    expect(cluster.time.now - asked).toBeLessThan(1_000);
  });
});

describe('metrics of a gateway', () => {
  it('name the gateways, the owner of each unit and its epoch', async () => {
    const { cluster, here } = await serving();
    const others = await cluster.gateway('b');
    await cluster.pass(1_000);
    const scene = { root: { gateway: here.gateway } } as never;
    const samples = families
      .filter(({ ofGateways }) => ofGateways)
      .map((family) => [family.name, [...family.samples(scene)]] as const);
    expect(others.gateway.gateways()).toHaveLength(2);
    expect(samples).toEqual([
      [
        'tcli_gateway_up',
        [
          [{ gateway: 'a' }, 1],
          [{ gateway: 'b' }, 1],
        ],
      ],
      [
        'tcli_storage_object_owned',
        [
          [{ storage_object: disk, gateway: 'a' }, 1],
          [{ storage_object: disk, gateway: 'b' }, 0],
        ],
      ],
      ['tcli_storage_object_epoch', [[{ storage_object: disk }, 1]]],
    ]);
  });
});
