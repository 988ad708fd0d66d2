/**
 * `npm run parity [-- [--show KIND] FILE…]`: replays recorded sessions of targetcli, prints per file what share of the lines
 * is the same, and counts the kinds of difference. `--show` prints the lines of one kind (`all`: of every kind).
 * Exit status 1 when the share is below 95 %, when a line differs for no listed reason, or when a sentence of targetcli's
 * help is ours as well. Without recordings it says so and ends well.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { recorded } from '../support/needs.ts';
import { type Comparison, compare, noComparison, shareOf } from './compare.ts';
import { readRecording } from './recording.ts';
import { replay } from './replay.ts';

/** Percent. */
const shareMin = 95;

const folder = recorded('transcripts');
const { values: options, positionals: named } = parseArgs({
  options: { show: { type: 'string' } },
  allowPositionals: true,
});

function recordings(): string[] {
  if (named.length > 0) return named.map((name) => resolve(name));
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^(oneshot|pty)-.*\.(txt|ansi)$/.test(name));
  return names.sort().map((name) => join(folder, name));
}

const columns = ['recorded', 'equal', 'our words', 'machine', 'listed', 'unlisted'];

function row(result: Comparison, name: string): string {
  const { recorded, equal, reworded, machine, listed, unlisted } = result;
  const unexplained = unlisted.filter((line) => line.includes('\n    - ')).length;
  const cells = [recorded, equal, reworded, machine, listed, unexplained].map((number) => String(number).padStart(10));
  return `${name.padEnd(26)}${cells.join('')}${`${shareOf(result).toFixed(1)} %`.padStart(9)}`;
}

function add(total: Comparison, result: Comparison): void {
  for (const key of ['recorded', 'equal', 'reworded', 'machine', 'listed'] as const) total[key] += result[key];
  for (const key of ['unlisted', 'copied', 'differences'] as const) total[key].push(...(result[key] as never[]));
  for (const [kind, { theirs, ours }] of result.byKind) {
    const counted = total.byKind.get(kind) ?? { theirs: 0, ours: 0 };
    total.byKind.set(kind, { theirs: counted.theirs + theirs, ours: counted.ours + ours });
  }
}

const print = (...lines: readonly string[]) => void process.stdout.write(lines.map((line) => `${line}\n`).join(''));

const paths = recordings();
if (paths.length === 0) {
  print(`Skipped: no recordings in ${folder} (TCLI_RECORDINGS names the folder around it).`);
} else {
  const total = noComparison();
  const rows: string[] = [];
  for (const path of paths) {
    const recording = readRecording(path);
    const result = compare(await replay(recording));
    rows.push(row(result, recording.name));
    for (const { kind, text } of result.differences)
      if (options.show === kind || options.show === 'all') print(`${recording.name}: ${kind}: ${text}`);
    for (const line of result.unlisted) print(`${recording.name}: differs for no listed reason: ${line}`);
    for (const line of result.copied) print(`${recording.name}: copied from targetcli: ${line}`);
    add(total, result);
  }
  print(
    `${''.padEnd(26)}${columns.map((word) => word.padStart(10)).join('')}    share`,
    ...rows,
    row(total, 'all'),
    '',
    'In recorded lines; the share is (equal + our words) / (recorded - machine). See docs/differences.md.',
    '',
    "Lines of each listed kind, targetcli's and ours:",
  );
  for (const [kind, { theirs, ours }] of [...total.byKind].sort(
    ([, a], [, b]) => b.theirs - a.theirs || b.ours - a.ours,
  ))
    print(`${String(theirs).padStart(7)}${String(ours).padStart(7)}  ${kind}`);
  process.exitCode = shareOf(total) >= shareMin && total.unlisted.length === 0 && total.copied.length === 0 ? 0 : 1;
}
