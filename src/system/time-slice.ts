/**
 * Shares an event loop among the clients that it serves. A client that has the loop for itself sends its answers all together, which costs
 * least. While others come too, it has the loop for one time slice after another, and the event loop looks at the others between two.
 */

/** The length of a time slice, in milliseconds: about what a dozen short commands take. */
const sliceMs = 0.1;
/** The time for which a client that has come counts as one of several. */
const companyMs = 1000;

let lastClient: unknown;
/** When the loop last went from one client to another. */
let changedAt = Number.NEGATIVE_INFINITY;
let endsAt = Number.POSITIVE_INFINITY;
let waiting = 0;

/** Begins a time slice of `client`, which ends with `endSlice`. */
export function beginSlice(client: object): void {
  const now = performance.now();
  if (lastClient !== client) {
    lastClient = client;
    changedAt = now;
  }
  endsAt = now - changedAt < companyMs ? now + sliceMs : Number.POSITIVE_INFINITY;
}

/** Whether the rest of what the client sent should wait for `inNextSlice`. */
export const sliceIsOver = (): boolean => endsAt !== Number.POSITIVE_INFINITY && performance.now() >= endsAt;

/** Ends the time slice at hand: what runs outside of one is never over. */
export function endSlice(): void {
  endsAt = Number.POSITIVE_INFINITY;
}

/** Goes on with the rest once the event loop has looked at everything else. */
export function inNextSlice(work: () => void): void {
  waiting += 1;
  setImmediate(() => {
    waiting -= 1;
    work();
  });
}

/** Whether somebody waits for the next time slice, so that nobody should wait for more to come. */
export const slicesWait = (): boolean => waiting > 0;
