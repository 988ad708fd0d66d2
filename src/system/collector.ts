/**
 * Memory given back when nothing goes on. V8 looks for what nobody uses while it allocates: a process that was given much to
 * keep and then falls silent keeps all of it, for as long as it is silent. So whoever lets go of large buffers says how
 * large they were, and when that comes to much, the collector is asked to look, a while later. What is not V8's (of sockets,
 * above all) is freed at once, and kept by the C library, which gives back only what lies at the end of a heap: it is asked
 * for all of it.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { foreignCall } from './ffi.ts';

/** From how much on it is worth the pause: some 10 ms of this thread. */
const worthBytes = 64 * 1024 * 1024;
/** How much later: under load V8 has done it by then; and how often at most. */
const waitMs = 5_000;

const mallocTrim = foreignCall('malloc_trim', 'int', ['size_t']);

let leftBytes = 0;
let timer: NodeJS.Timeout | undefined;
let collect: (() => void) | undefined;

/** Says that so many bytes are not used any more, and are not kept for the next use either. */
export function leaveToCollector(bytes: number): void {
  leftBytes += bytes;
  if (leftBytes < worthBytes || timer) return;
  timer = setTimeout(look, waitMs).unref();
}

function look(): void {
  timer = undefined;
  leftBytes = 0;
  if (process.memoryUsage().arrayBuffers >= worthBytes) {
    collect ??= collector();
    collect();
  }
  // Off the event loop, since it looks through all that the process has.
  mallocTrim()
    ?.later(0)
    .catch(() => {});
}

/** V8's own, which Node shows to who asks for it. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  return typeof found === 'function' ? () => void found() : () => {};
}
