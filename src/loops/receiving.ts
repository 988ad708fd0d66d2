/**
 * The receiving of initiators: those of all targets come to one loop first, for discovery, or to name the target that they log in to.
 * Such a connection goes on to the loop of its target by a port straight to that thread. The management side says beforehand which loop
 * that is (`routes.ts`), and has no part in it: nothing that holds the management side up delays a login.
 */

import type { Socket } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { reasonOf } from '../errors.ts';
import { serviceOf } from '../fabric/index.ts';
import type { Log } from '../log.ts';
import type { Tree } from '../operations/tree.ts';
import { closeCopy, descriptorOf, duplicateDescriptor } from '../system/descriptor.ts';
import type { ArrivingConnection, FabricReception, SessionInfo } from '../target/service.ts';
import { portalPath, type Target } from '../target/target.ts';
import { Calls, offerObject, remoteObject } from './calls.ts';
import { type Facts, type Taker, takerBoundary } from './loop.ts';

/** The number of connections that may wait for a loop; more are refused. */
const waitingMax = 256;

/** A connection and the path of its target. */
interface Passage {
  readonly target: Target;
  readonly arrival: ArrivingConnection<Socket>;
}

export interface ReceivingOptions {
  readonly tree: Tree;
  readonly log: Log;
  /** Whether this loop itself serves the target of this path. */
  isHere(path: string): boolean;
  /** Takes a connection in this loop. */
  take(fabric: string, arrival: ArrivingConnection<Socket>): void;
}

/** The part of a loop that receives. */
export class Receiving {
  readonly #options: ReceivingOptions;
  /** The receptions by the name of their fabric. */
  readonly #receptions = new Map<string, FabricReception>();
  /** Other loops, by their number. */
  readonly #loops = new Map<number, Taker>();
  /** The number of the loop, by the path of the target. */
  readonly #routes = new Map<string, number>();
  readonly #waiting: Passage[] = [];
  readonly #underWay = new Set<{ readonly path: string; readonly ended: Promise<void> }>();

  constructor(options: ReceivingOptions) {
    this.#options = options;
  }

  /** Begins to receive, as `Loop.receive` says. */
  async begin(sockets: readonly number[], lastId: number): Promise<void> {
    const { tree, log } = this.#options;
    const handOver = (target: Target, arrival: ArrivingConnection<Socket>) => this.#handOver({ target, arrival });
    for (const state of tree.fabrics.values()) {
      const reception = await serviceOf(state.fabric)?.receive?.(state, { log, sockets, lastId, handOver });
      if (reception) this.#receptions.set(state.fabric.name, reception);
    }
  }

  /** Sets routes, as `Loop.route` says. */
  async route(targets: readonly string[], to: number | undefined): Promise<void> {
    for (const path of targets)
      if (to === undefined) this.#routes.delete(path);
      else this.#routes.set(path, to);
    const concerned = new Set(targets);
    await Promise.all([...this.#underWay].flatMap(({ path, ended }) => (concerned.has(path) ? [ended] : [])));
    this.#lookAgain();
  }

  /** Adds a loop, as `Loop.reach` says. */
  reach(loop: number, port: MessagePort): void {
    const calls = new Calls(port, offerObject({}, {}));
    const taker = remoteObject(calls, takerBoundary);
    this.#loops.set(loop, taker);
    port.on('close', () => {
      if (this.#loops.get(loop) === taker) this.#loops.delete(loop);
      calls.end(new Error('the loop has ended'));
    });
  }

  /** Opens and closes portals as the tree says. */
  async reconcile(): Promise<void> {
    await Promise.all([...this.#receptions.values()].map((reception) => reception.reconcile()));
    this.#lookAgain();
  }

  *portalProblems(): Generator<Facts['portals'][number]> {
    for (const [name, reception] of this.#receptions)
      for (const target of this.#options.tree.fabrics.get(name)?.targets.values() ?? [])
        for (const tpg of target.tpgs.values())
          for (const portal of tpg.portals) {
            const problem = reception.portalProblem(portal);
            if (problem !== undefined) yield { path: portalPath(tpg, portal), problem };
          }
  }

  sessions(): SessionInfo[] {
    return [...this.#receptions.values()].flatMap((reception) => reception.sessions());
  }

  endSession(fabric: string, id: number, why: string): boolean {
    return this.#receptions.get(fabric)?.endSession(id, why) ?? false;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#receptions.values()].map((reception) => reception.stop()));
    this.#receptions.clear();
    for (const { arrival } of this.#waiting.splice(0)) arrival.socket.destroy();
  }

  #handOver(passage: Passage): void {
    const { target, arrival } = passage;
    const { fabric, path, wwn } = target;
    const isGone = !this.#options.tree.fabrics.get(fabric.name)?.targets.has(wwn);
    // The target is gone. This loop knows as much of it as any other, so the login is refused here.
    const number = this.#routes.get(path);
    const loop = number === undefined ? undefined : this.#loops.get(number);
    if (isGone || this.#options.isHere(path)) this.#options.take(fabric.name, arrival);
    else if (number !== undefined && loop) this.#passOn(passage, number, loop);
    // The target is going to another loop, or its loop has died and a new one is on its way.
    else this.#wait(passage);
  }

  #passOn(passage: Passage, number: number, loop: Taker): void {
    const { target, arrival } = passage;
    const { fabric, path } = target;
    const ended = passOn(arrival, (copy) => loop.take(fabric.name, copy)).catch((error) => {
      if (this.#loops.get(number) === loop) this.#lose(passage, reasonOf(error));
      else this.#handOver(passage);
    });
    const underWay = { path, ended };
    this.#underWay.add(underWay);
    void ended.finally(() => this.#underWay.delete(underWay));
  }

  #lookAgain(): void {
    for (const passage of this.#waiting.splice(0)) this.#handOver(passage);
  }

  #wait(passage: Passage): void {
    if (this.#waiting.length < waitingMax) this.#waiting.push(passage);
    else this.#lose(passage, 'too many connections wait for the loop');
  }

  #lose({ target, arrival }: Passage, reason: string): void {
    this.#options.log({ level: 'error', event: 'connection lost', detail: { target: target.path, reason } });
    arrival.socket.destroy();
  }
}

/**
 * Gives another thread a descriptor of its own of the same connection. Rejects when the thread does not take it: the socket is then as it
 * was.
 */
async function passOn(
  arrival: ArrivingConnection<Socket>,
  take: (copy: ArrivingConnection<number>) => Promise<void>,
): Promise<void> {
  const { socket } = arrival;
  const descriptor = descriptorOf(socket);
  const copy = duplicateDescriptor(descriptor);
  try {
    await take({ ...arrival, socket: copy });
    // The connection lives on in the other thread's descriptor.
    socket.destroy();
  } catch (error) {
    closeCopy(copy, descriptor);
    throw error;
  }
}
