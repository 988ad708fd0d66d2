/** Types of the library that no record says: what a configuration is as a whole, and what objects and collections have in common. */

/** What is served, and what cannot be. */
export interface TcliStatus {
  /** Version of the tcli that has the configuration. */
  readonly version: string;
  /** Its process. */
  readonly pid: number;
  /** Every volume and portal that can be open is. */
  readonly serving: boolean;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** The file that `save` writes. */
  readonly saveFile: string;
  readonly storageObjects: number;
  readonly targets: number;
  /** Initiators that are logged in. */
  readonly sessions: number;
  /** Each address that a TPG wants, once. */
  readonly portals: readonly string[];
  /** Changes that are on disk and not in `saveFile`. */
  readonly unsavedOperations: number;
  /** What the saved file asked for and is not there, a line each. */
  readonly notRestored: readonly string[];
  /** Portals that could not be bound, volumes that could not be opened, and why, a line each. */
  readonly problems: readonly string[];
  /** What is not as the saved file has it, without harm, a line each. */
  readonly remarks: readonly string[];
}

/** What `save` did. */
export interface SaveResult {
  readonly path: string;
  /** The file that was there before is kept in `backup/`. */
  readonly backup: boolean;
}

/** The whole of a configuration, and what is done with it as a whole. */
export interface WholeConfiguration<C> {
  /** Everything, as `saveconfig.json` has it, secrets included. */
  configuration(): Promise<C>;
  /** What is served, and what cannot be. */
  status(): Promise<TcliStatus>;
  /** Writes `saveconfig.json`. Every change is on disk without it; the file is what LIO's tools read. */
  save(): Promise<SaveResult>;
  /** Stops serving what `openTcli` has opened, with volumes flushed and initiators told; leaves what `connectTcli` has reached. */
  close(): Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** An object of the tree: its name and its verbs, and nothing that could be out of date. */
export interface TreeObject<S> {
  /** Where it stands, as in the shell. */
  readonly path: string;
  /** What it is now, with all that stands in it, as `saveconfig.json` has it, secrets included. */
  read(): Promise<S>;
  /** Removes it, with all that stands in it. */
  delete(): Promise<void>;
}

/** Objects of one kind in one place. */
export interface Collection<O, Create, Names extends readonly unknown[]> {
  readonly path: string;
  /** Makes one. */
  create(params: Create): Promise<O>;
  /** The object of that name, without a look whether it is there. */
  at(...names: Names): O;
  /** Those that are there, in the order of the saved file. */
  list(): Promise<O[]>;
}

/** As `Collection`, where all of `create` can be left to the target. */
export interface OpenCollection<O, Create, Names extends readonly unknown[]> extends Collection<O, Create, Names> {
  /** Makes one. */
  create(params?: Create): Promise<O>;
}
