/**
 * Places at a listener, of which there are so many. Who comes when all are taken gets the place of the one that has been
 * silent the longest and has nothing under way: connections that are opened and left alone keep nobody out.
 */

/** A listener's rules for its connections. */
export interface PlacesOptions<T> {
  readonly most: number;
  /** Whether one has something under way that must not be cut off. */
  isBusy(one: T): boolean;
  /** Cuts one off: others need the place. */
  drop(one: T): void;
}

/** The connections that have a place at one listener. */
export class Places<T> {
  readonly #options: PlacesOptions<T>;
  /** The one that has been silent the longest first. */
  readonly #taken = new Set<T>();

  constructor(options: PlacesOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#taken.size;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#taken.values();
  }

  /** @param isFull what else there is too little of for one more @returns false when everybody has something under way */
  enter(one: T, isFull = false): boolean {
    if ((isFull || this.#taken.size >= this.#options.most) && !this.#makeRoom()) return false;
    this.#taken.add(one);
    return true;
  }

  /** Notes that one said or heard something. */
  heard(one: T): void {
    if (this.#taken.delete(one)) this.#taken.add(one);
  }

  leave(one: T): void {
    this.#taken.delete(one);
  }

  #makeRoom(): boolean {
    for (const one of this.#taken) {
      if (this.#options.isBusy(one)) continue;
      this.#taken.delete(one);
      this.#options.drop(one);
      return true;
    }
    return false;
  }
}
