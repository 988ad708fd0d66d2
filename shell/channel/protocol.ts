/**
 * The messages between a front end (a terminal, a script, a program) and the shell session behind it. Plain data only: it crosses a
 * function call, a worker's message port or a socket alike. Requests carry an id of the front end's choosing, from 1; every reply names
 * the request that it belongs to, and `done` or `completions` ends it.
 */

import type { Status } from '../../src/client.ts';

/** The facts that the session must know of the place that its output goes to. */
export interface Terminal {
  /** 132 where there is no terminal, as targetcli has it. */
  readonly columns: number;
  readonly color: boolean;
  /** Whether a person sits there, so that questions may be asked and hints given. */
  readonly interactive: boolean;
  /** Whether the place can show a live view (`TopQuestion`). */
  readonly live?: boolean;
}

/** The requests of a front end to its session. */
export type ShellRequest =
  /** Sets or changes the terminal (first request, and after a resize). */
  | { readonly id: number; readonly do: 'terminal'; readonly terminal: Terminal }
  | { readonly id: number; readonly do: 'run'; readonly line: string }
  | { readonly id: number; readonly do: 'complete'; readonly line: string; readonly cursor: number }
  /** The answer to a `question`; null: the person cancelled it. */
  | { readonly id: number; readonly do: 'answer'; readonly answer: string | null }
  /** Ctrl-C: the running line ends as soon as it can. */
  | { readonly id: number; readonly do: 'interrupt' };

/** The id of output that no request asked for: notices of the engine to a person. */
export const NOTICE = 0;

/** The replies of a session. */
export type ShellReply =
  /** A piece of output, newlines included; `error` goes to standard error. */
  | { readonly id: number; readonly is: 'output'; readonly stream: 'output' | 'error'; readonly text: string }
  /** A question to the person, in the middle of `run`. */
  | { readonly id: number; readonly is: 'question'; readonly question: Question | ClientQuestion }
  /** The request is over. `exit`: the line asked to leave the shell. */
  | {
      readonly id: number;
      readonly is: 'done';
      readonly ok: boolean;
      readonly exit: boolean;
      readonly state: SessionState;
    }
  | { readonly id: number; readonly is: 'completions'; readonly completion: LineCompletion };

/**
 * Asks the program of whoever types, and not him, what is in a file, which is opened with his rights, or what a variable of its
 * environment is. The answer is JSON, `{"text": …}`, with `warning` where the person should know of something, or `{"error": …}`.
 */
export type ClientQuestion =
  /** `secret`: the answer has a `warning` when others may read the file. */
  | { readonly kind: 'file'; readonly path: string; readonly secret?: true }
  | { readonly kind: 'variable'; readonly name: string };

/** The words of the error when a file or a variable cannot be had. */
export interface AskedWords {
  /** The words for the thing that cannot be read. Absent: the path of the file, or the name of the variable. */
  readonly what?: string;
  readonly hint?: string;
}

/** The answer to a `TopQuestion` where what is printed goes elsewhere: into a file, or through grep. */
export const asLines = 'lines';

/** Not a question but a view, of which the front end is told; the answer is null, why it ended by itself, or `asLines`. */
export interface TopQuestion {
  readonly kind: 'top';
  readonly message: string;
  readonly view: 'luns' | 'disks' | 'initiators' | 'portals';
  readonly sort: string;
  readonly filter: string;
  readonly everyMs: number;
}

/** A question to the person in the middle of a line. */
export type Question =
  | TopQuestion
  /** The answer is the chosen item's value. */
  | {
      readonly kind: 'select';
      readonly message: string;
      readonly choices: readonly { value: string; label: string }[];
      readonly initial: string;
    }
  /** The answer is `yes` or `no`. */
  | { readonly kind: 'confirm'; readonly message: string }
  /** The answer is a secret: nothing of it is shown, and at a terminal it is typed twice. */
  | { readonly kind: 'secret'; readonly message: string };

/** The facts that a prompt shows and a front end remembers. */
export interface SessionState {
  /** `/iscsi/iqn.20...456789ab/tpg1> `, shortened as the preference says. */
  readonly prompt: string;
  readonly path: string;
  /** Whether output that is taller than a person's screen is shown page by page. */
  readonly pager: boolean;
}

/** The words that can stand at the cursor. */
export interface LineCompletion {
  /** Where the word being completed starts in the line; candidates replace line[from … cursor]. */
  readonly from: number;
  readonly candidates: readonly Candidate[];
  /** A note about the word that is being typed: a size in bytes. */
  readonly note?: string;
  /** The part of the line that is unknown, and cannot become a known word any more. */
  readonly unknown?: readonly [from: number, to: number];
}

/** A word that can stand at the cursor. */
export interface Candidate {
  /** The word as it stands in the line afterwards. */
  readonly text: string;
  readonly kind: 'path' | 'command' | 'parameter' | 'keyword' | 'bookmark';
  /** One line of help, '' when there is none. */
  readonly help: string;
  /** Whether the word is complete, so that a blank may follow. */
  readonly final: boolean;
  /** The colour that the preferences give it; absent for none. */
  readonly color?: string;
}

/** A session, as its server sees it: `ShellSession`, or a test's. */
export interface ShellBackend {
  readonly state: SessionState;
  run(line: string, to: OutputSink, signal: AbortSignal): Promise<{ ok: boolean; exit: boolean }>;
  complete(line: string, cursor: number): Promise<LineCompletion>;
  setTerminal(terminal: Terminal): void;
}

/** The answer to Ctrl-Z where the engine is in the process that it would stop. */
export const cannotStop =
  'Ctrl-Z would stop what this shell serves, so it does nothing.\nTo serve without the shell: exit, then tcli daemon start';

/** Words that leave a shell which has nobody to ask. */
export const leaving: readonly string[] = ['exit', 'quit', 'logout'];

/** The front end's view of a session, wherever the session lives. */
export interface ShellClient {
  readonly state: SessionState;
  /** Whether the engine is in this process: stopping the process (Ctrl-Z) would stop the targets. */
  readonly hosted?: boolean;
  /** Resolves when the session was lost without being closed; absent where that cannot happen (the same thread). */
  readonly lost?: Promise<Error>;
  /** The status of the process behind the session; absent where there is none. */
  status?(): Promise<Status>;
  /** Sets the receiver of the engine's notices, those from before included; absent where there are none. */
  notices?(to: (text: string) => void): void;
  /** Runs a line. @returns whether the line succeeded, and whether it asked to leave */
  run(line: string, to: OutputSink): Promise<{ ok: boolean; exit: boolean }>;
  complete(line: string, cursor: number): Promise<LineCompletion>;
  setTerminal(terminal: Terminal): void;
  interrupt(): void;
  /** Ends the session; every acknowledged change is durable. */
  close(): Promise<void>;
}

/** The place that a line prints to, and that answers its questions. */
export interface OutputSink {
  write(text: string, stream: 'output' | 'error'): void;
  ask(question: Question): Promise<string | null>;
  /** The answer of the program in which the line was typed. Absent: that program is this process. */
  read?(question: ClientQuestion): Promise<string | null>;
}
