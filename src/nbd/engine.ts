/** Local targets as they run: for each a nexus of its own, a socket with its LUNs, and the devices that they are attached as. */

import { mkdirSync } from 'node:fs';
import { within } from '../backstore/patience.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { Nexus, type StorageObject } from '../scsi/logical-unit.ts';
import { establishNexus, loseNexus } from '../scsi/nexus.ts';
import { abortNexus } from '../scsi/task-management.ts';
import { changeLunsOf } from '../scsi/unit-attention.ts';
import { lunsOf, portOf, viewOf } from '../target/access.ts';
import type { EngineContext, FabricEngine, SessionInfo } from '../target/service.ts';

import type { FabricState, Lun, Tpg } from '../target/target.ts';
import { type Attached, attach, problemOf } from './attachment.ts';
import { LogicalUnitExport } from './logical-unit.ts';
import { deviceLink, exportName, socketPath } from './names.ts';
import { NbdServer } from './server.ts';

export const startLocal = (state: FabricState, context: EngineContext): FabricEngine => new Engine(state, context);

/** One LUN that is served: with another storage object behind it, it is another one. */
interface Unit {
  readonly storageObject: StorageObject;
  readonly served: LogicalUnitExport;
  attached: Attached | undefined;
  /** Why it is not attached; with the lines to read after it. */
  problem: OperatorError | undefined;
  /** It is being attached or detached. */
  work: Promise<void> | undefined;
}

/** How long a change waits for devices to come or go; it goes on without those that take longer. */
const deviceMs = 5_000;

interface Served {
  readonly nexus: Nexus;
  readonly server: NbdServer;
  /** By LUN. */
  readonly units: Map<number, Unit>;
}

class Engine implements FabricEngine {
  readonly #state: FabricState;
  readonly #context: EngineContext;
  readonly #served = new Map<Tpg, Served>();
  #reconciling: Promise<void> = Promise.resolve();

  constructor(state: FabricState, context: EngineContext) {
    this.#state = state;
    this.#context = context;
  }

  reconcile(): Promise<void> {
    this.#reconciling = this.#reconciling.then(() => this.#reconcile());
    return this.#reconciling;
  }

  lunProblem({ tpg, index }: Lun): OperatorError | undefined {
    const served = this.#served.get(tpg);
    if (served?.server.problem) return new OperatorError('The LUNs are not served', served.server.problem);
    return served?.units.get(index)?.problem;
  }

  /** As LIO: a target whose initiator is this machine has none to show. */
  sessions(): SessionInfo[] {
    return [];
  }

  async stop(): Promise<void> {
    await this.#reconciling;
    await Promise.all([...this.#served.keys()].map((tpg) => this.#end(tpg, true)));
  }

  async #reconcile(): Promise<void> {
    const wanted = new Set(
      [...this.#state.targets.values()]
        .filter((target) => this.#context.serves(target))
        .flatMap((target) => [...target.tpgs.values()].filter(({ enabled }) => enabled)),
    );
    for (const tpg of this.#served.keys())
      if (!wanted.has(tpg)) await this.#end(tpg, !this.#context.serves(tpg.target));
    for (const tpg of wanted) {
      const served = this.#served.get(tpg) ?? (await this.#begin(tpg));
      await this.#follow(tpg, served);
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
    const served: Served = { nexus, server, units };
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

  /** Brings what is served of a target up to what the tree says of its LUNs. */
  async #follow(tpg: Tpg, { nexus, server, units }: Served): Promise<void> {
    let changed = false;
    for (const [index, unit] of units) {
      if (tpg.luns.get(index)?.storageObject === unit.storageObject) continue;
      await within(
        deviceMs,
        this.#settled(unit, () => this.#detach(unit)),
      );
      units.delete(index);
      changed = true;
    }
    for (const [index, { storageObject, ways }] of tpg.luns) {
      if (units.has(index)) continue;
      const served = new LogicalUnitExport(nexus, index, ways.trafficOf({ initiator: '', number: index, portal: '' }));
      units.set(index, { storageObject, served, attached: undefined, problem: undefined, work: undefined });
      changed = true;
    }
    if (changed) changeLunsOf(nexus);
    server.refresh();
    const work = Array.from(units, ([index, unit]) => this.#followAttachment(tpg.luns.get(index)!, unit, server));
    await within(deviceMs, Promise.all(work));
  }

  /** One at a time for a LUN; what happens meanwhile is seen the next time. */
  #followAttachment(lun: Lun, unit: Unit, server: NbdServer): Promise<void> {
    unit.work ??= this.#attachment(lun, unit, server).finally(() => {
      unit.work = undefined;
    });
    return unit.work;
  }

  async #attachment(lun: Lun, unit: Unit, server: NbdServer): Promise<void> {
    const { runDirectory } = this.#context;
    if (lun.attached !== true) return this.#detach(unit);
    const geometry = unit.served.geometry();
    if (unit.attached?.hasEnded()) unit.attached = undefined;
    if (unit.attached || server.problem || !geometry) return;
    const source = {
      target: server.path,
      serial: unit.storageObject.wwn,
      name: exportName(lun.index),
      size: geometry.size,
      blockSize: unit.storageObject.blockSize,
      readOnly: geometry.readOnly,
      link: deviceLink(lun, runDirectory),
    };
    try {
      unit.attached = await attach(source);
      unit.problem = undefined;
    } catch (error) {
      unit.problem = problemOf(error);
    }
  }

  /** What is done to a LUN that goes: after what is being done to it. */
  async #settled(unit: Unit, what: () => Promise<void>): Promise<void> {
    await unit.work;
    await what();
  }

  async #detach(unit: Unit): Promise<void> {
    const { attached } = unit;
    unit.attached = undefined;
    unit.problem = undefined;
    await attached?.detach();
  }

  /** Who uses a device keeps it, while it waits for whoever serves it next. */
  async #leave({ attached, storageObject: { path } }: Unit): Promise<void> {
    const users = (await attached?.leave()) ?? [];
    if (users.length === 0) return;
    const what = `${attached?.device} waits until it is served again: ${users.join(', ')}`;
    this.#context.log({ level: 'warning', event: 'local device', detail: { path, what } });
  }

  /** @param comesBack another process or another loop serves it next */
  async #end(tpg: Tpg, comesBack: boolean): Promise<void> {
    const served = this.#served.get(tpg);
    if (!served) return;
    this.#served.delete(tpg);
    const { nexus, server, units } = served;
    // While it is still served: what the kernel has of it is written first.
    const devices = Array.from(units.values(), (unit) =>
      this.#settled(unit, () => (comesBack ? this.#leave(unit) : this.#detach(unit))),
    );
    await within(deviceMs, Promise.all(devices));
    await within(deviceMs, server.close());
    await within(deviceMs, abortNexus(nexus));
    loseNexus(nexus);
  }
}
