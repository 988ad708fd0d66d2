/**
 * The end of a test run: which tests were skipped and why, and which took long. With CI set, a skipped test is an error,
 * unless `excusedInCi` (needs.ts) says why CI does without what it needs.
 */

import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import { excusedInCi, type Lack } from './needs.ts';

/** A test that takes longer is named. */
const slowMs = 5000;
const slowNamed = 10;

export class SkipReporter implements Reporter {
  #filtered = false;

  onInit(vitest: Vitest): void {
    // `-t PATTERN` and `.only` skip tests that somebody did not want to run.
    this.#filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    if (!this.#filtered) this.#tellSkipped(tests.filter((test) => test.result().state === 'skipped'));
    const slow = tests
      .map((test) => [test.diagnostic()?.duration ?? 0, nameOf(test)] as const)
      .filter(([ms]) => ms > slowMs)
      .sort(([one], [other]) => other - one);
    for (const [ms, name] of slow.slice(0, slowNamed)) console.log(`slow: ${(ms / 1000).toFixed(1)} s, ${name}`);
  }

  #tellSkipped(skipped: readonly TestCase[]): void {
    const byReason = Map.groupBy(skipped, reasonOf);
    for (const [reason, tests] of byReason)
      console.log(`skipped: ${tests.length} of ${filesOf(tests).join(', ')}: ${reason}`);
    if (!inCi()) return;
    const unexcused = skipped.filter((test) => !excused(lacksOf(test)));
    if (unexcused.length === 0) return;
    process.exitCode = 1;
    console.error(`error: ${unexcused.length} tests were skipped that have to run in CI:`);
    for (const test of unexcused) console.error(`  ${nameOf(test)}: ${reasonOf(test)}`);
  }
}

const inCi = (): boolean => !['', '0', 'false'].includes(process.env['CI'] ?? '');

/** The things that the machine lacks for a test or for a group around it. */
function lacksOf(test: TestCase): readonly Lack[] {
  for (let at: TestCase | TestSuite | TestModule = test; at.type !== 'module'; at = at.parent) {
    const { lacks } = at.meta();
    if (lacks) return lacks;
  }
  return [];
}

const reasonOf = (test: TestCase): string => {
  const lacks = lacksOf(test);
  return lacks.length > 0
    ? lacks.map(({ why }) => why).join('; ')
    : 'no reason given: use needs() of test/support/needs.ts';
};

const excused = (lacks: readonly Lack[]): boolean =>
  lacks.length > 0 && lacks.every(({ need }) => excusedInCi[need] !== undefined);

const filesOf = (tests: readonly TestCase[]): string[] => [
  ...new Set(tests.map((test) => test.module.relativeModuleId)),
];

const nameOf = (test: TestCase): string => `${test.module.relativeModuleId} > ${test.fullName}`;
