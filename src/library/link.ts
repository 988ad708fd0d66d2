/** The link of the library to a configuration: in this process (own.ts), or in one that serves it (remote.ts). */

import type { SaveResult, TcliStatus } from './shapes.ts';

/** One change, as docs/protocol.md has it. */
interface AskedChange {
  readonly path: string;
  readonly verb: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The requests of the library to the owner of the configuration. A refusal rejects with an `OperatorError`. */
export interface ConfigurationLink {
  /** Applies an operation. @returns the parameters as they were carried out, and lines for people */
  apply(
    change: AskedChange,
  ): Promise<{ readonly params: Readonly<Record<string, unknown>>; readonly notes: readonly string[] }>;
  configuration(path: string): Promise<unknown>;
  status(): Promise<TcliStatus>;
  save(): Promise<SaveResult>;
  close(): Promise<void>;
}
