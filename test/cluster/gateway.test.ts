/** What a gateway tells its loops and asks of them, in virtual time: faults that came by one path each, and the state after them. */

import { describe, expect, it } from 'vitest';
import { ClusterInTime, disk, told } from './gateway-in-time.ts';

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
