// The rules by which a test counts as passed in the table of snapshots/conformance.md. Not here: the tests themselves (npm run conformance).

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readResult } from './output.ts';
import { ownTests } from './report.ts';

const printed = (body: string) =>
  `\nSuite: Read10\n  Test: Simple ...${body}\n\nRun Summary:    Type  Total    Ran Passed Failed Inactive
              suites      1      1    n/a      0        0
               tests      1      1      1      0        0
             asserts      3      3      3      0      n/a\n`;

test.each([
  ['passed', printed('passed'), ''],
  ['skipped', printed('    [SKIPPED] UNMAP is not implemented.\npassed'), 'UNMAP is not implemented'],
  ['passed', printed('    [FAILED] an error that was asked for\npassed'), ''],
  ['failed', printed('    [FAILED] wrong sense\n\nFAILED\n    1. test.c:15  - CU_FAIL'), 'wrong sense'],
  [
    'failed',
    '\nSuite: Read10\n  Test: Simple ...FAILED\n    1. a.c:157  - x==1malloc(): corrupted',
    'a.c:157  - x==1malloc(): corrupted',
  ],
  ['failed', '\nSuite: Read10\n  Test: Simple ...', 'it did not end'],
  ['failed', 'Failed to login to target\n', 'it did not begin: Failed to login to target'],
])('%s: %j', (outcome, output, reason) => {
  expect(readResult('SCSI.Read10.Simple', output)).toEqual({ family: 'Read10', name: 'Simple', outcome, reason });
});

test.each(ownTests)('$test of newer libiscsi has a test of ours: $ours', ({ file, ours }) => {
  const beginnings = readFileSync(file, 'utf8').split(/(?<=['"])(?=SBC|SPC|RFC)/);
  expect(beginnings.filter((text) => text.startsWith(ours))).toHaveLength(1);
});
