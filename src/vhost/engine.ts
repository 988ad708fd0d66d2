/** The engine of vhost targets: a socket for each, one front-end at a time, and a nexus for each of its TPGs. */

import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { within } from '../backstore/patience.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { descriptorOf, duplicateDescriptor } from '../system/descriptor.ts';
import { peerOf } from '../system/peer.ts';
import { openAt } from '../system/unix-socket.ts';
import { WorkQueue } from '../system/work-queue.ts';
import type { EngineContext, FabricEngine, SessionInfo } from '../target/service.ts';
import type { FabricState, Lun, Target, Tpg } from '../target/target.ts';
import { noTraffic } from '../target/traffic.ts';
import { FrontEnd } from './front-end.ts';
import { socketPath } from './names.ts';
import { VhostSession } from './session.ts';

export const startVhost = (state: FabricState, context: EngineContext): FabricEngine => new VhostEngine(state, context);

/** The bit of a directory's mode that lets its group open the files in it. */
const groupEnters = 0o010;
/** The time that the end of the process waits for commands that are on their way to a medium. */
const stopMs = 5_000;

class Served {
  readonly target: Target;
  readonly path: string;
  /** The reason why it does not listen, in a line. */
  problem: string | undefined;
  readonly #log: EngineContext['log'];
  readonly #server: Server;
  #frontEnd: FrontEnd | undefined;
  /** The name of the front-end's process, for people. */
  #peer = '';
  /** The sessions of the front-end, by the tag of their TPGs. */
  readonly #sessions = new Map<number, VhostSession>();
  #isClosed = false;
  /** Resolves when the end of the last front-end is over. */
  #ending: Promise<unknown> | undefined;

  constructor(target: Target, { runDirectory, log }: EngineContext) {
    this.target = target;
    this.path = socketPath(target, runDirectory);
    this.#log = log;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** Listens. Resolves when it does or has a `problem`; never rejects. A socket that an earlier process left at its path is removed. */
  async open(runDirectory: string): Promise<void> {
    try {
      mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
      this.problem = await openAt(this.#server, this.path);
      // The directory is open to those who may control this process, and they may use its LUNs, too.
      const { mode, uid, gid } = statSync(runDirectory);
      if (this.problem !== undefined || (mode & groupEnters) === 0) return;
      chownSync(this.path, uid, gid);
      chmodSync(this.path, 0o660);
    } catch (error) {
      this.problem = `${this.path}: ${reasonOf(error)}`;
    }
  }

  #accept(socket: Socket): void {
    const peer = peerOf(socket);
    const where = { path: this.target.path, target: this.target.wwn, ...(peer && { pid: peer.pid }) };
    // The one place of a target is held as those of other listeners are (system/places.ts): silence keeps nobody out.
    if (this.#frontEnd?.isSilent) {
      this.#frontEnd.close('it had said nothing, and another came');
      void this.#ending?.then(() => (this.#isClosed ? socket.destroy() : this.#accept(socket)));
      return;
    }
    if (this.#frontEnd || this.#ending) {
      const reason = this.#frontEnd ? `it has ${this.#peer}` : 'the one before has I/O under way';
      this.#log({ level: 'warning', event: 'vhost front-end refused', detail: { ...where, reason } });
      socket.destroy();
      return;
    }
    let fd: number;
    try {
      fd = duplicateDescriptor(descriptorOf(socket));
    } catch (error) {
      this.#log({ level: 'warning', event: 'vhost front-end refused', detail: { ...where, reason: reasonOf(error) } });
      return;
    } finally {
      // The same connection goes on by a descriptor that Node does not read.
      socket.destroy();
    }
    this.#peer = peer ? `process ${peer.pid}` : 'a process';
    this.#log({ level: 'info', event: 'vhost front-end', detail: where });
    for (const tpg of this.target.tpgs.values()) if (tpg.enabled) this.#sessions.set(tpg.tag, new VhostSession(tpg));
    this.#frontEnd = new FrontEnd(
      fd,
      {
        log: this.#log,
        sessionOf: (target) => this.#sessions.get(target),
        reset: async () => void (await Promise.all([...this.#sessions.values()].map((session) => session.reset()))),
        ended: () => this.#frontEndEnded(),
      },
      where,
    );
  }

  #frontEndEnded(): void {
    this.#frontEnd = undefined;
    const ended = [...this.#sessions.values()].map((session) => session.end());
    this.#sessions.clear();
    this.#ending = Promise.all(ended).finally(() => {
      this.#ending = undefined;
    });
  }

  /** Follows the tree, which has changed: the front-end is told what it sees now. */
  async follow(): Promise<void> {
    const frontEnd = this.#frontEnd;
    if (!frontEnd) return;
    for (const [tag, session] of this.#sessions) {
      if (!session.fallen(this.target.tpgs.get(tag))) {
        frontEnd.device.tell(tag, session.refresh());
        continue;
      }
      this.#sessions.delete(tag);
      void session.end();
      frontEnd.device.tell(
        tag,
        session.lunsNow().map((lun) => ({ lun, what: 'removed' })),
      );
    }
    for (const tpg of this.target.tpgs.values()) {
      if (!tpg.enabled || this.#sessions.has(tpg.tag) || this.#frontEnd !== frontEnd) continue;
      const session = new VhostSession(tpg);
      this.#sessions.set(tpg.tag, session);
      frontEnd.device.tell(
        tpg.tag,
        session.lunsNow().map((lun) => ({ lun, what: 'added' })),
      );
    }
  }

  sessions(): SessionInfo[] {
    return Array.from(this.#sessions.values(), (session) => session.info(this.path, this.#peer));
  }

  endSession(id: number, why: string): boolean {
    if (![...this.#sessions.values()].some((session) => session.id === id)) return false;
    this.#frontEnd?.close(why);
    return true;
  }

  resetTraffic(): void {
    for (const { traffic } of this.#sessions.values()) Object.assign(traffic, noTraffic());
  }

  close(why: string): void {
    this.#isClosed = true;
    // Node takes the socket's name away with it.
    this.#server.close();
    this.#frontEnd?.close(why);
  }

  /** Resolves when no command of it is on its way to a medium any more. */
  async ended(): Promise<void> {
    await this.#ending;
  }
}

class VhostEngine implements FabricEngine {
  readonly #state: FabricState;
  readonly #context: EngineContext;
  readonly #served = new Map<Target, Served>();
  readonly #following = new WorkQueue();

  constructor(state: FabricState, context: EngineContext) {
    this.#state = state;
    this.#context = context;
  }

  reconcile(): Promise<void> {
    return this.#following.take(() => this.#reconcile());
  }

  lunProblem({ tpg }: Lun): OperatorError | undefined {
    const problem = this.#served.get(tpg.target)?.problem;
    return problem === undefined ? undefined : new OperatorError('The LUNs are not served', problem);
  }

  sessions(): SessionInfo[] {
    return [...this.#served.values()].flatMap((served) => served.sessions());
  }

  endSession(id: number, why: string): boolean {
    return [...this.#served.values()].some((served) => served.endSession(id, why));
  }

  resetTraffic(): void {
    for (const served of this.#served.values()) served.resetTraffic();
  }

  async stop(): Promise<void> {
    await this.#following.empty();
    const all = [...this.#served.values()];
    for (const served of all) served.close('the target stops');
    this.#served.clear();
    await within(stopMs, Promise.all(all.map((served) => served.ended())));
  }

  async #reconcile(): Promise<void> {
    const isOn = ({ tpgs }: Target) => [...tpgs.values()].some(({ enabled }: Tpg) => enabled);
    const wanted = new Set(
      [...this.#state.targets.values()].filter((target) => this.#context.serves(target) && isOn(target)),
    );
    for (const target of this.#served.keys()) if (!wanted.has(target)) this.#end(target);
    for (const target of wanted) await (this.#served.get(target) ?? (await this.#begin(target))).follow();
  }

  async #begin(target: Target): Promise<Served> {
    const served = new Served(target, this.#context);
    this.#served.set(target, served);
    await served.open(this.#context.runDirectory);
    const { problem } = served;
    if (problem !== undefined)
      this.#context.log({ level: 'warning', event: 'vhost target not served', detail: { path: target.path, problem } });
    return served;
  }

  /** Ends a target. The loop waits for its commands before it closes the volumes. */
  #end(target: Target): void {
    const why = this.#context.serves(target)
      ? 'the target was deleted or disabled'
      : 'its target moves to another loop';
    this.#served.get(target)?.close(why);
    this.#served.delete(target);
  }
}
