/**
 * The messages between programs and a running tcli over its control socket: docs/protocol.md. Plain data. The messages of a shell session
 * on the same connection are the front end's own: they pass through here unread.
 */

import { join } from 'node:path';
import type { Role } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import type { LogLevel } from '../log.ts';
import type { Operation, Value } from '../operations/operation.ts';
import type { GatewayStanding, UnitOwnership } from '../root/gateway.ts';
import type { LoginRefusal } from '../root/refusals.ts';
import type { SharingState } from '../root/shared-tree.ts';
import type { WhyAnswer, WhyQuestion } from '../root/why.ts';
import type { SampledTopic, SampleLists, SampleRow, WatchTopic } from './topics.ts';

/** The version grows when a message changes its meaning; new messages and new keys leave it as it is. */
export const protocolVersion = 1;

/** The number of changes that are listed to a person. */
const changesShown = 10;

/** The longest message, in bytes, in either direction. */
export const messageBytesMax = 16 << 20;

/** The path of a home's control socket. */
export const controlSocketOf = (home: Home): string => join(home.runDirectory, 'control.sock');

/** The client's first message. */
export interface Opening {
  readonly tcli: number;
  /** Opens a shell session on this connection. */
  readonly session?: SessionOpening;
}

/** The facts that a client tells when it opens a shell session. */
export interface SessionOpening {
  /** The path where the session starts; absent: where the last session left off. */
  readonly cwd?: string;
  /** The client's working directory: relative file names start there. */
  readonly workingDirectory?: string;
  /** Whether `exit` saves, when the preference auto_save_on_exit says so. */
  readonly saveOnExit?: boolean;
  /** Whether errors are shown without colour or prefix. */
  readonly bareErrors?: boolean;
  /** Whether the session is a person's shell: a process that a shell started, and that serves nothing, ends with the last of them. */
  readonly person?: boolean;
}

/** The words, behind `started`, for the ways in which a process that serves was started. */
export const starters = {
  shell: 'for a shell',
  command: 'by tcli daemon start',
  share: 'by tcli share',
  manager: 'by the service manager',
  hand: 'by tcli serve',
  program: 'by a program that uses the library',
} as const;

/** The starter of a process that serves. */
export interface StartedBy {
  readonly what: keyof typeof starters;
  /** The user's name, where it is known. */
  readonly user?: string;
}

/** The server's first message, or `Refusal`. */
export interface Welcome {
  readonly tcli: number;
  readonly version: string;
  readonly pid: number;
  readonly role: Role;
}

/** The server's last message. */
export interface ControlRefusal {
  readonly tcli: number;
  readonly error: string;
  readonly hint?: string;
  /** Present when the process ends. `restart`: another takes its place in a moment. */
  readonly ends?: 'stop' | 'restart';
}

/** The requests of a client. */
export type ControlRequest =
  | { readonly id: number; readonly do: 'status' }
  /** One change through the engine's one door. */
  | { readonly id: number; readonly do: 'apply'; readonly operation: Operation }
  /** Asks for the saved form of a path (of everything when it names none), secrets included. */
  | { readonly id: number; readonly do: 'configuration'; readonly path?: string }
  | { readonly id: number; readonly do: 'save'; readonly backups?: number }
  /** Ends the process: it answers, then closes the connection when it is done. */
  | {
      readonly id: number;
      readonly do: 'stop';
      /** Whether the process ends even while a program of this machine uses a LUN as a block device. */
      readonly force?: boolean;
      /** Whether another process serves in a moment, so that users of such a device wait. */
      readonly restarts?: boolean;
    }
  /** Asks for the present state of one topic. */
  | { readonly id: number; readonly do: SampledTopic }
  /** Asks for the initiators that were refused lately. */
  | { readonly id: number; readonly do: 'refusals' }
  /** Asks for the rules that an initiator meets when it logs in. */
  | ({ readonly id: number; readonly do: 'why' } & WhyQuestion)
  /** Asks for what is wrong with the configuration, or will be one day. */
  | { readonly id: number; readonly do: 'doctor' }
  /** Asks who serves what gateways share, or first changes it. */
  | ({ readonly id: number; readonly do: 'owners' } & OwnersWish)
  /** Begins to tell of topics, in messages with the same id. */
  | {
      readonly id: number;
      readonly do: 'watch';
      readonly of: readonly WatchTopic[];
      readonly everyMs?: number;
      readonly firstMs?: number;
      readonly level?: LogLevel;
    }
  | { readonly id: number; readonly do: 'unwatch'; readonly watch: number };

/** A change of who serves what; without one, it is only asked for. */
export type OwnersWish =
  | { readonly move: string; readonly to: string }
  /** Without a gateway: none is preferred any more. */
  | { readonly prefer: string; readonly to?: string }
  | { readonly drain: string; readonly on: boolean }
  | { readonly move?: never; readonly prefer?: never; readonly drain?: never };

/** The gateways, and who serves each unit that they share. */
export interface Owners {
  readonly gateways: readonly GatewayStanding[];
  readonly units: readonly UnitOwnership[];
}

/** A finding. `problem`: it does harm or will; `advice`: it may be meant so. Plain data. */
export interface DoctorFinding {
  readonly check: string;
  readonly level: 'problem' | 'advice';
  /** The words of the finding, in a line. */
  readonly says: string;
  /** The line to type that mends it; '' where no line does. */
  readonly mend: string;
}

/** A sample: its lists of rows stand beside these keys, by their names. */
export type SampleReply = {
  readonly is: SampledTopic;
  /** The time of the sample; ISO 8601, UTC. */
  readonly at: string;
  /** The time in milliseconds of a clock that only goes forward. */
  readonly atMs: number;
} & { readonly [list: string]: string | number | readonly SampleRow[] };

/** A message of a watch, besides its answer. A sample has the rows that have changed, and the keys of rows that are gone. */
export type WatchEvent =
  | (SampleReply & { readonly gone?: SampleLists })
  | {
      readonly is: 'log';
      readonly at: string;
      readonly level: LogLevel;
      readonly event: string;
      readonly detail: Readonly<Record<string, string | number | boolean>>;
    }
  | {
      readonly is: 'changes';
      readonly at: string;
      readonly operations: readonly (Operation & { readonly line: string })[];
    }
  | { readonly is: 'refusals'; readonly at: string; readonly refusal: LoginRefusal }
  /** The numbers, by topic, of messages that the reader has lost because it did not read. */
  | { readonly is: 'lost'; readonly lost: Readonly<Partial<Record<WatchTopic, number>>> };

/** The answers of the server. */
export type ControlReply =
  | { readonly id: number; readonly is: 'status'; readonly status: Status }
  | { readonly id: number; readonly is: 'applied'; readonly operation: Operation; readonly notes: readonly string[] }
  | { readonly id: number; readonly is: 'configuration'; readonly configuration: Value }
  | { readonly id: number; readonly is: 'saved'; readonly path: string; readonly backup: boolean }
  | { readonly id: number; readonly is: 'stopping' }
  | ({ readonly id: number } & SampleReply)
  | { readonly id: number; readonly is: 'refusals'; readonly refusals: readonly LoginRefusal[] }
  | ({ readonly id: number; readonly is: 'why' } & WhyAnswer)
  | { readonly id: number; readonly is: 'doctor'; readonly findings: readonly DoctorFinding[] }
  | ({ readonly id: number; readonly is: 'owners' } & Owners)
  | { readonly id: number; readonly is: 'watching'; readonly of: readonly WatchTopic[]; readonly everyMs: number }
  | { readonly id: number; readonly is: 'unwatched' }
  | { readonly id: number; readonly is: 'failed'; readonly error: string; readonly hint?: string };

/** The state of a running tcli. */
export interface Status {
  readonly version: string;
  readonly pid: number;
  readonly role: Role;
  readonly startedBy: StartedBy;
  /** Whether every volume and portal that can be open is. */
  readonly serving: boolean;
  /** The time of the start; ISO 8601, UTC. */
  readonly startedAt: string;
  readonly saveFile: string;
  /** The file of `serve --config`: changes that come from elsewhere are refused. Absent: there is none. */
  readonly config?: string;
  readonly storageObjects: number;
  readonly targets: number;
  readonly sessions: number;
  /** The addresses that TPGs want, each once. */
  readonly portals: readonly string[];
  readonly clients: number;
  /**
   * The way in which files and devices are reached where they have to be waited for: `io_uring`, or `threads` and why. Absent: none is
   * open.
   */
  readonly waiting?: string;
  /** The number of changes that are durable and not in saveconfig.json. */
  readonly unsavedOperations: number;
  /** The last of these changes, as lines without secrets, oldest first. */
  readonly latestOperations: readonly string[];
  /** Parts of the saved file that could not be restored. */
  readonly notRestored: readonly string[];
  /** Harmless differences from the saved file. */
  readonly remarks: readonly string[];
  /** Portals that could not be bound, volumes that could not be opened, and why. */
  readonly problems: readonly string[];
  /** The tree that this process shares with other gateways. */
  readonly cluster?: SharingState;
}

/** Lines for the changes that are not in saveconfig.json yet: the last ones, and the number of those before. */
export function listChanges(count: number, latest: readonly string[]): string[] {
  const shown = latest.slice(-changesShown);
  return count > shown.length ? [`… and ${count - shown.length} before`, ...shown] : shown;
}

/** A line that says which process serves, and what started it. */
export function served({ pid, role, startedBy: { what, user } }: Status): string {
  const of = user === undefined ? '' : ` (${user})`;
  if (role === 'shell') return `process ${pid}, a shell that serves itself${of}`;
  return `process ${pid}, started ${starters[what]}${of}`;
}

/** A line that says what is served, and where. */
export function summary({ targets, portals }: Pick<Status, 'targets' | 'portals'>): string {
  const where = portals.length > 0 ? ` on ${portals.join(', ')}` : '; no portals yet';
  return `Serving ${targets} ${targets === 1 ? 'target' : 'targets'}${where}`;
}
