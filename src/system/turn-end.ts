/**
 * The end of what an event loop is doing. Where several things end at once, each has followers that run as microtasks; what is to happen
 * once for all of them happens behind the last, and before the loop looks for anything else.
 */

let isOpen = false;
let waiting: (() => void)[] = [];

/** Notes that several things end now: `atTurnEnd` waits for all of their followers. */
export function endTogether(): void {
  if (isOpen) return;
  isOpen = true;
  queueMicrotask(endBehind);
}

/** Does work when all is done that goes on now. Where nobody has said when that is, other events of this turn of the loop come first. */
export function atTurnEnd(work: () => void): void {
  if (isOpen) waiting.push(work);
  else setImmediate(work);
}

/** Node runs what is to happen next as soon as the callback at hand has ended, and what a microtask adds to that when none is left. */
function endBehind(): void {
  process.nextTick(end);
}

function end(): void {
  isOpen = false;
  const all = waiting;
  waiting = [];
  let begun = 0;
  // An error of one work is reported as that of any callback; the others are done all the same.
  try {
    for (const work of all) {
      begun += 1;
      work();
    }
  } finally {
    for (const work of all.slice(begun)) setImmediate(work);
  }
}
