/** Asks for a secret, twice: nothing of it is shown, not even how long it is. */

import { EMPTY_LINE, editLine } from './line-editor.ts';
import type { TtyHub } from './tty.ts';
import type { View } from './view.tsx';

type Screen = { readonly tty: TtyHub; readonly view: View };

/** @returns null when the person gives it up, or the terminal is gone */
export async function askSecret(screen: Screen, name: string): Promise<string | null> {
  for (let again = ''; ; again = 'They differ. ') {
    const first = await hiddenLine(screen, `${again}${name}: `);
    if (first === null || first === '') return null;
    const second = await hiddenLine(screen, `${name}, again: `);
    if (second === null || second === first) return second;
  }
}

async function hiddenLine({ tty, view }: Screen, prompt: string): Promise<string | null> {
  let line = EMPTY_LINE;
  for (;;) {
    view.show({ line: { prompt, text: '', cursor: 0, suggestion: '' } });
    const key = await tty.take();
    if (!key || ['escape', 'C-c', 'C-d', 'C-g'].includes(key.chord)) return null;
    if (key.chord === 'return') {
      await view.commit(prompt);
      return line.text;
    }
    const edited = editLine(line, key, []);
    if (edited) line = edited;
    else tty.bell();
  }
}
