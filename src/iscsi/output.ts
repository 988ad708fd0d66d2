/** The output of a connection: contiguous room in a slab, handed to the socket in batches. The transport owns it. */

import type { Straight, Volume } from '../backstore/backstore.ts';

export interface Output {
  /** The slab that `room` found place in. */
  readonly bytes: Uint8Array;
  /** Finds `length` contiguous bytes. @returns where they start in `bytes`, which may be another slab than before */
  room(length: number): number;
  /** Commits the next `length` bytes of the room, which are written. */
  commit(length: number): void;
  /** Whether the socket takes no more for now: all output from here on costs memory until it drains. */
  readonly blocked: boolean;
  /**
   * Puts a range of a volume, from where it lies in memory, behind the `header` bytes that are committed next.
   * @returns false when it has to be copied
   */
  lend?(volume: Volume, position: number, length: number, header: number): boolean;
  /** Whether long data can be received at its own place. */
  readonly lands?: boolean;
  /** Whether `pass` can do without a copy now. */
  readonly passes?: boolean;
  /**
   * Sends all that is committed, and behind it `length` bytes of a volume: straight to the socket as far as it takes them, the rest as a
   * copy. @returns false when a part of the copy could not be had, and is zeros
   */
  pass?(source: Straight, length: number): boolean;
  /** Sends all that is committed and closes; nothing is read any more. */
  end(): void;
  /** Closes at once, without sending the rest. */
  cut?(): void;
}
