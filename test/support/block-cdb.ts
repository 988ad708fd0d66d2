/** CDBs of READ and its like, of each length, for one range. */

import { be } from './logical-unit.ts';

/** @param flags byte 1 */
export const forms = {
  6: (code: number, lba: number, count: number) => [code, ...be(lba, 3), count & 0xff, 0],
  10: (code: number, lba: number, count: number, flags = 0) => [code, flags, ...be(lba, 4), 0, ...be(count, 2), 0],
  12: (code: number, lba: number, count: number, flags = 0) => [code, flags, ...be(lba, 4), ...be(count, 4), 0, 0],
  16: (code: number, lba: number, count: number, flags = 0) => [code, flags, ...be(lba, 8), ...be(count, 4), 0, 0],
  32: (action: number, lba: number, count: number, flags = 0) => {
    const head = [0x7f, 0, 0, 0, 0, 0, 0, 24, 0, action, flags, 0];
    return [...head, ...be(lba, 8), ...new Array(8).fill(0), ...be(count, 4)];
  },
} as const;
