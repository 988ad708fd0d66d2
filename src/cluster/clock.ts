/** The time that a gateway judges by: it only goes forward, whatever is set, and goes on while the process stands still. */

export interface Clock {
  /** Milliseconds, of which differences mean something. */
  now(): number;
  /** @returns what prevents it */
  after(ms: number, what: () => void): () => void;
}

/** That of this process: all of its threads have the same. */
export const monotonic: Clock = {
  now: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  after(ms, what) {
    const timer = setTimeout(what, ms);
    return () => clearTimeout(timer);
  },
};
