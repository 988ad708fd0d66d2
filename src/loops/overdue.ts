/**
 * Watches for commands that a medium has had for long. The watch looks now and then into the task sets of the storage objects, so that no
 * command pays for being watched; operators are told once when it begins, and once when it is over.
 */

import type { Log } from '../log.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { Task } from '../scsi/task.ts';
import { taskSet } from '../scsi/task-set.ts';
import { runningMs, whenLate } from '../system/running-time.ts';
import type { OverdueState } from './loop.ts';

/** The age at which a command of a medium is overdue, and the interval of looking. */
const overdueMs = 10_000;
const lookMs = 2_500;

interface Overdue {
  /** The time at which the oldest command was first seen, by the running-time clock. */
  since: number;
  /** The number of overdue commands now, and the number so far. */
  commands: number;
  total: number;
}

/** Watches the commands of the storage objects of a loop. */
export class OverdueWatch {
  readonly #objects: () => Iterable<StorageObject>;
  readonly #log: Log;
  readonly #firstSeen = new WeakMap<Task, number>();
  readonly #counted = new WeakSet<Task>();
  readonly #found = new Map<StorageObject, Overdue>();
  #end: (() => void) | undefined;

  constructor(objects: () => Iterable<StorageObject>, log: Log) {
    this.#objects = objects;
    this.#log = log;
  }

  start(): void {
    this.#end ??= whenLate(lookMs, () => {
      this.#end = undefined;
      this.look();
      this.start();
    });
  }

  stop(): void {
    this.#end?.();
    this.#end = undefined;
  }

  /** The states of storage objects whose medium has had commands for long, now or before. */
  states(): OverdueState[] {
    const now = runningMs();
    return Array.from(this.#found, ([{ path }, { since, commands, total }]) => ({
      path,
      commands,
      seconds: commands > 0 ? Math.floor((now - since) / 1000) : 0,
      total,
    }));
  }

  /** Looks at all storage objects. */
  look(): void {
    const now = runningMs();
    const all = new Set(this.#objects());
    for (const object of this.#found.keys()) if (!all.has(object)) this.#found.delete(object);
    for (const object of all) this.#lookAt(object, now);
  }

  #lookAt(object: StorageObject, now: number): void {
    const known = this.#found.get(object);
    const late = this.#lateOf(object, now);
    if (late.length === 0 && !known) return;
    const found = known ?? { since: now, commands: 0, total: 0 };
    this.#found.set(object, found);
    found.total += late.filter((task) => !this.#counted.has(task)).length;
    for (const task of late) this.#counted.add(task);
    const [before, path] = [found.commands, object.path];
    found.commands = late.length;
    if (late.length > 0) found.since = Math.min(...late.map((task) => this.#firstSeen.get(task) ?? now));
    if (late.length > 0 && before === 0) {
      const [{ command, nexus }] = late as [Task];
      const detail = { path, commands: late.length, command: command?.row.name ?? '', initiator: nexus.initiatorName };
      this.#log({ level: 'error', event: 'medium does not answer', detail });
    } else if (late.length === 0 && before > 0)
      this.#log({ level: 'info', event: 'medium answers again', detail: { path } });
  }

  /** The commands that the medium has had for long; a command that waits for its turn, or for an initiator's data, is not the medium's. */
  #lateOf(object: StorageObject, now: number): Task[] {
    const late: Task[] = [];
    for (const task of taskSet.of(object)) {
      if (!task.running && !task.extent) continue;
      const since = this.#firstSeen.get(task);
      if (since === undefined) this.#firstSeen.set(task, now);
      else if (now - since >= overdueMs) late.push(task);
    }
    return late;
  }
}
