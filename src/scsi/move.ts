/** A logical unit leaves one event loop and goes on in another. No nexus goes along: their sessions end. */

import type { VolumeContents } from '../backstore/backstore.ts';
import type { StorageObject } from './logical-unit.ts';
import { closeVolume, writesOf } from './lost-writes.ts';
import { sense } from './sense.ts';
import { reportToAll } from './unit-attention.ts';
import { type CarriedStates, packStates, unpackStates } from './unit-state.ts';

/** The state that moves along. Plain data. */
export interface CarriedUnit {
  readonly contents: VolumeContents | undefined;
  readonly contentsLost: string | undefined;
  readonly ejected: boolean;
  readonly states: CarriedStates;
}

/** Closes the volume. @returns what another event loop goes on with */
export async function handOverUnit(lu: StorageObject): Promise<CarriedUnit> {
  let contents: VolumeContents | undefined;
  await closeVolume(lu, (volume) => {
    contents = volume.takeContents?.();
  });
  return { contents, contentsLost: lu.contentsLost, ejected: lu.ejected, states: packStates(lu) };
}

/** Goes on where another event loop ended. The volume is opened by who knows how. */
export function takeOverUnit(lu: StorageObject, { contents, contentsLost, ejected, states }: CarriedUnit): void {
  lu.contents = contents;
  lu.contentsLost = contentsLost;
  lu.ejected = ejected;
  unpackStates(lu, states);
  // Initiators may have reached it before it was all here.
  if (writesOf(lu).isSuspect) reportToAll(lu, sense.deferredWriteError);
}
