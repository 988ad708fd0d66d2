/** Chance that can be repeated: mulberry32. */

/** A number from 0 to 1. */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const oneOf = <T>(random: Random, some: readonly T[]): T | undefined => some[Math.floor(random() * some.length)];

/** A whole number below a bound. */
export const below = (random: Random, bound: number): number => Math.floor(random() * bound);
