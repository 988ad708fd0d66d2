/**
 * Traffic over sessions and through LUNs. A command is counted where it ends, for its session and for the way that it took to its LUN;
 * the traffic of targets, TPGs, LUNs, ACLs, portals and storage objects is the sum of ways.
 */

/** The upper ends of the bins of a latency histogram, in milliseconds; one more bin has no end. */
export const latencyBoundsMs: readonly number[] = Array.from({ length: 15 }, (_, bin) => 2 ** (bin - 3));

/** Counts since the process began to serve, since the session was opened, or since a reset. */
export interface Traffic {
  /** The number of answered SCSI commands, and of those whose status was not GOOD. */
  commands: number;
  failed: number;
  readBytes: number;
  writtenBytes: number;
  /** The time from a command's arrival to the last byte of its answer: the sum, the longest, and the number in each bin. */
  latencyMs: number;
  latencyMaxMs: number;
  latencyBins: number[];
}

/** Counts of zero. */
export const noTraffic = (): Traffic => ({
  commands: 0,
  failed: 0,
  readBytes: 0,
  writtenBytes: 0,
  latencyMs: 0,
  latencyMaxMs: 0,
  latencyBins: new Array(latencyBoundsMs.length + 1).fill(0),
});

/** Counts one command that was answered. @param ms the time that it took */
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

/** The sum of several counts. */
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

/** The number of commands that share a reading of the clock when they end in one go. */
const commandsPerReading = 16;

/**
 * Counts the commands of one connection or device as they are answered, and has the clock that they are measured by. The clock is not
 * read for each of the commands that end in one go, which would take a noticeable time.
 */
export class Tally {
  readonly #clock: { now(): number };
  #now = 0;
  /** The number of further commands for which the last reading holds. */
  #left = 0;
  readonly #forget = () => {
    this.#left = 0;
  };

  /** @param clock in milliseconds */
  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** The time of the last reading in this turn of the event loop. */
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
   * Counts a command. @param session the counts of its session @param way the counts of the way to its LUN
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

/** A way by which commands reach a LUN. */
export interface Way {
  /** The WWN of the ACL that lets the initiator in; '' where no ACL does. */
  readonly initiator: string;
  /** The initiator's number of the LUN. */
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

/** A way and its traffic. Plain data. */
export interface WayTraffic extends Way, Traffic {
  /** The number of commands on the way that are not answered yet. */
  readonly outstanding: number;
  /** The path of the LUN, and that of the storage object. */
  readonly lun: string;
  readonly storageObject: string;
}

/**
 * The time in milliseconds that the fastest `share` (0 to 1) of commands took at most: as exact as the bins, between whose ends commands
 * are taken to be spread evenly. In the first bin it is the bin's end, for nobody knows how much less it was. Infinity: longer than bins
 * tell. Undefined where there are no commands.
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

/** The traffic between two looks at counts; all of it where they began again meanwhile. */
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
