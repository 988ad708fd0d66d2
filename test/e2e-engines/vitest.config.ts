import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

// Engines that take more than a moment to start: a Ceph cluster … `npm run e2e:engines`.
export default defineConfig({
  ...base,
  test: { ...base.test, include: ['test/e2e-engines/*.test.ts'], exclude: [], maxWorkers: 2, testTimeout: 120_000 },
});
