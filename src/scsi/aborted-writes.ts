/**
 * Writes that were aborted on their way to the medium. They cannot be called back, and may land at any time until the medium
 * has answered: whatever would write to the same place is BUSY until then, so that nothing newer is overwritten.
 */

import type { Task, WrittenRange } from './task.ts';
import { unitState } from './unit-state.ts';

type AbortedRange = Pick<WrittenRange, 'from' | 'to'>;

const abortedWrites = unitState<{ readonly writes: ReadonlySet<AbortedRange> }>({
  name: 'aborted writes',
  initial: () => ({ writes: new Set() }),
  obstructs: ({ writes }) => (writes.size > 0 ? 'writes' : 'nothing'),
});

/** A task is aborted: if it is on its way to a medium, writes to the same place wait until it has ended. */
export function keepBehind(task: Task): void {
  const { running } = task;
  const range = task.copying ?? writtenBy(task);
  if (!running || !range) return;
  const all = (change: (set: Set<AbortedRange>) => void): void => {
    const set = new Set(abortedWrites.of(range.lu).writes);
    change(set);
    abortedWrites.set(range.lu, { writes: set });
  };
  all((set) => set.add(range));
  void running.finally(() => all((set) => set.delete(range))).catch(() => {});
}

/** Where a command writes by itself. One that names no blocks may write anywhere. */
function writtenBy({ unit, command }: Pick<Task, 'unit' | 'command'>): WrittenRange | undefined {
  const lu = unit?.storageObject;
  if (!lu || command?.row.medium !== 'write') return undefined;
  const { lba = 0, blocks = 0 } = command.row.ranged ? command.cdb : {};
  const to = blocks > 0 ? (lba + blocks) * lu.blockSize : Number.POSITIVE_INFINITY;
  return { lu, from: lba * lu.blockSize, to };
}

/** Whether an aborted write may still land where a command is about to write. */
export function isBehindAborted(task: Pick<Task, 'unit' | 'command'>): boolean {
  const range = task.unit && abortedWrites.of(task.unit.storageObject).writes.size > 0 && writtenBy(task);
  return range ? isAbortedAt(range) : false;
}

/** Whether an aborted write may still land in a range. */
export function isAbortedAt({ lu, from, to }: WrittenRange): boolean {
  for (const other of abortedWrites.of(lu).writes) if (other.from < to && from < other.to) return true;
  return false;
}
