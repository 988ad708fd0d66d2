// Hostile vhost, seeded: front-ends and guests beside one that must never notice. It does not test what the answers say.

import { expect, it } from 'vitest';
import { below, randomOf } from '../support/random.ts';
import { vhostTarget } from '../support/vhost-target.ts';
import { attackVhost } from './vhost-attacks.ts';

const turns = async () => {
  for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate);
};

it('a hostile front-end or guest leaves its neighbour served, and meets no bug', async () => {
  const healthy = await (await vhostTarget()).driver();
  const { connect, log } = await vhostTarget();
  const random = randomOf(2026);
  let connections = 0;
  for (let batch = 0; batch < 8; batch += 1) {
    connections += (await attackVhost(connect, random, 20, turns)).connections;
    const data = Buffer.alloc(512, below(random, 256));
    expect(await healthy.command([0x2a, 0, 0, 0, 0, 1, 0, 0, 1, 0], { dataOut: data })).toMatchObject({ status: 0 });
    expect((await healthy.command([0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0], { dataIn: 512 })).data).toEqual(data);
  }
  expect(connections).toBeGreaterThan(8);
  expect(log.filter(({ event }) => event === 'internal error')).toEqual([]);
});
