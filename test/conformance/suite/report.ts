// snapshots/conformance.md: families of tests against profiles, and whatever did not pass, by its reason.

import type { TestResult } from './output.ts';
import type { Profile } from './profiles.ts';

/** Results by the name of the profile, `tgt` among them. */
export type Results = ReadonlyMap<string, readonly TestResult[]>;

/** A test that does not pass, and why it need not. */
interface Exception {
  readonly test: string;
  /** The profile where it fails, against what the standard asks for; absent: every profile skips it. */
  readonly failsOn?: string;
  /** A clause, or what in the test itself cannot pass. */
  readonly because: `${'SAM' | 'SBC' | 'SPC'}-${number} ${string}` | `libiscsi ${string}`;
}

const noCryptographicErase =
  'SBC-4 5.30.2.4: CRYPTOGRAPHIC ERASE, which it skips here, changes the keys that data was encrypted with; SBC-4 5.30.1 leaves each service action to the device, and no medium here is encrypted by its target.';

const everywhere = 'every profile';

const exceptions: readonly Exception[] = [
  {
    test: 'WriteSame10.UnmapUntilEnd',
    failsOn: 'thin',
    because:
      'SBC-3 5.43: reads after WRITE SAME give the block that was sent, also with UNMAP. The test sends FFh and, of a unit with LBPRZ, expects zeros.',
  },
  {
    test: 'GetLBAStatus.UnmapSingle',
    failsOn: '512e',
    because:
      'SBC-3 5.4: the first descriptor starts at the LBA that was asked for. The test asks for block n + 1 and expects n + 8.',
  },
  ...['EA', 'WE', 'EARO', 'WERO', 'EAAR', 'WEAR'].map(
    (type): Exception => ({
      test: `ProutReserve.Access${type}`,
      failsOn: '4k',
      because:
        'libiscsi 1.19: the test announces 512 bytes for a block, whatever its size is, and a part of a block is not written (FCP-4 9.4.2, case b).',
    }),
  ),
  {
    test: 'iSCSITMF.LUNResetSimpleAsync',
    failsOn: everywhere,
    because:
      'libiscsi 1.19: the test asserts that the answer to its LOGICAL UNIT RESET has come before it sends it, then frees what it still uses; behind AbortTaskSimpleAsync, in one process, it ran nothing and passed. The clause is tested in test/conformance/iscsi/task-management.test.ts.',
  },
  {
    test: 'ReportSupportedOpcodes.OneCommand',
    failsOn: everywhere,
    because:
      'libiscsi 1.19: it has room for the usage data of a CDB of 16 bytes, and takes those of the CDBs of 32 bytes (SPC-4 4.2.3) for zeros. Their usage data are tested in test/conformance/scsi/block-commands.test.ts.',
  },
  ...['CryptoErase', 'Readonly', 'Reservations'].map(
    (name): Exception => ({ test: `Sanitize.${name}`, because: noCryptographicErase }),
  ),
];

/** A test that Debian's libiscsi does not have yet, and the one of ours that stands for it. */
export interface OwnTest {
  readonly test: string;
  /** The file of the test, and the beginning of the name of ours there. */
  readonly file: string;
  readonly ours: string;
  /** Where the test asks for something else than the standard. */
  readonly but?: `RFC ${number} ${string}`;
}

const inScsi = (file: string) => `test/conformance/scsi/${file}.test.ts`;
const chap = 'test/iscsi/chap.test.ts';
const requests = 'test/conformance/iscsi/requests.test.ts';

/** The tests of libiscsi beyond the version of Debian (246 tests instead of 230, June 2026). */
export const ownTests: readonly OwnTest[] = [
  {
    test: 'CompareAndWrite.MiscompareSense',
    file: inScsi('atomic-commands'),
    ours: 'SBC-3 5.2 COMPARE AND WRITE: INFORMATION is the offset of the first byte that differs',
  },
  {
    test: 'ExtendedCopy.Large',
    file: inScsi('copy-segment'),
    ours: 'SPC-4 6.22 MAXIMUM SEGMENT LENGTH: one segment copies as much as the operating parameters promise',
  },
  { test: 'Inquiry.ThirdPartyCopy', file: inScsi('diagnostics'), ours: 'SPC-4 7.8.17 Third-party Copy' },
  { test: 'ReportLUNs.Simple', file: inScsi('identity'), ours: 'SPC-4 4.2.5.6 REPORT LUNS: each number once' },
  ...['Simple', 'AllocLength'].map((name) => ({
    test: `ReportTargetPortGroups.${name}`,
    file: inScsi('alua'),
    ours: 'SPC-4 6.37 REPORT TARGET PORT GROUPS: whole groups with all their ports, and a short ALLOCATION LENGTH',
  })),
  { test: 'iSCSICHAP.Simple', file: chap, ours: 'RFC 7143 12.1.3: of a list of algorithms the first is taken' },
  { test: 'iSCSICHAP.Invalid', file: chap, ours: 'RFC 7143 12.1.3: CHAP_A=' },
  ...['Base64', 'Base64Oversize'].map((name) => ({
    test: `iSCSICHAP.${name}`,
    file: chap,
    ours: 'RFC 7143 6.1: a response in',
  })),
  ...['HexName', 'Base64Name'].map((name) => ({
    test: `iSCSICHAP.${name}`,
    file: chap,
    ours: 'RFC 7143 12.1.3: a name that looks like',
  })),
  { test: 'iSCSINop.Simple', file: requests, ours: 'RFC 7143 11.18: a ping comes back with its data' },
  ...['Simple', 'Invalid'].map(
    (name): OwnTest => ({
      test: `iSCSISendTargets.${name}`,
      file: requests,
      ours: 'RFC 7143 C: a normal session is asked for',
      but: 'RFC 7143 C: All must not be supported in a normal session, where the test expects it to be answered like the empty value',
    }),
  ),
  {
    test: 'iSCSITMF.LogoutDuringIOAsync',
    file: 'test/conformance/iscsi/ending.test.ts',
    ours: 'RFC 7143 11.14: writes that wait for their data are over with it',
  },
];

export function report(results: Results, profiles: readonly Profile[], tgt: ReadonlyMap<string, string>): string {
  const names = profiles.map(({ name }) => name);
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const families = [...new Set([...results.values()].flat().map(({ family }) => family))].sort();
  return [
    '# iscsi-test-cu',
    '',
    "Debian's libiscsi tests against `tcli serve`, each in a process of its own; written by",
    '`npm run conformance -- --update`. A cell says how many tests passed; `s`: skipped, in whole or in part;',
    '`f`: failed. Every profile has two portals for the multipath tests.',
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
    '## Failed',
    '',
    ...exceptions.flatMap(({ test, failsOn, because }) => (failsOn ? [`- ${test} (${failsOn}): ${because}`] : [])),
    '',
    '## Skipped on every profile',
    '',
    ...exceptions.flatMap(({ test, failsOn, because }) => (failsOn ? [] : [`- ${test}: ${because}`])),
    '',
    '## In newer libiscsi',
    '',
    'What Debian does not have yet, by the test of ours that stands for it.',
    '',
    ...ownTests.map(({ test, file, ours, but }) => `- ${test}: ${file}, "${ours} …"${but ? `; but ${but}` : ''}`),
    '',
    '## Skipped on some',
    '',
    ...profiles.flatMap(({ name }) => skips(name, results.get(name) ?? [])),
    '',
  ].join('\n');
}

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

const excused = (test: string, failsOn: readonly (string | undefined)[]): boolean =>
  exceptions.some((one) => one.test === test && failsOn.includes(one.failsOn));

/** The tests that fail although no clause lets them, each with its profile. */
export const failures = (results: Results): string[] =>
  [...results].flatMap(([profile, tests]) =>
    tests
      .filter((test) => test.outcome === 'failed' && !excused(nameOf(test), [profile, everywhere]))
      .map((test) => `${nameOf(test)} fails on ${profile}: ${test.reason}`),
  );

/**
 * The violations of the rule: no test fails on any profile, and every test passes on one; but for `exceptions`, each of which has to be
 * needed.
 * @param tests the names of all tests
 */
export function violations(results: Results, tests: readonly string[]): string[] {
  const named = (outcome: TestResult['outcome'], of = [...results.values()].flat()) =>
    new Set(of.filter((one) => one.outcome === outcome).map(nameOf));
  const passed = named('passed');
  const needed = ({ test, failsOn }: Exception) =>
    failsOn === undefined || failsOn === everywhere
      ? !passed.has(test)
      : named('failed', [...(results.get(failsOn) ?? [])]).has(test);
  return [
    ...failures(results),
    ...tests
      .filter((test) => !passed.has(test) && !excused(test, [undefined, everywhere]))
      .map((test) => `${test} passes on no profile`),
    ...exceptions.filter((one) => !needed(one)).map(({ test }) => `${test} passes: it is no exception any more`),
  ];
}

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
