/**
 * Thresholds of a thin logical unit: what is left of its medium and what it takes of it, in threshold sets, and who is told
 * when one of them passes what an initiator asked to be told of (SBC-5 4.7.3.7).
 */

import type { Space } from '../backstore/backstore.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import type { ModePage } from './mode-page.ts';
import { offersUnmap, offersWriteSameUnmap } from './provisioning.ts';
import { type Sense, sense } from './sense.ts';
import { statistics } from './statistics.ts';
import { addUnitAttention, reportToAll } from './unit-attention.ts';
import { unitState } from './unit-state.ts';

/** 2 MiB: 32 bits count enough of them for every size that a volume can have (SBC-5 6.6.7). */
export const thresholdSetBytes = 2 * 1024 * 1024;
/** With thresholds enabled the volume is asked after so many bytes written, and this long after the last time. */
const bytesPerLook = thresholdSetBytes;
const lookMs = 5_000;
/** A threshold is reported once in this time: what goes up and down around it must not stop every other command. */
const reportMs = 300_000;

/** The unit is thin, and its volume can say what space there is. */
export const offersThresholds = (lu: StorageObject): boolean =>
  (offersUnmap(lu) || offersWriteSameUnmap(lu)) && lu.volume?.space !== undefined;

/** THRESHOLD EXPONENT: logical blocks in a threshold set, as a power of two (SBC-5 6.6.7). */
export const thresholdExponent = (lu: StorageObject): number =>
  offersThresholds(lu) ? Math.log2(thresholdSetBytes / lu.blockSize) : 0;

/** A threshold descriptor (SBC-5 6.5.9.2): THRESHOLD RESOURCE is a parameter code of log page 0Ch. */
interface Threshold {
  /** Its first byte in the mode page; a report says it in the INFORMATION field. */
  readonly at: number;
  readonly resource: number;
  /** THRESHOLD ARMING. */
  readonly arming: 'decreasing' | 'increasing';
  of(space: Space): number;
  readonly reached: Sense;
}

const threshold = (at: number, parts: Omit<Threshold, 'at' | 'reached'>): Threshold => ({
  at,
  ...parts,
  reached: { ...sense.thinProvisioningSoftThresholdReached, information: at },
});

/** The combinations that there are (SBC-5 table 7). */
const thresholds: readonly Threshold[] = [
  threshold(16, { resource: 0x01, arming: 'decreasing', of: ({ available }) => available }),
  threshold(24, { resource: 0x02, arming: 'increasing', of: ({ allocated }) => allocated }),
];

const pageHeaderBytes = 4;
const enabledBit = 0x80;
const singleBit = 0x01; // SITUA
const countBytes = 4;

/** The page's bytes behind its header, before anybody changed them: nothing is enabled. */
const initialPage: readonly number[] = [
  ...new Array<number>(12).fill(0),
  ...thresholds.flatMap(({ resource, arming }) => [arming === 'increasing' ? 1 : 0, resource, 0, 0, 0, 0, 0, 0]),
];

/** What initiators ask to be told of. */
interface Asked {
  /** LBPERE of the Read-Write Error Recovery mode page: thresholds are reported (SBC-5 6.5.10). */
  readonly reports: boolean;
  /** The Logical Block Provisioning mode page behind its header (SBC-5 6.5.9). */
  readonly page: readonly number[];
}

const initial: Asked = { reports: true, page: initialPage };

/** What is asked, and who looks after the thresholds while one is enabled. */
export const provisioningThresholds = unitState<Asked & { readonly watch: ThresholdWatch | undefined }, Asked>({
  name: 'provisioning thresholds',
  initial: () => ({ ...initial, watch: undefined }),
  reset: (lu) => ({ ...initial, watch: watchOf(lu, initial) }),
  move: {
    pack: ({ reports, page }) => ({ reports, page }),
    unpack: (lu, asked) => ({ ...asked, watch: watchOf(lu, asked) }),
  },
  // Each command is asked whether it is time to look at the space there is.
  obstructs: ({ watch }) => (watch ? 'reads and writes' : 'nothing'),
});

/** Asks for something else. */
export function askForThresholds(lu: StorageObject, changes: Partial<Asked>): void {
  const asked = { ...provisioningThresholds.of(lu), ...changes };
  provisioningThresholds.set(lu, { ...asked, watch: watchOf(lu, asked) });
}

const changeable = (byte: number, mask: number): ModePage['changeable'][number] => ({
  byte,
  mask,
  set(lu, value) {
    const { page } = provisioningThresholds.of(lu);
    askForThresholds(lu, { page: page.with(byte, (page[byte]! & ~mask) | value) });
  },
});

export const provisioningPage: ModePage = {
  code: 0x1c,
  subpage: 0x02,
  name: 'Logical Block Provisioning',
  spec: 'SBC-5 6.5.9',
  offered: offersThresholds,
  current: (lu) => Uint8Array.from(provisioningThresholds.of(lu).page),
  changeable: [
    changeable(0, singleBit),
    ...thresholds.flatMap(({ at }) => {
      const first = at - pageHeaderBytes;
      const count = Array.from({ length: countBytes }, (_, i) => changeable(first + 4 + i, 0xff));
      return [changeable(first, enabledBit), ...count];
    }),
  ],
};

/** Who watches what is asked for; nobody where nothing is enabled. */
function watchOf(lu: StorageObject, asked: Asked): ThresholdWatch | undefined {
  const page = Buffer.from(asked.page);
  const enabled = thresholds.flatMap((one) => {
    const first = one.at - pageHeaderBytes;
    return (page[first]! & enabledBit) === 0 ? [] : [new Watched(one, page.readUInt32BE(first + 4))];
  });
  return asked.reports && enabled.length > 0
    ? new ThresholdWatch(lu, enabled, (page[0]! & singleBit) !== 0)
    : undefined;
}

/** An enabled threshold: the ends of its range in bytes (SBC-5 4.7.3.7.2), and its notification trigger. */
class Watched {
  readonly threshold: Threshold;
  readonly #minimum: number;
  readonly #maximum: number;
  /** The trigger is disabled until the value has been at the other end of the range. */
  #fired = false;
  #firedAt = Number.NEGATIVE_INFINITY;

  constructor(threshold: Threshold, count: number) {
    this.threshold = threshold;
    this.#minimum = (count - 0.5) * thresholdSetBytes;
    this.#maximum = (count + 0.5) * thresholdSetBytes;
  }

  /** Whether it is to be reported now (SBC-5 4.7.3.7.4, 4.7.3.7.5). @param now milliseconds */
  fires(space: Space, now: number): boolean {
    const value = this.threshold.of(space);
    const above = value > this.#maximum;
    const below = value < this.#minimum;
    const [reached, rearmed] = this.threshold.arming === 'increasing' ? [above, below] : [below, above];
    if (rearmed) this.#fired = false;
    if (!reached || this.#fired || Math.abs(now - this.#firedAt) < reportMs) return false;
    this.#fired = true;
    this.#firedAt = now;
    return true;
  }
}

/** There while a threshold is enabled and is to be reported: a command then costs a look at the clock, and no more. */
export class ThresholdWatch {
  readonly #lu: StorageObject;
  readonly #enabled: readonly Watched[];
  /** SITUA: one nexus is told, the first that sends a command. */
  readonly #single: boolean;
  readonly #untold: Sense[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #blocksWritten = 0;
  /** The volume is being asked: one call at a time. */
  looking: Promise<void> | undefined;

  constructor(lu: StorageObject, enabled: readonly Watched[], single: boolean) {
    this.#lu = lu;
    this.#enabled = enabled;
    this.#single = single;
  }

  /** Comes before every command that can report a unit attention (SBC-5 4.7.3.7.6). */
  commandArrives(nexus: Nexus): void {
    for (const what of this.#untold.splice(0)) addUnitAttention(nexus, this.#lu, what);
    if (this.looking || !this.#isDue()) return;
    this.looking = this.#look().finally(() => {
      this.looking = undefined;
    });
  }

  /** Both counts can also go back: `reset` of the statistics, and a clock that is set. */
  #isDue(): boolean {
    const { blockSize, clock } = this.#lu;
    const blocks = Math.abs(statistics.of(this.#lu).blocksWritten - this.#blocksWritten);
    return blocks * blockSize >= bytesPerLook || Math.abs(clock.now() - this.#lookedAt) >= lookMs;
  }

  async #look(): Promise<void> {
    const lu = this.#lu;
    this.#lookedAt = lu.clock.now();
    this.#blocksWritten = statistics.of(lu).blocksWritten;
    if (!offersThresholds(lu)) return;
    // A volume that cannot tell just now is asked again.
    const space = await lu.volume?.space?.().catch(() => undefined);
    if (!space || provisioningThresholds.of(lu).watch !== this) return;
    for (const one of this.#enabled) {
      if (!one.fires(space, this.#lookedAt)) continue;
      if (this.#single) this.#untold.push(one.threshold.reached);
      else reportToAll(lu, one.threshold.reached);
    }
  }
}
