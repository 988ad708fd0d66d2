/** `tcli top`: the live view without a shell around it. */

import type { TopQuestion } from '../channel/protocol.ts';
import { liveTop, type OpenWatch } from '../top/live.ts';
import { settleColor } from './color.ts';
import { TtyHub } from './tty.ts';
import { openView } from './view.tsx';

/** Runs it. @returns the reason why it ended by itself; null when the person left it */
export async function topAlone(openWatch: OpenWatch, question: TopQuestion): Promise<string | null> {
  const view = openView(process.stdout, settleColor(process.env));
  const tty = new TtyHub(process.stdin, process.stdout, {
    stop: () => void view.lend(() => tty.suspend()),
    repaint: () => void view.lend(async () => {}),
  });
  try {
    return (await liveTop({ tty, view }, openWatch, question)) ?? null;
  } finally {
    await view.close();
    tty.close();
  }
}
