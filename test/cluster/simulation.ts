/**
 * A world for the ownership of one unit: gateways that run the real `Custody`, and a store, a network, clocks and a medium that are
 * made up, in virtual time. A seed decides everything that happens, so that a failure can be looked at again.
 */

import type { Clock } from '../../src/cluster/clock.ts';
import { Custody, type CustodyOptions } from '../../src/cluster/custody.ts';
import { SimulatedImage, SimulatedMedium } from './simulated-medium.ts';
import { SimulatedStore } from './simulated-store.ts';
import { keys, type Process, serial, Timeline, unit, type World } from './timeline.ts';

/** The findings of a run, and what it has done: a run that does nothing proves nothing. */
export interface Findings {
  readonly violations: readonly string[];
  readonly writes: number;
  readonly epochs: number;
  readonly initiatorMoves: number;
}

const names = ['a', 'b', 'c'];
/** How long faults are made, and how long the gateways have to be well again after the last. */
const faultsMs = 60_000;
const recoveryMs = 40_000;

class Simulation {
  readonly world: World;
  readonly time: Timeline;
  readonly store: SimulatedStore;
  readonly image: SimulatedImage;
  readonly processes = new Map<string, Process>();
  readonly media = new Map<string, SimulatedMedium>();
  #processes = 0;

  constructor(world: World) {
    this.world = world;
    this.time = new Timeline(world);
    this.store = new SimulatedStore(this.time);
    this.image = new SimulatedImage(this.time);
  }

  start(name: string): void {
    const party = { gateway: name, process: `p${this.#processes++}` };
    const process: Process = {
      party,
      rate: this.time.between(0.99, 1.01),
      wallMs: 0,
      paused: false,
      dead: false,
      cut: { store: false, medium: false },
      held: [],
      custody: undefined as unknown as Custody,
    };
    const wall = this.world.broken === 'wall clock';
    const clock: Clock = {
      now: () => 1e6 + this.time.now * process.rate + (wall ? process.wallMs : 0),
      after: (ms, what) => this.time.at(ms / process.rate, () => this.time.inside(process, what)),
    };
    const medium = new SimulatedMedium(this.time, this.image, process);
    const options: CustodyOptions = { store: this.store.seenBy(process, clock), clock, keys, me: party, home: name };
    process.custody = new Custody(options);
    process.custody.add(serial, medium);
    this.processes.set(name, process);
    this.media.set(name, medium);
    medium.work();
  }

  async run(): Promise<void> {
    for (const name of names) this.start(name);
    for (let ms = 2000; ms < faultsMs; ms += this.time.between(300, 6000)) this.time.at(ms, () => this.fault());
    this.time.at(faultsMs, () => this.heal());
    await this.time.pass(faultsMs + recoveryMs);
    if (this.time.violations.length > 0) return;
    const active = [...this.media.values()].filter(({ serves }) => serves);
    if (active.length !== 1) this.time.fail(`${active.length} gateways serve, long after the last fault`);
  }

  some(): Process {
    return this.processes.get(names[Math.floor(this.time.random() * names.length)]!)!;
  }

  fault(): void {
    const process = this.some();
    const { gateway } = process.party;
    const pick = this.time.random();
    const forMs = this.time.between(500, this.time.chance(0.3) ? 40_000 : 8000);
    if (pick < 0.2 && this.world.pauses) this.pause(process, forMs);
    else if (pick < 0.35) this.kill(gateway, forMs);
    else if (pick < 0.5)
      this.cut(process, 'store', forMs, this.time.chance(0.5) ? this.time.between(-120_000, 120_000) : 0);
    else if (pick < 0.6 && this.world.fences) this.cut(process, 'medium', forMs);
    else if (pick < 0.65) this.store.stop(forMs);
    else if (pick < 0.75) this.cut(process, 'store', 0, this.time.between(-120_000, 120_000));
    else if (pick < 0.85) this.wish(this.some().party.gateway, 'operator');
    else this.wish(this.some().party.gateway, 'initiator');
  }

  pause(process: Process, forMs: number): void {
    process.paused = true;
    this.time.at(forMs, () => this.resume(process));
  }

  resume(process: Process): void {
    process.paused = false;
    const { held } = process;
    process.held = [];
    for (const what of held) this.time.at(0, () => this.time.inside(process, what));
  }

  kill(gateway: string, forMs: number): void {
    const process = this.processes.get(gateway)!;
    if (process.dead) return;
    process.dead = true;
    this.time.at(forMs, () => this.start(gateway));
  }

  cut(process: Process, from: 'store' | 'medium', forMs: number, wallMs = 0): void {
    process.wallMs += wallMs;
    if (forMs === 0) return;
    process.cut[from] = true;
    this.time.at(forMs, () => {
      process.cut[from] = false;
    });
  }

  wish(to: string, by: 'operator' | 'initiator'): void {
    this.store.put(unit.wish, JSON.stringify({ to, by }));
    this.time.at(this.time.between(1000, 8000), () => this.store.remove(unit.wish));
  }

  heal(): void {
    this.store.isUp = true;
    this.store.remove(unit.wish);
    for (const process of this.processes.values()) {
      process.cut = { store: false, medium: false };
      if (process.paused) this.resume(process);
    }
  }
}

/** Runs a world to its end, or to the first rule that is broken. */
export async function simulate(world: World): Promise<Findings> {
  const sim = new Simulation(world);
  await sim.run();
  return {
    violations: sim.time.violations,
    writes: sim.time.writes,
    epochs: sim.time.epochs,
    initiatorMoves: sim.time.moves.length,
  };
}
