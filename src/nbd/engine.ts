/** Local targets as they run: for each a nexus of its own, a socket with its LUNs, and the devices that they are attached as. */

import { mkdirSync } from 'node:fs';
import { OperatorError, reasonOf } from '../errors.ts';
import { establishNexus, loseNexus } from '../scsi/nexus.ts';
import { Nexus, type StorageObject } from '../scsi/storage-object.ts';
import { abortNexus } from '../scsi/task-management.ts';
import { changeLunsOf } from '../scsi/unit-attention.ts';
import { lunsOf, portOf, viewOf } from '../target/access.ts';
import type { EngineContext, FabricEngine, SessionInfo } from '../target/service.ts';

import type { FabricState, Lun, Tpg } from '../target/tpg.ts';
import { type Attached, attach } from './attachment.ts';
import { LogicalUnitExport } from './logical-unit.ts';
import { deviceLink, exportName, socketPath, uriOf } from './names.ts';
import { NbdServer } from './server.ts';

export const startLocal = (state: FabricState, context: EngineContext): FabricEngine => new Engine(state, context);

/** One LUN that is served: with another storage object behind it, it is another one. */
interface Unit {
  readonly storageObject: StorageObject;
  readonly served: LogicalUnitExport;
  attached: Attached | undefined;
  /** Why it is not attached, or still is; with the lines to read after it. */
  problem: OperatorError | undefined;
}

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
    await Promise.all([...this.#served.keys()].map((tpg) => this.#end(tpg)));
  }

  async #reconcile(): Promise<void> {
    const wanted = new Set(
      [...this.#state.targets.values()]
        .filter((target) => this.#context.serves(target))
        .flatMap((target) => [...target.tpgs.values()].filter(({ enabled }) => enabled)),
    );
    for (const tpg of this.#served.keys()) if (!wanted.has(tpg)) await this.#end(tpg);
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
      await this.#detach(unit, true);
      units.delete(index);
      changed = true;
    }
    for (const [index, { storageObject, ways }] of tpg.luns) {
      if (units.has(index)) continue;
      const served = new LogicalUnitExport(nexus, index, ways.trafficOf({ initiator: '', number: index, portal: '' }));
      units.set(index, { storageObject, served, attached: undefined, problem: undefined });
      changed = true;
    }
    if (changed) changeLunsOf(nexus);
    server.refresh();
    for (const [index, unit] of units) await this.#followAttachment(tpg.luns.get(index)!, unit, server);
  }

  async #followAttachment(lun: Lun, unit: Unit, server: NbdServer): Promise<void> {
    unit.problem = undefined;
    if (lun.attached !== true) return this.#detach(unit, false);
    const geometry = unit.served.geometry();
    if (unit.attached || server.problem || !geometry) return;
    const { runDirectory } = this.#context;
    const source = {
      uri: uriOf(lun, runDirectory),
      socket: server.path,
      exportName: exportName(lun.index),
      blockSize: unit.storageObject.blockSize,
      readOnly: geometry.readOnly,
      link: deviceLink(lun, runDirectory),
    };
    await this.#attempt(unit, async () => {
      unit.attached = await attach(source);
    });
  }

  async #detach(unit: Unit, force: boolean): Promise<void> {
    await this.#attempt(unit, async () => {
      await unit.attached?.detach(force);
      unit.attached = undefined;
    });
  }

  async #attempt(unit: Unit, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      unit.problem = error instanceof OperatorError ? error : new OperatorError(reasonOf(error));
      const { path } = unit.storageObject;
      const { message, hint = '' } = unit.problem;
      this.#context.log({ level: 'warning', event: 'local device', detail: { path, problem: `${message}. ${hint}` } });
    }
  }

  async #end(tpg: Tpg): Promise<void> {
    const served = this.#served.get(tpg);
    if (!served) return;
    this.#served.delete(tpg);
    const { nexus, server, units } = served;
    for (const unit of units.values()) await this.#detach(unit, true);
    await server.close();
    await abortNexus(nexus);
    loseNexus(nexus);
  }
}
