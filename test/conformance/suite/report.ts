// snapshots/conformance.md: families of tests against profiles, and whatever did not pass, by its reason.

import type { TestResult } from './output.ts';
import type { Profile } from './profiles.ts';

/** Results by the name of the profile, `tgt` among them. */
export type Results = ReadonlyMap<string, readonly TestResult[]>;

/** A failure that is the test's: where, and the clause that says otherwise. */
interface Contradiction {
  readonly test: string;
  /** Only of this profile. */
  readonly profile?: string;
  readonly because: string;
}

const contradictions: readonly Contradiction[] = [
  {
    test: 'WriteSame10.UnmapUntilEnd',
    profile: 'thin',
    because:
      'SBC-3 5.43: reads after WRITE SAME give the block that was sent, also with UNMAP. The test sends FFh and, of a unit with LBPRZ, expects zeros.',
  },
  {
    test: 'GetLBAStatus.UnmapSingle',
    profile: '512e',
    because:
      'SBC-3 5.4: the first descriptor starts at the LBA that was asked for. The test asks for block n + 1 and expects n + 8.',
  },
  {
    test: 'Sanitize.Reset',
    because:
      'SBC-4 4.11: a sanitize operation takes as long as it takes. The test expects one that is still going after three seconds; 100 MiB are done by then.',
  },
];

const contradiction = (profile: string, test: TestResult): Contradiction | undefined =>
  contradictions.find((one) => one.test === nameOf(test) && (one.profile ?? profile) === profile);

export function report(results: Results, profiles: readonly Profile[], tgt: ReadonlyMap<string, string>): string {
  const names = profiles.map(({ name }) => name);
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const families = [...new Set([...results.values()].flat().map(({ family }) => family))].sort();
  return [
    '# iscsi-test-cu',
    '',
    "Debian's libiscsi tests against `tcli serve`, written by `npm run conformance -- --update`. A cell says how many",
    'tests passed; `s`: skipped, in whole or in part; `f`: failed. Every profile has two portals for the multipath tests.',
    '',
    ...profiles.map(({ name, doc }) => `- **${name}**: ${doc}`),
    "- **tgt**: a file of Debian's tgtd, for comparison; measured by `npm run conformance -- --tgt`",
    '',
    row(['family', ...names, 'tgt']),
    row(['---', ...names.map(() => '---'), '---']),
    ...families.map((family) =>
      row([family, ...names.map((name) => cell(results.get(name) ?? [], family)), tgt.get(family) ?? '']),
    ),
    row(['**all**', ...names.map((name) => cell(results.get(name) ?? [])), tgt.get('**all**') ?? '']),
    '',
    '## Tests that contradict the standard',
    '',
    ...contradictions.map(({ test, profile, because }) => `- ${test}${profile ? ` (${profile})` : ''}: ${because}`),
    '',
    '## Passed by no profile',
    '',
    ...orNone(neverPassed(results).map((test) => `- ${test}: ${reasonsOf(results, test)}`)),
    '',
    '## Skipped',
    '',
    ...profiles.flatMap(({ name }) => skips(name, results.get(name) ?? [])),
    '',
  ].join('\n');
}

const orNone = (lines: string[]): string[] => (lines.length > 0 ? lines : ['None.']);
const nameOf = ({ family, name }: TestResult): string => `${family}.${name}`;

/** `5`, `3 2s`, `4 1f` */
function cell(results: readonly TestResult[], family?: string): string {
  if (results.length === 0) return '';
  const of = results.filter((one) => family === undefined || one.family === family);
  if (of.length === 0) return '-';
  const count = (outcome: TestResult['outcome']) => of.filter((one) => one.outcome === outcome).length;
  const others = [
    [count('skipped'), 's'],
    [count('failed'), 'f'],
  ] as const;
  return [count('passed'), ...others.filter(([n]) => n > 0).map(([n, letter]) => `${n}${letter}`)].join(' ');
}

/** Tests that no profile passes. */
export function neverPassed(results: Results): string[] {
  const all = [...results.values()].flat();
  const passed = new Set(all.filter(({ outcome }) => outcome === 'passed').map(nameOf));
  return [...new Set(all.map(nameOf))].filter((test) => !passed.has(test)).sort();
}

/** Tests that failed, each with its profile and its reason. */
export const failures = (results: Results): string[] =>
  [...results].flatMap(([profile, tests]) =>
    tests
      .filter((test) => test.outcome === 'failed' && !contradiction(profile, test))
      .map((test) => `${profile}: ${nameOf(test)}: ${test.reason}`),
  );

const reasonsOf = (results: Results, test: string): string =>
  [...new Set([...results.values()].flat().flatMap((one) => (nameOf(one) === test ? [one.reason] : [])))].join('; ');

/** The skipped tests of a profile, those with the same reason in one line. */
function skips(profile: string, results: readonly TestResult[]): string[] {
  const byReason = Map.groupBy(
    results.filter(({ outcome }) => outcome === 'skipped'),
    ({ reason }) => reason,
  );
  return [...byReason]
    .sort()
    .map(([reason, tests]) => `- ${profile}, ${reason}: ${tests.map(nameOf).sort().join(', ')}`);
}

/** The column `tgt` of an earlier report, by family: tgtd need not be installed where this runs. */
export function recordedTgt(markdown: string): Map<string, string> {
  const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
  return new Map(
    rows.slice(2).map((line) => {
      const cells = line.split('|').map((text) => text.trim());
      return [cells[1]!, cells.at(-2)!];
    }),
  );
}

/** The column `tgt` of a run. */
export function measuredTgt(results: readonly TestResult[]): Map<string, string> {
  const families = new Set(results.map(({ family }) => family));
  return new Map(
    [...families, '**all**'].map((family) => [family, cell(results, family === '**all**' ? undefined : family)]),
  );
}
