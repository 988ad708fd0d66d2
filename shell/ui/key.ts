/**
 * Decodes a terminal's bytes into keys, character by character, so that keys which arrive in one read (a burst, type-ahead, tmux, ssh)
 * stay keys of their own; a paste is text, never a key, but its line ends are Enter.
 */

import { EventEmitter } from 'node:events';
import { emitKeypressEvents, type Interface } from 'node:readline';
import { entryOf, withoutUnprintable } from '../../src/client.ts';

export interface Key {
  /** The name, the Emacs way: `C-a`, `M-b`, `S-tab`, `left`, `return`; `text` for characters to be inserted. */
  readonly chord: string;
  /** The characters to insert; '' unless the chord is `text`. Never a control character. */
  readonly text: string;
  /** The bytes of the key, for code that decodes keys itself. */
  readonly sequence: string;
  /** Set for a key in a paste. */
  readonly pasted?: true;
}

/** The time that an ESC may be the start of a sequence before it is the Escape key. */
const ESCAPE_WAIT_MS = 50;
/** A paste whose end has not come after this many UTF-16 units is taken as ended. */
const PASTE_LENGTH_MAX = 1 << 20;

/** The part of a text that a line takes; tabs become blanks. */
const insertable = (text: string): string => withoutUnprintable(text.replaceAll('\t', ' '));

/** Makes a decoder. @returns the function to feed with bytes; keys come out in order, at once (Escape: after its wait). */
export function keyDecoder(onKey: (key: Key) => void): (bytes: Buffer) => void {
  const source = new EventEmitter();
  let pasted: string | null = null;

  const endPaste = () => {
    for (const key of pastedKeys(pasted ?? '')) onKey(key);
    pasted = null;
  };
  source.on('keypress', (text: string | undefined, key: KeyPress) => {
    if (key.name === 'paste-start') pasted = '';
    else if (key.name === 'paste-end') endPaste();
    else if (pasted !== null) {
      pasted += text ?? '';
      if (pasted.length > PASTE_LENGTH_MAX) endPaste();
    } else onKey(keyOf(text, key));
  });
  // emitKeypressEvents needs `on`, `listenerCount` and 'data' events, and of the interface only this wait.
  emitKeypressEvents(
    source as unknown as NodeJS.ReadableStream,
    { escapeCodeTimeout: ESCAPE_WAIT_MS } as unknown as Interface,
  );
  return (bytes) => {
    source.emit('data', bytes);
  };
}

const unnamedKeys: Readonly<Record<string, string>> = { '\x1f': 'C-_', '\x1b.': 'M-.', '\x1b_': 'M-_' };

interface KeyPress {
  readonly name?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
  readonly shift?: boolean;
  readonly sequence?: string;
}

function keyOf(text: string | undefined, key: KeyPress): Key {
  const sequence = key.sequence ?? text ?? '';
  // An Escape must not swallow the Ctrl-C that follows it at once.
  if (sequence === '\x1b\x03') return { chord: 'C-c', text: '', sequence: '\x03' };
  if (text !== undefined && !key.ctrl && !key.meta && insertable(text) === text && text !== '')
    return { chord: 'text', text, sequence };
  // Node has no names for them.
  const named = entryOf(unnamedKeys, sequence);
  if (named !== undefined) return { chord: named, text: '', sequence };
  // Terminals send the same byte for C-j and a line feed, and some send it for Enter.
  const name = key.name === 'enter' ? 'return' : (key.name ?? 'unknown');
  const shift = key.shift && name.length > 1;
  // Node calls an Escape that nothing followed M-escape.
  const meta = key.meta && name !== 'escape';
  return { chord: `${key.ctrl ? 'C-' : ''}${meta ? 'M-' : ''}${shift ? 'S-' : ''}${name}`, text: '', sequence };
}

function* pastedKeys(paste: string): Generator<Key> {
  for (const [index, line] of paste.split(/\r\n|\r|\n/).entries()) {
    if (index > 0) yield { chord: 'return', text: '', sequence: '\r', pasted: true };
    const text = insertable(line);
    if (text !== '') yield { chord: 'text', text, sequence: text, pasted: true };
  }
}
