/** Operations on fences: initiators that a TPG refuses until a time. */

import { OperatorError } from '../errors.ts';
import { printFence, readFence, standingFences } from '../target/fences.ts';
import { tpgFields } from '../target/fields.ts';
import type { Tpg } from '../target/target.ts';
import { isTime, timeIn } from '../target/time-word.ts';
import { operation, type Surroundings } from './operation.ts';

/** The setting that has all fences of a TPG. */
export const fencesSetting = tpgFields.fences.setBy;

/** The operations on fences. */
export const fenceOperations = [
  operation({
    at: 'tpg',
    verb: 'fence',
    doc: 'Refuses an initiator until a time, whatever else lets it in; its sessions end.',
    // `until` is a time in ISO 8601.
    params: { wwn: 'printable', until: 'string' },
    apply(_tree, { tpg }, { wwn, until }) {
      if (!tpg.target.fabric.features.includes('nps'))
        throw new OperatorError(`Initiators do not log in to a target of ${tpg.target.fabric.name}`);
      const fence = { initiator: wwn.toLowerCase(), until: timeOf(until) };
      if (!/^[^\s=,]+$/.test(fence.initiator))
        throw new OperatorError(
          `'${wwn}' is no name of an initiator`,
          'Those that were here: sessions, list initiators',
        );
      const others = standing(tpg).filter(({ initiator }) => initiator !== fence.initiator);
      const undo = setFences(tpg, [...others, fence].map(printFence));
      return { params: { wwn: fence.initiator, until: new Date(fence.until).toISOString() }, undo };
    },
  }),
  operation({
    at: 'tpg',
    verb: 'unfence',
    doc: 'Takes a fence off before its time: the initiator may log in again.',
    params: { wwn: 'string' },
    apply(_tree, { tpg }, { wwn }, { restoring }) {
      const name = wwn.toLowerCase();
      const fences = standing(tpg);
      const left = fences.filter(({ initiator }) => initiator !== name);
      // Read back from the journal, a fence may be over that was not when it was taken off.
      if (left.length === fences.length && !restoring)
        throw new OperatorError(
          `No fence keeps ${name} out of ${tpg.path}`,
          fences.length > 0
            ? `Fenced off: ${fences.map(({ initiator }) => initiator).join(', ')}`
            : 'There is none here.',
        );
      return { params: { wwn: name }, undo: setFences(tpg, left.map(printFence)) };
    },
  }),
];

/** The fences that still stand; others go with the next change. */
const standing = ({ fences }: Tpg) => standingFences(fences, Date.now());

/** @throws OperatorError */
function timeOf(text: string): number {
  if (isTime(text)) return timeIn(text);
  throw new OperatorError(`'${text}' is no time in ISO 8601, as 2026-11-30T14:30:00Z.`);
}

/**
 * Sets all fences of a TPG by the value of their setting. Read back from a journal, a word that is no fence is left out.
 * @returns a function that sets the old ones again @throws OperatorError
 */
export function setFencesBy(tpg: Tpg, value: string, { restoring }: Pick<Surroundings, 'restoring'>): () => void {
  const isStrange = (word: string) => Number.isNaN(readFence(word).until);
  const words = value.split(',').filter(Boolean);
  if (restoring)
    return setFences(
      tpg,
      words.filter((word) => !isStrange(word)),
    );
  const strange = words.find(isStrange);
  if (strange !== undefined) throw new OperatorError(`'${strange}' is no fence, as iqn.…=2026-11-30T14:30:00Z.`);
  return setFences(tpg, words);
}

function setFences(tpg: Tpg, fences: readonly string[]): () => void {
  const before = tpg.fences;
  tpg.fences = fences;
  return () => {
    tpg.fences = before;
  };
}
