/**
 * One event loop that serves a part of the tree: storage objects with their volumes, and targets with their sessions
 * (law 7 of docs/architecture.md). The management side speaks to it through this alone, be it the same thread
 * (local-loop.ts) or a worker (worker-loop.ts). One of the loops receives: initiators of all targets come to it first.
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
import type { SpaceState } from './spaces.ts';

/** Which part of the tree is whose, by path: of storage objects and of targets. */
export interface Assignment {
  readonly gained: readonly string[];
  readonly lost: readonly string[];
}

/** A storage object or a target that a loop has let go of: another may have it now. Plain data. */
export interface LeftUnit {
  readonly path: string;
  /** A storage object that goes on elsewhere, as it left. */
  readonly moving?: {
    readonly wwn: string;
    /** Undefined: it was lost on the way, and with it what memory held, if this says so in a line. */
    readonly state: CarriedUnit | undefined;
    readonly contentsLost?: string | undefined;
  };
}

/** What other loops have to do with the paths of this one. */
export interface Elsewhere {
  /** What they have let go of since the last call. */
  readonly arrived: readonly LeftUnit[];
  /** All that they have not let go of yet. */
  readonly awaited: readonly string[];
}

/** The memory that goes along with storage objects, rather than being copied. */
const contentsOf = (left: readonly LeftUnit[]): ArrayBuffer[] =>
  left.flatMap(({ moving }) => (moving?.state?.contents ?? []).map(([, bytes]) => bytes.buffer));

/** What a loop found while it followed the tree, as far as it was not told before. Plain data. */
export interface Facts {
  readonly storageObjects: readonly {
    readonly path: string;
    /** Why the volume is not open, in a line. */
    readonly missing: string | undefined;
    /** Bytes, when it is. */
    readonly size: number | undefined;
    /** Attributes that the medium decides. */
    readonly found: Readonly<Record<string, number>>;
  }[];
  /** What it has let go of. */
  readonly left: readonly LeftUnit[];
  /** LUNs that are not served or attached as the tree wants it; each time all of them. */
  readonly luns: readonly { readonly path: string; readonly message: string; readonly hint: string | undefined }[];
  /** Portals that the receiving loop cannot open, and why, in a line; each time all of them. */
  readonly portals: readonly { readonly path: string; readonly problem: string }[];
}

/** FORMAT UNIT or SANITIZE of a storage object. */
export interface WorkState {
  readonly path: string;
  readonly command: string;
  /** Nobody reads what the medium holds until it is formatted or sanitized again. */
  readonly failed: boolean;
  /** How much of it is done: 0 to 1. */
  readonly progress: number;
}

/** Writes of a storage object that were acknowledged and may not be on its medium. */
export interface LossState {
  readonly path: string;
  /** Undefined where nobody can say how many. */
  readonly bytes: number | undefined;
  /** The system error of the flush that failed. */
  readonly reason: string;
}

/** A storage object whose medium has, or had, commands for long. */
export interface OverdueState {
  readonly path: string;
  /** How many it has for long now. */
  readonly commands: number;
  /** How long it has had the oldest; 0 when there is none. */
  readonly seconds: number;
  /** How many there were since the loop began. */
  readonly total: number;
}

/** As whom its medium knows a storage object, where that has a lock which we hold. Plain data. */
interface ClientState {
  readonly path: string;
  /** What whoever takes the medium over shuts out. */
  readonly client: string;
  /** Somebody has: it is not served here any more. */
  readonly isShutOut: boolean;
}

/** What goes on in a loop. Plain data. */
export interface LoopState {
  readonly sessions: readonly SessionInfo[];
  readonly work: readonly WorkState[];
  readonly losses: readonly LossState[];
  readonly overdue: readonly OverdueState[];
  readonly clients: readonly ClientState[];
  readonly holds: readonly UnitHold[];
  /** How it reaches what it has to wait for (`wayOfWaiting`). */
  readonly waiting: string | undefined;
  readonly load: LoopLoad;
}

/** What a loop did since it began, or since a reset. Plain data. */
export interface LoopCounts {
  readonly storageObjects: readonly ObjectCounts[];
  /** What went through LUNs: an entry for each way that was taken. */
  readonly ways: readonly WayTraffic[];
}

interface ObjectCounts {
  readonly path: string;
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** How busy a loop is. */
export interface LoopLoad {
  /** Share of the time, since the last question, in which the loop was not idle: 0 to 1. */
  readonly busy: number;
  /** How late timers came since the last question, in milliseconds: the median, and one in a hundred. */
  readonly lagMs: number;
  readonly lagMs99: number;
}

/** Whether what could not be opened before is tried again: with growing pauses, or at once. */
export type Again = 'no' | 'when it is time' | 'now';

/** A loop as the management side sees it. */
export interface Loop {
  /**
   * The tree has changed by these operations; `undefined` takes the last change back. What is not this loop's any more is let go of.
   * @returns what it had and is letting go of: `follow` says when that is over
   * @throws OperatorError when the change cannot be made here; nothing was changed then
   */
  change(operations: readonly Operation[] | undefined, assignment: Assignment): Promise<string[]>;
  /**
   * Opens what is this loop's and not open, and makes what runs equal to what the tree says. Nobody outside of this process
   * is waited for: what takes its time is only begun.
   */
  follow(elsewhere: Elsewhere, again: Again): Promise<Facts>;
  /**
   * Resolves when all that was begun since the last call has ended, or takes too long to be waited for: then
   * `LoopHost.look` asks for another `follow` when it has.
   * @returns whether there was anything, so that `follow` finds its outcome
   */
  settled(): Promise<boolean>;
  /** Resolves when no volume is being opened any more. */
  opened(): Promise<void>;
  /** The last change is durable. */
  finish(): Promise<void>;
  /** Closes what the last change has left over. Others may be made meanwhile. */
  release(): Promise<void>;
  /** From now on, what is this loop's is served. */
  serve(): Promise<void>;
  /**
   * Initiators of all targets come to this loop from now on: `follow` opens and closes their portals.
   * @param sockets descriptors of sockets that listen already, as in `ReceptionContext`
   * @param lastId the highest number that a connection of this process was given
   */
  receive(sockets: readonly number[], lastId: number): Promise<void>;
  /**
   * For the loop that receives: connections for these targets go to the loop of that number from now on; undefined: they wait.
   * Resolves when none is on an earlier way.
   */
  route(targets: readonly string[], to: number | undefined): Promise<void>;
  /** For the loop that receives: another loop is behind `port`. */
  reach(loop: number, port: MessagePort): Promise<void>;
  /** Takes the connections that the receiving loop sends through `port`. */
  listen(port: MessagePort): Promise<void>;
  state(): Promise<LoopState>;
  counts(): Promise<LoopCounts>;
  /** What its storage objects take of their media, and what is left there; of one alone where its path is given. */
  spaces(path?: string): Promise<SpaceState[]>;
  /** @returns false when the loop has no session of this number */
  endSession(fabric: string, id: number, why: string): Promise<boolean>;
  /** Flushes the medium of a storage object, if this loop has it open. Rejects when that fails. */
  flush(path: string): Promise<void>;
  /**
   * Begins to close the medium of a storage object; `follow` opens it again. What may be lost is forgotten.
   * @param over a holder of the medium that is shut out although it lives, as in `Claim`
   * @returns false when it is not this loop's
   */
  reopen(path: string, over?: string): Promise<boolean>;
  /**
   * Carries out what is asked of a storage object's snapshots. Rejects with an OperatorError.
   * @returns those that there are then; undefined when the storage object is not this loop's
   */
  snapshots(path: string, request: SnapshotRequest): Promise<readonly Snapshot[] | undefined>;
  resetStatistics(): Promise<void>;
  /** Closes portals, ends sessions, flushes and closes volumes. */
  stop(): Promise<void>;
}

/** What a loop asks of the management side. */
export interface LoopHost {
  log(record: LogRecord): void;
  /** Something has happened by itself, which `follow` will find. */
  look(): void;
  /** Carries out what an initiator asks for. Rejects when that is refused. */
  apply(operation: Operation): Promise<void>;
}

/** What the loop that receives calls of the others, through a port straight to each. */
export interface Taker {
  /**
   * Takes a connection that has named a target of this loop: the descriptor is the loop's from now on. Rejects when it
   * cannot, and the descriptor is as it was.
   */
  take(fabric: string, arrival: ArrivingConnection<number>): Promise<void>;
}

/** What the receiving loop may call of those that serve. */
export const takerBoundary: Boundary<Taker> = { take: {} };

/** What the management side calls of a loop in another thread. */
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
  resetStatistics: {},
  stop: {},
};

/** What a loop in another thread calls of the management side. */
export const hostBoundary: Boundary<LoopHost> = {
  log: { unanswered: true },
  look: { unanswered: true },
  apply: {},
};
