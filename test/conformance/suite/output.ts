// The output of iscsi-test-cu about one test, which has a process of its own: a session that one test closed, or a heap that it broke,
// does not reach another.

export interface TestResult {
  /** The suite: `Read10`. */
  readonly family: string;
  readonly name: string;
  /** `skipped`: nothing failed, and some of it did not run. */
  readonly outcome: 'passed' | 'skipped' | 'failed';
  /** Why, in iscsi-test-cu's own words where it has some; '' when it passed. */
  readonly reason: string;
}

/**
 * CUnit's verbose format: `Test: NAME ...`, what the test says, `passed` or `FAILED` and where.
 * @param test as `--list` names it: `SCSI.Read10.Simple`
 */
export function readResult(test: string, output: string): TestResult {
  const [, family = '', name = ''] = test.split('.');
  const said = output.split(/^ {2}Test: /m)[1];
  if (said === undefined) return { family, name, outcome: 'failed', reason: `it did not begin: ${lastLine(output)}` };
  // The verdict stands on a line of its own when the test said something; what comes after it is the end of the process.
  const body = said.split(/(?<=(?:\.\.\.|^)passed\b)|^Run Summary:/m)[0]!;
  if (!/(?:\.\.\.|^)passed\b/m.test(body)) return { family, name, outcome: 'failed', reason: failure(body) };
  const skipped = /\[SKIPPED\] *(.*)/.exec(body)?.[1]?.trim();
  return skipped === undefined
    ? { family, name, outcome: 'passed', reason: '' }
    : { family, name, outcome: 'skipped', reason: skipped.replace(/\.$/, '') };
}

/** The last complaint: those before it are often what the test had expected. */
function failure(body: string): string {
  const complaints = [...body.matchAll(/\[FAILED\] *(.*)/g)].map(([, text]) => text!.trim());
  const place = /^ +1\. (.*)/m.exec(body)?.[1];
  return complaints.at(-1) ?? place ?? 'it did not end';
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';
