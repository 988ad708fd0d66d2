/** Long work in slices: what has its turn in the event loop meanwhile waits no longer than one slice takes. */

import { setImmediate } from 'node:timers/promises';

/** The time after which a slice ends. */
const sliceMs = 10;

/** Work that can be left off wherever it yields. */
export type Sliced<T> = Generator<void, T>;

/** Does all of it at once. */
export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Does it slice by slice. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  const rest = slices();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await rest();
  }
}

/** A function for asynchronous work to call between its steps: it waits for the others when a slice is over. */
export function slices(): () => Promise<void> | undefined {
  let end = performance.now() + sliceMs;
  return () =>
    performance.now() < end
      ? undefined
      : setImmediate().then(() => {
          end = performance.now() + sliceMs;
        });
}
