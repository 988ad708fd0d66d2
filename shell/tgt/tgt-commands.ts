/** Runs commands of tgtadm one after the other for a tool, and reads tgtd's answers about its targets. */

import { type RunOutcome, tgtadm } from './tgtadm.ts';

/** The streams that a tool prints to. */
export interface Streams {
  say(text: string): void;
  complain(text: string): void;
}

/** Ends a tool. */
export class ToolEnded extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit status ${status}`);
    this.status = status;
  }
}

/** Runs a tool to its end. @returns its exit status */
export async function toItsEnd(tool: () => Promise<void>): Promise<number> {
  try {
    await tool();
    return 0;
  } catch (error) {
    if (!(error instanceof ToolEnded)) throw error;
    return error.status;
  }
}

/** A target, as `--op show` tells of it. */
export interface ShownTarget {
  readonly tid: number;
  readonly name: string;
  readonly driver: string;
  /** The paths of files and devices. */
  readonly paths: readonly string[];
  readonly luns: readonly number[];
  /** The names of accounts; an outgoing one ends with ` (outgoing)`. */
  readonly accounts: readonly string[];
  /** The addresses and names that are let in. */
  readonly rules: readonly string[];
  readonly connections: readonly { readonly sid: string; readonly cid: string }[];
}

/** Reads targets. @param shown the output of `--op show --mode target` */
export function readTargets(shown: string): ShownTarget[] {
  return shown.split(/^(?=Target \d+: )/m).flatMap((text) => {
    const [, tid, name] = /^Target (\d+): (.+)/.exec(text) ?? [];
    if (tid === undefined || name === undefined) return [];
    const all = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, value = '']) => value);
    const listed = (heading: string) =>
      (new RegExp(`^    ${heading}:\n((?: {8}.*\n?)*)`, 'm').exec(text)?.[1] ?? '')
        .split('\n')
        .map((line) => line.trim())
        .filter(Boolean);
    return [
      {
        tid: Number(tid),
        name,
        driver: all(/^ +Driver: (.+)/gm)[0] ?? '',
        paths: all(/^ +Backing store path: (.+)/gm).filter((path) => path !== 'None'),
        luns: all(/^ +LUN: (\d+)/gm).map(Number),
        accounts: listed('Account information'),
        rules: listed('ACL information'),
        connections: connectionsIn(text),
      },
    ];
  });
}

function connectionsIn(text: string): { sid: string; cid: string }[] {
  let sid = '';
  return [...text.matchAll(/^ +(I_T nexus|Connection): (\d+)/gm)].flatMap(([, what, number = '']) => {
    if (what === 'Connection') return [{ sid, cid: number }];
    sid = number;
    return [];
  });
}

/** tgtadm, as a tool calls it. */
export class Tgtadm {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #complain: (text: string) => void;

  constructor(environment: NodeJS.ProcessEnv, complain: (text: string) => void) {
    this.#environment = environment;
    this.#complain = complain;
  }

  /** Runs it. @param words behind `tgtadm` */
  run(words: readonly string[]): Promise<RunOutcome> {
    return tgtadm(words, this.#environment);
  }

  /** The output of tgtadm; a tool goes on when tgtadm fails. */
  async shown(...words: string[]): Promise<string> {
    const { output, error } = await this.run(words);
    this.#complain(error);
    return output;
  }

  async targets(...words: string[]): Promise<ShownTarget[]> {
    return readTargets(await this.shown(...words, '--op', 'show', '--mode', 'target'));
  }
}
