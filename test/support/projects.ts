/** The projects of vitest: which test files each of them has. `npm test` runs the first one; scripts of their own run the others. */

const everyTest = 'test/**/*.test.{ts,tsx}';
/** Tests that start the built program, or others, and wait for them. */
const programs = ['test/e2e/*.test.ts', 'test/python/*.test.ts'];
/** Tests that start a Ceph cluster and an etcd. */
const engines = ['test/e2e-engines/*.test.ts'];

/** A project, and the npm script that runs it. */
interface TestProject {
  readonly script: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const testProjects = {
  code: { script: 'test', include: [everyTest], exclude: [...programs, ...engines] },
  programs: { script: 'test:programs', include: programs, exclude: [] },
  engines: { script: 'e2e:engines', include: engines, exclude: [] },
} as const satisfies Record<string, TestProject>;
