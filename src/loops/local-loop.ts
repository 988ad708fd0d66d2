/** A loop in this thread: the volumes and the engines behind a tree of this thread. */

import { setImmediate as breathe } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Snapshot } from '../backstore/backstore.ts';
import { within } from '../backstore/patience.ts';
import { UnitStores } from '../durable/unit-store.ts';
import { serviceOf } from '../fabric/index.ts';
import type { Operation } from '../operations/operation.ts';
import { foundBy, takeFound } from '../operations/storage-object-operations.ts';
import type { Tree } from '../operations/tree.ts';
import { claimOver } from '../scsi/claim.ts';
import type { ConfigurationChange, StorageObject } from '../scsi/logical-unit.ts';
import { closeVolume, writesOf } from '../scsi/lost-writes.ts';
import { mediumWork } from '../scsi/medium-work.ts';
import { handOverUnit } from '../scsi/move.ts';
import { sense } from '../scsi/sense.ts';
import { askSnapshots, type SnapshotRequest } from '../scsi/snapshot.ts';
import { reportToAll } from '../scsi/unit-attention.ts';
import { wayOfWaiting } from '../system/waiting-io.ts';
import { portsOf } from '../target/access.ts';
import type { ArrivingConnection, FabricEngine } from '../target/service.ts';
import type { Target } from '../target/target.ts';
import { arrive } from './arrivals.ts';
import { Calls, offerObject } from './calls.ts';
import { countsOf, resetCounts } from './counts.ts';
import { LoadMeter } from './load.ts';
import {
  type Again,
  type Assignment,
  type Elsewhere,
  type Facts,
  type LeftUnit,
  type Loop,
  type LoopCounts,
  type LoopHost,
  type LoopState,
  type Taker,
  takerBoundary,
} from './loop.ts';
import { Media } from './media.ts';
import { lunProblems, objectStates } from './object-states.ts';
import { notYet, Openings, waitMs } from './openings.ts';
import { OverdueWatch } from './overdue.ts';
import { Receiving } from './receiving.ts';
import { type ShareAnswer, SharedUnits, type ShareRequest } from './shared-units.ts';
import { spacesOf } from './spaces.ts';
import type { TreeCopy } from './tree-copy.ts';

export interface LocalLoopOptions {
  readonly tree: Tree;
  /** The thread's own copy of the tree, where it has one. Absent: the management side changes the tree itself. */
  readonly copy?: TreeCopy;
  readonly host: LoopHost;
  /** The directory in which engines may make sockets. */
  readonly runDirectory: string;
  /** The directory in which reservations and work on a medium outlive the process; without it they do not. */
  readonly stateDirectory: string | undefined;
  /** Whether everything in the tree is this loop's. Otherwise the loop has what is assigned to it. */
  readonly alone: boolean;
}

/** A loop that runs in this thread. */
export class LocalLoop implements Loop, Taker {
  readonly #tree: Tree;
  readonly #copy: TreeCopy | undefined;
  readonly #host: LoopHost;
  readonly #runDirectory: string;
  readonly #stateDirectory: string | undefined;
  #stores: UnitStores | undefined;
  readonly #alone: boolean;
  #mine = new Set<string>();
  readonly #engines = new Map<string, FabricEngine>();
  readonly #receiving: Receiving;
  #serving = false;
  readonly #adopted = new WeakSet<StorageObject>();
  readonly #openings: Openings;
  /** Bytes that were served last. */
  readonly #sizes = new WeakMap<StorageObject, number>();
  /** Volumes that are being closed, by path: none is opened again before that is over. */
  #closing = new Map<string, Promise<void>>();
  /** Storage objects that could not be opened at the last `follow` because of that, or because another loop still had them. */
  #held: Set<StorageObject> = new Set();
  /** The paths that other loops have not let go of. */
  #awaited: ReadonlySet<string> = new Set();
  /** The units that this loop has let go of since the last `follow`. */
  #left: LeftUnit[] = [];
  /** The work that was begun since the last `settled`, each as long as it is waited for. */
  #begun: Promise<unknown>[] = [];
  readonly #media: Media;
  readonly #shared: SharedUnits;
  readonly #load = new LoadMeter();
  readonly #overdue: OverdueWatch;

  constructor({ tree, copy, host, runDirectory, stateDirectory, alone }: LocalLoopOptions) {
    this.#shared = new SharedUnits(tree.place.gateway, host.share.bind(host));
    this.#tree = tree;
    this.#copy = copy;
    this.#host = host;
    this.#runDirectory = runDirectory;
    this.#stateDirectory = stateDirectory;
    this.#alone = alone;
    this.#media = new Media(host);
    this.#openings = new Openings(() => host.look());
    this.#overdue = new OverdueWatch(() => this.#tree.allStorageObjects(), host.log.bind(host));
    if (alone) for (const meter of [this.#load, this.#overdue]) meter.start();
    this.#receiving = new Receiving({
      tree,
      log: host.log.bind(host),
      isHere: (path) => this.#isMine(path),
      take: (fabric, arrival) => this.#take(fabric, arrival),
    });
  }

  async change(operations: readonly Operation[] | undefined, { gained, lost, renamed }: Assignment): Promise<string[]> {
    await this.#copy?.change(operations);
    if (renamed.size > 0) this.#rename(renamed);
    const going = lost.filter((path) => this.#mine.delete(path) && !this.#awaited.has(path));
    // Sessions end before their disks go.
    if (lost.length > 0) await this.#reconcile();
    const ended = Promise.all(going.flatMap((path) => [...this.#engines.values()].map((one) => one.ended?.(path))));
    for (const path of going) this.#close(path, () => ended.then(() => this.#leave(path)));
    if (gained.length > 0) for (const meter of [this.#load, this.#overdue]) meter.start();
    for (const path of gained) {
      this.#mine.add(path);
      const storageObject = this.#tree.storageObject(path);
      if (!storageObject) continue;
      storageObject.arriving = true;
      this.#shared.arrive(storageObject);
    }
    return going;
  }

  /** A storage object with another name is the same, and whatever goes on with it goes on. */
  #rename(renamed: ReadonlyMap<string, string>): void {
    const nameOf = (path: string) => renamed.get(path) ?? path;
    this.#mine = new Set(Array.from(this.#mine, nameOf));
    this.#awaited = new Set(Array.from(this.#awaited, nameOf));
    this.#closing = new Map(Array.from(this.#closing, ([path, work]) => [nameOf(path), work]));
  }

  async follow({ arrived, awaited }: Elsewhere, again: Again): Promise<Facts> {
    await this.#copy?.restored();
    await this.#adopt();
    for (const one of arrived) arrive(this.#tree, one);
    this.#awaited = new Set(awaited);
    const before = this.#held;
    this.#held = new Set();
    for (const one of this.#tree.allStorageObjects()) {
      one.arriving = this.#awaited.has(one.path);
      if (before.has(one)) one.missing = undefined;
      if (one.volume) this.#sizes.set(one, one.volume.size);
      if (this.#shared.has(one) || one.volume || !this.#isMine(one.path)) continue;
      if (one.arriving || this.#closing.has(one.path)) this.#held.add(one);
      else if (again !== 'no' || one.missing === undefined) this.#openings.begin(one, again !== 'when it is time');
    }
    // A volume in memory is open at once.
    if (this.#openings.isWaitedFor) await breathe();
    const isWanted = (one: StorageObject) => this.#tree.storageObject(one.path) === one && this.#isMine(one.path);
    const told = await this.#openings.take(isWanted);
    for (const one of told) await this.#opened(one);
    if (this.#openings.isWaitedFor) this.#begun.push(this.#openings.wait());
    if (this.#serving) await this.#startEngines();
    await this.#reconcile();
    this.#media.followSizes(this.#tree.allStorageObjects());
    // A portal opens only when the LUNs behind it are served.
    await this.#receiving.reconcile();
    const left = this.#left;
    this.#left = [];
    for (const one of this.#held) one.missing = notYet;
    return {
      storageObjects: [...told, ...this.#media.changed(this.#tree.allStorageObjects()), ...this.#held].map((one) => ({
        path: one.path,
        missing: one.missing,
        size: one.volume?.size,
        found: foundBy(one),
      })),
      left,
      luns: [...lunProblems(this.#tree, this.#engines)],
      portals: [...this.#receiving.portalProblems()],
    };
  }

  async settled(): Promise<boolean> {
    const begun = this.#begun;
    this.#begun = [];
    await Promise.all(begun);
    return begun.length > 0;
  }

  /** Keeps hold of work that takes its time and never rejects: work that nobody waits for any more asks for another look when it ends. */
  #begin(work: Promise<unknown>): void {
    const waited = within(waitMs, work).then((late) => {
      if (late) void work.then(() => this.#host.look());
    });
    this.#begun.push(waited);
  }

  /** Closes a volume. @param work runs after the work on `path` that goes on already; it never rejects */
  #close(path: string, work: () => Promise<void>): void {
    const over = () => {
      for (const [now, one] of this.#closing) if (one === closing) this.#closing.delete(now);
    };
    const closing = Promise.resolve(this.#closing.get(path)).then(work).then(over);
    this.#closing.set(path, closing);
    this.#begin(closing);
  }

  async #leave(path: string): Promise<void> {
    const storageObject = this.#tree.storageObject(path);
    const moving = storageObject && { wwn: storageObject.wwn, state: await handOverUnit(storageObject) };
    this.#left.push({ path, ...(moving && { moving }) });
  }

  opened(): Promise<void> {
    return this.#openings.allEnded();
  }

  async finish(): Promise<void> {
    await this.#copy?.finish();
  }

  async release(): Promise<void> {
    await this.#copy?.release();
  }

  async serve(): Promise<void> {
    const { setBugReporter } = await import('../scsi/device-server.ts');
    setBugReporter((record) => this.#host.log(record));
    this.#serving = true;
    await this.#startEngines();
    await this.#reconcile();
  }

  /** Starts an engine for each fabric that has targets. The engines of other fabrics are not even loaded. */
  async #startEngines(): Promise<void> {
    const context = {
      log: this.#host.log.bind(this.#host),
      runDirectory: this.#runDirectory,
      serves: ({ path }: Target) => this.#isMine(path) && !this.#awaited.has(path),
      begun: (work: Promise<unknown>) => this.#begin(work),
    };
    for (const state of this.#tree.fabrics.values()) {
      const { name } = state.fabric;
      if (state.targets.size === 0 || this.#engines.has(name)) continue;
      const engine = await serviceOf(state.fabric)?.start(state, context);
      if (engine) this.#engines.set(name, engine);
    }
  }

  receive(sockets: readonly number[], lastId: number): Promise<void> {
    return this.#receiving.begin(sockets, lastId);
  }

  route(targets: readonly string[], to: number | undefined): Promise<void> {
    return this.#receiving.route(targets, to);
  }

  async reach(loop: number, port: MessagePort): Promise<void> {
    this.#receiving.reach(loop, port);
  }

  async listen(port: MessagePort): Promise<void> {
    new Calls(port, offerObject<Taker>(this, takerBoundary));
  }

  async state(): Promise<LoopState> {
    return {
      sessions: [...this.#receiving.sessions(), ...[...this.#engines.values()].flatMap((engine) => engine.sessions())],
      ...objectStates([...this.#tree.allStorageObjects()].filter((one) => this.#isMine(one.path))),
      waiting: wayOfWaiting(),
      load: this.#load.read(),
      overdue: this.#overdue.states(),
    };
  }

  async counts(): Promise<LoopCounts> {
    const inFlight = new Map([...this.#engines.values()].flatMap((engine) => [...(engine.inFlight?.() ?? [])]));
    return countsOf(this.#tree, (path) => this.#isMine(path), inFlight);
  }

  spaces = (path?: string) => spacesOf(this.#tree, (one) => this.#isMine(one) && (path === undefined || path === one));

  take = async (fabric: string, arrival: ArrivingConnection<number>): Promise<void> => this.#take(fabric, arrival);

  #take(fabric: string, arrival: ArrivingConnection): void {
    this.#engines.get(fabric)?.take?.(arrival);
  }

  async endSession(fabric: string, id: number, why: string): Promise<boolean> {
    const isSession = this.#engines.get(fabric)?.endSession?.(id, why) ?? false;
    return isSession || this.#receiving.endSession(fabric, id, why);
  }

  async flush(path: string): Promise<void> {
    await this.#tree.storageObject(path)?.volume?.flush();
  }

  async reopen(path: string, over?: string): Promise<boolean> {
    const storageObject = this.#own(path);
    if (!storageObject) return false;
    // A medium whose contents are gone is wanted empty.
    Object.assign(storageObject, { missing: undefined, contentsLost: undefined });
    if (over !== undefined) claimOver(storageObject, over);
    this.#close(path, async () => {
      await closeVolume(storageObject, (volume) => {
        storageObject.contents = volume.takeContents?.();
      });
      await writesOf(storageObject).forget();
    });
    return true;
  }

  async snapshots(path: string, request: SnapshotRequest): Promise<readonly Snapshot[] | undefined> {
    const storageObject = this.#own(path);
    return storageObject && askSnapshots(storageObject, request);
  }

  async share(path: string, request: ShareRequest): Promise<ShareAnswer | undefined> {
    return this.#shared.carryOut(this.#own(path), request);
  }

  async resetStatistics(): Promise<void> {
    for (const engine of this.#engines.values()) engine.resetTraffic?.();
    resetCounts(this.#tree);
  }

  async stop(): Promise<void> {
    this.#load.stop();
    this.#overdue.stop();
    this.#serving = false;
    await this.#receiving.stop();
    await Promise.all([...this.#engines.values()].map((engine) => engine.stop()));
    this.#engines.clear();
    this.#openings.abandon();
    await Promise.all(this.#closing.values());
    await Promise.all([...this.#tree.allStorageObjects()].map((one) => closeVolume(one)));
  }

  #isMine(path: string): boolean {
    return this.#alone || this.#mine.has(path);
  }

  #own(path: string): StorageObject | undefined {
    return this.#isMine(path) ? this.#tree.storageObject(path) : undefined;
  }

  async #reconcile(): Promise<void> {
    await Promise.all([...this.#engines.values()].map((engine) => engine.reconcile()));
  }

  /** Ties new storage objects to what lies outside of them, before an initiator reaches them. */
  async #adopt(): Promise<void> {
    const isNew = (one: StorageObject) => !this.#adopted.has(one) && this.#isMine(one.path);
    const units = [...this.#tree.allStorageObjects()].filter(isNew);
    if (units.length === 0) return;
    for (const storageObject of units) {
      this.#adopted.add(storageObject);
      storageObject.ports = () => portsOf(storageObject);
      storageObject.log = (record) => this.#host.log(record);
      storageObject.configure = (change) => this.#configure(storageObject, change);
      this.#shared.begin(storageObject);
    }
    await (await this.#storesOfAll())?.adopt(units);
  }

  /** The stores, made when the opcodes are loaded, and with them every subject that keeps state. */
  async #storesOfAll(): Promise<UnitStores | undefined> {
    if (this.#stateDirectory === undefined) return undefined;
    await import('../scsi/opcode-table.ts');
    this.#stores ??= new UnitStores(this.#stateDirectory, (record) => this.#host.log(record));
    return this.#stores;
  }

  /** Goes on with the work that was going on with the medium. */
  async #opened(storageObject: StorageObject): Promise<void> {
    const { path, volume } = storageObject;
    const { work } = mediumWork.of(storageObject);
    if (!volume) return;
    takeFound(storageObject, foundBy(storageObject));
    // Initiators that reach the unit already have seen another medium, or none.
    reportToAll(storageObject, sense.mediumMayHaveChanged);
    if ((this.#sizes.get(storageObject) ?? volume.size) !== volume.size)
      reportToAll(storageObject, sense.capacityDataChanged);
    this.#sizes.set(storageObject, volume.size);
    volume.watch?.(() => this.#host.look());
    if (!work) return;
    const { resumeWork } = await import('../scsi/format-sanitize.ts');
    if (await resumeWork(storageObject))
      this.#host.log({ level: 'info', event: 'medium work resumed', detail: { path, does: work.does } });
  }

  /** Makes an operation of an initiator's change of the configuration. */
  #configure({ path }: StorageObject, change: ConfigurationChange): Promise<void> {
    const { name, value } = change;
    const [at, group] =
      change.name === 'alua_access_state' ? [`${path}/alua/${change.aluaGroup}`, 'alua'] : [path, 'attribute'];
    return this.#host.apply({ path: at, verb: 'set', params: { group, name, value: String(value), initiator: true } });
  }
}
