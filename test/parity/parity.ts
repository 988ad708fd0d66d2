/**
 * `npm run parity [-- FILE…]`: replays recorded sessions of targetcli and prints the share of lines that are the same.
 * Exit status 1 when it is below 95 %. Without recordings it says so and ends well.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Comparison, compare } from './compare.ts';
import { readRecording } from './recording.ts';
import { replay } from './replay.ts';

/** Of the lines that no listed kind explains, how many must be the same: percent. */
const shareMin = 95;

const folder = resolve(process.env['TARGETCLI_RECORDINGS'] ?? '../shared/transcripts');
const named = process.argv.slice(2);

/** `.ansi` files that a `.txt` of the same name has in plain words are the same session. */
function recordings(): string[] {
  if (named.length > 0) return named.map((name) => resolve(name));
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^(oneshot|pty)-.*\.(txt|ansi)$/.test(name));
  return names.sort().map((name) => join(folder, name));
}

const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`);

function row({ equal, recorded, listed, unlisted }: Comparison, name: string): string {
  const numbers = [recorded, equal, listed, unlisted.length].map((number) => String(number).padStart(9));
  return `${name.padEnd(28)}${numbers.join('')}${percent(equal, equal + unlisted.length).padStart(10)}`;
}

const paths = recordings();
if (paths.length === 0) {
  process.stdout.write(`Skipped: no recordings in ${folder} (TARGETCLI_RECORDINGS names another folder).\n`);
} else {
  const total: Comparison = { recorded: 0, equal: 0, listed: 0, byKind: new Map(), unlisted: [] };
  const rows: string[] = [];
  for (const path of paths) {
    const recording = readRecording(path);
    const result = compare(await replay(recording));
    rows.push(row(result, recording.name));
    for (const line of result.unlisted) process.stdout.write(`${recording.name}: ${line}\n`);
    total.recorded += result.recorded;
    total.equal += result.equal;
    total.listed += result.listed;
    total.unlisted.push(...result.unlisted);
    for (const [kind, count] of result.byKind) total.byKind.set(kind, (total.byKind.get(kind) ?? 0) + count);
  }
  const head = ['recorded', 'equal', 'listed', 'unlisted'].map((word) => word.padStart(9)).join('');
  process.stdout.write(`${''.padEnd(28)}${head}     share\n${rows.join('\n')}\n${row(total, 'all')}\n\n`);
  process.stdout.write('Lines of each listed kind (docs/differences.md), of both sides:\n');
  for (const [kind, count] of [...total.byKind].sort(([, a], [, b]) => b - a))
    process.stdout.write(`${String(count).padStart(7)}  ${kind}\n`);
  const share = (100 * total.equal) / (total.equal + total.unlisted.length);
  process.exitCode = share >= shareMin ? 0 : 1;
}
