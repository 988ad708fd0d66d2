/** What serves a fabric: one record in fabric/, and the engine and the reception that a running process starts from it. */

import type { Socket } from 'node:net';
import type { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Fabric } from './fabric.ts';
import type { FabricState, Lun, Portal, Target, Tpg } from './target.ts';
import type { Traffic } from './traffic.ts';

export interface Service {
  readonly fabric: Fabric;
  /** How this machine reaches its LUNs without an initiator. Absent: only initiators do. */
  readonly local?: {
    /** What a client of this machine opens. */
    uri(lun: Lun, runDirectory: string): string;
    /** The block device that an attached LUN is, undefined when there is none. */
    device(lun: Lun, runDirectory: string): string | undefined;
  };
  /** What clients of this machine are told of a target, by what it is; absent where a target is reached over a network. */
  readonly clientLines?: (target: Target, runDirectory: string) => Readonly<Record<string, string>>;
  /** Starts serving in an event loop. */
  readonly start: (state: FabricState, context: EngineContext) => Promise<FabricEngine>;
  /** What a login would come to, rule by rule. Absent: nobody logs in. */
  readonly examine?: (state: FabricState, tpg: Tpg, comer: Comer) => Promise<Verdict[]>;
  /** Starts what initiators of all targets come to first. Absent: each target has a way in of its own. */
  readonly receive?: (state: FabricState, context: ReceptionContext) => Promise<FabricReception>;
}

/** An initiator that may want to log in. */
export interface Comer {
  /** As normalised: lower case. */
  readonly initiatorName: string;
  /** Where it comes from, without brackets; undefined where nobody knows. */
  readonly address: string | undefined;
  /** How many connections are open in the thread that serves the target. */
  readonly connections: number;
}

/** What one rule says to an initiator. Plain data. */
export interface Verdict {
  readonly rule: string;
  /** `depends`: on what only the initiator knows or has. */
  readonly outcome: 'passes' | 'depends' | 'refuses';
  /** In a line. */
  readonly says: string;
  /** The line that changes it. */
  readonly mend?: string;
}

/** What an engine is given by its loop. */
export interface EngineContext {
  readonly log: Log;
  /** Where sockets may be made. It need not exist yet. */
  readonly runDirectory: string;
  /** Whether a target of the tree is this loop's to serve. */
  serves(target: Target): boolean;
  /** Takes note of something that `reconcile` has begun, which never rejects: when it has ended, `reconcile` is called again. */
  begun(work: Promise<unknown>): void;
}

/** What a reception is given by its loop. */
export interface ReceptionContext {
  readonly log: Log;
  /** Descriptors of listening sockets that the service manager opened: a portal with the same address takes one over. */
  readonly sockets?: readonly number[];
  /** The highest number that a connection was given before; 0 when absent. */
  readonly lastId?: number;
  /** Gives a connection to the loop that serves `target`. */
  handOver(target: Target, arrival: ArrivingConnection<Socket>): void;
}

/** Addresses without brackets. */
export interface Addresses {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** A connection that has named its target, on its way to the loop that serves it. Plain data but for the socket. */
export interface ArrivingConnection<S = Socket | number> {
  /** For people: counts up in this process. */
  readonly id: number;
  readonly ends: Addresses;
  /** Paused; or its file descriptor. */
  readonly socket: S;
  /** Every byte that was received so far: the loop goes on as if it had received them itself. */
  readonly received: Uint8Array;
  /** How many bytes of the answers to it were sent already. */
  readonly sent: number;
  readonly targetName: string;
  readonly tpgTag: number;
  /** The portal that it came through, as the tree names it. */
  readonly portal: string;
  /** Address and port of the target's portals, and the port that each listens on. */
  readonly boundPorts: readonly (readonly [address: string, port: number, bound: number | undefined])[];
}

/** What the initiators of all targets come to first. The tree says what is wanted, and the reception follows it, as engines do. */
export interface FabricReception {
  /** Opens and closes portals. It never throws for one that cannot be opened: `portalProblem` says so. */
  reconcile(): Promise<void>;
  /** Why a portal is not served, in a line; undefined when it is (or when its TPG needs none). */
  portalProblem(portal: Portal): string | undefined;
  /** Discovery sessions: they belong to no target. */
  sessions(): SessionInfo[];
  endSession(id: number, why: string): boolean;
  /** Closes every portal and what has not gone on to a target. */
  stop(): Promise<void>;
}

/** A fabric as one event loop serves it. The tree says what is wanted, and the engine follows it. */
export interface FabricEngine {
  /**
   * Makes what runs equal to what the tree says now: ends sessions that access no longer admits, tells the others what
   * changed. Called after every operation. Nobody outside of this process is waited for.
   */
  reconcile(): Promise<void>;
  /** Resolves when nothing is left of a target that is not served any more. Absent: `reconcile` leaves nothing. */
  ended?(path: string): Promise<void>;
  /** Takes a connection over from the reception. */
  take?(arrival: ArrivingConnection): void;
  /** Why a LUN is not served, not attached or not detached, as the tree wants it; undefined when it is. */
  lunProblem?(lun: Lun): OperatorError | undefined;
  sessions(): SessionInfo[];
  /** Commands that are not answered yet, by what they will be counted in when they are. Absent: nobody can say. */
  inFlight?(): ReadonlyMap<Traffic, number>;
  /** Ends a session; its initiator may come back. @returns false when there is none with this number */
  endSession?(id: number, why: string): boolean;
  /** The traffic of sessions counts from zero again. */
  resetTraffic?(): void;
  /** Ends every session. */
  stop(): Promise<void>;
}

/** A session as `sessions` shows it. Plain data. */
export interface SessionInfo {
  readonly id: number;
  readonly fabric: string;
  readonly targetWwn: string;
  readonly tpgTag: number;
  readonly initiatorWwn: string;
  readonly initiatorAlias: string;
  readonly type: 'Normal' | 'Discovery';
  readonly state: string;
  readonly authenticated: boolean;
  /** Whether an explicit ACL admitted it. */
  readonly acl: boolean;
  /** What was negotiated, by the names of the fabric's `sessionParameters`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Absent where a fabric does not count. */
  readonly traffic?: Readonly<Traffic>;
  /** SCSI commands that are not answered yet. */
  readonly outstanding?: number;
  /** RFC 7143 4.2.2.1: the next CmdSN, and the last that there is room for. */
  readonly window?: { readonly expCmdSn: number; readonly maxCmdSn: number };
  readonly connections: readonly {
    readonly cid: number;
    readonly state: string;
    readonly address: string;
    /** The portal that it came through, where that is one of the target's. */
    readonly portal?: string;
    readonly transport: 'TCP' | 'vhost-user';
  }[];
}
