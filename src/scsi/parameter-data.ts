/** Parameter data that a command gives (SPC-4 4.2.5.6) and takes. */

import { CheckCondition, sense } from './sense.ts';
import { type Completion, status } from './task.ts';

/** GOOD without data. */
export const good: Completion = { status: status.good };

/** RESERVATION CONFLICT. */
export const conflict: Completion = { status: status.reservationConflict };

/** GOOD with `data`, cut to the CDB's ALLOCATION LENGTH; a shorter one is no error, and lengths inside stay as they are. */
export function allocated(data: Uint8Array, allocationLength: number): Completion {
  return { status: status.good, dataIn: data.length > allocationLength ? data.subarray(0, allocationLength) : data };
}

/** The parameter list, which has to be there in full. @throws CheckCondition PARAMETER LIST LENGTH ERROR */
export function parameterList(data: Uint8Array, atLeast: number): Buffer {
  if (data.length < atLeast) throw new CheckCondition(sense.parameterListLengthError);
  return Buffer.from(data.buffer, data.byteOffset, data.length);
}
