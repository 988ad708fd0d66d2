/** The worker of `WorkerLoop`: a tree that is changed by the operations it is told, and the loop that serves it. */

import { parentPort, workerData } from 'node:worker_threads';
import { type LogRecord, logBug } from '../log.ts';
import type { Arrival } from '../target/fabric.ts';
import { Calls, Transferring } from './calls.ts';
import { LocalLoop } from './local-loop.ts';
import { type Again, type Assignment, contentsOf, type Moving } from './loop.ts';
import type { Carried, Operation } from './operation.ts';
import { carryOut, worldly } from './operations.ts';
import { Tree } from './tree.ts';
import type { LoopThreadOptions } from './worker-loop.ts';

const { configuration, runDirectory, stateDirectory, alone } = workerData as LoopThreadOptions;
const around = { ...worldly, serving: true, restoring: true };

let last: Carried | undefined;

const calls = new Calls(parentPort!, {
  async change(operation: Operation | undefined, assignment: Assignment) {
    await restored;
    const before = last;
    last = undefined;
    if (operation) last = await carryOut(tree, operation, around);
    else await before?.undo();
    const leaving = await loop.change(operation, assignment);
    return new Transferring(leaving, contentsOf(leaving));
  },
  async follow(arrived: readonly Moving[], again: Again) {
    await restored;
    return loop.follow(arrived, again);
  },
  async finish() {
    await last?.finish?.();
  },
  async release() {
    const before = last;
    last = undefined;
    await before?.release?.();
  },
  opened: () => loop.opened(),
  serve: () => loop.serve(),
  state: () => loop.state(),
  counts: () => loop.counts(),
  take: (fabric: string, arrival: Arrival) => loop.take(fabric, arrival),
  endSession: (fabric: string, id: number, why: string) => loop.endSession(fabric, id, why),
  reopen: (path: string) => loop.reopen(path),
  resetStatistics: () => loop.resetStatistics(),
  stop: () => loop.stop(),
});

const log = (record: LogRecord) => calls.tell('log', record);
const tree = new Tree();
const loop = new LocalLoop({
  tree,
  host: { log, look: () => calls.tell('look'), apply: (operation) => calls.call('apply', [operation]) },
  runDirectory,
  stateDirectory,
  alone,
});
/** The tree as it is when the thread begins. */
const restored = carryOut(
  tree,
  { path: '/', verb: 'restoreconfig', params: { configuration: configuration as never, clear_existing: true } },
  around,
);
// A bug costs a log line, not everybody's disks.
const survive = (error: unknown) => logBug(log, 'loop', error);
process.on('uncaughtException', survive);
process.on('unhandledRejection', survive);
