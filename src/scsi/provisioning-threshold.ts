/**
 * Thresholds of a thin logical unit: what is left of its medium and what it takes of it, in threshold sets, and who is told
 * when one of them passes what an initiator asked to be told of (SBC-5 4.7.3.7).
 */

import type { Space } from '../backstore/backstore.ts';
import { bit, bits, record, u8, u32 } from '../wire/layout.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { modePage } from './mode-page.ts';
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

/** A threshold descriptor (SBC-5 6.5.9.2). THRESHOLD RESOURCE is a parameter code of log page 0Ch. */
const descriptorAt = (at: number) => ({
  enabled: bit(at, 0x80),
  arming: bits(at, 0x07),
  resource: u8(at + 1),
  count: u32(at + 4),
});
/** THRESHOLD ARMING. */
const arming = { decreasing: 0, increasing: 1 } as const;

interface Threshold {
  /** The first byte of the threshold in the mode page; a report has it in the INFORMATION field. */
  readonly at: number;
  readonly fields: ReturnType<typeof descriptorAt>;
  readonly resource: number;
  readonly arming: keyof typeof arming;
  /** Undefined where the medium does not say it. */
  of(space: Space): number | undefined;
  readonly reached: Sense;
}

const threshold = (at: number, parts: Pick<Threshold, 'resource' | 'arming' | 'of'>): Threshold => ({
  at,
  ...parts,
  fields: descriptorAt(at),
  reached: { ...sense.thinProvisioningSoftThresholdReached, information: at },
});

/** The combinations that there are (SBC-5 table 7). */
const thresholds = {
  available: threshold(16, { resource: 0x01, arming: 'decreasing', of: ({ available }) => available }),
  used: threshold(24, { resource: 0x02, arming: 'increasing', of: ({ allocated }) => allocated }),
} as const;

type Name = keyof typeof thresholds;
/** Whether a threshold is enabled, and where it is, in threshold sets. */
interface ThresholdSetting {
  readonly enabled: boolean;
  readonly count: number;
}

/** The reports that initiators ask for. */
interface Asked extends Readonly<Record<Name, ThresholdSetting>> {
  /** LBPERE of the Read-Write Error Recovery mode page: thresholds are reported (SBC-5 6.5.10). */
  readonly reports: boolean;
  /** SITUA: one nexus is told, the first that sends a command. */
  readonly single: boolean;
}

const off: ThresholdSetting = { enabled: false, count: 0 };
const initial: Asked = { reports: true, single: false, available: off, used: off };

/** The wanted reports, and the watch on the thresholds while one is enabled. */
export const provisioningThresholds = unitState<Asked & { readonly watch: ThresholdWatch | undefined }, Asked>({
  name: 'provisioning thresholds',
  initial: () => ({ ...initial, watch: undefined }),
  reset: (lu) => ({ ...initial, watch: watchOf(lu, initial) }),
  move: {
    pack: ({ watch, ...asked }) => asked,
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

function change(lu: StorageObject, name: Name, changed: Partial<ThresholdSetting>): void {
  askForThresholds(lu, { [name]: { ...provisioningThresholds.of(lu)[name], ...changed } });
}

const { available, used } = thresholds;

/** The Logical Block Provisioning mode page. */
export const provisioningPage = modePage({
  code: 0x1c,
  subpage: 0x02,
  name: 'Logical Block Provisioning',
  spec: 'SBC-5 6.5.9',
  offered: offersThresholds,
  layout: record(32, {
    single: bit(4, 0x01), // SITUA
    availableEnabled: available.fields.enabled,
    availableArming: available.fields.arming,
    availableResource: available.fields.resource,
    availableCount: available.fields.count,
    usedEnabled: used.fields.enabled,
    usedArming: used.fields.arming,
    usedResource: used.fields.resource,
    usedCount: used.fields.count,
  }),
  values: (lu) => {
    const asked = provisioningThresholds.of(lu);
    return {
      single: asked.single,
      availableEnabled: asked.available.enabled,
      availableArming: arming[available.arming],
      availableResource: available.resource,
      availableCount: asked.available.count,
      usedEnabled: asked.used.enabled,
      usedArming: arming[used.arming],
      usedResource: used.resource,
      usedCount: asked.used.count,
    };
  },
  changeable: {
    single: { set: (lu, single) => askForThresholds(lu, { single }) },
    availableEnabled: { set: (lu, enabled) => change(lu, 'available', { enabled }) },
    availableCount: { set: (lu, count) => change(lu, 'available', { count }) },
    usedEnabled: { set: (lu, enabled) => change(lu, 'used', { enabled }) },
    usedCount: { set: (lu, count) => change(lu, 'used', { count }) },
  },
});

/** The watch on wanted thresholds; none where no threshold is enabled. */
function watchOf(lu: StorageObject, asked: Asked): ThresholdWatch | undefined {
  const names = Object.keys(thresholds) as Name[];
  const enabled = names.filter((name) => asked[name].enabled);
  const watched = enabled.map((name) => new Watched(thresholds[name], asked[name].count));
  return asked.reports && watched.length > 0 ? new ThresholdWatch(lu, watched, asked.single) : undefined;
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

  /** Whether the threshold is to be reported now (SBC-5 4.7.3.7.4, 4.7.3.7.5). @param now milliseconds */
  fires(space: Space, now: number): boolean {
    const value = this.threshold.of(space);
    if (value === undefined) return false;
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

  /** Whether a look is due. The counts and the clock can also go back: by `reset` of the statistics, and when the clock is set. */
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
