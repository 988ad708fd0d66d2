import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    pool: 'forks',
    // Most of the slow ones wait for programs that they started.
    maxWorkers: 4,
    testTimeout: 20_000,
    // Of programs that start on a busy machine: only a test that fails waits this long.
    expect: { poll: { timeout: 15_000 } },
    resolveSnapshotPath: (path, extension) => path.replace(/\/test\//, '/snapshots/').replace(/\.tsx?$/, extension),
  },
});
