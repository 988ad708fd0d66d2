/** The ownership of a unit, whatever happens to gateways, store, network, clocks and medium: the real `Custody` in a made-up world. */

import { describe, expect, test } from 'vitest';
import { type Findings, simulate } from './simulation.ts';
import type { World } from './timeline.ts';

/** More by `SEEDS=5000 npx vitest run test/cluster/ownership.test.ts`. */
const seeds = Number(process.env['SEEDS'] ?? 100);
const limitMs = Math.max(300_000, seeds * 1000);

async function runs(count: number, world: Omit<World, 'seed'>): Promise<(Findings & { seed: number })[]> {
  const found: (Findings & { seed: number })[] = [];
  for (let seed = 1; seed <= count; seed += 1) found.push({ seed, ...(await simulate({ ...world, seed })) });
  return found;
}

const failures = (found: readonly (Findings & { seed: number })[]): string[] =>
  found.flatMap(({ seed, violations }) => violations.map((what) => `seed ${seed}, ${what}`));

const sum = (found: readonly Findings[], of: 'writes' | 'epochs' | 'initiatorMoves'): number =>
  found.reduce((all, one) => all + one[of], 0);

describe('ownership of a unit in a simulated cluster', { timeout: limitMs }, () => {
  test('on a medium that fences, no write of an earlier owner is taken after the answer of a later one', async () => {
    const found = await runs(seeds, { fences: true, pauses: true });
    expect(failures(found)).toEqual([]);
    // The runs have done something.
    expect(sum(found, 'epochs')).toBeGreaterThan(2 * seeds);
    expect(sum(found, 'writes')).toBeGreaterThan(100 * seeds);
    expect(sum(found, 'initiatorMoves')).toBeGreaterThan(seeds / 10);
  });

  test('on a medium that does not fence, the same holds as long as no process stands still', async () => {
    const found = await runs(seeds, { fences: false, pauses: false });
    expect(failures(found)).toEqual([]);
    expect(sum(found, 'epochs')).toBeGreaterThan(2 * seeds);
  });
});

describe('the simulation finds a rule that is broken', () => {
  const broken: readonly [string, Omit<World, 'seed'>][] = [
    ['nobody is shut out of the medium', { fences: true, pauses: true, broken: 'nobody is shut out' }],
    [
      'who is shut out comes in again after a while',
      { fences: true, pauses: true, broken: 'shutting out is not renewed' },
    ],
    ['reservations are not loaded', { fences: true, pauses: true, broken: 'reservations are not loaded' }],
    ['leases are judged by a clock that is set', { fences: false, pauses: false, broken: 'wall clock' }],
    ['a process stands still, and its medium does not fence', { fences: false, pauses: true }],
  ];
  test.each(broken)('%s', async (_what, world) => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const { violations } = await simulate({ ...world, seed });
      if (violations.some((what) => !what.includes('serve, long after'))) return;
    }
    expect.unreachable('no run has found it');
  });
});
