/** All loops of a root, taken together: which loops there are, what each serves, and that all follow the same tree. */

import { closeSync } from 'node:fs';
import { within } from '../backstore/patience.ts';
import { OperatorError } from '../errors.ts';
import { serviceOf } from '../fabric/index.ts';
import type { Operation } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import { dumpBriefly } from '../saved/saveconfig.ts';
import { duplicateDescriptor } from '../system/descriptor.ts';
import { type OwnFolder, ownFolder } from '../system/own-folder.ts';
import type { Target } from '../target/target.ts';
import { LocalLoop } from './local-loop.ts';
import type { Again, Facts, LeftUnit, Loop, LoopCounts, LoopHost, LoopState } from './loop.ts';
import { Placement } from './placement.ts';
import { Routes } from './routes.ts';
import { canUseWorkers, type LoopThreadOptions, startWorkerLoop } from './worker-loop.ts';

export interface LoopOptions {
  /** The directory in which engines may make sockets. */
  readonly runDirectory?: string;
  /** The directory in which reservations and work on a medium outlive the process; without it they do not. */
  readonly stateDirectory?: string;
  /**
   * The worker threads: some that serve, and one that receives. Absent, or where connections cannot go to another thread: this thread
   * does both.
   */
  readonly workers?: WorkerOptions | undefined;
}

/** The threads that loops may have. */
export interface WorkerOptions {
  /** The built loop-thread.ts. */
  readonly entry: URL;
  /** The number of threads that serve at most: each begins when there is something for it to serve. 0: none. */
  readonly count: number;
}

/** Elsewhere, for the loop that receives: no unit moves to it. */
const nothingElsewhere = { arrived: [], awaited: [] };
/** The time that an observer waits for a loop that is held up by its disk. */
const stateWaitMs = 1_000;
/** All loops of a root. */
export class Loops {
  readonly #tree: Tree;
  readonly #host: LoopHost;
  readonly #options: LoopOptions;
  readonly #workers: WorkerOptions | undefined;
  readonly #revive: (replace: () => Promise<void>) => void;
  /** The loops by number: 0 is the one that receives, and serves where there is no other. A loop that has nothing to do is absent. */
  readonly #all: (Loop | undefined)[];
  readonly #placement: Placement;
  #folder: OwnFolder | undefined;
  /** The loops that the change at hand has made. */
  #made: readonly number[] = [];
  /** The paths that loops are letting go of, with the number of the loop: no other loop has them until then. */
  readonly #onTheWay = new Map<string, number>();
  /** The units that loops have let go of, for the loops that have them now. */
  #arrived: LeftUnit[] = [];
  #serving = false;
  #hasReceived = false;
  #states: ReadonlyMap<number, LoopState> = new Map();
  #counts: ReadonlyMap<number, LoopCounts> = new Map();
  /** New loops, until the volumes that they began to open are open, or nobody waits for those any more. */
  readonly #opening = new Map<number, 'begins' | 'is waited for' | 'settled'>();
  readonly #routes = new Routes();
  /** Whether the loops follow the tree as it is. */
  #followed = true;
  /** Descriptors of sockets that listen already, for the next loop that receives. */
  #sockets: readonly number[] = [];

  /** @param revive called when a thread has died: it has to call `replace` when no operation is on its way, and to follow the tree */
  constructor(tree: Tree, host: LoopHost, options: LoopOptions, revive: (replace: () => Promise<void>) => void) {
    const { workers } = options;
    this.#tree = tree;
    this.#host = host;
    this.#options = options;
    this.#workers = workers && workers.count > 0 && canUseWorkers() ? workers : undefined;
    this.#revive = revive;
    this.#all = Array.from({ length: 1 + (this.#workers?.count ?? 0) }, () => undefined);
    this.#placement = new Placement(this.#all.length, this.#workers ? 1 : 0);
  }

  /** Lets the loops begin with the tree as it is. */
  async start(): Promise<void> {
    this.#placement.update(this.#tree);
    await this.#make();
  }

  /** @param sockets as in `Loop.receive` */
  async serve(sockets: readonly number[]): Promise<void> {
    this.#sockets = sockets;
    await this.#make();
    await this.each((loop) => loop.serve());
    if (this.#all[0]) await this.#receive(this.#all[0]);
    this.#serving = true;
  }

  /**
   * Refuses a change of the tree that would end a client which cannot come back: its target would go to another loop, to one with which it
   * gets a disk in common.
   * @throws OperatorError that names the target
   */
  async refuseEndingClients(): Promise<void> {
    const stays = ({ fabric }: Target) => fabric.clientsStay === true;
    if ([...this.#tree.targets()].filter(stays).length < 2) return;
    const leaving = this.#placement.leaving(this.#tree).filter(stays);
    if (leaving.length === 0) return;
    await this.observe();
    const sessions = [...this.#states.values()].flatMap((state) => state.sessions);
    for (const { path, wwn, fabric } of leaving)
      if (sessions.some((one) => one.fabric === fabric.name && one.targetWwn === wwn))
        throw new OperatorError(
          `${path} has a client that could not come back: targets with a disk in common are served by one event loop, to which this one would have to go`,
          `Shut its virtual machine down, make this change, and start it again; or serve with --loops 1.`,
        );
  }

  /** Does `Loop.change` in all loops; a unit that leaves one loop arrives in another with `follow`. */
  async change(operations: readonly Operation[] | undefined): Promise<void> {
    if (!operations) await this.#forget();
    const assignments = this.#placement.update(this.#tree);
    this.#followed = false;
    for (const { renamed } of assignments.slice(0, 1))
      for (const [path, from] of [...this.#onTheWay]) {
        const now = renamed.get(path);
        if (now !== undefined && this.#onTheWay.delete(path)) this.#onTheWay.set(now, from);
      }
    const holds = (path: string, to: number) => this.#placement.has(path) && this.#placement.loopOf(path) === to;
    await this.#unlessEnded(0, this.#receiver, (receiver) => this.#routes.withdraw(receiver, holds));
    const changed = await Promise.allSettled(
      this.#all.map((one, at) =>
        this.#unlessEnded(at, one, async (loop) => this.#go(await loop.change(operations, assignments[at]!), at)),
      ),
    );
    for (const path of this.#onTheWay.keys()) if (!this.#placement.has(path)) this.#onTheWay.delete(path);
    const refused = changed.find((one) => one.status === 'rejected');
    if (refused) throw refused.reason;
    this.#made = await this.#make();
  }

  #go(paths: readonly string[], from: number): void {
    for (const path of paths) this.#onTheWay.set(path, from);
  }

  /** Does `Loop.follow` in all loops, until nothing more arrives; then initiators come to what is new. */
  async follow(again: Again): Promise<Omit<Facts, 'left'>[]> {
    const found: Facts[][] = [];
    do found.push(await this.#followOnce(found.length === 0 ? again : 'no'));
    while (this.#arrived.length > 0);
    for (const [at, state] of this.#opening) if (state === 'settled') this.#opening.delete(at);
    this.#followed = true;
    await this.#tellRoutes();
    const received = await this.#unlessEnded(0, this.#receiver, (loop) => loop.follow(nothingElsewhere, 'no'));
    const storageObjects = found.flat().flatMap((facts) => facts.storageObjects);
    const last = [...(found.at(-1) ?? []), ...received];
    return [
      { storageObjects, luns: last.flatMap(({ luns }) => luns), portals: last.flatMap(({ portals }) => portals) },
    ];
  }

  async #followOnce(again: Again): Promise<Facts[]> {
    const arrived = this.#arrived;
    this.#arrived = [];
    const serving = this.#all.map((loop) => (loop === this.#receiver ? undefined : loop));
    const following = serving.map((serves, at) => {
      const isHere = (path: string) => this.#placement.has(path) && this.#placement.loopOf(path) === at;
      const awaited = [...this.#onTheWay.keys()].filter(isHere);
      const elsewhere = { arrived: arrived.filter(({ path }) => isHere(path)), awaited };
      return this.#unlessEnded(at, serves, (loop) => loop.follow(elsewhere, again));
    });
    const facts = (await Promise.all(following)).flat();
    this.#arrive(facts.flatMap(({ left }) => left));
    return facts;
  }

  #arrive(left: readonly LeftUnit[]): void {
    this.#arrived.push(...left.filter(({ path }) => this.#onTheWay.delete(path)));
  }

  /** Does `Loop.settled` in all loops. @returns whether `follow` finds anything new */
  async settled(): Promise<boolean> {
    const settled = await this.each(async (loop, at) => {
      const isNew = this.#opening.get(at) === 'begins';
      if (isNew) this.#opening.set(at, 'is waited for');
      const hasBegun = await loop.settled().catch(() => true);
      if (!isNew || this.#all[at] !== loop) return hasBegun;
      if (hasBegun) this.#opening.set(at, 'settled');
      else this.#opening.delete(at);
      return hasBegun;
    });
    if (this.#followed) await this.#tellRoutes();
    return settled.includes(true);
  }

  async finish(): Promise<void> {
    this.#made = [];
    await this.#eachUnlessEnded((loop) => loop.finish());
  }

  /** Closes what the last change has left over. */
  async release(): Promise<void> {
    await this.#eachUnlessEnded((loop) => loop.release());
  }

  /** The loop that only receives; undefined where there is none, or a new one is on its way. */
  get #receiver(): Loop | undefined {
    return this.#workers && this.#all[0];
  }

  /** The result of a call; undefined where the loop is absent or has ended meanwhile: the next loop is told everything. */
  async #unlessEnded<T>(at: number, loop: Loop | undefined, call: (loop: Loop) => Promise<T>): Promise<T[]> {
    if (!loop) return [];
    try {
      return [await call(loop)];
    } catch (error) {
      if (this.#all[at] === loop) throw error;
      return [];
    }
  }

  async #eachUnlessEnded(call: (loop: Loop) => Promise<void>): Promise<void> {
    await Promise.all(this.#all.map((loop, at) => this.#unlessEnded(at, loop, call)));
  }

  async #tellRoutes(): Promise<void> {
    const routes = new Map<string, number>();
    for (const { path } of this.#tree.targets()) {
      const at = this.#placement.loopOf(path);
      if (this.#all[at] && !this.#opening.has(at) && !this.#onTheWay.has(path)) routes.set(path, at);
    }
    await this.#unlessEnded(0, this.#receiver, (receiver) => this.#routes.tell(receiver, routes, this.#all));
  }

  async #receive(loop: Loop): Promise<void> {
    // The numbers of connections go on where another thread has ended.
    if (this.#hasReceived) await this.observe();
    this.#hasReceived = true;
    const ids = [...this.#states.values()].flatMap(({ sessions }) => sessions.map(({ id }) => id));
    const sockets = this.#sockets;
    // The descriptors of a thread end with it, so each gets duplicates.
    if (this.#workers) this.#sockets = sockets.map(duplicateDescriptor);
    await loop.receive(sockets, Math.max(0, ...ids));
  }

  async stop(): Promise<void> {
    // No initiator comes in any more when sessions end.
    await this.#receiver?.stop();
    await Promise.all(this.#all.map((loop) => (loop === this.#receiver ? undefined : loop?.stop())));
    if (this.#workers) for (const socket of this.#sockets) closeSync(socket);
    this.#sockets = [];
    this.#folder?.remove();
  }

  /** The number of the loop that serves a storage object or a target, from 1; 0 when it is this thread. */
  numberOf(path: string): number {
    return this.#placement.loopOf(path);
  }

  /** Asks each loop for its state. */
  async observe(): Promise<void> {
    this.#states = await this.#ask((loop) => loop.state(), this.#states);
  }

  /** The state of each loop, by its number, as of the last `observe`. */
  get states(): ReadonlyMap<number, LoopState> {
    return this.#states;
  }

  /** The counts of each loop. */
  async counts(): Promise<LoopCounts[]> {
    this.#counts = await this.#ask((loop) => loop.counts(), this.#counts);
    return [...this.#counts.values()];
  }

  /** Asks each loop, by its number. A loop that does not answer in time is taken to say what it said last. */
  async #ask<T>(ask: (loop: Loop) => Promise<T>, known: ReadonlyMap<number, T>): Promise<ReadonlyMap<number, T>> {
    const answers = new Map(known);
    const asked = this.each(async (loop, at) => {
      const answer = await ask(loop).catch(() => undefined);
      if (answer) answers.set(at, answer);
    });
    await within(stateWaitMs, asked);
    const there = this.#all.flatMap((loop, at) => (loop ? [at] : []));
    return new Map([...answers].filter(([number]) => there.includes(number)));
  }

  each<T>(what: (loop: Loop, at: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#all.flatMap((loop, at) => (loop ? [what(loop, at)] : [])));
  }

  /** Makes loops that have something to do and are absent. @returns the numbers of the new loops */
  #make(): Promise<number[]> {
    const wanted = [...this.#all.keys()].filter((at) => !this.#all[at] && this.#isWanted(at));
    const workers = wanted.length > 0 ? this.#workers : undefined;
    // Each new loop begins with the same tree.
    const options = workers && this.#threadOptions();
    return Promise.all(
      wanted.map(async (at) => {
        const loop = workers && options ? this.#worker(at, workers.entry, options) : this.#local();
        this.#all[at] = loop;
        this.#opening.set(at, 'begins');
        await loop.change(undefined, { gained: this.#placement.pathsOf(at), lost: [], renamed: new Map() });
        if (!this.#serving) return at;
        await loop.serve();
        if (at === 0) await this.#receive(loop);
        return at;
      }),
    );
  }

  /** The directory of engines' sockets. Where no option names one, it is made, and removed when this process ends. */
  #runDirectory(): string {
    if (this.#options.runDirectory !== undefined) return this.#options.runDirectory;
    this.#folder ??= ownFolder('run');
    return this.#folder.path;
  }

  #isWanted(at: number): boolean {
    if (at > 0) return this.#placement.pathsOf(at).length > 0;
    return (
      !this.#workers ||
      this.#sockets.length > 0 ||
      [...this.#tree.targets()].some(({ fabric }) => serviceOf(fabric)?.receive)
    );
  }

  #local(): Loop {
    const { stateDirectory } = this.#options;
    const runDirectory = this.#runDirectory();
    return new LocalLoop({ tree: this.#tree, host: this.#host, runDirectory, stateDirectory, alone: true });
  }

  /** The options of a thread that begins now. */
  #threadOptions(): LoopThreadOptions {
    const { stateDirectory } = this.#options;
    const { gateway } = this.#tree.place;
    const gone = Array.from(this.#tree.allStorageObjects(), ({ path, contentsLost }) => [path, contentsLost] as const);
    const lost = Object.fromEntries(gone.flatMap(([path, why]) => (why === undefined ? [] : [[path, why]])));
    const configuration = dumpBriefly(this.#tree);
    return { configuration, lost, runDirectory: this.#runDirectory(), stateDirectory, gateway };
  }

  #worker(at: number, entry: URL, options: LoopThreadOptions): Loop {
    const loop: Loop = startWorkerLoop(at, entry, options, this.#host, () => {
      // A thread that died costs its sessions, and the contents of memory; a new thread serves all else that it served.
      if (this.#all[at] === loop) this.#all[at] = undefined;
      this.#routes.forget(at, at === 0);
      this.#loseContents(at);
      this.#loseShared(at);
      this.#revive(async () => void (await this.#make()));
    });
    return loop;
  }

  /** Notes that the contents of memory are gone with their thread: initiators are told so too, and no zeros are served instead. */
  #loseContents(at: number): void {
    const going = [...this.#onTheWay].flatMap(([path, from]) => (from === at ? [path] : []));
    for (const storageObject of this.#tree.allStorageObjects()) {
      const { path, backstore, config, size } = storageObject;
      const wasOpen = !this.#onTheWay.has(path) && this.#placement.loopOf(path) === at && size !== undefined;
      if (!backstore.isVolatile?.(config) || !(wasOpen || going.includes(path))) continue;
      storageObject.contentsLost = `what it held in memory was lost when the loop that served it ended. To have it again, empty: ${path} reopen`;
      this.#host.log({ level: 'error', event: 'contents lost', detail: { path } });
    }
    // The loops that have these units now need not wait any more.
    this.#arrive(going.map((path) => this.#lostOnTheWay(path)));
  }

  /** Units that gateways share are served by nobody now: their owner gives them back at once, and gateways agree anew. */
  #loseShared(at: number): void {
    if (this.#tree.place.gateway === undefined) return;
    for (const { path, backstore, config } of this.#tree.allStorageObjects())
      if (backstore.sharing?.(config) && this.#placement.loopOf(path) === at)
        void this.#host.share(path, { asks: 'lost', reason: 'its loop has ended' }).catch(() => {});
  }

  #lostOnTheWay(path: string): LeftUnit {
    const storageObject = this.#tree.storageObject(path);
    if (!storageObject) return { path };
    const { wwn, contentsLost } = storageObject;
    return { path, moving: { wwn, state: undefined, contentsLost } };
  }

  /** Ends the loops that began with a change which is taken back. Units that came to them go back first. */
  async #forget(): Promise<void> {
    for (const at of this.#made) {
      const loop = this.#all[at];
      if (!loop) continue;
      this.#go(await loop.change([], { gained: [], lost: this.#placement.pathsOf(at), renamed: new Map() }), at);
      await loop.settled();
      this.#arrive((await loop.follow({ arrived: [], awaited: [] }, 'no')).left);
      await loop.stop();
      this.#all[at] = undefined;
      this.#opening.delete(at);
      this.#arrive([...this.#onTheWay].flatMap(([path, from]) => (from === at ? [this.#lostOnTheWay(path)] : [])));
    }
    this.#made = [];
  }
}
