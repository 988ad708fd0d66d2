/** Calls of another thread that nobody waits for: how many may be on their way while that thread stands still. */

import type { Log, LogRecord } from '../log.ts';

interface BoundedCallsOptions<Words> {
  /** So many are on their way at most. */
  readonly most: number;
  /** Makes the call. @returns when the other thread has carried it out */
  send(words: Words): Promise<unknown>;
  /** The words of the call that is made, once there is room again, for those that were left out. */
  leftOut(count: number): Words;
}

/** @returns a function that makes a call, or counts it when too many are on their way */
function boundedCalls<Words>({ most, send, leftOut }: BoundedCallsOptions<Words>): (words: Words) => void {
  let underWay = 0;
  let left = 0;
  const arrived = () => {
    underWay -= 1;
    if (left === 0 || underWay > 0) return;
    const count = left;
    left = 0;
    call(leftOut(count));
  };
  const call = (words: Words) => {
    underWay += 1;
    void send(words).then(arrived, arrived);
  };
  return (words) => {
    if (underWay < most) call(words);
    else left += 1;
  };
}

/** Records on their way to where the log is written. */
const recordsMax = 1024;

/**
 * A log that another thread writes: what comes while it does not is counted beyond a limit, not kept. Errors have a limit of
 * their own: nothing that strangers can repeat leaves them out.
 */
export function boundedLog(send: (record: LogRecord) => Promise<unknown>): Log {
  const bounded = (level: string) =>
    boundedCalls<LogRecord>({
      most: recordsMax,
      send,
      leftOut: (count) => ({ level: 'warning', event: 'log records left out', detail: { level, count } }),
    });
  const [errors, others] = [bounded('error'), bounded('below error')];
  return (record) => (record.level === 'error' ? errors : others)(record);
}

/** A call that says no more the second time than the first: what comes while one is on its way is one more behind it. */
export function coalesced(send: () => Promise<unknown>): () => void {
  const call = boundedCalls<undefined>({ most: 1, send, leftOut: () => undefined });
  return () => call(undefined);
}
