/**
 * The interface of an event loop that serves a part of the tree: storage objects with their volumes, and targets with their sessions (law
 * 7 of docs/architecture.md). The management side speaks to a loop through this interface alone, be it the same thread (local-loop.ts) or
 * a worker (worker-loop.ts). One of the loops receives: initiators of all targets come to it first.
 */

import type { MessagePort } from 'node:worker_threads';
import type { Snapshot } from '../backstore/backstore.ts';
import type { LogRecord } from '../log.ts';
import type { Operation } from '../operations/operation.ts';
import type { CarriedUnit } from '../scsi/move.ts';
import type { SnapshotRequest } from '../scsi/snapshot.ts';
import type { UnitHold } from '../scsi/unit-hold.ts';
import type { ArrivingConnection, SessionInfo } from '../target/service.ts';
import type { WayTraffic } from '../target/traffic.ts';
import type { Boundary } from './calls.ts';
import type { ShareAnswer, ShareAsk, ShareRequest } from './shared-units.ts';
import type { SpaceState } from './spaces.ts';

/** The part of the tree that a loop serves: the paths of storage objects and of targets. */
export interface Assignment {
  readonly gained: readonly string[];
  readonly lost: readonly string[];
  /** Storage objects that are called otherwise now, the same in every loop: old path → new path. */
  readonly renamed: ReadonlyMap<string, string>;
}

/** A storage object or a target that a loop has let go of: another may have it now. Plain data. */
export interface LeftUnit {
  readonly path: string;
  /** The state that a storage object takes along to another loop. */
  readonly moving?: {
    readonly wwn: string;
    /** Undefined: the state was lost on the way. `lost` then says in a line that the contents of memory were, too. */
    readonly state: CarriedUnit | undefined;
    readonly contentsLost?: string | undefined;
  };
}

/** The affairs of other loops with the paths of this one. */
export interface Elsewhere {
  /** The units that other loops have let go of since the last call. */
  readonly arrived: readonly LeftUnit[];
  /** All paths that other loops have not let go of yet. */
  readonly awaited: readonly string[];
}

/** The memory that moves along with storage objects instead of being copied. */
const contentsOf = (left: readonly LeftUnit[]): ArrayBuffer[] =>
  left.flatMap(({ moving }) => (moving?.state?.contents ?? []).map(([, bytes]) => bytes.buffer));

/** The facts that a loop found while it followed the tree and that it has not told before. Plain data. */
export interface Facts {
  readonly storageObjects: readonly {
    readonly path: string;
    /** The reason why the volume is not open, in a line. */
    readonly missing: string | undefined;
    /** The size in bytes of an open volume. */
    readonly size: number | undefined;
    /** The attributes that the medium decides. */
    readonly found: Readonly<Record<string, number>>;
  }[];
  /** The units that the loop has let go of. */
  readonly left: readonly LeftUnit[];
  /** All LUNs that are not served or attached as the tree wants it. */
  readonly luns: readonly { readonly path: string; readonly message: string; readonly hint: string | undefined }[];
  /** All portals that the receiving loop cannot open, each with the reason in a line. */
  readonly portals: readonly { readonly path: string; readonly problem: string }[];
}

/** A FORMAT UNIT or SANITIZE of a storage object. */
export interface WorkState {
  readonly path: string;
  readonly command: string;
  /** Whether the work failed: the medium is then not readable until it is formatted or sanitized again. */
  readonly failed: boolean;
  /** The share of the work that is done: 0 to 1. */
  readonly progress: number;
}

/** Writes of a storage object that were acknowledged and may not be on its medium. */
export interface LossState {
  readonly path: string;
  /** The number of bytes; undefined where nobody can say. */
  readonly bytes: number | undefined;
  /** The system error of the flush that failed. */
  readonly reason: string;
}

/** A storage object whose medium has, or had, commands for long. */
export interface OverdueState {
  readonly path: string;
  /** The number of commands that the medium has for long now. */
  readonly commands: number;
  /** The age of the oldest such command in seconds; 0 when there is none. */
  readonly seconds: number;
  /** The number of such commands since the loop began. */
  readonly total: number;
}

/** The name by which the medium of a storage object knows this process, where it has a lock that we hold. Plain data. */
interface ClientState {
  readonly path: string;
  /** The name that a process which takes the medium over shuts out. */
  readonly client: string;
  /** Whether another process has taken the medium over, so that it is not served here any more. */
  readonly isShutOut: boolean;
}

/** The state of a loop. Plain data. */
export interface LoopState {
  readonly sessions: readonly SessionInfo[];
  readonly work: readonly WorkState[];
  readonly losses: readonly LossState[];
  readonly overdue: readonly OverdueState[];
  readonly clients: readonly ClientState[];
  readonly holds: readonly UnitHold[];
  /** The way in which the loop reaches memory that it has to wait for (`wayOfWaiting`). */
  readonly waiting: string | undefined;
  readonly load: LoopLoad;
}

/** The counts of a loop since it began, or since a reset. Plain data. */
export interface LoopCounts {
  readonly storageObjects: readonly ObjectCounts[];
  /** The traffic through LUNs: an entry for each way that was taken. */
  readonly ways: readonly WayTraffic[];
}

interface ObjectCounts {
  readonly path: string;
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** The load of a loop. */
export interface LoopLoad {
  /** The share of the time, since the last question, in which the loop was not idle: 0 to 1. */
  readonly busy: number;
  /** The lateness of timers since the last question, in milliseconds: the median, and one in a hundred. */
  readonly lagMs: number;
  readonly lagMs99: number;
}

/** Whether volumes that could not be opened before are tried again: not, with growing pauses, or at once. */
export type Again = 'no' | 'when it is time' | 'now';

/** A loop as the management side sees it. */
export interface Loop {
  /**
   * Tells the loop that these operations have changed the tree; `undefined` takes the last change back. The loop lets go of all that is
   * not its own any more.
   * @returns the paths that it is letting go of: `follow` says when that is over
   * @throws OperatorError when the change cannot be made here; nothing was changed then
   */
  change(operations: readonly Operation[] | undefined, assignment: Assignment): Promise<string[]>;
  /**
   * Opens what is this loop's and not open, and makes engines and portals equal to the tree. The loop waits for no other process: work
   * that takes its time is only begun.
   */
  follow(elsewhere: Elsewhere, again: Again): Promise<Facts>;
  /**
   * Resolves when all work that was begun since the last call has ended, or takes too long to be waited for: then `LoopHost.look` asks
   * for another `follow` at its end.
   * @returns whether there was any, so that `follow` finds its outcome
   */
  settled(): Promise<boolean>;
  /** Resolves when no volume is being opened any more. */
  opened(): Promise<void>;
  /** Tells the loop that the last change is durable. */
  finish(): Promise<void>;
  /** Closes what the last change has left over. Other changes may be made meanwhile. */
  release(): Promise<void>;
  /** Begins to serve all that is this loop's. */
  serve(): Promise<void>;
  /**
   * Makes this loop the one that initiators of all targets come to: `follow` opens and closes their portals.
   * @param sockets descriptors of sockets that listen already, as in `ReceptionContext`
   * @param lastId the highest number that a connection of this process was given
   */
  receive(sockets: readonly number[], lastId: number): Promise<void>;
  /**
   * Tells the loop that receives where connections for these targets go from now on: to the loop of that number, or, undefined: they
   * wait. Resolves when none is on an earlier way.
   */
  route(targets: readonly string[], to: number | undefined): Promise<void>;
  /** Tells the loop that receives that another loop is behind `port`. */
  reach(loop: number, port: MessagePort): Promise<void>;
  /** Takes the connections that the receiving loop sends through `port`. */
  listen(port: MessagePort): Promise<void>;
  state(): Promise<LoopState>;
  counts(): Promise<LoopCounts>;
  /** The space that this loop's storage objects take of their media and the space that is left; of a single object where its path is given. */
  spaces(path?: string): Promise<SpaceState[]>;
  /** Ends a session. @returns false when the loop has no session of this number */
  endSession(fabric: string, id: number, why: string): Promise<boolean>;
  /** Flushes the medium of a storage object, if this loop has it open. Rejects when that fails. */
  flush(path: string): Promise<void>;
  /**
   * Begins to close the medium of a storage object; `follow` opens it again. Writes that may be lost are forgotten.
   * @param over a holder of the medium that is shut out although it lives, as in `Claim`
   * @returns false when the storage object is not this loop's
   */
  reopen(path: string, over?: string): Promise<boolean>;
  /**
   * Carries out a request on the snapshots of a storage object. Rejects with an OperatorError.
   * @returns the snapshots that there are then; undefined when the storage object is not this loop's
   */
  snapshots(path: string, request: SnapshotRequest): Promise<readonly Snapshot[] | undefined>;
  /** Carries out what is asked of a unit that gateways share. @returns undefined when it is not this loop's */
  share(path: string, request: ShareRequest): Promise<ShareAnswer | undefined>;
  resetStatistics(): Promise<void>;
  /** Closes portals, ends sessions, flushes and closes volumes. */
  stop(): Promise<void>;
}

/** The questions of a loop to the management side. */
export interface LoopHost {
  log(record: LogRecord): void;
  /** Tells that something happened by itself, which `follow` will find. */
  look(): void;
  /** Carries out an operation that an initiator asks for. Rejects when the operation is refused. */
  apply(operation: Operation): Promise<void>;
  /** Asks the gateways that share a unit. Rejects when they cannot be asked. */
  share(path: string, ask: ShareAsk): Promise<unknown>;
}

/** The calls of the loop that receives to the others, through a port straight to each. */
export interface Taker {
  /**
   * Takes a connection that has named a target of this loop: the descriptor is the loop's from now on. Rejects when the loop cannot take
   * it; the descriptor is then as it was.
   */
  take(fabric: string, arrival: ArrivingConnection<number>): Promise<void>;
}

/** The calls of the receiving loop to those that serve. */
export const takerBoundary: Boundary<Taker> = { take: {} };

/** The calls of the management side to a loop in another thread. */
export const loopBoundary: Boundary<Loop> = {
  change: {},
  follow: { memoryOfWords: ({ arrived }) => contentsOf(arrived), memoryOfResult: ({ left }) => contentsOf(left) },
  settled: {},
  opened: {},
  finish: {},
  release: {},
  serve: {},
  receive: {},
  route: {},
  reach: { memoryOfWords: (_loop, port) => [port] },
  listen: { memoryOfWords: (port) => [port] },
  state: {},
  counts: {},
  spaces: {},
  endSession: {},
  flush: {},
  reopen: {},
  snapshots: {},
  share: {},
  resetStatistics: {},
  stop: {},
};

/** The calls of a loop in another thread to the management side. */
export const hostBoundary: Boundary<LoopHost> = {
  log: {},
  look: {},
  apply: {},
  share: {},
};
