/** The counts of a logical unit for LOG SENSE (SPC-4 7.3, SBC-3 6.4): since the process opened it. */

import type { StorageObject } from './logical-unit.ts';
import { unitState } from './unit-state.ts';

/** SPC-4 7.3.16: as many as the Self-Test Results log page has room for. */
const selfTestsMax = 20;

/** One self-test as it ended. */
export interface SelfTest {
  /** SELF-TEST CODE of the command. */
  readonly code: number;
  /** SELF-TEST RESULTS. */
  readonly result: number;
  /** First block that could not be read. */
  readonly failedAt?: number;
}

type Counters = Pick<
  Statistics,
  'readCommands' | 'writeCommands' | 'blocksRead' | 'blocksWritten' | 'startStopCycles' | 'loadCycles'
>;

class Statistics {
  readCommands = 0;
  writeCommands = 0;
  blocksRead = 0;
  blocksWritten = 0;
  startStopCycles = 0;
  loadCycles = 0;
  #selfTests: readonly SelfTest[] = [];

  /** Newest first. */
  get selfTests(): readonly SelfTest[] {
    return this.#selfTests;
  }

  /** The counts as they stand. */
  counters(): Counters {
    const { readCommands, writeCommands, blocksRead, blocksWritten, startStopCycles, loadCycles } = this;
    return { readCommands, writeCommands, blocksRead, blocksWritten, startStopCycles, loadCycles };
  }

  /** Counts from zero again; self-tests stay. */
  reset(): void {
    this.readCommands = 0;
    this.writeCommands = 0;
    this.blocksRead = 0;
    this.blocksWritten = 0;
  }

  tested(test: SelfTest): void {
    this.#selfTests = [test, ...this.#selfTests].slice(0, selfTestsMax);
  }
}

/** The counts of a logical unit; they go along to another event loop, self-tests do not. */
export const statistics = unitState({
  name: 'statistics',
  initial: () => new Statistics(),
  move: {
    pack: (counted): Counters => counted.counters(),
    unpack: (_lu, counters) => counters,
  },
});

/** Counts a command that reads. */
export function countRead(lu: StorageObject, blocks: number): void {
  const counted = statistics.of(lu);
  counted.readCommands += 1;
  counted.blocksRead += blocks;
}

/** Counts a command that writes. */
export function countWrite(lu: StorageObject, blocks: number): void {
  const counted = statistics.of(lu);
  counted.writeCommands += 1;
  counted.blocksWritten += blocks;
}
