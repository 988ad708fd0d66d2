/** The fields of the Control mode page that MODE SELECT sets beyond attributes (SPC-4 7.5.8). */

import { unitState } from './unit-state.ts';

interface ControlMode {
  /** D_SENSE: sense data in descriptor format. */
  readonly descriptorSense: boolean;
  /** SWP: software write protect. */
  readonly softwareWriteProtect: boolean;
}

const initial: ControlMode = { descriptorSense: false, softwareWriteProtect: false };

/** The values that initiators set in the Control mode page. */
export const controlMode = unitState<ControlMode>({
  name: 'control mode',
  initial: () => ({ ...initial }),
  reset: () => initial,
  move: 'all',
});
