/** Faults of those who serve a disk: each begins, lasts, and is over when its promise resolves. */

import { setTimeout as sleep } from 'node:timers/promises';
import { oneOf, type Random } from '../support/random.ts';
import type { LinuxHost } from './initiator.ts';
import { otherSide, type ServedDisk, type Side } from './stage.ts';

/** The parties that a fault can meet. */
interface Scene {
  readonly stage: ServedDisk;
  readonly initiator: LinuxHost;
}

export interface Mishap {
  readonly name: string;
  happen(scene: Scene): Promise<void>;
  /** For so long no write may be without an answer. */
  readonly limitMs?: number;
}

/** The part of a side when a fault begins. */
type Role = 'the active side' | 'the standby';
const roles: readonly Role[] = ['the active side', 'the standby'];

async function sideOf(stage: ServedDisk, role: Role): Promise<Side> {
  const active = await stage.active();
  return role === 'the active side' ? active : otherSide(active);
}

const moveMs = 2_000;

/** @param awayMs from its end until it is started again */
const killed = (role: Role, awayMs: number): Mishap => ({
  name: `kill -9 of ${role}, which is away for ${awayMs / 1000} s`,
  async happen({ stage }) {
    const gateway = stage.gatewayOf(await sideOf(stage, role));
    await gateway.stop('SIGKILL');
    await sleep(awayMs);
    await gateway.start();
  },
});

const paused = (role: Role, forMs: number): Mishap => ({
  name: `SIGSTOP of ${role} for ${forMs / 1000} s`,
  async happen({ stage }) {
    const gateway = stage.gatewayOf(await sideOf(stage, role));
    gateway.signal('SIGSTOP');
    await sleep(forMs);
    gateway.signal('SIGCONT');
  },
});

const moved: Mishap = {
  name: 'the disk is moved',
  limitMs: moveMs,
  happen: async ({ stage }) => stage.move(await sideOf(stage, 'the standby')),
};

/** The host's own word, by SET TARGET PORT GROUPS. */
const movedByHost: Mishap = {
  name: 'the host moves the disk',
  limitMs: moveMs,
  happen: async ({ stage, initiator }) => initiator.activate(await sideOf(stage, 'the standby')),
};

const cut = (role: Role, other: 'ceph' | 'host1', forMs: number): Mishap => ({
  name: `${role} and ${other} are cut off from each other for ${forMs / 1000} s`,
  async happen({ stage }) {
    const { party } = stage.gatewayOf(await sideOf(stage, role));
    await stage.network.cut(party, other);
    await sleep(forMs);
    await stage.network.mend(party, other);
  },
});

const jumped = (role: Role, seconds: number): Mishap => ({
  name: `the clock of ${role} is wrong by ${seconds} s for 20 s`,
  async happen({ stage }) {
    const gateway = stage.gatewayOf(await sideOf(stage, role));
    await gateway.jump(seconds);
    await sleep(20_000);
    await gateway.jump(0);
  },
});

/** Faults of each kind, one by one, as CI runs them. */
export const shortFaults: readonly Mishap[] = [
  killed('the active side', 2_000),
  moved,
  movedByHost,
  paused('the active side', 5_000),
  cut('the active side', 'host1', 5_000),
];

const kinds: readonly ((random: Random) => Mishap)[] = [
  (random) => killed(oneOf(random, roles)!, oneOf(random, [0, 3_000, 20_000])!),
  (random) => paused(oneOf(random, roles)!, oneOf(random, [5_000, 30_000, 90_000])!),
  () => moved,
  () => movedByHost,
  (random) =>
    cut(oneOf(random, roles)!, oneOf(random, ['ceph', 'host1'] as const)!, oneOf(random, [5_000, 20_000, 40_000])!),
  (random) => jumped(oneOf(random, roles)!, oneOf(random, [-86_400, -30, 30, 86_400])!),
];

/** The next one. */
export const randomFault = (random: Random): Mishap => oneOf(random, kinds)!(random);
