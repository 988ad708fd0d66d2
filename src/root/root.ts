/**
 * The one object that owns all: the tree, what serves it, and the one door through which it changes.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { hostname, machine, tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ConfigurationChange, StorageObject } from '../scsi/storage-object.ts';
import { portsOf } from '../target/access.ts';
import type { FabricEngine, SessionInfo } from '../target/fabric.ts';
import type { Lun, Portal, Tpg } from '../target/tpg.ts';
import { aluaOperations } from './alua-operations.ts';
import { configurationOperations } from './configuration-operations.ts';
import type { Operation, OperationType, Outcome, Surroundings, Values } from './operation.ts';
import { placeOf } from './place.ts';
import type { ReservationStore } from './reservation-store.ts';
import { openVolume, storageObjectOperations } from './storage-object-operations.ts';
import { targetOperations } from './target-operations.ts';
import { tpgOperations } from './tpg-operations.ts';
import { Tree } from './tree.ts';

/** Every kind of operation there is. */
export const operationTypes: readonly OperationType[] = [
  ...storageObjectOperations,
  ...aluaOperations,
  ...targetOperations,
  ...tpgOperations,
  ...configurationOperations,
];

/** Called with each operation as it was carried out, before it is answered; a rejection is the operator's to hear. */
export type Record = (operation: Operation) => Promise<void>;

/** How often a start looks for devices that are not there. */
const devicePollMs = 200;

export interface StartOptions {
  /** How long it waits for devices that are not there, and what ends that early. */
  readonly waitMs?: number;
  readonly givenUp?: AbortSignal;
  /** As in `FabricContext`. */
  readonly sockets?: readonly number[];
}

export class Root {
  readonly tree = new Tree();
  readonly #log: Log;
  readonly #runDirectory: string;
  readonly #engines = new Map<string, FabricEngine>();
  #serving = false;
  #record: Record = async () => {};
  /** Operations run one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #reservations: ReservationStore | undefined;
  readonly #adopted = new WeakSet<StorageObject>();

  /**
   * @param runDirectory where engines may make sockets
   * @param reservations where persistent reservations outlive the process; without it they do not
   */
  constructor(log: Log = () => {}, runDirectory = tmpdir(), reservations?: ReservationStore) {
    this.#log = log;
    this.#runDirectory = runDirectory;
    this.#reservations = reservations;
  }

  get serving(): boolean {
    return this.#serving;
  }

  /** From now on every operation goes to `record` (the journal) before it is answered. */
  recordTo(record: Record): void {
    this.#record = record;
  }

  /**
   * The one door. Checks, applies, makes durable, answers.
   * @param restoring the operation comes from a journal or a file: it is taken as it is and not recorded again
   * @throws OperatorError; the tree is then as it was
   */
  apply(operation: Operation, restoring = false): Promise<Outcome> {
    return this.inTurn(() => this.#apply(operation, restoring));
  }

  async #apply(operation: Operation, restoring: boolean): Promise<Outcome> {
    const place = placeOf(this.tree, operation.path);
    const type = operationTypes.find((known) => known.at === place.kind && known.verb === operation.verb);
    if (!type) throw new OperatorError(`Command not found ${operation.verb}`);
    checkParams(type, operation.params);
    const {
      params,
      notes = [],
      undo,
      finish,
    } = await type.apply(this.tree, place as never, operation.params, this.#surroundings(restoring));
    const carried: Operation = { path: operation.path, verb: operation.verb, params };
    try {
      if (this.#serving) await this.#adopt();
      await this.#follow(carried);
      if (!restoring) await this.#record(carried);
    } catch (error) {
      await undo();
      await this.#reconcile();
      throw error;
    }
    await finish?.();
    return { operation: carried, notes };
  }

  /** Opens every volume, then every portal: nobody logs in to half a configuration. */
  start(options: StartOptions = {}): Promise<void> {
    return this.inTurn(() => this.#start(options));
  }

  /** Opens what could not be opened before: volumes whose medium has appeared, portals whose address has. */
  retry(): Promise<void> {
    return this.inTurn(async () => {
      if (!this.#serving) return;
      await this.#openVolumes();
      await this.#reconcile();
    });
  }

  /** Runs `what` after the operations before it and before those that come later: meanwhile nothing changes. */
  inTurn<T>(what: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(what);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** @returns whether all are open */
  async #openVolumes(): Promise<boolean> {
    let all = true;
    for (const storageObject of this.tree.allStorageObjects()) {
      await openVolume(storageObject, { ...this.#surroundings(true), serving: true });
      all &&= storageObject.missing === undefined;
    }
    return all;
  }

  async #start({ waitMs = 0, givenUp, sockets = [] }: StartOptions): Promise<void> {
    const { setBugReporter } = await import('../scsi/device-server.ts');
    setBugReporter(this.#log);
    await this.#adopt();
    for (const end = Date.now() + waitMs; !(await this.#openVolumes()); await sleep(devicePollMs))
      if (Date.now() >= end || givenUp?.aborted) break;
    const context = { log: this.#log, runDirectory: this.#runDirectory, sockets };
    for (const state of this.tree.fabrics.values())
      if (state.fabric.start) this.#engines.set(state.fabric.name, await state.fabric.start(state, context));
    await this.#reconcile();
    this.#serving = true;
  }

  /** Ends sessions, closes portals, flushes and closes volumes. The tree stays. */
  async stop(): Promise<void> {
    await this.#queue;
    await Promise.all([...this.#engines.values()].map((engine) => engine.stop()));
    this.#engines.clear();
    this.#serving = false;
    for (const storageObject of this.tree.allStorageObjects()) {
      const { volume } = storageObject;
      storageObject.volume = undefined;
      if (!volume) continue;
      await volume.flush().catch((error) =>
        this.#log({
          level: 'error',
          event: 'flush failed',
          detail: { path: storageObject.path, reason: String(error) },
        }),
      );
      await volume.close();
    }
  }

  sessions(): SessionInfo[] {
    return [...this.#engines.values()].flatMap((engine) => engine.sessions());
  }

  /** Ends a session; its initiator may log in again. @throws OperatorError when no fabric has one of this number */
  endSession(fabric: string, id: number): void {
    if (!this.#engines.get(fabric)?.endSession?.(id, 'ended by the operator'))
      throw new OperatorError(`no session found with sid ${id}`);
  }

  /** What sessions and storage objects have counted begins at zero again. */
  resetStatistics(): void {
    for (const engine of this.#engines.values()) engine.resetTraffic?.();
    for (const { statistics } of this.tree.allStorageObjects()) statistics.reset();
  }

  /** Why a portal is not being served; undefined when it is, or when this process serves nothing. */
  portalProblem(tpg: Tpg, portal: Portal): string | undefined {
    return this.#engines.get(tpg.target.fabric.name)?.portalProblem(portal);
  }

  /** Why a LUN is not served or attached as the tree wants it; undefined when it is, or when this process serves nothing. */
  lunProblem(lun: Lun): OperatorError | undefined {
    return this.#engines.get(lun.tpg.target.fabric.name)?.lunProblem?.(lun);
  }

  async #reconcile(): Promise<void> {
    await Promise.all([...this.#engines.values()].map((engine) => engine.reconcile()));
  }

  /** Ties storage objects that are new to what lies outside of them, before an initiator reaches them. */
  async #adopt(): Promise<void> {
    for (const storageObject of this.tree.allStorageObjects()) {
      if (this.#adopted.has(storageObject)) continue;
      this.#adopted.add(storageObject);
      const { wwn, reservations } = storageObject;
      storageObject.ports = () => portsOf(storageObject);
      storageObject.configure = (change) => this.#configure(storageObject, change);
      const store = this.#reservations;
      if (!store) continue;
      storageObject.saveReservations = (state) => store.save(wwn, state);
      reservations.persistent = (await store.load(wwn)) ?? reservations.persistent;
    }
  }

  /** What an initiator changes is an operation like any other. */
  async #configure({ path }: StorageObject, change: ConfigurationChange): Promise<void> {
    const { name, value } = change;
    const [at, group] =
      change.name === 'alua_access_state' ? [`${path}/alua/${change.aluaGroup}`, 'alua'] : [path, 'attribute'];
    await this.apply({ path: at, verb: 'set', params: { group, name, value: String(value), initiator: true } });
  }

  /** Lets what runs follow the tree, and hears whether a new portal could be opened, a LUN attached or detached. */
  async #follow({ path, verb, params }: Operation): Promise<void> {
    await this.#reconcile();
    if (verb !== 'create' && verb !== 'attach' && verb !== 'detach') return;
    const place = placeOf(this.tree, path);
    if (place.kind === 'luns' && verb !== 'create') {
      const lun = place.tpg.luns.get(Number(params['lun']));
      const problem = lun && this.lunProblem(lun);
      if (problem) throw problem;
    }
    if (place.kind !== 'portals') return;
    const portal = place.tpg.portals.find(
      (known) => known.address === params['ip_address'] && known.port === params['ip_port'],
    );
    const problem = portal && this.portalProblem(place.tpg, portal);
    if (problem) throw new OperatorError('Could not create NetworkPortal in configFS', problem);
  }

  #surroundings(restoring: boolean): Surroundings {
    return {
      serving: this.#serving,
      restoring,
      randomHex: (digits) =>
        randomBytes(Math.ceil(digits / 2))
          .toString('hex')
          .slice(0, digits),
      randomUuid: randomUUID,
      hostName: hostname(),
      machine: machine(),
    };
  }
}

/** @throws OperatorError for parameters that the kind of operation does not have, lacks, or has of another type */
function checkParams(type: OperationType, params: Values): void {
  for (const name of Object.keys(params))
    if (!(name in type.params) && !('*' in type.params))
      throw new OperatorError(`Unexpected keyword parameter '${name}'.`);
  for (const [name, wanted] of Object.entries(type.params)) {
    if (name === '*') continue;
    const value = params[name];
    if (value === undefined) {
      if (!wanted.endsWith('?')) throw new OperatorError(`Missing required parameter ${name}`);
    } else if (value === null || typeof value !== wanted.replace('?', ''))
      throw new OperatorError(`${name} must be a ${wanted.replace('?', '')}`);
  }
}
