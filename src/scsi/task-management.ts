/** Task management functions (SAM-5 7): who loses which tasks, and who is told. Each resolves when what it ended has stopped. */

import { keepBehind } from './aborted-writes.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { nexusesOf, unitsOf } from './nexus.ts';
import { sense } from './sense.ts';
import { allowRemoval } from './start-stop.ts';
import type { Task } from './task.ts';
import { taskSet } from './task-set.ts';
import { addUnitAttention, reportToAll } from './unit-attention.ts';
import { resetStates } from './unit-state.ts';

/** The tasks of a logical unit as they are now, oldest first. */
const tasksOf = (lu: StorageObject | undefined): Task[] => (lu ? Array.from(taskSet.of(lu)) : []);

/** SAM-5 7.2. @returns whether the task existed */
export async function abortTask(nexus: Nexus, lun: number, tag: number): Promise<boolean> {
  for (const task of tasksOf(nexus.view(lun)?.storageObject)) {
    if (task.nexus !== nexus || task.tag !== tag) continue;
    await stop(task, nexus);
    return true;
  }
  return false;
}

/** SAM-5 7.3: the nexus's own tasks. @returns whether the logical unit exists */
export async function abortTaskSet(nexus: Nexus, lun: number): Promise<boolean> {
  const storageObject = nexus.view(lun)?.storageObject;
  if (!storageObject) return false;
  await stopAll(storageObject, nexus, (task) => task.nexus === nexus);
  return true;
}

/** SAM-5 7.5: everybody's tasks. @returns whether the logical unit exists */
export async function clearTaskSet(nexus: Nexus, lun: number): Promise<boolean> {
  const storageObject = nexus.view(lun)?.storageObject;
  if (!storageObject) return false;
  await stopAll(storageObject, nexus, () => true, 'tell the others');
  return true;
}

/** SAM-5 6.3.3, 7.7: everybody's tasks, and every nexus is told. @returns whether the logical unit exists */
export async function logicalUnitReset(nexus: Nexus, lun: number): Promise<boolean> {
  const storageObject = nexus.view(lun)?.storageObject;
  if (!storageObject) return false;
  await reset(storageObject, nexus);
  return true;
}

/** RFC 7143 11.5.1 TARGET WARM RESET: a logical unit reset of every logical unit that the nexus reaches. */
export async function targetReset(nexus: Nexus): Promise<void> {
  const storageObjects = unitsOf(nexus);
  await Promise.all(Array.from(storageObjects, (storageObject) => reset(storageObject, nexus)));
}

/** The nexus is gone: its tasks end, and nobody is told (SAM-5 6.3.4). */
export async function abortNexus(nexus: Nexus): Promise<void> {
  await Promise.all(
    Array.from(nexus.units, (storageObject) => stopAll(storageObject, nexus, (task) => task.nexus === nexus)),
  );
}

/** The nexus may not be here any more, and is asked to go: what waits for the limits of a LUN ends with TASK ABORTED. */
export function endLimited(nexus: Nexus): void {
  for (const lu of nexus.units)
    for (const task of tasksOf(lu)) {
      if (task.nexus !== nexus || !task.limited) continue;
      task.terminated = true;
      task.leave?.();
    }
}

/** Ends the tasks of `victims` for PREEMPT AND ABORT, and their hold on the medium (SPC-4 5.12.11.2.6). */
export async function preempt(
  storageObject: StorageObject,
  by: Nexus,
  victims: (nexus: Nexus) => boolean,
): Promise<void> {
  for (const nexus of nexusesOf(storageObject)) if (victims(nexus)) allowRemoval(storageObject, nexus);
  await stopAll(storageObject, by, (task) => victims(task.nexus), 'tell the others');
}

async function reset(storageObject: StorageObject, by: Nexus): Promise<void> {
  await stopAll(storageObject, by, () => true);
  resetStates(storageObject);
  reportToAll(storageObject, sense.busDeviceReset);
}

async function stopAll(
  storageObject: StorageObject,
  by: Nexus,
  which: (task: Task) => boolean,
  cleared?: 'tell the others',
): Promise<void> {
  const victims = tasksOf(storageObject).filter(which);
  if (cleared && storageObject.attributes.values.emulate_tas === 0)
    for (const nexus of new Set(victims.map((task) => task.nexus)))
      if (nexus !== by) addUnitAttention(nexus, storageObject, sense.commandsCleared);
  await Promise.all(victims.map((task) => stop(task, by)));
}

/**
 * Another nexus's task ends with TASK ABORTED when TAS is 1, each other one without an answer (SAM-5 5.6.2).
 * What is on its way to the medium cannot be called back, so it is waited for.
 */
async function stop(task: Task, by: Nexus): Promise<void> {
  const answered = task.nexus !== by && task.unit?.storageObject.attributes.values.emulate_tas === 1;
  if (answered) task.terminated = true;
  else task.aborted = true;
  keepBehind(task);
  if (task.unit) taskSet.of(task.unit.storageObject).wake();
  task.leave?.();
  await task.running;
}
