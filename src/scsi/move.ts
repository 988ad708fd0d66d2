/** A logical unit leaves one event loop and goes on in another. No nexus goes along: their sessions end. */

import type { VolumeContents } from '../backstore/backstore.ts';
import { putAway } from '../backstore/put-away.ts';
import type { StorageObject } from './storage-object.ts';
import { type CarriedStates, packStates, unpackStates } from './unit-state.ts';

/** What goes along. Plain data. */
export interface Carried {
  readonly contents: VolumeContents | undefined;
  readonly ejected: boolean;
  readonly flushFailure: { readonly error: unknown } | undefined;
  readonly states: CarriedStates;
}

/** Closes the volume. @returns what another event loop goes on with */
export async function leave(lu: StorageObject): Promise<Carried> {
  const { volume } = lu;
  lu.volume = undefined;
  let contents: VolumeContents | undefined;
  const takeContents = () => {
    contents = volume?.takeContents?.();
  };
  lu.flushFailure = (volume && (await putAway(volume, takeContents))) ?? lu.flushFailure;
  return { contents, ejected: lu.ejected, flushFailure: lu.flushFailure, states: packStates(lu) };
}

/** Goes on where another event loop ended. The volume is opened by who knows how. */
export function arrive(lu: StorageObject, { contents, ejected, flushFailure, states }: Carried): void {
  lu.contents = contents;
  lu.ejected = ejected;
  lu.flushFailure = flushFailure;
  unpackStates(lu, states);
}
