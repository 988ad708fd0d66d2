// How long a one-shot takes, warm, beside targetcli where it is installed: `npm run bench:startup`. Rounds alternate,
// figures are medians; a machine under load shows in both.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { median } from './samples.ts';

const rounds = 20;
const home = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
const launcher = resolve(import.meta.dirname, '../../shell/bin/tcli');

const candidates: Record<string, [string, ...string[]]> = {
  'tcli ls': [launcher, '--home', home, 'ls'],
  'tcli create (durable)': [launcher, '--home', home, '/backstores/ramdisk', 'create', 'NAME', '1M'],
  'tcli --version': [launcher, '--version'],
  'targetcli version': ['targetcli', '/', 'version'],
  'targetcli --version': ['targetcli', '--version'],
};

const times = new Map<string, number[]>();
for (let round = -2; round < rounds; round += 1)
  for (const [name, [command, ...words]] of Object.entries(candidates)) {
    const start = process.hrtime.bigint();
    const { error } = spawnSync(
      command,
      words.map((word) => word.replace('NAME', `rd${round + 2}`)),
      { stdio: 'ignore' },
    );
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    if (!error && round >= 0) times.set(name, [...(times.get(name) ?? []), ms]);
  }
rmSync(home, { recursive: true });

const sorted = (values: number[]) => values.toSorted((a, b) => a - b);
for (const name of Object.keys(candidates)) {
  const values = times.get(name);
  if (!values) console.log(`${name.padEnd(24)} not installed`);
  else
    console.log(
      `${name.padEnd(24)} median ${median(values).toFixed(0)} ms, fastest ${sorted(values)[0]?.toFixed(0)} ms`,
    );
}
