/** Ranges of a volume that are being written, so that who needs one alone has it alone. */

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
export class RangeLocks {
  readonly #held = new Set<Held>();
  #waiting: Waiting[] = [];
  /** Ranges that are held alone, or are to be. */
  #alone = 0;
  readonly #aloneChanged: () => void;

  /** @param aloneChanged whether somebody holds a range alone is not so any more */
  constructor(aloneChanged: () => void) {
    this.#aloneChanged = aloneChanged;
  }

  /** Somebody holds a range alone, or waits for it: what only reads or writes may have to wait. */
  get isExclusive(): boolean {
    return this.#alone > 0;
  }

  /** Whether a range could be had at once. */
  free(from: number, to: number, alone: boolean): boolean {
    if (this.#held.size === 0) return true;
    for (const held of this.#held) if (conflict(held, { from, to, alone })) return false;
    return !this.#waiting.some(({ range }) => conflict(range, { from, to, alone }));
  }

  /** Runs `work` while the range is held. */
  async during<T>(from: number, to: number, alone: boolean, work: () => Promise<T>): Promise<T> {
    const range: Held = { from, to, alone };
    if (alone) this.#count(1);
    if (!this.free(from, to, alone)) await new Promise<void>((grant) => this.#waiting.push({ range, grant }));
    else this.#held.add(range);
    try {
      return await work();
    } finally {
      this.#held.delete(range);
      if (alone) this.#count(-1);
      this.#grant();
    }
  }

  #count(alone: 1 | -1): void {
    this.#alone += alone;
    this.#aloneChanged();
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
