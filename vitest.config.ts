import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    pool: 'forks',
    testTimeout: 20_000,
    resolveSnapshotPath: (path, extension) => path.replace(/\/test\//, '/snapshots/').replace(/\.tsx?$/, extension),
  },
});
