/** Asks for a secret, twice: nothing of it is shown, not even how long it is. */

import { typedTwice } from '../channel/typed-twice.ts';
import { EMPTY_LINE, editLine } from './line-editor.ts';
import type { TtyHub } from './tty.ts';
import type { View } from './view.tsx';

type Screen = { readonly tty: TtyHub; readonly view: View };

/** @returns null when the person gives it up, or the terminal is gone */
export const askSecret = (screen: Screen, name: string): Promise<string | null> =>
  typedTwice(name, (prompt) => hiddenLine(screen, prompt));

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
