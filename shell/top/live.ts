/** `top` on a terminal: it takes figures as they come, and keys as they are typed. */

import { reasonOf, type WatchEvent } from '../../src/client.ts';
import type { TopQuestion } from '../channel/protocol.ts';
import type { TtyHub } from '../ui/tty.ts';
import type { View } from '../ui/view.tsx';
import { TopFigures, topTopics } from './figures.ts';
import { drawTop, pressKey, startReading, type TopReading } from './reading.ts';

/** How soon the first rates are shown. */
const firstMs = 300;

/** A watch that goes on until it is ended. */
interface Watching {
  /** Resolves with the reason when no more messages come. */
  readonly lost: Promise<Error>;
  end(): void;
}

/** Begins to watch the process that serves. Rejects when it cannot be reached. */
export type OpenWatch = (
  request: { readonly of: typeof topTopics; readonly everyMs: number; readonly firstMs: number },
  hear: (event: WatchEvent) => void,
) => Promise<Watching>;

/** Runs until the person leaves it, the terminal is gone, or the watch ends. @returns the reason why it ended by itself */
export async function liveTop(
  { tty, view }: { readonly tty: TtyHub; readonly view: View },
  openWatch: OpenWatch,
  { view: first, sort, filter, everyMs }: TopQuestion,
): Promise<string | undefined> {
  const figures = new TopFigures();
  let reading: TopReading = startReading(first, sort, filter);
  let shown = figures;
  const draw = () => {
    const { lines, status, typing } = drawTop(shown, reading, {
      columns: tty.columns,
      rows: tty.rows,
      hasColor: view.color,
    });
    view.showPage({ rows: lines, status, typing });
  };
  let watching: Watching;
  try {
    watching = await openWatch({ of: topTopics, everyMs, firstMs: Math.min(firstMs, everyMs) }, (event) => {
      // Figures that come during a pause are heard, and shown when it ends.
      const ended = figures.hear(event);
      if (ended && !reading.isPaused) draw();
    });
  } catch (error) {
    return reasonOf(error);
  }
  tty.output.on('resize', draw);
  const keys = async () => {
    for (;;) {
      const key = await tty.take();
      if (!key) return undefined;
      const next = pressKey(shown, reading, key);
      if (next === 'leave') return undefined;
      if (next === undefined) tty.bell();
      else {
        // A pause keeps the figures that are shown, whichever table is looked at meanwhile.
        if (next.isPaused !== reading.isPaused) shown = next.isPaused ? figures.copy() : figures;
        reading = next;
        draw();
      }
    }
  };
  draw();
  try {
    return await Promise.race([keys(), watching.lost.then((error) => error.message)]);
  } finally {
    tty.forget();
    tty.output.off('resize', draw);
    watching.end();
    await view.commit();
  }
}
