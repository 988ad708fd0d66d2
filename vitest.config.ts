import { defineConfig } from 'vitest/config';
import { SkipReporter } from './test/support/skip-reporter.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    exclude: ['test/e2e-engines/**'],
    pool: 'forks',
    reporters: ['default', new SkipReporter()],
    // Most of the slow ones wait for programs that they started.
    maxWorkers: 4,
    // These end a test that hangs; how busy the machine is decides no test. The reporter names the slow ones.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    setupFiles: ['test/support/without-ci.ts'],
    resolveSnapshotPath: (path, extension) => path.replace(/\/test\//, '/snapshots/').replace(/\.tsx?$/, extension),
  },
});
