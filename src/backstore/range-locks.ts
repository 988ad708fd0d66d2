/** Ranges of a volume that are being written. A command that needs a range alone gets it alone. */

interface Held {
  /** The first byte, and the first byte behind the range. */
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
  /** The number of ranges that are held alone, or are to be. */
  #alone = 0;
  readonly #aloneChanged: () => void;

  /** @param aloneChanged called when the first range is held alone, and when none is any more */
  constructor(aloneChanged: () => void) {
    this.#aloneChanged = aloneChanged;
  }

  /** Whether a range is held alone, or waited for: plain reads and writes may then have to wait. */
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

  /** Grants waiting ranges, in the order they came, when they conflict with no range before them. */
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
