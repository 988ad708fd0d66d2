// What iscsi-test-cu prints, taken apart test by test.

export interface TestResult {
  /** The suite: `Read10`. */
  readonly family: string;
  readonly name: string;
  /** `skipped`: nothing failed, and some of it did not run. */
  readonly outcome: 'passed' | 'skipped' | 'failed';
  /** Why, in iscsi-test-cu's own words; '' when it passed. */
  readonly reason: string;
}

/** CUnit's verbose format: `Suite: NAME`, `Test: NAME ...`, what the test says, `passed` or `FAILED` and where. */
export function parseOutput(output: string): TestResult[] {
  const results: TestResult[] = [];
  for (const suite of output.split(/^Suite: /m).slice(1)) {
    const family = firstWord(suite);
    for (const test of suite.split(/^ {2}Test: /m).slice(1)) results.push({ family, ...readTest(test) });
  }
  return results;
}

/** The `...passed` that ends a test stands on a line of its own when the test said something. */
function readTest(text: string): Omit<TestResult, 'family'> {
  const name = firstWord(text);
  // What comes after the verdict is said by the end of the suite.
  const body = text.split(/^Run Summary:|(?<=(?:\.\.\.|^)passed\b)/m)[0]!;
  const skipped = /\[SKIPPED\] *(.*)/.exec(body)?.[1]?.trim();
  if (!/(?:\.\.\.|^)passed\b/m.test(body)) return { name, outcome: 'failed', reason: failure(body) };
  return skipped === undefined
    ? { name, outcome: 'passed', reason: '' }
    : { name, outcome: 'skipped', reason: skipped.replace(/\.$/, '') };
}

/** The last complaint: those before it are often what the test had expected. */
function failure(body: string): string {
  const complaints = [...body.matchAll(/\[FAILED\] *(.*)/g)].map(([, text]) => text!.trim());
  const place = /^ +1\. (.*)/m.exec(body)?.[1];
  return complaints.at(-1) ?? place ?? 'it did not end';
}

const firstWord = (text: string): string => /^\S+/.exec(text)?.[0] ?? '';
