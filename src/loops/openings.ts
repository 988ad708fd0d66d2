/**
 * Opens volumes beside the queue of changes, so that a slow medium holds nobody up. There is one attempt at a time for a storage object;
 * its outcome is taken in a turn of the queue.
 */

import type { Volume, VolumeConfig } from '../backstore/backstore.ts';
import { within } from '../backstore/patience.ts';
import { OperatorError, wholeReasonOf } from '../errors.ts';
import { claimOf } from '../scsi/claim.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { recordedFor } from '../scsi/lost-writes.ts';

/** The time that a change waits for the volumes which it began to open, beside the queue: most are open by then. */
export const waitMs = 2_000;
/** The reason of a missing volume whose medium is, or was, waited for. */
export const notYet = 'it has not answered yet';
/** The pause after a failure; each further failure doubles it. */
const pauseMsMin = 4_000;
const pauseMsMax = 30_000;

/** A volume, or the reason why there is none, in a line. */
type Result = { readonly volume: Volume } | { readonly reason: string };

interface Attempt {
  /** The medium that the attempt opens: the storage object may have another one meanwhile. */
  readonly config: VolumeConfig;
  readonly ended: Promise<void>;
  result: Result | undefined;
  /** Whether nobody waits for the attempt any more, so that its end has to be announced. */
  late: boolean;
}

/** The attempts of one loop to open volumes. */
export class Openings {
  readonly #call: () => void;
  readonly #attempts = new Map<StorageObject, Attempt>();
  readonly #pauses = new WeakMap<StorageObject, { readonly ms: number; readonly until: number }>();

  /** @param call asks for a turn, because an attempt that took long has an outcome */
  constructor(call: () => void) {
    this.#call = call;
  }

  /** Begins to open the volume, unless an attempt goes on, or failed a moment ago and `now` is false. */
  begin(storageObject: StorageObject, now: boolean): void {
    const { config } = storageObject;
    if (this.#attempts.has(storageObject)) return;
    if (!now && performance.now() < (this.#pauses.get(storageObject)?.until ?? 0)) return;
    const attempt: Attempt = {
      config,
      result: undefined,
      // An attempt after a recent failure is not waited for.
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

  /** Opens a volume. A kind that throws at once rejects like any other. */
  async #open(storageObject: StorageObject): Promise<Volume> {
    const { backstore, config, contents, contentsLost } = storageObject;
    if (contentsLost !== undefined) throw new OperatorError(contentsLost);
    return recordedFor(storageObject, await backstore.open(config, contents, claimOf(storageObject)));
  }

  /** Whether a first attempt goes on. */
  get isWaitedFor(): boolean {
    return [...this.#attempts.values()].some(({ late, result }) => !late && !result);
  }

  /** Waits until every first attempt has ended, or a short time has passed. */
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
   * Gives the outcomes of the attempts to their storage objects.
   * @param isWanted whether a storage object is still to be served here
   * @returns the storage objects that have a volume now, or a reason why not
   */
  async take(isWanted: (storageObject: StorageObject) => boolean): Promise<StorageObject[]> {
    const told: StorageObject[] = [];
    for (const [storageObject, { config, result, late }] of this.#attempts) {
      if (!result) {
        // Initiators are told to wait as long as an attempt is waited for.
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

  /** Gives up the attempts that go on. */
  abandon(): void {
    for (const attempt of this.#attempts.values()) void attempt.ended.then(() => letGo(attempt.result));
    this.#attempts.clear();
  }
}

/** Closes a volume that nobody has written to. */
function letGo(result: Result | undefined): void {
  if (result && 'volume' in result) void result.volume.close();
}
