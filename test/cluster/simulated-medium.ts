/** A medium that gateways reach over the network, in virtual time, and initiators that use it: they watch over the rules. */

import type { UnitMedium, UnitStanding } from '../../src/cluster/medium.ts';
import { type Process, serial, type Timeline } from './timeline.ts';

const blocks = 8;
/** The time for which a client is shut out of the medium, unless it is renewed. */
const shutOutMs = 10_000;

/** A medium in the net. One that fences has a lock and a list of clients that it does not hear. */
export class SimulatedImage {
  readonly #sim: Timeline;
  holder: string | undefined;
  readonly #shutOut = new Map<string, number>();
  readonly contents: number[] = Array.from({ length: blocks }, () => 0);
  /** The highest epoch in which a command was answered, and who writes in which. */
  answered = 0;
  readonly #writers = new Map<number, string>();

  constructor(sim: Timeline) {
    this.#sim = sim;
  }

  isShutOut(client: string): boolean {
    return (this.#shutOut.get(client) ?? 0) > this.#sim.now;
  }

  shutOut(client: string): void {
    if (this.#sim.world.broken === 'nobody is shut out') return;
    this.#shutOut.set(client, this.#sim.now + shutOutMs);
  }

  /** @returns whether it was taken */
  write(process: Process, client: string, epoch: number, block: number, value: number): boolean {
    const sim = this.#sim;
    // A request that was queued for the lock would be refused; one without a fence is taken from anybody.
    const isLocked = sim.world.broken !== 'nobody is shut out' && sim.world.broken !== 'shutting out is not renewed';
    if (sim.world.fences && (this.isShutOut(client) || (isLocked && this.holder !== client))) return false;
    if (epoch < this.answered)
      sim.fail(`a write of epoch ${epoch} was taken after an answer in epoch ${this.answered}`);
    const writer = this.#writers.get(epoch);
    if (writer !== undefined && writer !== process.party.process) sim.fail(`two processes write in epoch ${epoch}`);
    this.#writers.set(epoch, process.party.process);
    this.contents[block] = value;
    return true;
  }
}

/** The medium as one process has it, and initiators that write to it and change reservations. */
export class SimulatedMedium implements UnitMedium {
  readonly fences: boolean;
  standing: UnitStanding['standing'] = 'standby';
  readonly #sim: Timeline;
  readonly #image: SimulatedImage;
  readonly #process: Process;
  #epoch = 0;
  #client: string | undefined;
  #clients = 0;
  #shutOut: readonly string[] = [];
  #running = 0;
  #opening: Promise<unknown> | undefined;
  #generation = 0;
  #isReserving = false;
  #stopRenewing: () => void = () => {};

  constructor(sim: Timeline, image: SimulatedImage, process: Process) {
    this.#image = image;
    this.#sim = sim;
    this.#process = process;
    this.fences = sim.world.fences;
  }

  /** A request to the medium, and its answer. */
  #ask<T>(what: () => T): Promise<T> {
    const sim = this.#sim;
    const process = this.#process;
    return new Promise((resolve) => {
      const arrive = () => {
        // A request that is cut off is sent again, until it comes.
        if (process.cut.medium) return void sim.at(500, arrive);
        const result = what();
        sim.at(sim.delay(), () => sim.inside(process, () => resolve(result)));
      };
      sim.at(sim.delay(), arrive);
    });
  }

  open(shutOut: readonly string[], comes: (client: string) => Promise<void>) {
    const opening = this.#open(shutOut, comes);
    this.#opening = opening;
    return opening;
  }

  async #open(shutOut: readonly string[], comes: (client: string) => Promise<void>) {
    const sim = this.#sim;
    const image = this.#image;
    if (sim.chance(0.05)) return { opened: false, clean: true };
    const client = `${this.#process.party.process}.${this.#clients++}`;
    await this.#ask(() => {
      for (const one of shutOut) image.shutOut(one);
    });
    try {
      await comes(client);
    } catch {
      return { opened: false, clean: true };
    }
    const opened = await this.#ask(() => {
      if (!sim.world.fences) return true;
      if (image.isShutOut(client)) return false;
      if (image.holder !== undefined && image.holder !== client && !shutOut.includes(image.holder)) return false;
      image.holder = client;
      return true;
    });
    if (!opened) return { opened: false, clean: true };
    this.#client = client;
    this.#shutOut = shutOut;
    this.#renew(client);
    return { opened: true, clean: true };
  }

  #renew(client: string): void {
    const sim = this.#sim;
    const again = () => {
      if (this.#client !== client) return;
      if (sim.world.broken !== 'shutting out is not renewed')
        void this.#ask(() => {
          if (this.#image.holder === client) for (const one of this.#shutOut) this.#image.shutOut(one);
        });
      this.#stopRenewing = sim.at(shutOutMs / 3, () => sim.inside(this.#process, again));
    };
    again();
  }

  async close(clean: boolean): Promise<boolean> {
    if (clean) this.#sim.gives.set(this.#epoch, this.#sim.now);
    await this.#opening;
    const client = this.#client;
    this.#client = undefined;
    this.#stopRenewing();
    const sim = this.#sim;
    // Requests on their way come to their end, as long as the medium answers.
    const soon = sim.now + 8000;
    while (this.#running > 0 && (this.fences ? clean && sim.now < soon : true))
      await new Promise<void>((resolve) => sim.at(20, () => sim.inside(this.#process, resolve)));
    if (client === undefined) return true;
    if (this.#running > 0) return false;
    return this.#ask(() => {
      if (this.#image.holder === client) this.#image.holder = undefined;
      return clean && !this.#image.isShutOut(client);
    });
  }

  stand({ standing, epoch, reservations, unplanned }: UnitStanding): void {
    const sim = this.#sim;
    const before = this.standing;
    this.standing = standing;
    if (unplanned && (standing !== 'active' || before === 'alone')) sim.fail('a loss was told again');
    if (standing !== 'active') return;
    if (before !== 'alone') sim.epochs += 1;
    this.#epoch = epoch;
    if (sim.world.broken === 'reservations are not loaded') return;
    if (reservations === null) this.#generation = 0;
    else if (reservations !== undefined)
      this.#generation = (JSON.parse(reservations) as { generation: number }).generation;
    if (this.#generation < sim.acknowledgedGeneration)
      sim.fail(`epoch ${epoch} goes on with generation ${this.#generation}, ${sim.acknowledgedGeneration} was told`);
  }

  get serves(): boolean {
    return this.standing === 'active' || this.standing === 'alone';
  }

  /** Initiators, for as long as the process lives. */
  work(): void {
    const sim = this.#sim;
    const again = () => {
      if (this.#process.dead) return;
      if (this.serves) void this.#write();
      if (this.standing === 'active' && sim.chance(0.1)) void this.#reserve();
      sim.at(sim.between(50, 300), () => sim.inside(this.#process, again));
    };
    again();
  }

  async #write(): Promise<void> {
    const sim = this.#sim;
    const [client, epoch] = [this.#client, this.#epoch];
    if (client === undefined) return;
    const block = Math.floor(sim.random() * blocks);
    const value = ++sim.writes;
    this.#running += 1;
    const taken = await this.#ask(() => this.#image.write(this.#process, client, epoch, block, value));
    this.#running -= 1;
    // The client was shut out: the medium says that by itself.
    if (!taken && this.#client === client) this.#process.custody.lost(serial);
    if (taken && this.serves && this.#client === client) this.#image.answered = Math.max(this.#image.answered, epoch);
  }

  async #reserve(): Promise<void> {
    const sim = this.#sim;
    const { custody } = this.#process;
    const generation = this.#generation + 1;
    if (this.#isReserving) return;
    this.#isReserving = true;
    try {
      await custody.keepReservations(serial, JSON.stringify({ generation }));
      sim.acknowledgedGeneration = Math.max(sim.acknowledgedGeneration, generation);
      this.#generation = Math.max(this.#generation, generation);
    } catch {
      const found = await custody.readReservations(serial).catch(() => undefined);
      if (found !== undefined) this.#generation = Math.max(this.#generation, JSON.parse(found).generation);
    }
    this.#isReserving = false;
  }
}
