/** Reporting of informational exceptions: what MODE SELECT sets in its mode page (SPC-4 7.5.11). */

import type { StorageObject } from './logical-unit.ts';
import { unitState } from './unit-state.ts';

interface InformationalExceptions {
  /** DEXCPT: nothing is reported. */
  readonly disabled: boolean;
  /** TEST: a false report is made. */
  readonly test: boolean;
  /** MRIE: how it is reported. */
  readonly reporting: number;
}

/** MRIE 6h: only when REQUEST SENSE asks (SPC-4 7.5.11). */
export const onRequest = 6;

const initial: InformationalExceptions = { disabled: false, test: false, reporting: 0 };

/** The values that initiators set in the Informational Exceptions Control mode page. */
export const informationalExceptions = unitState<InformationalExceptions>({
  name: 'informational exceptions',
  initial: () => ({ ...initial }),
  reset: () => initial,
  move: 'all',
});

/** The TEST bit asks for a false report, and REQUEST SENSE shall give it. */
export function predictsFailure(lu: StorageObject): boolean {
  const { test, reporting } = informationalExceptions.of(lu);
  return test && reporting === onRequest;
}
