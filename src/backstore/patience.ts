/** How long an answer from outside of this process is waited for. */

/** One look at the time. */
const tickMs = 1_000;

export interface Awaited {
  /** An answer is owed. */
  owed(): boolean;
  /** A number that is another one after each sign of life. */
  heard(): number;
  /** There was none for so long. */
  lost(): void;
}

/**
 * Counts the seconds of silence that this process has seen go by, until it is ended. One that was stopped for a while
 * (SIGSTOP, a snapshot of its machine) has heard nothing because it did not listen: that is one second, however long it was.
 */
export function beginPatience(limitMs: number, { owed, heard, lost }: Awaited): { end(): void } {
  let silence = 0;
  let before = heard();
  const timer = setInterval(() => {
    const now = heard();
    silence = owed() && now === before ? silence + 1 : 0;
    before = now;
    if (silence * tickMs < limitMs) return;
    clearInterval(timer);
    lost();
  }, tickMs);
  timer.unref?.();
  return { end: () => clearInterval(timer) };
}
