/** How the number of a LUN is typed. */

import type { ValueType } from '../../src/index.ts';

/** `3` or `lun3`. */
export const lunType: ValueType<number> = {
  name: 'number',
  wrong: 'is not a LUN: N or lunN.',
  parse: (text) => (/^(lun)?-?\d{1,9}$/.test(text) ? Number(text.replace('lun', '')) : undefined),
  print: String,
};
