// The measurements, round by round, and the lines in which they are printed.

import type { Figures } from './loads.ts';

/** One run of a load. */
export interface Sample extends Figures {
  /** Microseconds of the server's CPU for each operation; not a number where nothing is known of it. */
  readonly cpu: number;
}

/** Everything that was measured of one load, by who was measured. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

/** The middle value; of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (place: number) => sorted[place] ?? Number.NaN;
  return (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2;
}

/** The median of the rounds' ratios, with the quarters below and above it: what else the machine does meets both of a round. */
export function ratio(
  taken: readonly Sample[],
  base: readonly Sample[],
  key: 'iops' | 'cpu',
): { low: number; middle: number; high: number } {
  const all = taken.map((one, round) => one[key] / (base[round]?.[key] ?? Number.NaN)).toSorted((a, b) => a - b);
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.NaN;
  return { low: at(0.25), middle: median(all), high: at(0.75) };
}

/** Prints what was measured of one as ratios to another: only these two, round by round. */
export function printBeside(samples: Samples, name: string, base: string): void {
  const [taken = [], other = []] = [samples.get(name), samples.get(base)];
  if (taken.length === 0 || other.length === 0) return;
  const words = (key: 'iops' | 'cpu') => {
    const { low, middle, high } = ratio(taken, other, key);
    return `x${middle.toFixed(2)} [${low.toFixed(2)}-${high.toFixed(2)}]`;
  };
  console.log(`  ${name} : ${base}   throughput ${words('iops')}, CPU per operation ${words('cpu')}`);
}

/**
 * @param base whose ratios are 1
 * @param calls system calls for each operation, of those of which they were counted
 */
export function print(
  title: string,
  bytes: number,
  samples: Samples,
  base: string,
  calls: ReadonlyMap<string, number>,
): void {
  console.log(`\n${title}`);
  for (const [name, taken] of samples) {
    if (taken.length === 0) continue;
    const iops = median(taken.map((one) => one.iops));
    const speed = ratio(taken, samples.get(base) ?? [], 'iops');
    const cpu = median(taken.map((one) => one.cpu));
    const counted = calls.get(name);
    const parts = [
      `${(iops / 1000).toFixed(1)}k/s`.padStart(9),
      `${((iops * bytes) / 1e6).toFixed(0)} MB/s`.padStart(10),
      `x${speed.middle.toFixed(2)} [${speed.low.toFixed(2)}-${speed.high.toFixed(2)}]`.padStart(19),
      Number.isNaN(cpu) ? ''.padStart(18) : `${cpu.toFixed(1)} us`.padStart(10),
      Number.isNaN(cpu) ? '' : `x${ratio(taken, samples.get(base) ?? [], 'cpu').middle.toFixed(2)}`.padStart(7),
      counted === undefined ? '' : `${counted.toFixed(2)} calls`.padStart(12),
      taken[0]?.p99
        ? `p50 ${median(taken.map((one) => one.p50 ?? 0)).toFixed(0)} p99 ${median(taken.map((one) => one.p99 ?? 0)).toFixed(0)} us`
        : '',
    ];
    console.log(`  ${name.padEnd(16)}${parts.join(' ')}`.trimEnd());
  }
}
