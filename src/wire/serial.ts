/** Serial number arithmetic on 32 bits (RFC 1982): numbers that wrap, compared over half of the circle. */

/** `number + by`, wrapped. `by` may be negative. */
export const advanceSerial = (number: number, by = 1): number => (number + by) >>> 0;

/** How far `to` is ahead of `from`: -2^31 to 2^31 - 1; negative when it lies behind. */
export const distance = (from: number, to: number): number => (to - from) | 0;
