/**
 * Shares an event loop among the clients that it serves. A client whose requests are worked off all together gets its answers all together,
 * which costs least. But while another client waits, it has the loop for a time slice only, and its rest waits until the event loop has
 * looked at the others.
 */

/** The length of a time slice, in milliseconds: about what a dozen short commands take. */
const sliceMs = 0.1;
/** The time after which a slice is over although no client is known to wait: devices and timers wait, too. */
const longestMs = 1;
/** The time for which a client that was served is looked at, in milliseconds. */
const companyMs = 1000;
/** The number of other clients that one slice looks at. Where there are more, somebody is taken to wait. */
const looksMax = 4;

/** Somebody whose requests are worked off in the event loop. */
export interface Sharer {
  /** Whether requests are there to be worked off. */
  readonly waits: boolean;
}

/** The clients that were served last, the latest at the end, and the time. */
const served = new Map<Sharer, number>();
let current: Sharer | undefined;
/** The end of the slice at hand, if somebody waits then, and the end in any case. A client without company, or no slice: never. */
let endsAt = Number.POSITIVE_INFINITY;
let endsAnyway = Number.POSITIVE_INFINITY;
/** The number of rests that wait for their next slice. */
let waiting = 0;

/** Begins a time slice of `client`, which ends with `endSlice`. */
export function beginSlice(client: Sharer): void {
  const now = performance.now();
  if (current !== client) served.delete(client);
  served.set(client, now);
  current = client;
  if (served.size > 1) {
    for (const [one, at] of served)
      if (now - at > companyMs) served.delete(one);
      else break;
  }
  endsAt = served.size > 1 ? now + sliceMs : Number.POSITIVE_INFINITY;
  endsAnyway = now + longestMs;
}

/** Whether the rest of what the client sent should wait for `inNextSlice`. */
export function sliceIsOver(): boolean {
  if (endsAt === Number.POSITIVE_INFINITY) return false;
  const now = performance.now();
  if (now < endsAt) return false;
  if (now >= endsAnyway || othersWait()) return true;
  endsAt = now + sliceMs;
  return false;
}

function othersWait(): boolean {
  if (served.size > looksMax + 1) return true;
  for (const one of served.keys()) if (one !== current && one.waits) return true;
  return false;
}

/** Ends the time slice at hand: what runs outside of one is never over. */
export function endSlice(): void {
  endsAt = Number.POSITIVE_INFINITY;
}

/** Forgets a client that will send nothing more. */
export function forgetClient(client: Sharer): void {
  served.delete(client);
  if (current === client) current = undefined;
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
