/** A real terminal for tests: a program in a pty, its screen kept by xterm. Waits are for what is on the screen, never for time. */

import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import pty from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { built } from './build-programs.ts';
import { screenSvg } from './screen-svg.ts';

/** Longest wait for something to appear, in milliseconds; a loaded machine needs it, a good run does not. */
const WAIT_MS = Number(process.env['TCLI_TEST_WAIT_MS'] ?? 120_000);

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  /** Over an environment without NO_COLOR and FORCE_COLOR. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The marks of a synchronized update (DEC private mode 2026). */
const [updateBegins, updateEnds] = ['\x1b[?2026h', '\x1b[?2026l'];

export class TestTerminal {
  readonly #pty: pty.IPty;
  readonly #screen: InstanceType<typeof xterm.Terminal>;
  readonly #exited: Promise<number>;
  #raw = '';
  /** The characters of `#raw` that the screen has. */
  #drawn = 0;
  #changed: () => void = () => {};

  constructor(command: string, args: readonly string[], options: TerminalOptions = {}) {
    const { columns = 80, rows = 24, env = {} } = options;
    const cwd = dirname(built);
    mkdirSync(cwd, { recursive: true });
    const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
    this.#screen = new xterm.Terminal({ cols: columns, rows, scrollback: 20_000, allowProposedApi: true });
    this.#pty = pty.spawn(command, [...args], {
      name: env['TERM'] ?? 'xterm-256color',
      cols: columns,
      rows,
      cwd,
      env: { ...inherited, NODE_ENV: 'production', ...env } as Record<string, string>,
    });
    this.#pty.onData((data) => {
      this.#raw += data;
      const begun = this.#raw.lastIndexOf(updateBegins);
      this.#drawTo(begun >= 0 && this.#raw.indexOf(updateEnds, begun) < 0 ? begun : this.#raw.length);
    });
    this.#exited = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) => {
        this.#drawTo(this.#raw.length);
        resolve(signal ? 128 + signal : exitCode);
      });
    });
  }

  /** Draws what has come: an update that the program has marked as one is drawn as a whole, however many reads it took. */
  #drawTo(end: number): void {
    if (end <= this.#drawn) return;
    this.#screen.write(this.#raw.slice(this.#drawn, end), () => this.#changed());
    this.#drawn = end;
  }

  get pid(): number {
    return this.#pty.pid;
  }

  /** Everything that the program wrote. */
  get raw(): string {
    return this.#raw;
  }

  type(keys: string): void {
    this.#pty.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    this.#pty.resize(columns, rows);
  }

  /** The lines on the screen without blanks at their ends, blank lines at the end left out. */
  screen(): string {
    const { baseY } = this.#screen.buffer.active;
    return this.#lines(baseY);
  }

  /** The screen from the first line that scrolled off. */
  all(): string {
    return this.#lines(0);
  }

  /** Column and row on the screen, from 0. */
  cursor(): { x: number; y: number } {
    const { cursorX, cursorY } = this.#screen.buffer.active;
    return { x: cursorX, y: cursorY };
  }

  /** The screen with `▏` where the cursor stands (in the cell that it covers). */
  picture(): string {
    const { x, y } = this.cursor();
    const lines = this.screen().split('\n');
    while (lines.length <= y) lines.push('');
    // The text before the cursor, by columns.
    const row = this.#screen.buffer.active.getLine(this.#screen.buffer.active.baseY + y);
    const before = row?.translateToString(false, 0, x) ?? '';
    const line = (lines[y] ?? '').padEnd(before.length);
    lines[y] = `${before}▏${line.slice(before.length)}`;
    return lines.join('\n');
  }

  /** The screen as an SVG image, with its colours and the cursor. */
  svg(): string {
    const { columns, rows } = { columns: this.#screen.cols, rows: this.#screen.rows };
    const { baseY } = this.#screen.buffer.active;
    const lines = Array.from({ length: rows }, (_, y) => {
      const line = this.#screen.buffer.active.getLine(baseY + y);
      return Array.from({ length: columns }, (_, x) => line?.getCell(x)).flatMap((cell) => (cell ? [cell] : []));
    });
    return screenSvg(lines, columns, this.cursor());
  }

  /** Resolves when the picture fulfils `wanted` (a text in it, or a condition). @throws with the picture when it never does */
  async until(wanted: string | RegExp | ((picture: string) => boolean)): Promise<void> {
    const fulfilled = () => {
      const picture = this.picture();
      if (typeof wanted === 'string') return picture.includes(wanted);
      return wanted instanceof RegExp ? wanted.test(picture) : wanted(picture);
    };
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#changed = () => {};
        reject(new Error(`waited for ${String(wanted)}, but the screen is:\n${this.picture()}`));
      }, WAIT_MS);
      this.#changed = () => {
        if (!fulfilled()) return;
        clearTimeout(timer);
        this.#changed = () => {};
        resolve();
      };
      this.#changed();
    });
  }

  /** The exit status; 128 and the signal's number when a signal ended it. */
  async exit(): Promise<number> {
    const status = await this.#exited;
    // The screen is drawn later than its bytes come.
    await new Promise<void>((drawn) => this.#screen.write('', drawn));
    return status;
  }

  /** A signal for the program that the script in the terminal runs. */
  signalChild(signal: NodeJS.Signals): void {
    const [child] = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').split(' ');
    process.kill(Number(child), signal);
  }

  /** Closes the terminal, as a window that is closed or a connection that breaks does. */
  hangUp(): void {
    // Not in its types.
    (this.#pty as unknown as { destroy(): void }).destroy();
  }

  kill(): void {
    try {
      this.#pty.kill('SIGKILL');
    } catch {
      // The process has ended already.
    }
  }

  #lines(from: number): string {
    const { active } = this.#screen.buffer;
    const lines: string[] = [];
    for (let y = from; y < active.length; y++) lines.push(active.getLine(y)?.translateToString(true) ?? '');
    return lines.join('\n').replace(/\n+$/, '');
  }
}
