/** The input of a connection: bytes as they come, and data that is received where it is to stay. The transport brings it. */

import type { IoVector } from '../system/io-vector.ts';

export interface Input {
  /** Takes bytes, cut anywhere, until the time slice is over. @returns the place of the first byte that is left, `end` when none is */
  feed(bytes: Uint8Array, start: number, end: number): number;
  /** The buffer for the rest of a data segment. Bytes that are received there are reported by `filled`, and not fed. */
  readonly wanted: Uint8Array | undefined;
  filled(count: number): void;
  /** The bytes that are to come of data that goes to a place instead of a buffer, and the length of the header behind it. */
  readonly left: number;
  readonly headerBytes: number;
  /**
   * Adds memory for `available` bytes of that data. @returns the number of bytes that it takes, of which `took` is told; undefined when
   * they are to be fed
   */
  lend(available: number, to: IoVector): number | undefined;
  took(count: number): void;
  /** Whether the connection stays in this loop for good: its received bytes need not be kept for another loop. */
  readonly settled: boolean;
}
