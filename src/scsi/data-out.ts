/** Data-out that is too long to be gathered as a whole: a command gets it in pieces, and waits for the next one itself. */

import { systemError } from '../system/system-error.ts';
import type { StorageObject } from './logical-unit.ts';
import { good } from './parameter-data.ts';
import { notReady } from './readiness.ts';
import type { Completion, Task } from './task.ts';

/** Does something with a piece of the data, whole blocks from byte `offset` of it on. */
type Work = (data: Uint8Array, offset: number) => Completion | Promise<Completion>;

/**
 * Does `work` with all of a task's data: at once where all of it is there, else piece by piece, in order. Between two
 * pieces the task may be aborted, and the medium may go: nothing of what is still to come reaches it then.
 */
export function withData(lu: StorageObject, task: Task, work: Work): Completion | Promise<Completion> {
  return task.fetch ? inPieces(lu, task, task.fetch, work) : work(task.dataOut, 0);
}

async function inPieces(
  lu: StorageObject,
  task: Task,
  fetch: () => Promise<Uint8Array>,
  work: Work,
): Promise<Completion> {
  const { volume } = lu;
  let piece = task.dataOut;
  for (let done = 0; ; ) {
    await work(piece, done);
    done += piece.length;
    if (done === task.dataOutLength || hasEnded(task)) return good;
    const next = await unlessEnded(task, fetch());
    if (!next || hasEnded(task)) return good;
    const reason = notReady(lu);
    if (reason) throw reason;
    if (lu.volume !== volume) throw systemError('EBADF', 'write');
    piece = next;
  }
}

const hasEnded = ({ aborted, terminated }: Task): boolean => aborted || terminated;

/** Task management does not wait for an initiator. */
function unlessEnded<T>(task: Task, wanted: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    task.leave = () => resolve(undefined);
    wanted.then(resolve, reject);
  });
}
