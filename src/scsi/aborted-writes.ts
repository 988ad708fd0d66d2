/**
 * Writes that were aborted on their way to the medium. They cannot be called back, and may land at any time until the medium
 * has answered: whatever would write to the same place is BUSY until then, so that nothing newer is overwritten.
 */

import type { StorageObject } from './logical-unit.ts';
import type { AdmittedCommand, Task } from './task.ts';
import { unitState } from './unit-state.ts';

const abortedWrites = unitState<{ readonly writes: ReadonlySet<Task> }>({
  name: 'aborted writes',
  initial: () => ({ writes: new Set() }),
  obstructs: ({ writes }) => (writes.size > 0 ? 'writes' : 'nothing'),
});

const writes = ({ command }: Pick<Task, 'command'>): boolean => command?.row.medium === 'write';

/** A task is aborted: if it is on its way to the medium, writes to the same place wait until it has ended. */
export function keepBehind(task: Task): void {
  const lu = task.unit?.storageObject;
  const { running } = task;
  if (!lu || !running || !writes(task)) return;
  const all = (change: (set: Set<Task>) => void): void => {
    const set = new Set(abortedWrites.of(lu).writes);
    change(set);
    abortedWrites.set(lu, { writes: set });
  };
  all((set) => set.add(task));
  void running.finally(() => all((set) => set.delete(task))).catch(() => {});
}

/** Whether an aborted write may still land where a command is about to write. */
export function isBehindAborted(lu: StorageObject, command: AdmittedCommand): boolean {
  if (!writes({ command })) return false;
  for (const { command: other } of abortedWrites.of(lu).writes) if (other && overlap(command, other)) return true;
  return false;
}

/** A command that names no blocks may write anywhere. */
function overlap(a: AdmittedCommand, b: AdmittedCommand): boolean {
  if (!a.row.ranged || !b.row.ranged) return true;
  const { lba: from = 0, blocks = 0 } = a.cdb;
  const { lba: at = 0, blocks: count = 0 } = b.cdb;
  return (blocks === 0 || at < from + blocks) && (count === 0 || from < at + count);
}
