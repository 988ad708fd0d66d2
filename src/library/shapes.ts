/** Types of the library that no record says: a configuration as a whole, and the common part of objects and collections. */

/** The state of the process that serves. */
export interface TcliStatus {
  /** Version of the tcli that has the configuration. */
  readonly version: string;
  /** The number of its process. */
  readonly pid: number;
  /** Whether every volume and portal that can be open is. */
  readonly serving: boolean;
  /** The time of the start; ISO 8601, UTC. */
  readonly startedAt: string;
  /** The file that `save` writes. */
  readonly saveFile: string;
  readonly storageObjects: number;
  readonly targets: number;
  /** The number of initiators' sessions. */
  readonly sessions: number;
  /** The addresses that TPGs want, each once. */
  readonly portals: readonly string[];
  /** The number of changes that are on disk and not in `saveFile`. */
  readonly unsavedOperations: number;
  /** Parts of the saved file that could not be restored, a line each. */
  readonly notRestored: readonly string[];
  /** Portals that could not be bound, volumes that could not be opened, and why, a line each. */
  readonly problems: readonly string[];
  /** Harmless differences from the saved file, a line each. */
  readonly remarks: readonly string[];
}

/** The result of `save`. */
export interface SaveResult {
  readonly path: string;
  /** Whether the old file is kept in `backup/`. */
  readonly backup: boolean;
}

/** A configuration as a whole. */
export interface WholeConfiguration<C> {
  /** The whole configuration, as `saveconfig.json` has it, secrets included. */
  configuration(): Promise<C>;
  /** The state of the process that serves. */
  status(): Promise<TcliStatus>;
  /** Writes `saveconfig.json`. Every change is on disk without it; the file is what LIO's tools read. */
  save(): Promise<SaveResult>;
  /** Stops serving what `openTcli` has opened, with volumes flushed and initiators told; leaves what `connectTcli` has reached. */
  close(): Promise<void>;
  /** Closes, as `close` does. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** An object of the tree: its name and its verbs, and nothing that could be out of date. */
export interface TreeObject<S> {
  /** The path, as in the shell. */
  readonly path: string;
  /** Reads the object as it is now, with all that stands in it, as `saveconfig.json` has it, secrets included. */
  read(): Promise<S>;
  /** Removes the object, with all that stands in it. */
  delete(): Promise<void>;
}

/** Objects of one kind in one place. */
export interface Collection<O, Create, Names extends readonly unknown[]> {
  readonly path: string;
  /** Makes an object. */
  create(params: Create): Promise<O>;
  /** The object of a name, without a look whether it is there. */
  at(...names: Names): O;
  /** The objects that are there, in the order of the saved file. */
  list(): Promise<O[]>;
}

/** A `Collection` whose `create` needs no parameters. */
export interface OpenCollection<O, Create, Names extends readonly unknown[]> extends Collection<O, Create, Names> {
  /** Makes an object. */
  create(params?: Create): Promise<O>;
}
