/** Reads one line from a person: edits, completes, searches the history. Each way of reading is a loop that takes keys. */

import type { History } from '../history.ts';
import type { ShellClient } from '../protocol.ts';
import { choose } from './choose.ts';
import { complete } from './complete.ts';
import { ACCEPTS, accept, EMPTY_LINE, edit, type Line, suggestion } from './line-editor.ts';
import type { TtyHub } from './tty.ts';
import type { View } from './view.tsx';

/** What a person sits at. */
export interface Desk {
  readonly tty: TtyHub;
  readonly view: View;
  readonly client: ShellClient;
  readonly history: History;
}

/** The line, left on the screen behind its prompt and added to the history; null when the terminal is gone. Ctrl-D on an empty line is `exit`. */
export async function readLine(desk: Desk): Promise<string | null> {
  const { tty, view, client, history } = desk;
  let line = EMPTY_LINE;
  for (;;) {
    const { prompt } = client.state;
    // Without colours a suggestion could not be told from what was typed.
    const suggested = view.color ? suggestion(line, history.lines) : '';
    if (!tty.busy) view.show({ line: { prompt, text: line.text, cursor: line.cursor, suggestion: suggested } });
    const key = await tty.take();
    if (!key) return null;
    switch (key.chord) {
      case 'return':
        await view.commit(prompt + line.text);
        history.add(line.text);
        return line.text;
      case 'C-c':
        await view.commit(prompt + line.text);
        line = EMPTY_LINE;
        continue;
      case 'C-l':
        view.clear();
        continue;
      case 'tab':
        line = await complete(desk, line);
        continue;
      case 'C-r':
        line = await searchHistory(desk, line);
        continue;
      case 'C-d':
        if (line.text !== '') break;
        await view.commit(`${prompt}exit`);
        return 'exit';
    }
    const taken = suggested === '' ? undefined : ACCEPTS[key.chord];
    const next = taken ? accept(line, suggested, taken) : edit(line, key, history.lines);
    if (next) line = next;
    else tty.bell();
  }
}

async function searchHistory(desk: Desk, line: Line): Promise<Line> {
  const newestFirst = [...new Set(desk.history.lines.toReversed())];
  const chosen = await choose(desk, {
    message: 'history',
    items: newestFirst.map((text) => ({ label: text, help: '' })),
    initial: 0,
    filter: line.text,
    height: 'menu',
  });
  const text = chosen === null ? undefined : newestFirst[chosen];
  return text === undefined ? line : { ...line, text, cursor: text.length };
}
