/** How long an answer from outside of this process is waited for. */

import { runningMs, whenLate } from '../system/running-time.ts';

/** How often it is looked at whether something was heard. */
const lookMs = 1_000;

/** Somebody outside of this process, of whom an answer is waited for. */
export interface AwaitedPeer {
  /** An answer is owed. */
  owed(): boolean;
  /** A number that is another one after each sign of life. */
  heard(): number;
  /** There was none for so long. */
  lost(): void;
}

/** Waits for signs of life, until it is ended; nothing is done for each of them. */
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

/** Waits for `what`, and no longer. @returns whether it was too long */
export async function within(ms: number, what: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<true>();
  const end = whenLate(ms, () => resolve(true));
  try {
    return await Promise.race([what.then(() => false), late]);
  } finally {
    end();
  }
}
