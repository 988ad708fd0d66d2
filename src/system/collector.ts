/**
 * Gives memory back when nothing goes on. V8 looks for unused memory while it allocates: a process that was given much to keep and then
 * falls silent keeps all of it, for as long as it is silent. So code that drops large buffers reports their size, and when that comes to
 * much, the collector is asked to look, a while later. Memory that is not V8's (of sockets, above all) is freed at once, and kept by the
 * C library, which gives back only the end of a heap: it is asked for all of it.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { foreignCall } from './ffi.ts';

/** The bytes from which a collection is worth its pause: some 10 ms of this thread. */
const worthBytes = 64 * 1024 * 1024;
/** The delay, after which V8 has collected by itself under load; and the shortest time between two collections. */
const waitMs = 5_000;

const mallocTrim = foreignCall('malloc_trim', 'int', ['size_t']);

let leftBytes = 0;
let timer: NodeJS.Timeout | undefined;
let collect: (() => void) | undefined;

/** Reports that so many bytes are not used any more, and are not kept for the next use either. */
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
  // The C library looks through all memory of the process, so this runs off the event loop.
  mallocTrim()
    ?.later(0)
    .catch(() => {});
}

/** V8's own collector, which Node shows when asked. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  return typeof found === 'function' ? () => void found() : () => {};
}
