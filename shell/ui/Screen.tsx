/** The picture that Ink draws at the bottom of the terminal: the prompt line and, below it, a list. A function of one value. */

import { Box, Text, useCursor, useWindowSize } from 'ink';
import { printableLine } from '../../src/client.ts';
import { cell, width } from './graphemes.ts';
import { layOut, type PromptLine } from './layout.ts';
import { type List, visible } from './list.ts';

/** One picture. `line` is null while a command runs; `tail` is its output after its last newline. */
export interface Frame {
  readonly line: PromptLine | null;
  readonly list?: List | undefined;
  /** One line below the prompt: a note on the typed line. */
  readonly note?: string | undefined;
  readonly tail?: string;
}

/** The share of the columns that the labels of a list take at most, when help stands beside them. */
const LABEL_SHARE = 0.6;

/** Draws a frame. */
export function Screen({ frame }: { frame: Frame }) {
  const { columns, rows } = useWindowSize();
  const { setCursorPosition } = useCursor();
  if (!frame.line) {
    setCursorPosition(undefined);
    return frame.tail ? <Text wrap="truncate-end">{frame.tail}</Text> : null;
  }
  // The screen may have become lower since the list was made.
  const list = frame.list && { ...frame.list, height: Math.min(frame.list.height, Math.max(1, rows - 2)) };
  const listRows = list ? Math.min(list.height, list.items.length) : 0;
  const noteRows = frame.note !== undefined && !list ? 1 : 0;
  const layout = layOut(frame.line, columns, Math.max(1, rows - listRows - noteRows - 1));
  setCursorPosition({ x: layout.x, y: layout.y });
  const last = layout.rows.length - 1;
  return (
    <Box flexDirection="column">
      {layout.rows.map((row, index) => (
        // A row of its own even when it is empty: the cursor may stand in it.
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity but their place
        <Text key={index} wrap="truncate-end">
          <MarkedRow row={row} unknown={layout.unknown?.[index]} />
          {index === last && layout.grey !== '' && <Text dimColor>{layout.grey}</Text>}
        </Text>
      ))}
      {frame.note !== undefined && !list && <Text dimColor wrap="truncate-end">{`  ${frame.note}`}</Text>}
      {list && <ItemList list={list} columns={columns} />}
    </Box>
  );
}

/** A row with its unknown part in red. An empty row is drawn as a blank. */
function MarkedRow({ row, unknown }: { row: string; unknown: readonly [number, number] | undefined }) {
  if (!unknown) return row || ' ';
  const [from, to] = unknown;
  return (
    <>
      {row.slice(0, from)}
      <Text color="red">{row.slice(from, to)}</Text>
      {row.slice(to) || ' '}
    </>
  );
}

function ItemList({ list, columns }: { list: List; columns: number }) {
  const { from, to, position } = visible(list);
  const items = list.items.slice(from, to);
  const withHelp = items.some((item) => item.help !== '');
  const widest = Math.max(0, ...items.map((item) => width(item.label)));
  const room = withHelp ? Math.floor(columns * LABEL_SHARE) : columns;
  const labelColumns = Math.max(1, Math.min(widest, room - 2));
  return (
    <>
      {items.map((item, index) => {
        const selected = from + index === list.selected;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: an item's identity is its place in the list
          <Text key={from + index} wrap="truncate-end">
            <Text inverse={selected} {...(item.color && !selected ? { color: item.color } : {})}>
              {(selected ? '> ' : '  ') + cell(printableLine(item.label), labelColumns)}
            </Text>
            {item.help !== '' && <Text dimColor>{`  ${printableLine(item.help)}`}</Text>}
          </Text>
        );
      })}
      {position !== '' && <Text dimColor>{`  ${position}`}</Text>}
    </>
  );
}
