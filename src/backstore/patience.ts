/** Waiting for answers from outside of this process, with a limit. */

import { runningMs, whenLate } from '../system/running-time.ts';

/** The interval of looking for signs of life. */
const lookMs = 1_000;

/** A peer outside of this process that owes an answer. */
export interface AwaitedPeer {
  /** Whether an answer is owed. */
  owed(): boolean;
  /** A number that changes with each sign of life. */
  heard(): number;
  /** Called when there was no sign of life for the limit. */
  lost(): void;
}

/** Waits for signs of life until it is ended. The peer does nothing for each sign: this looks by the clock. */
export function beginPatience(limitMs: number, { owed, heard, lost }: AwaitedPeer): { end(): void } {
  let last = heard();
  let since = runningMs();
  const timer = setInterval(() => {
    const now = heard();
    if (!owed() || now !== last) since = runningMs();
    last = now;
    if (runningMs() - since < limitMs) return;
    clearInterval(timer);
    lost();
  }, lookMs);
  timer.unref?.();
  return { end: () => clearInterval(timer) };
}

/** Waits for `what`, and no longer than `ms`. @returns whether the time was over first */
export async function within(ms: number, what: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<true>();
  const end = whenLate(ms, () => resolve(true));
  try {
    return await Promise.race([what.then(() => false), late]);
  } finally {
    end();
  }
}
