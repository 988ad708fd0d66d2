/**
 * A line → path, command, parameters, each with its span. The grammar is configshell's, and a line it
 * takes in full parses the same here. Two things differ: quotes work where configshell stopped reading
 * ("…" with \", \\ and the \uXXXX of what cannot be shown, '…' as it stands), and what it dropped in silence is reported as `rest`.
 */

import { quoted, unprintableOf } from '../../src/client.ts';

/** A piece of the line: `text` is what it means (quotes removed), line[from … to) is where it stands. */
export interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

interface Keyword {
  readonly name: Word;
  /** Empty for `name=`; then from = to. */
  readonly value: Word;
}

/** A line in its parts. */
export interface CommandLine {
  readonly path: Word | undefined;
  readonly command: Word | undefined;
  readonly positional: readonly Word[];
  readonly keywords: readonly Keyword[];
  /** The part that could not be read, up to the next blank; undefined when the whole line was read. */
  readonly rest: Word | undefined;
  /** The quote that the last word lacks at its end. */
  readonly unclosed: '"' | "'" | undefined;
}

const blanks = /[ \t\r\n]*/y;
const bookmark = /@[\w:.-]+/y;
/** `*` and `?` stand for what is there (many.ts). */
const slashPath = /[\w:.[\]*?-]*\/[\w:.[\]*?/-]*/y;
const specialPath = /\.\.|\.|\*/y;
const commandWord = /\w+/y;
const keywordName = /([\w\\-]+)[ \t]*=/y;
const value = /[\w?;&*$!#,=\\+/.<>()~@:%[\]-]+/y;
const quote = /["']/y;
const unprintableWritten = /^\\u([0-9a-f]{4})$/;

/** Takes a line apart. It never throws: faults are in the result. */
export function parseCommandLine(line: string): CommandLine {
  return new Reader(line).read();
}

/** `text` as a word of a command line, quoted only where it must be. */
export function quoteWord(text: string): string {
  value.lastIndex = 0;
  const plain = value.test(text) && value.lastIndex === text.length;
  return plain ? text : quoted(text);
}

/** A path as it is typed: in quotes where a name in it needs them. */
export const quotePath = (path: string): string => (/^@?[\w:.[\]/-]*$/.test(path) ? path : quoted(path));

class Reader {
  readonly #line: string;
  #at = 0;
  #unclosed: '"' | "'" | undefined;

  constructor(line: string) {
    this.#line = line;
  }

  read(): CommandLine {
    const positional: Word[] = [];
    const keywords: Keyword[] = [];
    this.#take(blanks);
    let path = this.#path();
    let command: Word | undefined;
    if (!path && this.#sees(quote)) {
      const quoted = this.#word(value)!;
      if (quoted.text.includes('/')) path = quoted;
      else command = quoted;
    }
    this.#take(blanks);
    if (!command) command = this.#token(commandWord);
    for (;;) {
      this.#take(blanks);
      const keyword = this.#keyword();
      const word = keyword ? undefined : this.#word(value);
      if (keyword) keywords.push(keyword);
      else if (word) positional.push(word);
      else break;
    }
    return { path, command, positional, keywords, rest: this.#rest(), unclosed: this.#unclosed };
  }

  /** Reads a path, which may go on in quotes: /backstores/fileio/"a+b". */
  #path(): Word | undefined {
    const from = this.#at;
    const start = this.#take(bookmark) ?? this.#take(slashPath) ?? this.#take(specialPath);
    if (start === undefined) return undefined;
    if (!start.includes('/') || !this.#sees(quote)) return { text: start, from, to: this.#at };
    const more = this.#word(/[\w:.[\]*?/-]+/y);
    return { text: start + (more?.text ?? ''), from, to: this.#at };
  }

  #keyword(): Keyword | undefined {
    const from = this.#at;
    const matched = this.#take(keywordName);
    if (matched === undefined) return undefined;
    const name = matched.replace(/[ \t]*=$/, '');
    const afterSign = this.#at;
    const skipped = this.#take(blanks) !== '';
    // configshell reads `userid= password=x` as userid → 'password=x'; nobody who types it means that.
    const empty = skipped && this.#sees(keywordName);
    const word = empty ? undefined : this.#word(value);
    if (!word) this.#at = afterSign;
    return {
      name: { text: name, from, to: from + name.length },
      value: word ?? { text: '', from: afterSign, to: afterSign },
    };
  }

  /** Reads runs of plain characters and quoted parts, as one word. */
  #word(plain: RegExp): Word | undefined {
    const from = this.#at;
    let text = '';
    for (;;) {
      const piece = this.#take(plain) ?? this.#quoted();
      if (piece === undefined) break;
      text += piece;
    }
    return this.#at === from ? undefined : { text, from, to: this.#at };
  }

  #quoted(): string | undefined {
    const mark = this.#take(quote) as '"' | "'" | undefined;
    if (mark === undefined) return undefined;
    let text = '';
    for (; this.#at < this.#line.length; this.#at += 1) {
      const char = this.#line.charAt(this.#at);
      const next = this.#line[this.#at + 1];
      if (char === mark) {
        this.#at += 1;
        return text;
      }
      const written = mark === '"' ? unprintableWritten.exec(this.#line.slice(this.#at, this.#at + 6))?.[1] : undefined;
      const unprintable = written && unprintableOf(written);
      if (mark === '"' && char === '\\' && (next === '"' || next === '\\')) {
        text += next;
        this.#at += 1;
      } else if (unprintable) {
        text += unprintable;
        this.#at += 5;
      } else text += char;
    }
    this.#unclosed = mark;
    return text;
  }

  #rest(): Word | undefined {
    if (this.#at >= this.#line.length) return undefined;
    const from = this.#at;
    const text = this.#take(/[^ \t\r\n]+/y) ?? '';
    return { text, from, to: this.#at };
  }

  #token(pattern: RegExp): Word | undefined {
    const from = this.#at;
    const text = this.#take(pattern);
    return text === undefined ? undefined : { text, from, to: this.#at };
  }

  #sees(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#line);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const matched = pattern.exec(this.#line)?.[0];
    if (matched !== undefined) this.#at += matched.length;
    return matched;
  }
}
