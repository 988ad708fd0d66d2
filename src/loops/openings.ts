/**
 * Opening volumes beside the queue of changes: a medium that takes its time holds nobody up. One attempt at a time for a
 * storage object; what came of it is taken by whoever has the turn.
 */

import type { Volume, VolumeConfig } from '../backstore/backstore.ts';
import { within } from '../backstore/patience.ts';
import { OperatorError, wholeReasonOf } from '../errors.ts';
import { claimOf } from '../scsi/claim.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { recordedFor } from '../scsi/lost-writes.ts';

/** How long whoever has begun something waits for it, beside the queue: volumes that open soon are there when he goes on. */
export const waitMs = 2_000;
/** Why something is missing whose medium somebody waits for, or has waited for. */
export const notYet = 'it has not answered yet';
/** How long after a failure it is tried again: twice as long after each. */
const pauseMsMin = 4_000;
const pauseMsMax = 30_000;

/** A volume, or why there is none, in a line. */
type Result = { readonly volume: Volume } | { readonly reason: string };

interface Attempt {
  /** What it opens: the storage object may have another medium meanwhile. */
  readonly config: VolumeConfig;
  readonly ended: Promise<void>;
  result: Result | undefined;
  /** Nobody waits for it any more: somebody has to be called. */
  late: boolean;
}

/** The attempts of one loop to open volumes. */
export class Openings {
  readonly #call: () => void;
  readonly #attempts = new Map<StorageObject, Attempt>();
  readonly #pauses = new WeakMap<StorageObject, { readonly ms: number; readonly until: number }>();

  /** @param call asks for a turn: something has come of an attempt that took long */
  constructor(call: () => void) {
    this.#call = call;
  }

  /** Begins to open the volume, unless that is going on, or was tried a moment ago and `now` does not matter. */
  begin(storageObject: StorageObject, now: boolean): void {
    const { config } = storageObject;
    if (this.#attempts.has(storageObject)) return;
    if (!now && performance.now() < (this.#pauses.get(storageObject)?.until ?? 0)) return;
    const attempt: Attempt = {
      config,
      result: undefined,
      // What could not be opened a moment ago is not waited for.
      late: storageObject.missing !== undefined,
      ended: this.#open(storageObject)
        .then(
          (volume): Result => ({ volume }),
          (error): Result => ({ reason: wholeReasonOf(error) }),
        )
        .then((result) => {
          attempt.result = result;
          if (attempt.late) this.#call();
        }),
    };
    this.#attempts.set(storageObject, attempt);
  }

  /** A kind that throws at once, before it has begun, rejects like any other. */
  async #open(storageObject: StorageObject): Promise<Volume> {
    const { backstore, config, contents, contentsLost } = storageObject;
    if (contentsLost !== undefined) throw new OperatorError(contentsLost);
    return recordedFor(storageObject, await backstore.open(config, contents, claimOf(storageObject)));
  }

  /** Whether a first attempt goes on. */
  get isWaitedFor(): boolean {
    return [...this.#attempts.values()].some(({ late, result }) => !late && !result);
  }

  /** Waits until every first attempt has ended, and not for long. */
  async wait(): Promise<void> {
    const first = [...this.#attempts.values()].filter(({ late }) => !late);
    await within(waitMs, Promise.all(first.map(({ ended }) => ended)));
    for (const attempt of first) attempt.late = attempt.result === undefined;
  }

  /** Resolves when every attempt that goes on now has ended. Each has a limit of its own. */
  async allEnded(): Promise<void> {
    await Promise.all(Array.from(this.#attempts.values(), ({ ended }) => ended));
  }

  /**
   * Gives what came of the attempts to their storage objects.
   * @param isWanted whether a storage object is still to be served here
   * @returns those that have a volume now, or know why not
   */
  async take(isWanted: (storageObject: StorageObject) => boolean): Promise<StorageObject[]> {
    const told: StorageObject[] = [];
    for (const [storageObject, { config, result, late }] of this.#attempts) {
      if (!result) {
        // As long as it is waited for, initiators are told to wait, too.
        if (!late) continue;
        storageObject.missing ??= notYet;
        told.push(storageObject);
        continue;
      }
      this.#attempts.delete(storageObject);
      if (!isWanted(storageObject) || storageObject.volume || storageObject.config !== config) {
        letGo(result);
        continue;
      }
      this.#give(storageObject, result);
      told.push(storageObject);
    }
    return told;
  }

  #give(storageObject: StorageObject, result: Result): void {
    if ('volume' in result) {
      this.#pauses.delete(storageObject);
      Object.assign(storageObject, { volume: result.volume, contents: undefined, missing: undefined });
      return;
    }
    const ms = Math.min(pauseMsMax, 2 * (this.#pauses.get(storageObject)?.ms ?? pauseMsMin / 2));
    this.#pauses.set(storageObject, { ms, until: performance.now() + ms });
    storageObject.missing = result.reason;
  }

  /** Lets go of what is still on its way. */
  abandon(): void {
    for (const attempt of this.#attempts.values()) void attempt.ended.then(() => letGo(attempt.result));
    this.#attempts.clear();
  }
}

/** Nobody has written to it. */
function letGo(result: Result | undefined): void {
  if (result && 'volume' in result) void result.volume.close();
}
