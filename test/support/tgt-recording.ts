/** Recorded sessions of tgt's own tools, played again before a tcli that speaks tgtd's management socket. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './tcli.ts';

export interface TgtStep {
  readonly kind: 'run' | 'file' | 'initiator';
  /** The command, or the initiator's. */
  readonly text: string;
  /** The recorded lines; lines of standard error begin with `E| `. */
  readonly lines: readonly string[];
  readonly exit: number | undefined;
}

export function readRecording(path: string): TgtStep[] {
  const steps: TgtStep[] = [];
  for (const block of readFileSync(path, 'utf8').split(/^(?=\$ |\()/m)) {
    const [head = '', ...lines] = block.replace(/\n$/, '').split('\n');
    const [, exit] = /^\[exit (\d+)\]$/.exec(lines.at(-1) ?? '') ?? [];
    const initiator = /^\(an initiator logs in: (.*)\)$/.exec(head)?.[1];
    const command = /^\$ (.*)$/.exec(head)?.[1];
    if (initiator) steps.push({ kind: 'initiator', text: initiator, lines: [], exit: undefined });
    if (command === undefined) continue;
    const kind = command.startsWith('cat ') ? 'file' : 'run';
    const said = (exit === undefined ? lines : lines.slice(0, -1)).filter(
      (line) => !/^# tgtd 1|^# [a-z]/.test(line) || exit,
    );
    steps.push({ kind, text: command, lines: said, exit: exit === undefined ? undefined : Number(exit) });
  }
  return steps;
}

/** Where the recorded files and ports are now. */
export interface Stage {
  readonly folder: string;
  /** Recorded port → port. */
  readonly ports: ReadonlyMap<string, string>;
  readonly env: NodeJS.ProcessEnv;
}

function onStage({ folder, ports }: Stage, text: string): string {
  const moved = text.replaceAll('/srv/tgt', `${folder}/srv`).replaceAll('/tmp/tgtrec', folder);
  return moved.replace(/\b149\d\d\b/g, (port) => ports.get(port) ?? port);
}

function offStage({ folder, ports }: Stage, text: string): string {
  const back = new Map([...ports].map(([recorded, now]) => [now, recorded]));
  return text
    .replaceAll(`${folder}/srv`, '/srv/tgt')
    .replaceAll(folder, '/tmp/tgtrec')
    .replaceAll(`.com.${hostname().split('.')[0]}-`, '.com.vm-')
    .replace(/\b\d{4,5}\b/g, (port) => back.get(port) ?? port);
}

/** Runs a step. @returns its lines and exit status, as they would have been recorded */
export async function play(
  stage: Stage,
  step: TgtStep,
): Promise<{ lines: string[]; exit: number; child?: ChildProcess }> {
  if (step.kind === 'file') {
    const path = onStage(stage, step.text.slice('cat '.length));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, onStage(stage, `${step.lines.join('\n')}\n`));
    return { lines: [...step.lines], exit: 0 };
  }
  const text = onStage(stage, step.text);
  if (step.kind === 'initiator') {
    const child = spawn('sh', ['-c', `exec ${text}`], { stdio: 'ignore' });
    return { lines: [], exit: 0, child };
  }
  mkdirSync(join(stage.folder, 'srv'), { recursive: true });
  const { status, stdout, stderr } = await typeAlone(text, { env: stage.env });
  const linesOf = (said: string) => offStage(stage, said).replace(/\n$/, '').split('\n');
  const lines = [
    ...(stdout === '' ? [] : linesOf(stdout)),
    ...(stderr === '' ? [] : linesOf(stderr).map((line) => `E| ${line}`)),
  ];
  return { lines, exit: status };
}

/** The lines of `a` that `b` has too, in order: the longest such list. @returns which of either are not in it */
export function differences(a: readonly string[], b: readonly string[]): { gone: string[]; come: string[] } {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  const gone: string[] = [];
  const come: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1;
      j += 1;
    } else if (j === b.length || (i < a.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) gone.push(a[i++]!);
    else come.push(b[j++]!);
  }
  return { gone, come };
}

/**
 * Types a line of tgt's programs into bash. Debian's tgt-setup-lun keeps its notes in one file for all, /tmp/target_list.txt,
 * so only one of them runs at a time.
 */
export const typeAlone = (text: string, options: { env: NodeJS.ProcessEnv; input?: string }) =>
  text.includes('tgt-setup-lun')
    ? run('flock', ['/tmp/target_list.lock', 'bash', '-c', text], options)
    : run('bash', ['-c', text], options);
