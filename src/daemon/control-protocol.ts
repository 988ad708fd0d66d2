/**
 * What programs say to a running tcli over its control socket, and hear: docs/protocol.md. Plain data. The words of a
 * shell session on the same connection are the front end's own: they pass through here unread.
 */

import { join } from 'node:path';
import type { Role } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import type { LogLevel } from '../log.ts';
import type { Operation, Value } from '../operations/operation.ts';
import type { LoginRefusal } from '../root/refusals.ts';
import type { WhyAnswer, WhyQuestion } from '../root/why.ts';
import type { SampledTopic, SampleLists, SampleRow, WatchTopic } from './topics.ts';

/** Grows when a message changes its meaning; new messages and new keys leave it as it is. */
export const protocolVersion = 1;

/** How many changes are listed to a person. */
const changesShown = 10;

/** The longest message, in bytes, in either direction. */
export const messageBytesMax = 16 << 20;

/** Where the control socket of a home is. */
export const controlSocketOf = (home: Home): string => join(home.runDirectory, 'control.sock');

/** The client's first message. */
export interface Opening {
  readonly tcli: number;
  /** Opens a shell session on this connection. */
  readonly session?: SessionOpening;
}

/** What a client says of itself when it opens a shell session. */
export interface SessionOpening {
  /** The path where it starts; absent: where the last session left off. */
  readonly cwd?: string;
  /** Where the client stands: relative file names start there. */
  readonly workingDirectory?: string;
  /** `exit` saves, when the preference auto_save_on_exit says so. */
  readonly saveOnExit?: boolean;
  /** Errors are shown without colour or prefix. */
  readonly bareErrors?: boolean;
  /** A person's shell: a process that a shell started, and that serves nothing, ends with the last of them. */
  readonly person?: boolean;
}

/** How a process that serves was started, as it stands behind `started`. */
export const starters = {
  shell: 'for a shell',
  command: 'by tcli daemon start',
  share: 'by tcli share',
  manager: 'by the service manager',
  hand: 'by tcli serve',
  program: 'by a program that uses the library',
} as const;

/** Who started a process that serves. */
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
  /** The process ends. `restart`: another takes its place in a moment. */
  readonly ends?: 'stop' | 'restart';
}

/** What a client may ask. */
export type ControlRequest =
  | { readonly id: number; readonly do: 'status' }
  /** One change through the engine's one door. */
  | { readonly id: number; readonly do: 'apply'; readonly operation: Operation }
  /** What stands at a path (everything when it does not say), in saveconfig.json's form, secrets included. */
  | { readonly id: number; readonly do: 'configuration'; readonly path?: string }
  | { readonly id: number; readonly do: 'save'; readonly backups?: number }
  /** Ends the process: it answers, then closes the connection when it is done. */
  | {
      readonly id: number;
      readonly do: 'stop';
      /** Also while somebody of this machine uses a LUN as a block device. */
      readonly force?: boolean;
      /** Another process serves in a moment: whoever uses such a device waits. */
      readonly restarts?: boolean;
    }
  /** What one of the topics is like now. */
  | { readonly id: number; readonly do: SampledTopic }
  /** Who was refused lately. */
  | { readonly id: number; readonly do: 'refusals' }
  /** What an initiator meets that wants to log in. */
  | ({ readonly id: number; readonly do: 'why' } & WhyQuestion)
  /** Begins to tell, in messages with the same id, what is wanted. */
  | {
      readonly id: number;
      readonly do: 'watch';
      readonly of: readonly WatchTopic[];
      readonly everyMs?: number;
      readonly level?: LogLevel;
    }
  | { readonly id: number; readonly do: 'unwatch'; readonly watch: number };

/** A sample: its lists of rows stand beside these, by their names. */
export type SampleReply = {
  readonly is: SampledTopic;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Milliseconds of a clock that only goes forward. */
  readonly atMs: number;
} & { readonly [list: string]: string | number | readonly SampleRow[] };

/** What comes of a watch, besides its answer. In samples are the rows that have changed, and what named those that are gone. */
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
  /** How much of each topic the reader has lost, since it did not read. */
  | { readonly is: 'lost'; readonly lost: Readonly<Partial<Record<WatchTopic, number>>> };

/** What the server answers. */
export type ControlReply =
  | { readonly id: number; readonly is: 'status'; readonly status: Status }
  | { readonly id: number; readonly is: 'applied'; readonly operation: Operation; readonly notes: readonly string[] }
  | { readonly id: number; readonly is: 'configuration'; readonly configuration: Value }
  | { readonly id: number; readonly is: 'saved'; readonly path: string; readonly backup: boolean }
  | { readonly id: number; readonly is: 'stopping' }
  | ({ readonly id: number } & SampleReply)
  | { readonly id: number; readonly is: 'refusals'; readonly refusals: readonly LoginRefusal[] }
  | ({ readonly id: number; readonly is: 'why' } & WhyAnswer)
  | { readonly id: number; readonly is: 'watching'; readonly of: readonly WatchTopic[]; readonly everyMs: number }
  | { readonly id: number; readonly is: 'unwatched' }
  | { readonly id: number; readonly is: 'failed'; readonly error: string; readonly hint?: string };

/** What a running tcli is and does. */
export interface Status {
  readonly version: string;
  readonly pid: number;
  readonly role: Role;
  readonly startedBy: StartedBy;
  /** Every volume and portal that can be open is. */
  readonly serving: boolean;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly saveFile: string;
  readonly storageObjects: number;
  readonly targets: number;
  readonly sessions: number;
  /** Each address that a TPG wants, once. */
  readonly portals: readonly string[];
  readonly clients: number;
  /** How files and devices are reached where they have to be waited for: `io_uring`, or `threads` and why. Absent: none is open. */
  readonly waiting?: string;
  /** Changes that are durable and not in saveconfig.json. */
  readonly unsavedOperations: number;
  /** The last of them, as lines without secrets, oldest first. */
  readonly latestOperations: readonly string[];
  /** What the saved file asked for and is not there. */
  readonly notRestored: readonly string[];
  /** What is not as the saved file has it, without harm. */
  readonly remarks: readonly string[];
  /** Portals that could not be bound, volumes that could not be opened, and why. */
  readonly problems: readonly string[];
}

/** Lines for what is not in saveconfig.json yet: the last changes, and how many came before them. */
export function listChanges(count: number, latest: readonly string[]): string[] {
  const shown = latest.slice(-changesShown);
  return count > shown.length ? [`… and ${count - shown.length} before`, ...shown] : shown;
}

/** In a line: which process serves, and who started it. */
export function served({ pid, role, startedBy: { what, user } }: Status): string {
  const of = user === undefined ? '' : ` (${user})`;
  if (role === 'shell') return `process ${pid}, a shell that serves itself${of}`;
  return `process ${pid}, started ${starters[what]}${of}`;
}

/** In a line: what is served, and where. */
export function summary({ targets, portals }: Pick<Status, 'targets' | 'portals'>): string {
  const where = portals.length > 0 ? ` on ${portals.join(', ')}` : '; no portals yet';
  return `Serving ${targets} ${targets === 1 ? 'target' : 'targets'}${where}`;
}
