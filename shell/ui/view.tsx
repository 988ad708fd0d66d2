/** The screen as the rest of the shell uses it: it shows a picture, prints above it, and gets out of the way. Loads Ink. */

import { type Instance, render, useApp, useStdout } from 'ink';
import { type ReactElement, useLayoutEffect } from 'react';
import { type Frame, Screen } from './Screen.tsx';
import { type TtyOutput, VirtualTty } from './tty.ts';

export interface View {
  /** Whether grey and coloured text can be told from plain text. */
  readonly color: boolean;
  show(frame: Frame): void;
  /** Prints above the picture; text behind the last newline waits for its own. */
  print(text: string): void;
  /** Takes the picture away and prints `line` (and the text that waits for a newline) in its place. */
  commit(line?: string): Promise<void>;
  /** Clears the screen and draws the picture at its top. */
  clear(): void;
  /** Hands the terminal to `borrower`; text that is printed meanwhile follows afterwards. */
  lend(borrower: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** The redraws per second: keys in one read are one redraw in any case. */
const FRAMES_PER_SECOND = 250;
/** The length of output without a newline that is kept back: UTF-16 units. */
const TAIL_LENGTH_MAX = 65_536;

const HOME_AND_CLEAR = '\x1b[H\x1b[2J';
const NOTHING: Frame = { line: null };

/** The functions that only Ink's hooks give. */
interface Hands {
  write(text: string): void;
  suspend(borrower: () => Promise<void>): Promise<void>;
}

/** Begins to draw below the text that is on the screen. */
export function openView(output: TtyOutput, color: boolean): View {
  let hands: Hands | null = null;
  let frame = NOTHING;
  let tail = '';
  let lent = false;
  let closed = false;

  function Root({ shown }: { shown: Frame }) {
    const { write } = useStdout();
    const { suspendTerminal } = useApp();
    useLayoutEffect(() => {
      hands = { write, suspend: async (borrower) => void (await suspendTerminal(borrower)) };
    }, [write, suspendTerminal]);
    return <Screen frame={shown} />;
  }
  const ink = open(<Root shown={frame} />, output);

  const draw = () => ink.rerender(<Root shown={frame.line ? frame : { ...frame, tail }} />);
  const print = (text: string) => {
    const shown = tail;
    tail += text;
    if (lent || closed) return;
    const complete = tail.length > TAIL_LENGTH_MAX ? tail.length : tail.lastIndexOf('\n') + 1;
    const lines = tail.slice(0, complete);
    tail = tail.slice(complete);
    if (lines !== '') hands?.write(lines.endsWith('\n') ? lines : `${lines}\n`);
    if (tail !== shown) draw();
  };

  return {
    color,
    show(next) {
      frame = next;
      if (!closed) draw();
    },
    print,
    async commit(line) {
      if (closed) return;
      frame = NOTHING;
      if (tail !== '') print('\n');
      draw();
      // Without this wait, Ink would put the old picture below the printed text, for a moment.
      await ink.waitUntilRenderFlush();
      if (line !== undefined) print(`${line}\n`);
    },
    clear: () => hands?.write(HOME_AND_CLEAR),
    async lend(borrower) {
      if (lent || closed || !hands) return;
      lent = true;
      try {
        await hands.suspend(borrower);
      } finally {
        lent = false;
        print('');
      }
    },
    async close() {
      closed = true;
      ink.clear();
      ink.unmount();
      await ink.waitUntilExit();
      // A shell that ends while the terminal is lent prints the rest here.
      if (tail !== '') output.write(tail);
    },
  };
}

function open(root: ReactElement, output: TtyOutput): Instance {
  return render(root, {
    stdout: output,
    // Ink reads no keys: it gets a terminal on which nothing is ever typed.
    stdin: new VirtualTty() as unknown as NodeJS.ReadStream,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
    maxFps: FRAMES_PER_SECOND,
  });
}
