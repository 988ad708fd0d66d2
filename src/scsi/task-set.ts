/** The task set of a logical unit: every command in flight, in the order it came, and whose turn it is (SAM-5 8). */

import type { Task } from './task.ts';
import { type UnitState, unitState } from './unit-state.ts';

/**
 * Iterates over the tasks, oldest first. They hang together by themselves: a Set would grow and shrink with every batch,
 * and each table that it leaves behind keeps what is young alive until a full collection.
 */
class TaskSet {
  #oldest: Task | undefined;
  #newest: Task | undefined;
  #size = 0;
  /** Tasks here whose attribute is not SIMPLE; while there are none, every task may run at once. */
  #ordering = 0;
  /** Initiators order their tasks, as is known from the first one on: what a task has read must not change behind it. */
  ordered = false;
  #waiting: (() => void)[] = [];
  readonly #orderingChanged: () => void;

  /** @param orderingChanged whether there are tasks that others have to wait for is not so any more */
  constructor(orderingChanged: () => void) {
    this.#orderingChanged = orderingChanged;
  }

  /** There are tasks whose attribute is not SIMPLE: not every task may run at once. */
  get isOrdering(): boolean {
    return this.#ordering > 0;
  }

  get size(): number {
    return this.#size;
  }

  *[Symbol.iterator](): IterableIterator<Task> {
    for (let task = this.#oldest; task; task = task.newer) yield task;
  }

  add(task: Task): void {
    task.older = this.#newest;
    if (this.#newest) this.#newest.newer = task;
    else this.#oldest = task;
    this.#newest = task;
    this.#size += 1;
    if (task.attribute === 'simple') return;
    this.#order(1);
    this.ordered = true;
  }

  delete(task: Task): void {
    const { older, newer } = task;
    if (!older && this.#oldest !== task) return;
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    task.older = undefined;
    task.newer = undefined;
    this.#size -= 1;
    if (task.attribute !== 'simple') this.#order(-1);
    if (this.#waiting.length > 0) this.wake();
  }

  #order(tasks: 1 | -1): void {
    this.#ordering += tasks;
    this.#orderingChanged();
  }

  /** Lets tasks that wait for their turn look again: one has gone, or was aborted. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /**
   * Undefined when the task may run now; else resolves when it may, or when it was aborted. An ordered task never runs
   * at once: what was read before it may have to be sent yet (`Volume.lend`).
   */
  turn(task: Task): Promise<void> | undefined {
    return this.#ordering > 0 && (task.attribute === 'ordered' || this.#mustWait(task)) ? this.#wait(task) : undefined;
  }

  async #wait(task: Task): Promise<void> {
    while (!task.aborted && this.#mustWait(task)) await this.changed();
  }

  /** Resolves when a task has gone, or was aborted. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Whether an older task, yet unfinished, has to end first (SAM-5 8.6). */
  #mustWait(task: Task): boolean {
    if (task.attribute === 'head of queue' || task.command?.row.headOfQueue) return false;
    for (let older = task.older; older; older = older.older)
      if (task.attribute === 'ordered' || older.attribute !== 'simple') return true;
    return false;
  }
}

/** The task set of a logical unit: every command of every nexus that is in flight there. */
export const taskSet: UnitState<TaskSet> = unitState({
  name: 'task set',
  initial: (lu) => new TaskSet(() => taskSet.changed(lu)),
  // Tasks of the nexus that wait for the limits of a LUN find out now that the LUN is gone.
  lose: (lu, nexus) => {
    for (const task of [...taskSet.of(lu)]) if (task.nexus === nexus && task.limited) task.leave?.();
  },
  obstructs: ({ isOrdering }) => (isOrdering ? 'reads and writes' : 'nothing'),
});
