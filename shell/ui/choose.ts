/** Lets a person choose from a list: arrows move, typing filters, Enter takes, Esc or Ctrl-C leaves. */

import { EMPTY_LINE, editLine, replaceText } from './line-editor.ts';
import { type Item, listHeight, matchesFilter, menuHeight, movedSelection } from './list.ts';
import type { TtyHub } from './tty.ts';
import type { View } from './view.tsx';

export interface Choice {
  readonly message: string;
  readonly items: readonly Item[];
  /** Index of the item that is selected at first. */
  readonly initial: number;
  /** Text that filters from the start. */
  readonly filter?: string;
  /** The height: as low as a menu, or as high as the screen allows. */
  readonly height: 'menu' | 'screen';
}

/** Whether a filter matches an item. A part of a path is looked for where the item has one. */
export const isMeant = ({ label, path }: Item, text: string): boolean =>
  matchesFilter(text.includes('/') && path !== undefined ? path : label, text);

/** Lets a person choose. @returns the index of the item chosen; null when the person left, or the terminal is gone */
export async function chooseItem({ tty, view }: { tty: TtyHub; view: View }, choice: Choice): Promise<number | null> {
  let line = replaceText(EMPTY_LINE, 0, 0, choice.filter ?? '');
  // The list stands where the caller wants it only while the filter is empty.
  let index = choice.initial;
  for (;;) {
    const meant = [...choice.items.entries()].filter(([, item]) => isMeant(item, line.text));
    const found = meant.map(([at]) => at);
    const list = {
      items: meant.map(([, item]) => item),
      selected: Math.max(0, found.indexOf(index)),
      height: choice.height === 'menu' ? menuHeight(tty.rows) : listHeight(tty.rows),
    };
    const selected = found[list.selected];
    if (!tty.busy)
      view.show({
        line: {
          prompt: `${choice.message}${found.length === 0 ? ' (nothing matches)' : ''}: `,
          text: line.text,
          cursor: line.cursor,
          suggestion: '',
        },
        list,
      });
    const key = await tty.take();
    if (!key || key.chord === 'escape' || key.chord === 'C-c' || key.chord === 'C-g') return null;
    const to = movedSelection(list, key.chord === 'C-r' ? 'down' : key.chord);
    if (key.chord === 'return' && selected !== undefined) return selected;
    if (to !== undefined) index = found[to] ?? index;
    else {
      const edited = editLine(line, key, []);
      if (edited && edited.text !== line.text) index = selected ?? index;
      if (edited) line = edited;
      else tty.bell();
    }
  }
}
