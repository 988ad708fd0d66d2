/** Faults of the parties by which a disk is served: each begins, lasts, and is over when its promise resolves. */

import { setTimeout as sleep } from 'node:timers/promises';
import { oneOf, type Random } from '../support/random.ts';
import type { GatewayProcess } from './gateway.ts';
import type { LinuxHost } from './initiator.ts';
import { etcdParties, type NetworkParty } from './network.ts';
import type { GatewayPair } from './stage.ts';

/** The parties that a fault can meet. */
interface Scene {
  readonly pair: GatewayPair;
  readonly initiator: LinuxHost;
}

export interface Mishap {
  readonly name: string;
  /** @returns a text where what came of it is not always the same */
  happen(scene: Scene): Promise<unknown>;
  /** For so long no write may be without an answer. */
  readonly limitMs?: number;
}

/** The part of a gateway when a fault begins. */
type Role = 'the owner' | 'the standby';
const roles: readonly Role[] = ['the owner', 'the standby'];
const inRole = (pair: GatewayPair, role: Role): Promise<GatewayProcess> =>
  role === 'the owner' ? pair.owner() : pair.standby();

/** The times that are wanted, of a machine that does nothing else. */
const moveMs = 2_000;
const failoverMs = 10_000;

/** @param awayMs from its end until it is started again */
const killed = (role: Role, awayMs: number): Mishap => ({
  name: `kill -9 of ${role}, which is away for ${awayMs / 1000} s`,
  limitMs: failoverMs,
  async happen({ pair }) {
    const gateway = await inRole(pair, role);
    await gateway.stop('SIGKILL');
    await sleep(awayMs);
    await gateway.start();
  },
});

const paused = (role: Role, forMs: number): Mishap => ({
  name: `SIGSTOP of ${role} for ${forMs / 1000} s`,
  limitMs: failoverMs,
  async happen({ pair }) {
    const gateway = await inRole(pair, role);
    gateway.signal('SIGSTOP');
    await sleep(forMs);
    gateway.signal('SIGCONT');
  },
});

const restarted: Mishap = {
  name: 'the owner is stopped, and started again',
  limitMs: moveMs,
  async happen({ pair }) {
    const gateway = await pair.owner();
    await gateway.stop();
    await gateway.start();
  },
};

const moved: Mishap = {
  name: 'an operator moves the disk',
  limitMs: moveMs,
  happen: async ({ pair }) => pair.move(await pair.standby()),
};

/** The host's own word, by SET TARGET PORT GROUPS: hosts move a disk at most twice in 5 minutes. */
const movedByHost: Mishap = {
  name: 'the host moves the disk',
  limitMs: moveMs,
  async happen({ pair, initiator }) {
    const to = await pair.standby();
    const isMoved = await initiator.activate(pair.gateways.indexOf(to));
    return isMoved ? 'it was moved' : 'it was refused';
  },
};

/** Parties that a gateway speaks to; all of etcd at once, and the other gateway, with which it does not. */
type Peer = 'ceph' | 'host1' | 'etcd' | 'the other gateway';
const peers: readonly Peer[] = ['ceph', 'host1', 'etcd', 'the other gateway'];

const cut = (role: Role, peer: Peer, forMs: number): Mishap => ({
  name: `${role} and ${peer} are cut off from each other for ${forMs / 1000} s`,
  // A host waits for an owner that cannot be reached, or has no medium, as long as it likes.
  ...((role === 'the standby' || peer === 'etcd' || peer === 'the other gateway') && { limitMs: failoverMs }),
  async happen({ pair }) {
    const { party } = await inRole(pair, role);
    const others: Readonly<Record<Peer, readonly NetworkParty[]>> = {
      ceph: ['ceph'],
      host1: ['host1'],
      etcd: etcdParties,
      'the other gateway': [party === 'a' ? 'b' : 'a'],
    };
    await pair.network.cut(party, others[peer], forMs);
  },
});

/** A gateway has a connection to one member, which may be in the minority. */
const etcdMemberCut = (forMs: number): Mishap => ({
  name: `the leader of etcd is cut off from the other members for ${forMs / 1000} s`,
  async happen({ pair }) {
    const leader = etcdParties[await pair.etcdLeader()]!;
    const others = etcdParties.filter((one) => one !== leader);
    await pair.network.cut(leader, others, forMs);
  },
});

const etcdLeaderKilled: Mishap = {
  name: 'kill -9 of the leader of etcd, which is away for 10 s',
  limitMs: moveMs,
  async happen({ pair }) {
    const leader = await pair.etcdLeader();
    await pair.etcd.kill(leader);
    await sleep(10_000);
    await pair.etcd.run(leader);
  },
};

const jumped = (role: Role, seconds: number): Mishap => ({
  name: `the clock of ${role} is wrong by ${seconds} s for 20 s`,
  async happen({ pair }) {
    const gateway = await inRole(pair, role);
    await gateway.jump(seconds);
    await sleep(20_000);
    await gateway.jump(0);
  },
});

/** The faults that CI has time for. */
export const shortFaults: readonly Mishap[] = [
  moved,
  killed('the owner', 2_000),
  paused('the owner', 10_000),
  restarted,
];

const kinds: readonly ((random: Random) => Mishap)[] = [
  (random) => killed(oneOf(random, roles)!, oneOf(random, [0, 3_000, 20_000])!),
  (random) => paused(oneOf(random, roles)!, oneOf(random, [5_000, 30_000, 90_000])!),
  () => restarted,
  () => moved,
  () => movedByHost,
  (random) => cut(oneOf(random, roles)!, oneOf(random, peers)!, oneOf(random, [5_000, 20_000, 40_000])!),
  (random) => oneOf(random, [etcdLeaderKilled, etcdMemberCut(10_000)])!,
  (random) => jumped(oneOf(random, roles)!, oneOf(random, [-86_400, -30, 30, 86_400])!),
];

/** Without end: each kind once in an order by chance, and again. */
export function* faults(random: Random): Generator<Mishap> {
  for (;;) {
    const left = [...kinds];
    while (left.length > 0) {
      const kind = oneOf(random, left)!;
      left.splice(left.indexOf(kind), 1);
      yield kind(random);
    }
  }
}
