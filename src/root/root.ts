/** The root owns everything: the tree, the loops that serve it, and the one door through which it changes. */

import { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { allCounts } from '../loops/counts.ts';
import type {
  Again,
  LoopCounts,
  LoopHost,
  LoopLoad,
  LoopState,
  LossState,
  OverdueState,
  WorkState,
} from '../loops/loop.ts';
import { Loops } from '../loops/loops.ts';
import { Carrying } from '../operations/door.ts';
import type { Apply, Operation, Outcome, PartOfChange, Surroundings } from '../operations/operation.ts';
import { takeFound } from '../operations/storage-object-operations.ts';
import { Tree } from '../operations/tree.ts';
import { door, worldly } from '../saved/operations.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { UnitHold } from '../scsi/unit-hold.ts';
import { until } from '../system/running-time.ts';
import type { SessionInfo } from '../target/service.ts';
import { type Lun, type Portal, portalPath, type Target, type Tpg } from '../target/target.ts';
import type { Gateway, GatewayOptions } from './gateway.ts';
import { type LocalDevice, localDevices, lunOfDevice, refuseLosing } from './local-devices.ts';
import { refusePortals } from './made-portal.ts';
import { type ChangeOptions, newPart, type RecordChange, type RootOptions, type StartOptions } from './options.ts';
import { changeShared, inOrder, type Sharing } from './sharing.ts';
import { ObjectSnapshots } from './snapshots.ts';
import { Turns } from './turns.ts';
import { missingIn } from './why-closed.ts';

/** The interval at which a start looks for devices that are not there. */
const devicePollMs = 200;

export class Root {
  readonly tree = new Tree();
  /** The source of other gateways' changes; absent: nobody else changes the tree. */
  sharing: Sharing | undefined;
  readonly #options: RootOptions;
  readonly #log: Log;
  /** The loops. Absent while nothing is served. */
  #loops: Loops | undefined;
  /** The problems of LUNs, by the path of the LUN. */
  #lunProblems = new Map<string, OperatorError>();
  /** The problems of portals, by the path of the portal. */
  #portalProblems = new Map<string, string>();
  #serving = false;
  #record: RecordChange = async () => {};
  /** Things that changes have left over and that are being closed. */
  readonly #releasing = new Set<Promise<unknown>>();
  /** This process in a cluster: set before it begins to serve. Absent: what it serves, it serves alone. */
  gateway: Gateway | undefined;
  readonly snapshots = new ObjectSnapshots(() => {
    const loops = this.#loops;
    return loops && ((call) => loops.each(call));
  });
  readonly #turns = new Turns(
    () => this.#loops?.settled(),
    () => this.#openAll(),
  );

  constructor(options: RootOptions = {}) {
    this.#options = options;
    this.#log = options.log ?? (() => {});
  }

  get serving(): boolean {
    return this.#serving;
  }

  /** From now on every change goes to `record` (the journal) before it is answered. */
  recordTo(record: RecordChange): void {
    this.#record = record;
  }

  /**
   * The one door: an operation is checked, applied, made durable and answered.
   * @param restoring the operation comes from a journal or a file: it is taken as it is and not recorded again
   * @throws OperatorError; the tree is then as it was
   */
  async apply(
    operation: Operation,
    restoring = false,
    part?: PartOfChange,
    options: ChangeOptions = {},
  ): Promise<Outcome> {
    const prepared = restoring ? operation : await this.prepare(operation, options);
    return this.#change((apply) => apply(prepared ?? operation), { part, ...options }, restoring);
  }

  /**
   * Does the part of an operation that may have to wait for another process, so that its change does not wait. Undefined: the operation
   * needs nobody else.
   * @returns the operation to be applied; rejects with an OperatorError
   */
  prepare(operation: Operation, { comingBack }: ChangeOptions = {}): Promise<Operation> | undefined {
    return door.prepare(this.tree, operation, this.#around(false, comingBack));
  }

  /**
   * Makes several operations one change: stored by one write, followed once, all of them or none. Nobody else changes anything meanwhile,
   * so `make` waits for nobody outside of this process: `prepare` did that part.
   * @param make applies the operations, each of which the tree has at once. One that is refused leaves nothing, and may be caught
   * @returns the result of `make`
   * @throws OperatorError; the tree is then as it was
   */
  change<T>(make: (apply: Apply) => Promise<T>, options: ChangeOptions = {}): Promise<T> {
    return this.#change(make, options, false);
  }

  #around(restoring: boolean, comingBack = false): Surroundings {
    const { missingSerial = worldly.missingSerial } = this.#options;
    const flushed = async (path: string) => void (await this.#loops?.each((loop) => loop.flush(path)));
    const asked = { restoring, comingBack, inCluster: this.sharing !== undefined && !restoring };
    return { ...worldly, ...asked, missingSerial, flushed, serving: this.#serving };
  }

  async #change<T>(
    make: (apply: Apply) => Promise<T>,
    { part, comingBack, givenUp }: ChangeOptions,
    restoring: boolean,
  ): Promise<T> {
    const { value, released, operations, closes } = await this.#turns.takeAndSettle(() => {
      givenUp?.throwIfAborted();
      const apply = (one: typeof make) => this.#apply(one, this.#around(restoring, comingBack), part);
      return restoring || !this.sharing ? apply(make) : changeShared({ takeIn: this.#takeIn }, make, apply);
    });
    await released;
    // A volume that was closed may have stood in the way of one that could not be opened: the same file, under another name.
    if (closes && this.#isAnyMissing()) await this.#openInTurn('now');
    for (const operation of operations) await this.#refuseUnattached(operation, part);
    return value;
  }

  /** Applies operations in a turn. @returns the result; `released` resolves when all that is left over is closed, beside other changes */
  async #apply<T>(make: (apply: Apply) => Promise<T>, around: Surroundings, part?: PartOfChange) {
    const devices = around.restoring ? [] : this.localDevices();
    const carrying = new Carrying(door, this.tree, around);
    const { done, operations } = carrying;
    let value: T;
    try {
      value = await make((operation) => {
        if (!around.restoring) this.#options.refuse?.(part);
        return carrying.apply(operation);
      });
      const isForced = operations.some(({ verb, params }) => verb === 'detach' && params['force'] === true);
      if (!isForced) await refuseLosing(devices, this.tree);
      if (!around.restoring) await this.#loops?.refuseEndingClients();
    } catch (error) {
      await carrying.undo();
      throw error;
    }
    try {
      if (operations.length > 0) await this.#follow(operations, around.restoring);
      if (operations.length > 0 && !around.restoring) await this.#record(operations, part);
    } catch (error) {
      await carrying.undo();
      await this.#follow(undefined);
      throw error;
    }
    for (const { finish } of done) await finish?.();
    await this.#loops?.finish();
    const released = Promise.all([...done.map(({ release }) => release?.()), this.#loops?.release()]);
    this.#releasing.add(released);
    void released.finally(() => this.#releasing.delete(released)).catch(() => {});
    const closes = done.length > 1 && done.some(({ release }) => release);
    return { value, released, closes, operations: around.restoring ? [] : operations };
  }

  /** Takes in what other gateways have changed. @throws OperatorError when that cannot be known */
  takeIn = (): Promise<void> => this.#turns.takeAndSettle(this.#takeIn);

  readonly #takeIn = async (): Promise<void> =>
    this.sharing?.takeIn((operations) => this.#apply(inOrder(operations), this.#around(true)));

  /**
   * Opens every volume, then every portal: nobody logs in to half a configuration. A volume that takes its time is not
   * waited for, unless `waitMs` says so; the tree can be changed meanwhile.
   */
  async start({ waitMs = 0, givenUp, sockets = [] }: StartOptions = {}): Promise<void> {
    if (this.sharing && !this.gateway) throw new Error('others serve what this tree says: Host.start');
    const loops = await this.#turns.takeAndSettle(() => this.#begin());
    const look = async () => {
      if (this.#isAnyMissing()) await this.#openInTurn('now');
      return !this.#isAnyMissing() || undefined;
    };
    if (waitMs > 0) await until(devicePollMs, waitMs, look, givenUp);
    await this.#turns.takeAndSettle(() => this.#serve(loops, sockets));
  }

  /**
   * Opens volumes and portals that could not be opened before: the medium or the address may have appeared.
   * @param again whether pauses are kept between attempts
   * @returns when nothing is being tried any more; the tree can be changed meanwhile
   */
  async retry(again: Again = 'now'): Promise<void> {
    await this.#openInTurn(again);
    await this.#loops?.each((loop) => loop.opened());
    await this.#openInTurn('no');
  }

  /** Lines that name the storage objects without a medium, and why, looked at now. A process that serves opens a medium that is there. */
  async missingMedia(): Promise<string[]> {
    await this.retry();
    return missingIn(this.tree, this.#serving);
  }

  #isAnyMissing(): boolean {
    return [...this.tree.allStorageObjects()].some(({ missing }) => missing !== undefined);
  }

  #openInTurn(again: Again): Promise<void> {
    return this.#turns.takeAndSettle(async () => {
      if (this.#loops) await this.#openAll(again);
    });
  }

  /** LUNs that are block devices of this machine. */
  localDevices = (): LocalDevice[] =>
    this.#options.runDirectory === undefined ? [] : localDevices(this.tree, this.#options.runDirectory);

  /** Runs `what` after the operations before it and before those that come later: meanwhile nothing changes. */
  inTurn = <T>(what: () => Promise<T>): Promise<T> => this.#turns.take(what);

  async #begin(): Promise<Loops> {
    const host: LoopHost = {
      log: (record) => this.#log(record),
      look: () => void this.#openInTurn('no').then(() => this.#options.looked?.()),
      apply: async (operation) => void (await this.apply(operation, false, newPart({ by: { via: 'initiator' } }))),
      share: async (path, ask) => this.gateway?.answer(path, ask),
    };
    const revive = (replace: () => Promise<void>) =>
      void this.#turns.takeAndSettle(async () => {
        if (this.#loops !== loops) return;
        await replace();
        await this.#openAll('now');
      });
    this.tree.place.gateway = this.gateway?.number;
    const loops = new Loops(this.tree, host, this.#options, revive);
    this.#loops = loops;
    await loops.start();
    await this.#openAll('now');
    return loops;
  }

  async #serve(loops: Loops, sockets: readonly number[]): Promise<void> {
    if (this.#loops !== loops) return;
    await loops.serve(sockets);
    await this.#openAll();
    this.#serving = true;
    this.gateway?.start();
  }

  /** Closes portals, ends sessions, flushes and closes volumes. The tree stays. */
  async stop(): Promise<void> {
    await this.gateway?.end();
    await this.#turns.empty();
    await Promise.allSettled(this.#releasing);
    // A question that comes meanwhile finds a root that serves nothing.
    const loops = this.#loops;
    this.#loops = undefined;
    this.#serving = false;
    this.#portalProblems.clear();
    await loops?.stop();
    for (const storageObject of this.tree.allStorageObjects()) storageObject.sizeElsewhere = undefined;
  }

  /** Asks the loops for their states, which `sessions`, `loopOf` and others then read. */
  observe = async (): Promise<void> => void (await this.#loops?.observe());

  /** The sessions of initiators, as of the last `observe`. */
  sessions(): SessionInfo[] {
    return this.states()
      .flatMap(({ sessions }) => sessions)
      .sort((a, b) => a.id - b.id);
  }

  /** The FORMAT UNIT or SANITIZE that goes on or has failed, as of the last `observe`. */
  workOn = (object: StorageObject): WorkState | undefined => this.#of(object, ({ work }) => work);

  /** The acknowledged writes that a storage object may have lost, as of the last `observe`. */
  lossOf = (object: StorageObject): LossState | undefined => this.#of(object, ({ losses }) => losses);

  /** The commands that the medium of a storage object has, or had, for long, as of the last `observe`. */
  overdueOf = (object: StorageObject): OverdueState | undefined => this.#of(object, ({ overdue }) => overdue);

  /** The holder of a storage object, as of the last `observe`; undefined: nobody holds it, and nothing protects it. */
  holdOn = (object: StorageObject): UnitHold | undefined => this.#of(object, ({ holds }) => holds);

  /** The name by which the medium of a storage object knows this process, where it has a lock that we hold, as of the last `observe`. */
  clientOf = (object: StorageObject) => this.#of(object, ({ clients }) => clients);

  #of<T extends { readonly path: string }>({ path }: StorageObject, all: (state: LoopState) => readonly T[]) {
    return this.states()
      .flatMap(all)
      .find((one) => one.path === path);
  }

  /** The space that storage objects take of their media, and that is left, where they know it; of one object by its path. */
  spaces = async (path?: string) => ((await this.#loops?.each((loop) => loop.spaces(path))) ?? []).flat();

  /** Closes a medium and opens it anew; the operator has to know of losses. @param over a living holder to shut out, or `anybody` */
  async reopen(storageObject: StorageObject, over?: string): Promise<void> {
    const { path } = storageObject;
    await this.#turns.takeAndSettle(async () => {
      storageObject.contentsLost = undefined;
      await this.#loops?.each((loop) => loop.reopen(path, over));
      await this.#openAll();
    });
    await this.observe();
  }

  /** Has the loop of a storage object that gateways share carry something out. */
  share: GatewayOptions['share'] = async (path, request) =>
    (await this.#loops?.each((loop) => loop.share(path, request)))?.find((answer) => answer);

  /** The states of the loops, as of the last `observe`. */
  states = (): LoopState[] => [...(this.#loops?.states.values() ?? [])];

  /** The counts of storage objects and LUNs since the process began to serve, or since a reset. */
  counts = async (): Promise<LoopCounts> => allCounts(this.tree, (await this.#loops?.counts()) ?? []);

  /** The load of each loop, as of the last `observe`. */
  loads = (): (LoopLoad & { readonly number: number })[] =>
    Array.from(this.#loops?.states ?? [], ([number, { load }]) => ({ number, ...load }));

  /** The loop that serves a target, as of the last `observe`: its number (0 is this thread). Undefined: none serves it. */
  loopOf({ path }: Target): { readonly number: number; readonly load: LoopLoad } | undefined {
    const number = this.#loops?.numberOf(path) ?? 0;
    const state = this.#loops?.states.get(number);
    return state && { number, load: state.load };
  }

  /** Ends a session; its initiator may log in again. @throws OperatorError when the fabric has no session of this number */
  async endSession(fabric: string, id: number): Promise<void> {
    const why = 'ended by the operator';
    const ended = await this.#loops?.each((loop) => loop.endSession(fabric, id, why));
    if (!ended?.includes(true)) throw new OperatorError(`no session found with sid ${id}`);
    await this.observe();
  }

  /** Sets the counts of sessions and storage objects to zero. */
  async resetStatistics(): Promise<void> {
    await this.#loops?.each((loop) => loop.resetStatistics());
    await this.observe();
  }

  /** The reason why a portal is not being served; undefined when it is, or when this process serves nothing. */
  portalProblem = (tpg: Tpg, portal: Portal): string | undefined => this.#portalProblems.get(portalPath(tpg, portal));

  /** The reason why a LUN is not served or attached as the tree wants it; undefined when it is, or when this process serves nothing. */
  lunProblem = ({ tpg, index }: Lun): OperatorError | undefined =>
    this.#lunProblems.get(`${tpg.path}/luns/lun${index}`);

  /**
   * Makes the loops follow the tree, and notes whether a new portal could be opened.
   * @param operations the operations that changed the tree; undefined: the last change was undone
   */
  async #follow(operations: readonly Operation[] | undefined, restoring = false): Promise<void> {
    if (!this.#loops) return;
    await this.#loops.change(operations);
    await this.#openAll();
    this.gateway?.follow();
    if (!restoring) refusePortals(this.tree, operations ?? [], (tpg, portal) => this.portalProblem(tpg, portal));
  }

  /** Opens volumes and portals. @param again whether those that could not be opened before are tried, too */
  async #openAll(again: Again = 'no'): Promise<void> {
    const facts = (await this.#loops?.follow(again)) ?? [];
    for (const { storageObjects } of facts)
      for (const { path, missing, size, found } of storageObjects) {
        const storageObject = this.tree.storageObject(path);
        if (!storageObject) continue;
        Object.assign(storageObject, { missing, sizeElsewhere: size });
        takeFound(storageObject, found);
      }
    this.#lunProblems = new Map(
      facts.flatMap(({ luns }) => luns.map(({ path, message, hint }) => [path, new OperatorError(message, hint)])),
    );
    this.#portalProblems = new Map(facts.flatMap(({ portals }) => portals.map(({ path, problem }) => [path, problem])));
  }

  /**
   * Refuses an operation whose LUN could not be attached or detached. Its node shows the outcome of a LUN that takes long.
   * @throws OperatorError that says why; the attaching is taken back then
   */
  async #refuseUnattached(operation: Operation, part: PartOfChange | undefined): Promise<void> {
    const lun = lunOfDevice(this.tree, operation);
    const problem = lun && this.lunProblem(lun);
    if (!problem) return;
    const back = { path: operation.path, verb: 'detach', params: { lun: lun.index, force: true } };
    if (operation.verb === 'attach') await this.apply(back, false, part && newPart({ ...part, undoes: part.of }));
    throw problem;
  }
}
