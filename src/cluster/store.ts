/**
 * The store in which gateways of a cluster agree, as far as they need it: linearizable reads, transactions by compare and swap,
 * leases, and word of changes. etcd has all of it (etcd.ts); a simulation can. Nothing here knows what time it is.
 */

/** Why the store did not do what it was asked for. */
export type StoreFailure =
  /** Nobody answered in time, or no member can without its leader: nothing was changed. */
  | 'no answer'
  /** A change was sent, and whether it was made is not known: read, before it is made again. */
  | 'unknown outcome'
  /** Name, password or rights do not suffice. */
  | 'refused'
  /** The store cannot prove who it is, or does not take our certificate. */
  | 'certificate'
  /** The revision that was asked for is older than those that the store keeps. */
  | 'compacted'
  /** The lease is over. */
  | 'no lease'
  /** More than fits into the store, or into one request or answer. */
  | 'too large'
  /** The answer is none to the request: a defect, or no such store. */
  | 'nonsense';

/** A failure of the store; `message` is a sentence for the operator, without secrets. */
export class StoreError extends Error {
  readonly failure: StoreFailure;

  constructor(failure: StoreFailure, message: string) {
    super(message);
    this.name = 'StoreError';
    this.failure = failure;
  }
}

/** Bytes of one value at most; etcd takes requests of 1.5 MiB. */
export const valueBytesMax = 512 << 10;
/** Comparisons, and steps of one branch, of one transaction at most; etcd's own limit is 128. */
export const transactionStepsMax = 128;

/** One key and what it holds. Revisions are those of the whole store: each change of anything counts it up. */
export interface StoredValue {
  readonly key: string;
  readonly value: string;
  /** The revision at which it was changed last. */
  readonly modified: number;
  /** The lease with which it goes; absent: it stays. */
  readonly lease?: string;
}

/** One key, or all that begin with a prefix, in their order. */
export type KeyRange =
  | { readonly key: string }
  | {
      readonly prefix: string;
      /** How many at most; absent: as many as an answer holds. */
      readonly max?: number;
      /** Only keys behind this one. */
      readonly after?: string;
    };

/** The values that were found, and the revision as of which. */
export interface FoundValues {
  readonly values: readonly StoredValue[];
  /** There are more than asked for. */
  readonly more: boolean;
  readonly revision: number;
}

/** A condition of a transaction. Revision 0 of a key means that there is no such key. */
export type StoreComparison = { readonly key: string } & (
  | { readonly modified: number }
  | { readonly value: string }
  | { readonly lease: string }
);

/** A step of a transaction. No two steps of one change the same key. */
export type StoreStep =
  | { readonly put: string; readonly value: string; readonly lease?: string | undefined }
  | { readonly delete: string }
  | { readonly deletePrefix: string }
  | { readonly read: KeyRange };

/** All of `do`, if everything in `when` is so, else all of `otherwise`. */
export interface StoreTransaction {
  readonly when: readonly StoreComparison[];
  readonly do: readonly StoreStep[];
  readonly otherwise?: readonly StoreStep[];
}

/** The outcome of a transaction. */
export interface Transacted {
  /** Whether `do` was done, and not `otherwise`. */
  readonly succeeded: boolean;
  readonly revision: number;
  /** The results of the `read` steps of the branch that was done, in their order. */
  readonly found: readonly FoundValues[];
}

/** A change of a key. */
export type StoreEvent = { readonly put: StoredValue } | { readonly deleted: string; readonly modified: number };

/** A watch. Its word comes early, and may cease without a sign: a caller that relies on it also reads from time to time. */
export interface StoreWatch {
  readonly range: KeyRange;
  /** The first revision of which word is wanted. */
  readonly from: number;
  /** Changes of one revision or several, in their order, each once; `revision` is the last of which all is known. */
  readonly changed: (events: readonly StoreEvent[], revision: number) => void;
  /** No more comes: `compacted` when `from` is too long ago; otherwise watch again behind the last revision. Called once, unless `end` was. */
  readonly ended: (error: StoreError) => void;
}

/** One member of the store, as it sees itself. */
export interface StoreMember {
  readonly endpoint: string;
  readonly version?: string;
  readonly isLeader?: boolean;
  /** Whether the member knows of a leader: without one nothing can be changed. */
  readonly hasLeader?: boolean;
  readonly bytes?: number;
  /** Why nothing is known of it, or what it complains of. */
  readonly problem?: string;
}

/** How long a call is waited for: absent, as long as the store thinks fit. */
export interface StoreCall {
  readonly withinMs?: number | undefined;
}

/** The store. Every call ends in time, and rejects with a StoreError. */
export interface Store {
  /** Reads the values as they are when the call is made, or later, and never as they were before. */
  read(range: KeyRange, call?: StoreCall): Promise<FoundValues>;
  /** Made once or not at all; `unknown outcome`: read which. */
  transact(transaction: StoreTransaction, call?: StoreCall): Promise<Transacted>;
  /** A lease of so many whole seconds; what is put with it goes when it is not kept alive. */
  grant(seconds: number, call?: StoreCall): Promise<string>;
  /**
   * @returns milliseconds for which the lease lasts. Whoever counts them from the moment of the call, and not of the answer, is
   *   never later than the store
   * @throws StoreError `no lease` when it has ended
   */
  keepAlive(lease: string, call?: StoreCall): Promise<number>;
  /** Ends a lease: its keys go at once. One that has ended already is no failure. */
  revoke(lease: string, call?: StoreCall): Promise<void>;
  /** @returns what ends it */
  watch(watch: StoreWatch): () => void;
  members(call?: StoreCall): Promise<readonly StoreMember[]>;
  /** Ends watches and connections; calls that are under way reject. */
  close(): void;
}
