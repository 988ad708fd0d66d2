/** Reads one line from a person: edits, completes, searches the history. Each way of reading is a loop that takes keys. */

import type { LineCompletion } from '../channel/protocol.ts';
import { parseCommandLine } from '../session/command-line.ts';
import { showLine } from '../session/secrets.ts';
import { chooseItem } from './choose.ts';
import { candidatesFor, completeTyped } from './complete.ts';
import { cell, width } from './graphemes.ts';
import type { InteractiveShell } from './interactive-shell.ts';
import { ACCEPTS, acceptSuggestion, EMPTY_LINE, editLine, type Line, suggestion } from './line-editor.ts';
import type { TtyHub } from './tty.ts';

/** The time that the line has to stay as it is before the session is asked about it. */
const LOOK_WAIT_MS = 30;

/** The session's notes on a line. */
interface Look {
  readonly at: Line;
  readonly completion: LineCompletion;
}

/** Asks the session about a line when the person pauses, and draws again if the line is still the same. */
class Looker {
  readonly #client: InteractiveShell['client'];
  readonly #draw: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** The line on the screen. */
  line: Line = EMPTY_LINE;
  /** The last answer, of this line or of an earlier one. */
  look: Look | undefined;

  constructor(client: InteractiveShell['client'], draw: () => void) {
    this.#client = client;
    this.#draw = draw;
  }

  soon(): void {
    clearTimeout(this.#timer);
    const at = this.line;
    if (at.text === '' || this.look?.at === at) return;
    this.#timer = setTimeout(async () => {
      const completion = await candidatesFor(this.#client, at);
      if (this.line !== at || this.#timer === undefined) return;
      this.look = { at, completion };
      this.#draw();
    }, LOOK_WAIT_MS);
  }

  /** Drops the answer to the last question: the line changes, or a menu has the screen. */
  noMore(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Reads a line, which is left on the screen behind its prompt and added to the history; null when the terminal is gone. Ctrl-D on an
 * empty line is `exit`.
 */
export async function readLine(shell: InteractiveShell): Promise<string | null> {
  const { tty, view, client, history } = shell;
  const lines = history.preferring(client.state.path);
  // Without colours a suggestion could not be told from typed text.
  const suggest = () => (view.color ? suggestion(looker.line, lines) || offered(looker.line, looker.look) : '');
  const draw = () => {
    const { line, look } = looker;
    const suggested = suggest();
    const { note, unknown } = look?.at === line ? look.completion : {};
    const shown = { prompt: client.state.prompt, text: line.text, cursor: line.cursor, suggestion: suggested };
    if (!tty.busy) view.show({ line: { ...shown, unknown: view.color ? unknown : undefined }, note });
  };
  const looker = new Looker(client, draw);
  const leave = (text: string) => view.commit(client.state.prompt + showLine(text).text);
  for (;;) {
    draw();
    looker.soon();
    const key = await tty.take();
    looker.noMore();
    if (!key) return null;
    const { line } = looker;
    const suggested = suggest();
    switch (key.chord) {
      case 'return':
        await leave(line.text);
        history.add(line.text, client.state.path);
        return line.text;
      case 'C-c':
        await leave(line.text);
        looker.line = EMPTY_LINE;
        continue;
      case 'C-l':
        view.clear();
        continue;
      case 'tab':
        looker.line = await completeTyped(shell, line);
        continue;
      case 'C-r':
        looker.line = await searchHistory(shell, line);
        continue;
      case 'C-d':
        if (line.text !== '') break;
        await leave('exit');
        return 'exit';
      case 'text':
        if (key.text !== '?' || !asksForHelp(line)) break;
        view.print(helpOf(await candidatesFor(client, line), tty));
        continue;
    }
    const taken = suggested === '' ? undefined : ACCEPTS[key.chord];
    const next = taken ? acceptSuggestion(line, suggested, taken) : editLine(line, key, history.lines);
    if (next) looker.line = next;
    else tty.bell();
  }
}

/**
 * The rest of the first candidate, where nothing in the history goes on. It stays while one types along it: otherwise it would go with
 * every key, and come back.
 */
export function offered({ text, cursor }: Line, look: Look | undefined): string {
  if (!look || cursor < text.length || !text.startsWith(look.at.text)) return '';
  const { from, candidates } = look.completion;
  const typed = text.slice(from);
  const first = candidates.find((one) => one.text.startsWith(typed));
  if (look.at.text !== text && look.at.cursor < look.at.text.length) return '';
  return typed !== '' && first?.text.startsWith(typed) ? first.text.slice(typed.length) : '';
}

/** Whether a `?` asks for help: it does where a word could begin; in a value or in quotes it is a character. */
const asksForHelp = ({ text, cursor }: Line): boolean =>
  cursor === text.length && /(?:^|\s)$/.test(text) && parseCommandLine(text).unclosed === undefined;

/** Columns of candidates before their help. */
const helpColumns = 24;

/** A line for each candidate, no more of them than the screen has room for: keys that follow are for the line, not for a pager. */
function helpOf({ candidates }: LineCompletion, { columns, rows }: Pick<TtyHub, 'columns' | 'rows'>): string {
  if (candidates.length === 0) return '  nothing more\n';
  const fits = candidates.length <= rows - 2;
  const shown = fits ? candidates : candidates.slice(0, Math.max(1, rows - 3));
  const lines = shown.map(({ text, help }) => {
    const line = `  ${cell(text, Math.max(helpColumns, width(text)))}  ${help}`.trimEnd();
    return width(line) < columns ? line : cell(line, columns - 1);
  });
  const more = fits ? [] : [`  … ${candidates.length - shown.length} more: Tab shows all of them`];
  return [...lines, ...more].map((line) => `${line}\n`).join('');
}

async function searchHistory(shell: InteractiveShell, line: Line): Promise<Line> {
  const newestFirst = [...new Set(shell.history.lines.toReversed())];
  const chosen = await chooseItem(shell, {
    message: 'history',
    items: newestFirst.map((text) => ({ label: text, help: '' })),
    initial: 0,
    filter: line.text,
    height: 'menu',
  });
  const text = chosen === null ? undefined : newestFirst[chosen];
  return text === undefined ? line : { ...line, text, cursor: text.length };
}
