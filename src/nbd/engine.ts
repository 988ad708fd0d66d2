/** The engine of local targets: for each a nexus of its own, a socket with its LUNs, and the devices that they are attached as. */

import { mkdirSync } from 'node:fs';
import { within } from '../backstore/patience.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { Nexus, type StorageObject } from '../scsi/logical-unit.ts';
import { establishNexus, loseNexus } from '../scsi/nexus.ts';
import { abortNexus } from '../scsi/task-management.ts';
import { changeLunsOf } from '../scsi/unit-attention.ts';
import { runningMs } from '../system/running-time.ts';
import { WorkQueue } from '../system/work-queue.ts';
import { lunsOf, portOf, viewOf } from '../target/access.ts';
import type { EngineContext, FabricEngine, SessionInfo } from '../target/service.ts';

import type { FabricState, Lun, Tpg } from '../target/target.ts';
import { type Attached, attachLun, problemOf, type Source } from './attachment.ts';
import { LogicalUnitExport } from './logical-unit.ts';
import { deviceLink, exportName, socketPath } from './names.ts';
import { NbdServer } from './server.ts';

/** Starts serving LUNs to this machine. */
export const startLocal = (state: FabricState, context: EngineContext): FabricEngine => new NbdEngine(state, context);

/** One LUN that is served. A LUN with another storage object behind it is another unit. */
interface Unit {
  readonly storageObject: StorageObject;
  readonly served: LogicalUnitExport;
  attached: Attached | undefined;
  /** The reason why it is not attached, with the lines to read after it. */
  problem: OperatorError | undefined;
  /** The time, by the running-time clock, before which it is not tried again. */
  notBefore: number;
  /** Resolves when the LUN has been attached or detached, while that is going on. */
  work: Promise<void> | undefined;
}

/** The pause after a failure to attach a LUN. */
const pauseMs = 4_000;
/** The time that each step of an end may take. A request on its way to a medium that does not answer is left to itself. */
const endMs = 5_000;

interface Served {
  readonly nexus: Nexus;
  readonly server: NbdServer;
  /** The units by LUN. */
  readonly units: Map<number, Unit>;
  /** LUNs whose last unit is being detached: the next one has the same device link. */
  readonly leaving: Map<number, Promise<void>>;
}

class NbdEngine implements FabricEngine {
  readonly #state: FabricState;
  readonly #context: EngineContext;
  readonly #served = new Map<Tpg, Served>();
  /** TPGs that are not served any more, by path, until nothing is left of them: the next one has the same socket. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #following = new WorkQueue();

  constructor(state: FabricState, context: EngineContext) {
    this.#state = state;
    this.#context = context;
  }

  reconcile(): Promise<void> {
    return this.#following.take(() => this.#reconcile());
  }

  lunProblem({ tpg, index }: Lun): OperatorError | undefined {
    const served = this.#served.get(tpg);
    if (served?.server.problem) return new OperatorError('The LUNs are not served', served.server.problem);
    return served?.units.get(index)?.problem;
  }

  /** The sessions to show: none, as with LIO, for a target whose initiator is this machine. */
  sessions(): SessionInfo[] {
    return [];
  }

  async stop(): Promise<void> {
    await this.#following.empty();
    for (const tpg of this.#served.keys()) this.#end(tpg, true);
    await Promise.all(this.#ending.values());
  }

  async ended(target: string): Promise<void> {
    await Promise.all([...this.#ending].flatMap(([path, end]) => (path.startsWith(`${target}/`) ? [end] : [])));
  }

  async #reconcile(): Promise<void> {
    const wanted = new Set(
      [...this.#state.targets.values()]
        .filter((target) => this.#context.serves(target))
        .flatMap((target) => [...target.tpgs.values()].filter(({ enabled }) => enabled)),
    );
    for (const tpg of this.#served.keys()) if (!wanted.has(tpg)) this.#end(tpg, !this.#context.serves(tpg.target));
    for (const tpg of wanted) {
      if (this.#ending.has(tpg.path)) continue;
      const served = this.#served.get(tpg) ?? (await this.#begin(tpg));
      this.#follow(tpg, served);
    }
  }

  async #begin(tpg: Tpg): Promise<Served> {
    const { runDirectory, log } = this.#context;
    const nexus = new Nexus({
      initiatorName: tpg.nexusWwn,
      initiatorPortName: tpg.nexusWwn,
      targetPortName: portOf(tpg).portName,
      view: (lun) => viewOf(tpg, undefined, lun),
      luns: () => lunsOf(tpg, undefined),
    });
    establishNexus(nexus);
    const units = new Map<number, Unit>();
    const inOrder = () => [...units].sort(([a], [b]) => a - b).map(([, { served }]) => served);
    const server = new NbdServer(socketPath(tpg, runDirectory), inOrder, log);
    const served: Served = { nexus, server, units, leaving: new Map() };
    this.#served.set(tpg, served);
    try {
      mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
      await server.open();
    } catch (error) {
      server.problem = reasonOf(error);
    }
    if (server.problem)
      log({ level: 'warning', event: 'local target not served', detail: { path: tpg.path, problem: server.problem } });
    return served;
  }

  /** Makes the units of a target equal to its LUNs in the tree. */
  #follow(tpg: Tpg, { nexus, server, units, leaving }: Served): void {
    let changed = false;
    for (const [index, unit] of units) {
      if (tpg.luns.get(index)?.storageObject === unit.storageObject) continue;
      units.delete(index);
      changed = true;
      if (!unit.attached && !unit.work) continue;
      const left = Promise.all([leaving.get(index), this.#settled(unit, () => this.#detach(unit))]).then(() => {
        if (leaving.get(index) === left) leaving.delete(index);
      });
      leaving.set(index, left);
      this.#context.begun(left);
    }
    for (const [index, { storageObject, ways }] of tpg.luns) {
      if (units.has(index)) continue;
      const served = new LogicalUnitExport(nexus, index, ways.trafficOf({ initiator: '', number: index, portal: '' }));
      units.set(index, {
        storageObject,
        served,
        attached: undefined,
        problem: undefined,
        notBefore: 0,
        work: undefined,
      });
      changed = true;
    }
    if (changed) changeLunsOf(nexus);
    server.refresh();
    for (const [index, unit] of units) {
      // A LUN has one piece of work at a time; a change that comes meanwhile is seen the next time.
      const work = unit.work || leaving.has(index) ? undefined : this.#attachment(tpg.luns.get(index)!, unit, server);
      if (!work) continue;
      unit.work = work
        .catch((error) => {
          unit.problem = problemOf(error);
          unit.notBefore = runningMs() + pauseMs;
        })
        .finally(() => {
          unit.work = undefined;
        });
      this.#context.begun(unit.work);
    }
  }

  /** The work by which a LUN is attached, or detached, as the tree says. */
  #attachment(lun: Lun, unit: Unit, server: NbdServer): Promise<void> | undefined {
    if (lun.attached !== true) {
      unit.problem = undefined;
      return unit.attached && this.#detach(unit);
    }
    const geometry = unit.served.geometry();
    if (unit.attached?.hasEnded()) unit.attached = undefined;
    if (unit.attached || server.problem || !geometry) return undefined;
    if (unit.problem && runningMs() < unit.notBefore) return undefined;
    return this.#attach(unit, {
      target: server.path,
      serial: unit.storageObject.wwn,
      name: exportName(lun.index),
      size: geometry.size,
      blockSize: unit.storageObject.blockSize,
      readOnly: geometry.readOnly,
      link: deviceLink(lun, this.#context.runDirectory),
    });
  }

  async #attach(unit: Unit, source: Source): Promise<void> {
    unit.attached = await attachLun(source);
    unit.problem = undefined;
  }

  /** Does the last work on a LUN that goes: after the work that goes on. */
  async #settled(unit: Unit, what: () => Promise<void>): Promise<void> {
    await unit.work;
    await what().catch((error) => this.#say(unit, reasonOf(error)));
  }

  async #detach(unit: Unit): Promise<void> {
    const { attached } = unit;
    unit.attached = undefined;
    unit.problem = undefined;
    await attached?.detach();
  }

  #say({ storageObject: { path } }: Unit, what: string): void {
    this.#context.log({ level: 'warning', event: 'local device', detail: { path, what } });
  }

  /** Leaves a unit: a device in use stays, and waits for the next process that serves. */
  async #leave(unit: Unit): Promise<void> {
    const { attached } = unit;
    const users = (await attached?.leave()) ?? [];
    if (users.length > 0) this.#say(unit, `${attached?.device} waits until it is served again: ${users.join(', ')}`);
  }

  /** Ends a TPG. @param comesBack another process or another loop serves it next */
  #end(tpg: Tpg, comesBack: boolean): void {
    const served = this.#served.get(tpg);
    if (!served) return;
    this.#served.delete(tpg);
    const { path } = tpg;
    const end = Promise.allSettled([this.#ending.get(path), this.#takeAway(served, comesBack)]).then(() => {
      if (this.#ending.get(path) === end) this.#ending.delete(path);
    });
    this.#ending.set(path, end);
    this.#context.begun(end);
  }

  async #takeAway({ nexus, server, units, leaving }: Served, comesBack: boolean): Promise<void> {
    // Devices go while the LUNs are still served: the kernel's cached data is written first.
    const devices = Array.from(units.values(), (unit) =>
      this.#settled(unit, () => (comesBack ? this.#leave(unit) : this.#detach(unit))),
    );
    await within(endMs, Promise.all([...devices, ...leaving.values()]));
    await within(endMs, server.close());
    await within(endMs, abortNexus(nexus));
    loseNexus(nexus);
  }
}
