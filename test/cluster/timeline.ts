/** The virtual time of a simulated cluster: what happens when, by a seed, and what has been found. */

import type { Custody } from '../../src/cluster/custody.ts';
import { clusterKeys } from '../../src/cluster/keys.ts';
import type { Party } from '../../src/cluster/owner-record.ts';
import { unitKeys } from '../../src/cluster/unit-records.ts';

/** The options of a run, and the rule that it breaks on purpose. */
export interface World {
  readonly seed: number;
  /** The medium refuses whoever is shut out of it. */
  readonly fences: boolean;
  /** Processes may stand still. */
  readonly pauses: boolean;
  /** Nothing is lost or late by chance. */
  readonly calm?: boolean;
  /** A rule that is broken: the run has to find it. */
  readonly broken?: 'nobody is shut out' | 'shutting out is not renewed' | 'wall clock' | 'reservations are not loaded';
}

export const serial = 'disk';
export const keys = clusterKeys('simulated');
export const unit = unitKeys(keys, serial);

/** A process, with its own clocks: what is to happen in it waits while it stands still, and never happens once it is dead. */
export interface Process {
  readonly party: Party;
  readonly rate: number;
  wallMs: number;
  paused: boolean;
  dead: boolean;
  cut: { store: boolean; medium: boolean };
  held: (() => void)[];
  custody: Custody;
}

const random = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
};

interface Happening {
  readonly at: number;
  readonly number: number;
  readonly what: () => void;
}

export class Timeline {
  now = 0;
  readonly world: World;
  readonly random: () => number;
  readonly violations: string[] = [];
  epochs = 0;
  writes = 0;
  generation = 0;
  acknowledgedGeneration = 0;
  /** When initiators have moved the unit. */
  readonly moves: number[] = [];
  /** When the owner of an epoch began to close the medium in order to give the unit away. */
  readonly gives = new Map<number, number>();
  readonly #queue: Happening[] = [];
  #number = 0;

  constructor(world: World) {
    this.world = world;
    this.random = world.calm ? () => 0.5 : random(world.seed);
  }

  between = (from: number, to: number): number => from + this.random() * (to - from);
  chance = (of: number): boolean => this.random() < of;

  /** @returns what prevents it */
  at(ms: number, what: () => void): () => void {
    let live = true;
    insert(this.#queue, { at: this.now + Math.max(0, ms), number: this.#number++, what: () => live && what() });
    return () => {
      live = false;
    };
  }

  /** In a process: later, when it stands still then. */
  inside(process: Process, what: () => void): void {
    if (process.dead) return;
    if (process.paused) process.held.push(what);
    else what();
  }

  /** Up to a moment, or to the first violation. */
  async pass(until: number): Promise<void> {
    while (this.#queue.length > 0 && this.#queue[0]!.at <= until && this.violations.length === 0) {
      const happening = shift(this.#queue);
      this.now = happening.at;
      happening.what();
      // Promises that are resolved go on before anything else happens.
      await new Promise((resolve) => process.nextTick(resolve));
    }
    if (this.violations.length === 0) this.now = Math.max(this.now, until);
  }

  fail(what: string): void {
    this.violations.push(`${(this.now / 1000).toFixed(3)} s: ${what}`);
  }

  /** How long something is on its way. */
  delay(): number {
    return this.chance(0.02) ? this.between(100, this.world.fences ? 3000 : 400) : this.between(0.2, 5);
  }
}

/** Keeps the queue in the order of time, the earlier first of those at one moment (a binary heap). */
function insert(queue: Happening[], one: Happening): void {
  let at = queue.push(one) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    if (!isBefore(one, queue[up]!)) break;
    queue[at] = queue[up]!;
    at = up;
  }
  queue[at] = one;
}

function shift(queue: Happening[]): Happening {
  const [first] = queue;
  const last = queue.pop()!;
  if (queue.length === 0) return first!;
  let at = 0;
  for (;;) {
    let down = 2 * at + 1;
    if (down >= queue.length) break;
    if (down + 1 < queue.length && isBefore(queue[down + 1]!, queue[down]!)) down += 1;
    if (!isBefore(queue[down]!, last)) break;
    queue[at] = queue[down]!;
    at = down;
  }
  queue[at] = last;
  return first!;
}

const isBefore = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.number < b.number);
