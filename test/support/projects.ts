/** The projects of vitest: which test files each of them has. `npm test` runs the first one; scripts of their own run the others. */

const everyTest = 'test/**/*.test.{ts,tsx}';
/** Tests that start the built program, or others, and wait for them. */
const programs = [
  'test/e2e/*.test.ts',
  'test/python/*.test.ts',
  'test/library/*.test.ts',
  'test/packages/*.test.ts',
  'test/cluster/{etcd,shared-tree}.test.ts',
  'test/daemon/{log-lines,systemd}.test.ts',
  'test/root/gateway.test.ts',
  'test/shell/process/completion-script.test.ts',
  'test/shell/ui/{live,program,secret,session,top}.test.{ts,tsx}',
];
/** Tests that try all of something, one after the other: every fault at every call, every cut of every message, every command twice. */
const sweeps = [
  'test/fuzz/*.test.ts',
  'test/conformance/*/hostile.test.ts',
  'test/conformance/iscsi/states.test.ts',
  'test/iscsi/{fast-path,without-ffi}.test.ts',
  'test/root/faults.test.ts',
  'test/saved/description.test.ts',
  'test/scsi/plain-access.test.ts',
];
/** Tests that start a Ceph cluster and an etcd. */
const engines = ['test/e2e-engines/*.test.ts'];

/** A project, and the npm script that runs it. */
interface TestProject {
  readonly script: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const testProjects = {
  code: { script: 'test', include: [everyTest], exclude: [...programs, ...sweeps, ...engines] },
  sweeps: { script: 'test:sweeps', include: sweeps, exclude: [] },
  programs: { script: 'test:programs', include: programs, exclude: [] },
  engines: { script: 'e2e:engines', include: engines, exclude: [] },
} as const satisfies Record<string, TestProject>;
