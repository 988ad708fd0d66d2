/** Tab: one candidate is inserted, a common start first, several are shown as a menu below the prompt. */

import { isPrintable, whenLate } from '../../src/client.ts';
import type { Candidate, LineCompletion, ShellClient } from '../channel/protocol.ts';
import { completeStatement } from '../channel/run-line.ts';
import type { InteractiveShell } from './interactive-shell.ts';
import type { Key } from './key.ts';
import { commonPrefix, editLine, type Line, replaceText } from './line-editor.ts';
import { menuHeight, movedSelection } from './list.ts';

/** The time that Tab waits for candidates. */
const COMPLETION_WAIT_MS = 3_000;

/** Completes a line. @returns the line completed as far as it can be, after the person chose if there was a choice */
export async function completeTyped(shell: InteractiveShell, line: Line): Promise<Line> {
  const completion = await candidatesFor(shell.client, line);
  const [first, second] = completion.candidates;
  if (!first) {
    shell.tty.bell();
    return line;
  }
  if (!second) return insert(line, completion.from, first);
  const shared = commonPrefix(completion.candidates.map((candidate) => candidate.text));
  const typed = line.text.slice(completion.from, line.cursor);
  if (shared.length > typed.length && shared.startsWith(typed))
    return replaceText(line, completion.from, line.cursor, shared);
  return menu(shell, line, completion);
}

/**
 * The candidates of the session, without names that a line cannot hold (a file's may have control characters). None when it does not
 * answer in time: Tab must not hang on a dead file system.
 */
export async function candidatesFor(client: ShellClient, line: Line): Promise<LineCompletion> {
  const { promise: late, resolve } = Promise.withResolvers<LineCompletion>();
  const inTime = whenLate(COMPLETION_WAIT_MS, () => resolve({ from: line.cursor, candidates: [] }));
  try {
    const { candidates, ...rest } = await Promise.race<LineCompletion>([
      completeStatement(client, line.text, line.cursor),
      late,
    ]);
    return { ...rest, candidates: candidates.filter(({ text }) => isPrintable(text)) };
  } finally {
    inTime();
  }
}

/** The line with the candidate in the place of its word, and a blank behind it when the word is complete. */
function insert(line: Line, from: number, { text, final }: Candidate): Line {
  const next = replaceText(line, from, line.cursor, text);
  if (!final) return next;
  if (next.text[next.cursor] === ' ') return { ...next, cursor: next.cursor + 1 };
  return replaceText(next, next.cursor, next.cursor, ' ');
}

/** Whether a key changes the word under completion, so that the menu goes on with the candidates that are left. */
const narrows = (key: Key) => (key.chord === 'text' && !key.text.includes(' ')) || key.chord === 'backspace';

async function menu({ tty, view, client }: InteractiveShell, before: Line, all: LineCompletion): Promise<Line> {
  let line = before;
  let completion = all;
  let selected = 0;
  for (;;) {
    const { from, candidates } = completion;
    const items = candidates.map(({ text, help, color }) => ({ label: text, help, ...(color && { color }) }));
    const list = { items, selected, height: menuHeight(tty.rows) };
    if (!tty.busy)
      view.show({ line: { prompt: client.state.prompt, text: line.text, cursor: line.cursor, suggestion: '' }, list });
    const key = await tty.take();
    if (!key || key.chord === 'escape' || key.chord === 'C-g') return line;
    const to = movedSelection(list, key.chord);
    const chosen = candidates[selected];
    const takes = key.chord === 'return' || (key.chord === 'tab' && candidates.length === 1);
    if (takes && chosen) return insert(line, from, chosen);
    if (to !== undefined) selected = to;
    else if (!narrows(key) || (key.chord === 'backspace' && line.cursor <= from)) {
      tty.untake(key);
      return line;
    } else {
      line = editLine(line, key, []) ?? line;
      completion = await candidatesFor(client, line);
      selected = 0;
      const [only, another] = completion.candidates;
      const word = line.text.slice(completion.from, line.cursor);
      if (!only || (!another && only.text === word)) return line;
    }
  }
}
