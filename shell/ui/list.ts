/** A list of which one item is chosen: moving in it, the part of it that fits, filtering. Pure. */

/** One line of a list. */
export interface Item {
  readonly label: string;
  /** One line of help, '' when there is none. */
  readonly help: string;
  /** The path that the item stands for. */
  readonly path?: string;
  /** The colour of the label. */
  readonly color?: string;
}

/** A list of which one item is selected. */
export interface List {
  readonly items: readonly Item[];
  readonly selected: number;
  /** The number of lines that it may take on the screen. */
  readonly height: number;
}

/** The lines of a menu below the prompt, at most (fewer on a low screen). */
const MENU_LINES_MAX = 10;
/** The lines that stay for the prompt and the text above it. */
const PROMPT_LINES = 3;

/** Lines for a menu on a screen of so many rows. */
export const menuHeight = (rows: number): number => Math.min(MENU_LINES_MAX, listHeight(rows));

/** Lines for a list that may take the whole screen. */
export const listHeight = (rows: number): number => Math.max(1, rows - PROMPT_LINES);

/** The selection of a list after `chord`: round at its ends by lines, not by pages; undefined: not a key that moves. */
export function movedSelection({ items, selected, height }: List, chord: string): number | undefined {
  const count = items.length;
  const to = {
    tab: (selected + 1) % count,
    down: (selected + 1) % count,
    'C-n': (selected + 1) % count,
    'S-tab': (selected + count - 1) % count,
    up: (selected + count - 1) % count,
    'C-p': (selected + count - 1) % count,
    pagedown: Math.min(selected + height, count - 1),
    pageup: Math.max(selected - height, 0),
  }[chord];
  return count === 0 && to !== undefined ? selected : to;
}

/** The items to show: all, or those around the selection and a line that says where in the list they are. */
export function visible({ items, selected, height }: List): { from: number; to: number; position: string } {
  if (items.length <= height) return { from: 0, to: items.length, position: '' };
  const lines = Math.max(1, height - 1);
  const from = Math.max(0, Math.min(selected - (lines >> 1), items.length - lines));
  return { from, to: from + lines, position: height > 1 ? `${selected + 1} of ${items.length}` : '' };
}

/** Whether each word of `filter` occurs in `label`, whatever its case. */
export function matchesFilter(label: string, filter: string): boolean {
  const text = label.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
