/**
 * Writes of a logical unit that were acknowledged and may be lost: its record, who is told, what is kept. It belongs to the
 * medium: another volume of the same medium goes on with it, in another event loop and in another process.
 */

import type { Volume, VolumeConfig } from '../backstore/backstore.ts';
import { putAway } from '../backstore/put-away.ts';
import { recorded, recordedAtOpening } from '../backstore/recorded-volume.ts';
import { type LostWrites, lostBytes, parseLostWrites, WriteRecord } from '../backstore/write-record.ts';
import { reasonOf } from '../errors.ts';
import type { StorageObject } from './logical-unit.ts';
import { isSameMedium } from './medium-work.ts';
import { sense } from './sense.ts';
import { addUnitAttention, reportToAll } from './unit-attention.ts';
import { unitState } from './unit-state.ts';

/** The losses that outlive the process. Another medium in the same unit has lost nothing. */
interface KeptLoss {
  readonly lost: LostWrites;
  readonly medium: VolumeConfig;
}

const name = 'lost writes';

const lostWrites = unitState<{ readonly record: WriteRecord }, LostWrites | undefined, KeptLoss>({
  name,
  initial: (lu) => ({ record: recordOf(lu, undefined) }),
  // A new nexus has written nothing here. After a restart nobody knows which nexuses have: then flushes report the loss.
  establish: (lu, nexus, again) => {
    if (again && writesOf(lu).isSuspect) addUnitAttention(nexus, lu, sense.deferredWriteError);
  },
  move: { pack: ({ record }) => record.lost, unpack: (lu, lost) => ({ record: recordOf(lu, lost) }) },
  keep: {
    folder: 'lost-writes',
    lostEvent: 'record of lost writes lost',
    parse: parseKeptLoss,
    restore: (lu, { lost, medium }) => ({ record: recordOf(lu, isSameMedium(medium, lu.config) ? lost : undefined) }),
  },
});

/** The writes of a unit's medium that are not known to be stable. */
export const writesOf = (lu: StorageObject): WriteRecord => lostWrites.of(lu).record;

/** A new record. Every nexus is told of what is lost (SPC-4 4.5.5), and operators are, and the next process. */
function recordOf(lu: StorageObject, lost: LostWrites | undefined): WriteRecord {
  const record = new WriteRecord();
  const { config: medium } = lu;
  record.restore(lost);
  record.changed = async (grown) => {
    const { lost } = record;
    if (grown) reportToAll(lu, sense.deferredWriteError);
    if (grown || !lost) say(lu, lost);
    await lu.keep?.(name, lost && ({ lost, medium } satisfies KeptLoss)).catch((error: unknown) => {
      // The loss stays true as long as this process runs.
      const detail = { path: lu.path, reason: reasonOf(error) };
      lu.log?.({ level: 'error', event: 'record of lost writes not kept', detail });
    });
  };
  return record;
}

function say({ log, path }: StorageObject, lost: LostWrites | undefined): void {
  if (lost) {
    const bytes = lostBytes(lost);
    const detail = { path, reason: lost.reason, ...(bytes !== undefined && { bytes }), mend: `${path} reopen` };
    log?.({ level: 'error', event: 'writes may be lost', detail });
  } else log?.({ level: 'info', event: 'no writes are missing any more', detail: { path } });
}

/** The unit gets another medium. @returns what takes that back */
export function changeMedium(lu: StorageObject): () => void {
  const { record } = lostWrites.of(lu);
  lostWrites.set(lu, { record: recordOf(lu, undefined) });
  return () => lostWrites.set(lu, { record });
}

/** A volume that was opened for the unit, as it is to be served: with the unit's record. */
export const recordedFor = (lu: StorageObject, volume: Volume): Promise<Volume> =>
  recordedAtOpening(volume, writesOf(lu));

/** A volume that is known to have nothing in a cache, with the unit's record. */
export const recordedAnew = (lu: StorageObject, volume: Volume): Volume => recorded(volume, writesOf(lu));

/**
 * Flushes and closes the unit's volume. What is not known to be on the medium then is in the record.
 * @param finish called in between
 */
export async function closeVolume(lu: StorageObject, finish: (volume: Volume) => void = () => {}): Promise<void> {
  const { volume } = lu;
  lu.volume = undefined;
  const failure = volume && (await putAway(volume, () => finish(volume)));
  if (failure) await writesOf(lu).failed(reasonOf(failure.error));
}

/** @throws Error when it is none */
function parseKeptLoss(kept: unknown): KeptLoss {
  const { lost, medium } = kept as Record<string, unknown>;
  if (!medium || typeof medium !== 'object') throw new Error('it does not say which medium it is about');
  return { lost: parseLostWrites(lost), medium: medium as VolumeConfig };
}
