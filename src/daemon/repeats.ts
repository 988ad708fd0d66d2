/** A log in which an event that repeats is written a few times, then counted: failures over and over fill no disk. */

import type { Log, LogRecord } from '../log.ts';

/** The length of an interval of counting, in milliseconds, and the number of times that one thing is written in it. */
const intervalMs = 60_000;
const writtenMax = 5;
/** The number of things of one event that are told apart; more are counted together. */
const keysPerEventMax = 32;

/** The details that differ each time that the same happens to the same initiator. */
const passing: readonly string[] = ['address', 'session', 'cid', 'fd'];

interface Counted {
  written: number;
  /** The number of records since the last written one, and the last of them. */
  left: number;
  last: LogRecord;
}

/** The records of an interval, by event and by the details that stay the same. */
type Interval = Map<string, Map<string, Counted>>;

const keyOf = ({ detail = {} }: LogRecord): string =>
  JSON.stringify(Object.entries(detail).filter(([name]) => !passing.includes(name)));

/**
 * @param every calls its argument at the end of each interval
 * @returns the log, and a function that writes the counts that are left
 */
export function countRepeats(
  log: Log,
  every: (ms: number, what: () => void) => void = (ms, what) => void setInterval(what, ms).unref(),
): { readonly log: Log; readonly flush: () => void } {
  let interval: Interval = new Map();
  const flush = () => {
    const ended = interval;
    interval = new Map();
    for (const things of ended.values())
      for (const { left, last } of things.values())
        if (left > 0) log({ ...last, detail: { ...last.detail, repeated: left } });
  };
  every(intervalMs, flush);
  return {
    flush,
    log(record) {
      const things = interval.get(record.event) ?? new Map<string, Counted>();
      interval.set(record.event, things);
      const key = keyOf(record);
      const known = things.has(key) || things.size < keysPerEventMax ? key : '';
      const counted = things.get(known) ?? { written: 0, left: 0, last: record };
      things.set(known, counted);
      counted.last = record;
      if (counted.written === writtenMax) counted.left += 1;
      else {
        counted.written += 1;
        log(record);
      }
    },
  };
}
