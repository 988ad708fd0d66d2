// `npm run conformance`: libiscsi's whole test suite against every profile. It fails when a test fails, or passes nowhere,
// and no clause says why (report.ts), and when snapshots/conformance.md says something else.
//   --update   write snapshots/conformance.md     --tgt   measure tgtd too (as root)     --only NAME   one profile, and show it

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readResult, type TestResult } from './output.ts';
import { profiles, testsOf } from './profiles.ts';
import { failures, measuredTgt, recordedTgt, report, violations } from './report.ts';
import { type RunningTarget, startTcli, startTgt } from './targets.ts';

const snapshot = resolve(import.meta.dirname, '../../../snapshots/conformance.md');
/** Profiles at a time: the tests of one share its medium, and many of them sleep. */
const atOnce = 4;
const testMs = 150_000;

const { values: options } = parseArgs({
  options: { update: { type: 'boolean' }, tgt: { type: 'boolean' }, only: { type: 'string' } },
});

async function main(): Promise<number> {
  const list = await output('iscsi-test-cu', ['--list']);
  if (list === undefined) {
    console.error('iscsi-test-cu is not installed (apt install libiscsi-bin)');
    return 1;
  }
  const all = list.match(/^i?SCSI\.[^.\s]+\.[^.\s]+$/gm) ?? [];
  const chosen = profiles.filter(({ name }) => options.only === undefined || name === options.only);
  const results = new Map<string, readonly TestResult[]>();
  const waiting = [...chosen];
  const worker = async () => {
    // The last takes longest.
    for (let profile = waiting.pop(); profile; profile = waiting.pop()) {
      const one = profile;
      results.set(one.name, await against(() => startTcli(one), testsOf(one, all)));
      console.log(`${one.name}: ${summary(results.get(one.name)!)}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return options.only === undefined ? judge(results, all) : show(results);
}

async function against(start: () => Promise<RunningTarget>, tests: readonly string[]): Promise<TestResult[]> {
  const target = await start();
  try {
    const results = [];
    for (const test of tests) {
      const words = ['--dataloss', '--allow-sanitize', '--verbose', '--test', test, ...target.urls];
      results.push(readResult(test, (await output('iscsi-test-cu', words)) ?? ''));
    }
    return results;
  } finally {
    await target.stop();
  }
}

function summary(results: readonly TestResult[]): string {
  const outcomes = ['passed', 'skipped', 'failed'] as const;
  return outcomes.map((outcome) => `${results.filter((one) => one.outcome === outcome).length} ${outcome}`).join(', ');
}

function show(results: ReadonlyMap<string, readonly TestResult[]>): number {
  for (const { family, name, outcome, reason } of [...results.values()].flat())
    if (outcome !== 'passed') console.log(`${outcome} ${family}.${name}: ${reason}`);
  return failures(results).length > 0 ? 1 : 0;
}

async function judge(results: ReadonlyMap<string, readonly TestResult[]>, tests: readonly string[]): Promise<number> {
  const before = await readFile(snapshot, 'utf8').catch(() => '');
  const tgt = options.tgt ? measuredTgt(await against(startTgt, testsOf({}, tests))) : recordedTgt(before);
  const now = report(results, profiles, tgt);
  if (options.update || options.tgt) await writeFile(snapshot, now);
  else if (now !== before) {
    console.error(
      'snapshots/conformance.md differs from this run; see with: npm run conformance -- --update; git diff',
    );
  }
  const named = tests.map((test) => test.replace(/^\w+\./, ''));
  const wrong = violations(results, named);
  for (const line of wrong) console.error(line);
  if (wrong.length === 0) console.log(`each of ${tests.length} tests passes on a profile, or a clause says why not`);
  return wrong.length > 0 || (!options.update && !options.tgt && now !== before) ? 1 : 0;
}

/** The output of a program, both streams in one; undefined when there is no such program. */
function output(command: string, words: readonly string[]): Promise<string | undefined> {
  return new Promise((done) => {
    // A shell joins the streams in the order they are written in.
    execFile(
      'sh',
      ['-c', 'command -v "$1" >/dev/null || exit 127; exec "$@" 2>&1', 'sh', command, ...words],
      { timeout: testMs, killSignal: 'SIGKILL', maxBuffer: 64 << 20 },
      (error, stdout) => done(error?.code === 127 ? undefined : stdout),
    );
  });
}

process.exitCode = await main();
