/**
 * Recorded sessions of targetcli on a Linux kernel target → what was typed and what came of it. One-shot recordings are
 * `$ command`, its output (`E| ` marks standard error) and `[exit N]`; the others are what a terminal showed.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** One thing that was done, and the lines that came of it. */
export interface RecordedStep {
  /**
   * `unix`: a command of the machine; `words`: targetcli with arguments; `piped`: lines on its standard input; `line`: typed
   * at a prompt; `tab`: Tab at its end.
   */
  readonly kind: 'unix' | 'words' | 'piped' | 'line' | 'tab';
  readonly text: string;
  readonly shown: readonly string[];
  /** The exit status; undefined where none was recorded. */
  readonly exit?: number;
  /** The prompt at which it was typed. */
  readonly prompt?: string;
}

export interface Recording {
  readonly name: string;
  readonly columns: number;
  /** The sequences of a terminal's colours are in it. */
  readonly color: boolean;
  /** Standard error is marked with `E| `: it was not a terminal. */
  readonly marked: boolean;
  /** The preference color_mode was false: messages have prefixes. */
  readonly prefixes: boolean;
  readonly steps: readonly RecordedStep[];
}

export function readRecording(path: string): Recording {
  const name = basename(path);
  const text = readFileSync(path, 'utf8').replaceAll('\r', '');
  const typed = name.startsWith('pty-');
  return {
    name,
    columns: name.includes('80col') ? 80 : 132,
    color: name.endsWith('.ansi') && !name.includes('nocolor'),
    marked: text.includes('\nE| '),
    prefixes: text.includes('\nInfo: '),
    steps: typed ? typedSteps(text.replace(escapes, '')) : oneShotSteps(text),
  };
}

/** The sequences that a terminal obeys and does not show (ECMA-48). */
const escapes = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-B]|[=>])/g;

function oneShotSteps(text: string): RecordedStep[] {
  const steps: RecordedStep[] = [];
  let command: string | undefined;
  let shown: string[] = [];
  for (const line of text.split('\n')) {
    const exit = /^\[exit (-?\d+)\]$/.exec(line);
    if (line.startsWith('$ ') && command === undefined) command = line.slice(2);
    else if (exit && command !== undefined) {
      const [kind, words] = called(command);
      // targetcli ends some lists without a newline.
      steps.push({
        kind,
        text: words,
        shown: shown.map((one) => one.replace('[no newline]', '')),
        exit: Number(exit[1]),
      });
      command = undefined;
      shown = [];
    } else if (command !== undefined) shown.push(line);
  }
  return steps;
}

function called(command: string): [kind: 'words' | 'piped' | 'unix', text: string] {
  const plain = /^targetcli( [^;|]*)?$/.exec(command);
  if (plain) return ['words', plain[1]?.trim() ?? ''];
  const piped = /^(?:echo|printf) ('?)(.*)\1 \| targetcli$/.exec(command);
  return piped ? ['piped', piped[2]!.replaceAll('\\n', '\n').trimEnd()] : ['unix', command];
}

/** A prompt stands at the start of a row, or behind a list that targetcli ended without a newline. */
const promptRow = /^(.*?)(\/\S*> )(.*)$/;

/** The lines that readline had scrolled out of sight: the end of the row that was seen → the line that was typed. */
const scrolled: Readonly<Record<string, string>> = {
  'k2 /srv/disk2.img 50M sparse=false write_back=false':
    'create disk2 /srv/disk2.img 50M sparse=false write_back=false',
  'ttribute authentication=0 demo_mode_write_protect=0': 'set attribute authentication=0 demo_mode_write_protect=0',
  'ample:one/tpg1/luns/ create /backstores/ramdisk/rd2':
    '/iscsi/iqn.2026-01.com.example:one/tpg1/luns/ create /backstores/ramdisk/rd2',
};

function typedSteps(text: string): RecordedStep[] {
  const steps: Mutable[] = [];
  // Words of the shell that recorded, after the end of the program, are no answer of the program.
  for (const row of text.replace(/\n*^\[exit -?\d+\]$(?:.|\n)*/m, '').split('\n')) {
    const [, before = '', prompt, typed = ''] = promptRow.exec(row) ?? [];
    const last = steps.at(-1);
    // Tab rings the bell when there is a choice; what is redrawn behind it was erased again.
    const [begun = '', ...rung] = typed.split(bell);
    if (prompt === undefined || before.includes('...')) last?.shown.push(row.replaceAll(bell, ''));
    else if (rung.length > 0) steps.push({ kind: 'tab', text: begun, prompt, shown: [] });
    else if (!typed.includes('/>') && !typed.includes('\b')) {
      if (before !== '') last?.shown.push(before);
      const line = typed.startsWith('<') ? (scrolled[typed.slice(1)] ?? typed) : typed;
      steps.push({ kind: 'line', text: line, prompt, shown: [] });
    }
  }
  // An empty line, and a Tab that showed nothing, are no steps.
  return steps.filter(({ kind, text: line, shown }) => (kind === 'tab' ? isListing(shown) : line.trim() !== ''));
}

interface Mutable extends RecordedStep {
  readonly shown: string[];
}

const bell = '\x07';

/** Candidates stand in columns, each with two blanks behind it. */
const isListing = (shown: readonly string[]): boolean =>
  shown.length > 0 && shown.every((row) => /^\S+(\s{2,}\S+)*\s{2,}$/.test(row));
