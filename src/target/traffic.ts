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
