/** Ranges of a volume that are being written: what makes COMPARE AND WRITE and ORWRITE atomic (SBC-3 5.2, 5.5). */

import { unitState } from './unit-state.ts';

interface Held {
  /** Bytes: first, and first behind. */
  readonly from: number;
  readonly to: number;
  readonly alone: boolean;
}

interface Waiting {
  readonly range: Held;
  readonly grant: () => void;
}

/** Plain writes may overlap one another; a range that is held alone overlaps nothing. First come, first served. */
class RangeLocks {
  readonly #held = new Set<Held>();
  #waiting: Waiting[] = [];

  /** Whether a range could be had at once. */
  free(from: number, to: number, alone: boolean): boolean {
    if (this.#held.size === 0) return true;
    for (const held of this.#held) if (conflict(held, { from, to, alone })) return false;
    return !this.#waiting.some(({ range }) => conflict(range, { from, to, alone }));
  }

  /** Runs `work` while the range is held. */
  async during<T>(from: number, to: number, alone: boolean, work: () => Promise<T>): Promise<T> {
    const range: Held = { from, to, alone };
    if (!this.free(from, to, alone)) await new Promise<void>((grant) => this.#waiting.push({ range, grant }));
    else this.#held.add(range);
    try {
      return await work();
    } finally {
      this.#held.delete(range);
      this.#grant();
    }
  }

  /** Gives waiting ranges, in the order they came, what no longer conflicts with anybody before them. */
  #grant(): void {
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const ahead = [...this.#held, ...still.map(({ range }) => range)];
      if (ahead.some((other) => conflict(other, waiting.range))) still.push(waiting);
      else {
        this.#held.add(waiting.range);
        waiting.grant();
      }
    }
    this.#waiting = still;
  }
}

const conflict = (a: Held, b: Held): boolean => (a.alone || b.alone) && a.from < b.to && b.from < a.to;

/** The ranges of a logical unit that are held. */
export const rangeLocks = unitState({ name: 'range locks', initial: () => new RangeLocks() });
