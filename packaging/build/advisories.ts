/**
 * `npm run advisories`: what `npm audit` says of every package-lock.json of the project. The status is 1 where an advisory is open, and 2
 * where a registry was not able to say: a registry without the service is no registry without advisories.
 */

import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { printableLine } from '../../src/printable.ts';
import { project } from './stage.ts';

/** The program's own, that of the page for Cockpit, those of what checks and prints. */
const locks = globSync('**/package-lock.json', {
  cwd: project,
  exclude: (name) => ['node_modules', 'dist', 'packages'].includes(name),
}).toSorted();

/** The outcome for one of them. */
type Outcome =
  | { readonly is: 'clean'; readonly packages: number }
  | { readonly is: 'open'; readonly advisories: readonly string[] }
  | { readonly is: 'not checked'; readonly why: string };

interface Advisory {
  readonly name: string;
  readonly severity: string;
  readonly title: string;
  readonly url: string;
}

/** What `npm audit --json` prints; of an error, `message` alone. */
interface Report {
  readonly message?: string;
  readonly error?: { readonly summary?: string };
  readonly vulnerabilities?: Readonly<Record<string, { readonly via: readonly (Advisory | string)[] }>>;
}

function audit(folder: string): Promise<string> {
  const words = ['audit', '--json', '--package-lock-only', '--audit-level=low'];
  // Its status is 1 for advisories and for errors alike: what it prints tells them apart.
  return new Promise(
    (done) => void execFile('npm', words, { cwd: folder, maxBuffer: 1 << 26 }, (_, text) => done(text)),
  );
}

async function outcomeOf(folder: string): Promise<Outcome> {
  const text = await audit(folder);
  let report: Report;
  try {
    report = JSON.parse(text) as Report;
  } catch {
    return { is: 'not checked', why: 'npm audit printed no report' };
  }
  const { vulnerabilities, error, message } = report;
  // A registry may answer anything: only a list, even an empty one, is an answer.
  if (!vulnerabilities) return { is: 'not checked', why: message ?? error?.summary ?? 'npm audit named no reason' };
  const advisories = Object.values(vulnerabilities)
    .flatMap(({ via }) => via)
    .filter((one) => typeof one !== 'string')
    .map(({ name, severity, title, url }) => `${name}: ${severity}: ${title} (${url})`);
  if (advisories.length > 0) return { is: 'open', advisories: [...new Set(advisories)] };
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  return { is: 'clean', packages: Object.keys(packages).length - 1 };
}

const say = (line: string) => console.log(printableLine(line));
const outcomes = await Promise.all(locks.map((lock) => outcomeOf(join(project, dirname(lock)))));
for (const [at, outcome] of outcomes.entries()) {
  const name = locks[at];
  if (outcome.is === 'clean') say(`${name}: no advisory is open against its ${outcome.packages} packages`);
  else if (outcome.is === 'open') for (const advisory of outcome.advisories) say(`${name}: ${advisory}`);
  // The address of a registry may have a password in it.
  else say(`${name}: advisories NOT CHECKED: ${outcome.why.replace(/\/\/[^/@\s]*@/g, '//')}`);
}
const isAny = (is: Outcome['is']) => outcomes.some((one) => one.is === is);
process.exitCode = isAny('open') ? 1 : isAny('not checked') ? 2 : 0;
