/**
 * What goes over sessions and through LUNs. A command is counted where it ends, for its session and for the way that it
 * took to its LUN; what targets, TPGs, LUNs, ACLs, portals and storage objects did is the sum of ways.
 */

/** Where the bins of a latency histogram end, in milliseconds; one more bin has no end. */
export const latencyBoundsMs: readonly number[] = Array.from({ length: 15 }, (_, bin) => 2 ** (bin - 3));

/** Since the process began to serve, since the session was opened, or since a reset. */
export interface Traffic {
  /** SCSI commands that were answered, and those of them whose status was not GOOD. */
  commands: number;
  failed: number;
  readBytes: number;
  writtenBytes: number;
  /** From a command's arrival to the last byte of its answer: all of them together, the longest, and how many in each bin. */
  latencyMs: number;
  latencyMaxMs: number;
  latencyBins: number[];
}

/** Nothing was counted yet. */
export const noTraffic = (): Traffic => ({
  commands: 0,
  failed: 0,
  readBytes: 0,
  writtenBytes: 0,
  latencyMs: 0,
  latencyMaxMs: 0,
  latencyBins: new Array(latencyBoundsMs.length + 1).fill(0),
});

/** Counts one command that was answered. @param ms how long it took */
export function countCommand(to: Traffic, good: boolean, readBytes: number, writtenBytes: number, ms: number): void {
  to.commands += 1;
  if (!good) to.failed += 1;
  to.readBytes += readBytes;
  to.writtenBytes += writtenBytes;
  to.latencyMs += ms;
  if (ms > to.latencyMaxMs) to.latencyMaxMs = ms;
  // Bins double: the number of the highest bit is the bin's.
  to.latencyBins[Math.min(32 - Math.clz32(ms * 8), latencyBoundsMs.length)]! += 1;
}

/** What several counted together. */
export function sumOf(all: Iterable<Traffic>): Traffic {
  const sum = noTraffic();
  for (const one of all) {
    sum.commands += one.commands;
    sum.failed += one.failed;
    sum.readBytes += one.readBytes;
    sum.writtenBytes += one.writtenBytes;
    sum.latencyMs += one.latencyMs;
    sum.latencyMaxMs = Math.max(sum.latencyMaxMs, one.latencyMaxMs);
    for (const [bin, count] of one.latencyBins.entries()) sum.latencyBins[bin]! += count;
  }
  return sum;
}

/** How many commands that end in one go share a reading. */
const commandsPerReading = 16;

/**
 * Counts the commands of one connection or device as they are answered, and has the clock that they are measured by. It is not
 * read for each of the commands that end in one go: that would be felt.
 */
export class Tally {
  readonly #clock: { now(): number };
  #now = 0;
  /** For how many more commands the last reading holds. */
  #left = 0;
  readonly #forget = () => {
    this.#left = 0;
  };

  /** @param clock in milliseconds */
  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** The time as it was read in this turn of the event loop. */
  now(): number {
    if (this.#left === 0) {
      this.#now = this.#clock.now();
      queueMicrotask(this.#forget);
      this.#left = commandsPerReading;
    }
    this.#left -= 1;
    return this.#now;
  }

  /**
   * @param session what its session counts in @param way what the way to its LUN counts in
   * @param notBefore a time that has come: a command that came after the last reading may end before the next one
   */
  count(
    session: Traffic,
    way: Traffic | undefined,
    good: boolean,
    readBytes: number,
    writtenBytes: number,
    arrivedAt: number,
    notBefore = arrivedAt,
  ): void {
    const ms = Math.max(this.now(), notBefore) - arrivedAt;
    countCommand(session, good, readBytes, writtenBytes, ms);
    if (way) countCommand(way, good, readBytes, writtenBytes, ms);
  }
}

/** How commands reach a LUN. */
export interface Way {
  /** The WWN of the ACL that lets the initiator in; '' for those that none does. */
  readonly initiator: string;
  /** The LUN as the initiator numbers it. */
  readonly number: number;
  /** The portal, as the tree names it; '' where there is none. */
  readonly portal: string;
}

/** The ways to a LUN that were ever taken: as many as the tree has ACLs and portals for. */
export class Ways {
  readonly #all = new Map<string, { readonly way: Way; readonly traffic: Traffic }>();

  trafficOf(way: Way): Traffic {
    const key = `${way.number} ${way.portal} ${way.initiator}`;
    let known = this.#all.get(key);
    if (!known) {
      known = { way, traffic: noTraffic() };
      this.#all.set(key, known);
    }
    return known.traffic;
  }

  [Symbol.iterator](): IterableIterator<{ readonly way: Way; readonly traffic: Traffic }> {
    return this.#all.values();
  }

  reset(): void {
    for (const { traffic } of this.#all.values()) Object.assign(traffic, noTraffic());
  }
}

/** A way and what took it. Plain data. */
export interface WayTraffic extends Way, Traffic {
  /** Commands on it that are not answered yet. */
  readonly outstanding: number;
  /** Paths. */
  readonly lun: string;
  readonly storageObject: string;
}

/**
 * How long the fastest `share` (0 to 1) of commands took at most, in milliseconds: as exact as the bins, between whose ends
 * commands are taken to be spread evenly. Of the first bin it is the end, for nobody knows how much less it was. Infinity: longer
 * than bins tell. Undefined where there are none.
 */
export function percentileMs(bins: readonly number[], share: number): number | undefined {
  const total = bins.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  for (const [bin, count] of bins.entries()) {
    if (below + count < total * share || count === 0) {
      below += count;
      continue;
    }
    const upper = latencyBoundsMs[bin];
    if (upper === undefined) return Number.POSITIVE_INFINITY;
    const lower = latencyBoundsMs[bin - 1];
    if (lower === undefined) return upper;
    return lower + (upper - lower) * ((total * share - below) / count);
  }
  return undefined;
}

/** What was added to counts between two looks at them; all of it where they began again meanwhile. */
export function trafficSince(now: Traffic, before: Traffic | undefined): Traffic {
  if (!before || now.commands < before.commands) return { ...now, latencyBins: [...now.latencyBins] };
  return {
    commands: now.commands - before.commands,
    failed: now.failed - before.failed,
    readBytes: now.readBytes - before.readBytes,
    writtenBytes: now.writtenBytes - before.writtenBytes,
    latencyMs: now.latencyMs - before.latencyMs,
    latencyMaxMs: now.latencyMaxMs,
    latencyBins: now.latencyBins.map((count, bin) => count - (before.latencyBins[bin] ?? 0)),
  };
}
