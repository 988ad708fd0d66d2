/** Ranges of a logical unit that are being written: what makes COMPARE AND WRITE and ORWRITE atomic (SBC-3 5.2, 5.5). */

import { RangeLocks } from '../backstore/range-locks.ts';
import { type UnitState, unitState } from './unit-state.ts';

/** The ranges of a logical unit that are held. */
export const rangeLocks: UnitState<RangeLocks> = unitState({
  name: 'range locks',
  initial: (lu) => new RangeLocks(() => rangeLocks.changed(lu)),
  obstructs: ({ isExclusive }) => (isExclusive ? 'reads and writes' : 'nothing'),
});
