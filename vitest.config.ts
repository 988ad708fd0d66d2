import { defineConfig } from 'vitest/config';
import { testProjects } from './test/support/projects.ts';
import { takeRunFolders } from './test/support/run-folder.ts';
import { SkipReporter } from './test/support/skip-reporter.ts';

takeRunFolders();

export default defineConfig({
  test: {
    projects: Object.entries(testProjects).map(([name, { include, exclude }]) => ({
      extends: true,
      test: { name, include: [...include], exclude: [...exclude] },
    })),
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
