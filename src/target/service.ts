/** The service of a fabric: one record in fabric/, and the engine and the reception that a running process starts from it. */

import type { Socket } from 'node:net';
import type { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Fabric } from './fabric.ts';
import type { FabricState, Lun, Portal, Target, Tpg } from './target.ts';
import type { Traffic } from './traffic.ts';

export interface Service {
  readonly fabric: Fabric;
  /** The way by which this machine reaches LUNs without an initiator. Absent: only initiators reach them. */
  readonly local?: {
    /** The URI that a client of this machine opens. */
    uri(lun: Lun, runDirectory: string): string;
    /** The block device that an attached LUN is, undefined when there is none. */
    device(lun: Lun, runDirectory: string): string | undefined;
  };
  /** Lines that tell clients of this machine how to reach a target, each under its title; absent where a target is reached over a network. */
  readonly clientLines?: (target: Target, runDirectory: string) => Readonly<Record<string, string>>;
  /** Starts serving in an event loop. */
  readonly start: (state: FabricState, context: EngineContext) => Promise<FabricEngine>;
  /** The verdict of each rule of a login. Absent: nobody logs in. */
  readonly examine?: (state: FabricState, tpg: Tpg, comer: Comer) => Promise<Verdict[]>;
  /** Starts the reception, to which initiators of all targets come first. Absent: each target has a way in of its own. */
  readonly receive?: (state: FabricState, context: ReceptionContext) => Promise<FabricReception>;
}

/** An initiator that may want to log in. */
export interface Comer {
  /** The name of the initiator, as normalised: lower case. */
  readonly initiatorName: string;
  /** The initiator's address, without brackets; undefined where nobody knows. */
  readonly address: string | undefined;
  /** The clock on the wall, in milliseconds since 1970. */
  readonly date: number;
  /** The number of connections that are open in the thread that serves the target. */
  readonly connections: number;
}

/** The verdict of one rule on an initiator. Plain data. */
export interface Verdict {
  readonly rule: string;
  /** The outcome. `depends`: on a fact that only the initiator knows or has. */
  readonly outcome: 'passes' | 'depends' | 'refuses';
  /** The words of the verdict, in a line. */
  readonly says: string;
  /** The line to type that changes the outcome. */
  readonly mend?: string;
}

/** The functions of its loop that an engine may use. */
export interface EngineContext {
  readonly log: Log;
  /** The directory for sockets. It need not exist yet. */
  readonly runDirectory: string;
  /** Whether a target of the tree is this loop's to serve. */
  serves(target: Target): boolean;
  /** Notes work that `reconcile` has begun, which never rejects: when it has ended, `reconcile` is called again. */
  begun(work: Promise<unknown>): void;
}

/** The functions of its loop that a reception may use. */
export interface ReceptionContext {
  readonly log: Log;
  /** Descriptors of listening sockets that the service manager opened: a portal with the same address takes one over. */
  readonly sockets?: readonly number[];
  /** The highest number that a connection was given before; 0 when absent. */
  readonly lastId?: number;
  /** Gives a connection to the loop that serves `target`. */
  handOver(target: Target, arrival: ArrivingConnection<Socket>): void;
}

/** The addresses of both ends, without brackets. */
export interface Addresses {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** A connection that has named its target, on its way to the loop that serves it. Plain data but for the socket. */
export interface ArrivingConnection<S = Socket | number> {
  /** The number of the connection, for people: it counts up in this process. */
  readonly id: number;
  readonly ends: Addresses;
  /** The socket, paused; or its file descriptor. */
  readonly socket: S;
  /** Every byte that was received so far: the loop goes on as if it had received them itself. */
  readonly received: Uint8Array;
  /** The number of bytes of answers that were sent already. */
  readonly sent: number;
  readonly targetName: string;
  readonly tpgTag: number;
  /** The portal that the connection came through, as the tree names it. */
  readonly portal: string;
  /** Address and port of the target's portals, and the port that each listens on. */
  readonly boundPorts: readonly (readonly [address: string, port: number, bound: number | undefined])[];
}

/** The reception of a fabric, to which the initiators of all targets come first. It follows the tree, as engines do. */
export interface FabricReception {
  /** Opens and closes portals. It never throws for one that cannot be opened: `portalProblem` says so. */
  reconcile(): Promise<void>;
  /** The reason, in a line, why a portal is not served; undefined when it is (or when its TPG needs none). */
  portalProblem(portal: Portal): string | undefined;
  /** The discovery sessions, which belong to no target. */
  sessions(): SessionInfo[];
  endSession(id: number, why: string): boolean;
  /** Closes every portal and every connection that has not gone on to a target. */
  stop(): Promise<void>;
}

/** The engine by which one event loop serves a fabric. It follows the tree. */
export interface FabricEngine {
  /**
   * Makes sessions equal to the tree: ends those that access no longer admits, and tells the others what changed. Called after every
   * operation. It waits for no other process.
   */
  reconcile(): Promise<void>;
  /** Resolves when nothing is left of a target that is not served any more. Absent: `reconcile` leaves nothing. */
  ended?(path: string): Promise<void>;
  /** Takes a connection over from the reception. */
  take?(arrival: ArrivingConnection): void;
  /** The reason why a LUN is not served, not attached or not detached, as the tree wants it; undefined when it is. */
  lunProblem?(lun: Lun): OperatorError | undefined;
  sessions(): SessionInfo[];
  /** The number of commands that are not answered yet, by the traffic that will count them. Absent: nobody can say. */
  inFlight?(): ReadonlyMap<Traffic, number>;
  /** Ends a session; its initiator may come back. @returns false when no session has this number */
  endSession?(id: number, why: string): boolean;
  /** Sets the traffic of sessions to zero. */
  resetTraffic?(): void;
  /** Ends every session. */
  stop(): Promise<void>;
}

/** The facts of a session that `sessions` shows. Plain data. */
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
  /** The negotiated values, by the names of the fabric's `sessionParameters`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** The traffic; absent where a fabric does not count. */
  readonly traffic?: Readonly<Traffic>;
  /** The number of SCSI commands that are not answered yet. */
  readonly outstanding?: number;
  /** RFC 7143 4.2.2.1: the next CmdSN, and the last that there is room for. */
  readonly window?: { readonly expCmdSn: number; readonly maxCmdSn: number };
  readonly connections: readonly {
    readonly cid: number;
    readonly state: string;
    readonly address: string;
    /** The portal that the connection came through, where that is one of the target's. */
    readonly portal?: string;
    readonly transport: 'TCP' | 'vhost-user';
  }[];
}
