/** The reports to initiators about a changed setting of a logical unit: found by looking, before and after. */

import { deviceData } from './inquiry.ts';
import type { StorageObject } from './logical-unit.ts';
import { modeData } from './mode-pages.ts';
import { sense } from './sense.ts';
import { reportToAll } from './unit-attention.ts';

/** Runs `change`, and establishes a unit attention for each part of what initiators may have read that is another now. */
export function withChangesReported(lu: StorageObject, change: () => void): void {
  const before = seen(lu);
  change();
  const after = seen(lu);
  for (const [i, what] of conditions.entries()) if (before[i] !== after[i]) reportToAll(lu, what);
}

const conditions = [sense.modeParametersChanged, sense.inquiryDataChanged, sense.capacityDataChanged] as const;

const seen = (lu: StorageObject): readonly string[] => [
  Buffer.from(modeData(lu)).toString('latin1'),
  Buffer.from(deviceData(lu)).toString('latin1'),
  `${lu.blocks} ${lu.blockSize}`,
];
