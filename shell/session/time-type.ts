/** Times as people say them: so long ago, of today, of a day. */

import type { ValueType } from '../../src/index.ts';

const unitsMs = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** The milliseconds of a length of time: `90s`, `5m`, `2h`, `3d`, `1w`. */
function durationOf(text: string): number | undefined {
  const [, number = '', unit] = /^(\d{1,6})(s|m|min|h|d|w)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(number) * unitsMs[unit as keyof typeof unitsMs];
}

/** A length of time, in milliseconds. */
export const durationType: ValueType<number> = {
  name: 'duration',
  wrong: 'is no length of time, as 90s, 5m, 2h or 3d.',
  parse: (text) => durationOf(text) || undefined,
  print: (ms) => {
    const units = Object.entries(unitsMs).toReversed();
    const [unit, size] = units.find(([name, size]) => name !== 'min' && ms >= size && ms % size === 0) ?? ['s', 1_000];
    return `${Math.round(ms / size)}${unit}`;
  },
};

/** A moment in the past, in the time of this machine. */
export const timeType: ValueType<Date> = {
  name: 'time',
  wrong: 'is no time, as 2h (ago), today, yesterday, 14:30, 2026-11-30 or "2026-11-30 14:30".',
  parse: (text) => timeOf(text, new Date()),
  print: printTime,
};

/** Reads a time. @param now the time that `ago` counts from */
function timeOf(text: string, now: Date): Date | undefined {
  const ago = durationOf(text.replace(/ ?ago$/, ''));
  if (ago !== undefined) return new Date(now.getTime() - ago);
  const day = { today: 0, yesterday: 1 }[text];
  if (day !== undefined) return new Date(now.getFullYear(), now.getMonth(), now.getDate() - day);
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(text) ?? [];
  if (hours !== undefined)
    return new Date(now.getFullYear(), now.getMonth(), now.getDate(), Number(hours), Number(minutes));
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text)) return undefined;
  // A day without an hour begins at midnight here, not in Greenwich.
  const time = new Date(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** Prints a time of this machine: `2026-11-30 14:30:05`. */
export function printTime(time: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`;
}
