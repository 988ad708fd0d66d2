/**
 * How much initiators may ask of a LUN in a second: commands and bytes, of reads, of writes, and of both together. What is
 * more waits for its turn, and initiators that wait have their turns in proportion to how little they had.
 * Only commands that read, write or copy data wait (`CommandRow.limited`): who asks whether a path is alive hears at once.
 */

import { type Attribute, type AttributeValues, integer, types, type ValueType } from '../attribute.ts';
import { runningMs, whenLate } from '../system/running-time.ts';
import type { LimitTurn, LunLimits, Nexus } from './logical-unit.ts';
import type { Task } from './task.ts';

const commands = (which: string): Attribute<number> =>
  integer({
    doc: `${which} that are carried out in a second; 0 for as many as come.`,
    default: 0,
    foreign: true,
    effect: 'What is more waits; it is not refused',
  });
const bytes = (which: string): Attribute<number> => ({
  ...integer({
    doc: `Bytes of ${which} in a second, as in 100M; 0 for as many as come. One command counts for 10 seconds at most.`,
    default: 0,
    foreign: true,
    max: Number.MAX_SAFE_INTEGER,
    effect: 'What is more waits; it is not refused',
  }),
  type: types.size as ValueType<number>,
});

/** Attributes of a LUN that say how much may be asked of it. */
export const limitAttributes = {
  limit_iops: commands('Commands that read or write'),
  limit_read_iops: commands('Commands that read'),
  limit_write_iops: commands('Commands that write'),
  limit_bytes: bytes('what is read and written'),
  limit_read_bytes: bytes('what is read'),
  limit_write_bytes: bytes('what is written'),
  limit_burst: integer({
    doc: 'Seconds of the limits that may be used up at once, after a time in which less was asked.',
    default: 1,
    min: 1,
    max: 3600,
    foreign: true,
    effect: 'How much goes at once after a pause',
  }),
} as const;

/** The cost of a command, counted in the limits. */
export interface CommandCost {
  readonly kind: 'read' | 'write';
  readonly bytes: number;
}

/**
 * How long everybody waits at most for what one command took beyond a limit. What it took more than that is not counted: the
 * length of a command is the initiator's choice, and all others of the LUN would wait for it.
 */
const debtSecondsMax = 10;

/** One limit: so much is there, and it fills up again. */
interface Bucket {
  readonly of: 'read' | 'write' | 'both';
  readonly unit: 'commands' | 'bytes';
  readonly perSecond: number;
  readonly most: number;
  /** The budget that is left; below zero after a command that took more than there was. */
  left: number;
}

interface WaitingCommand {
  readonly cost: CommandCost;
  readonly go: () => void;
}

/** The waiting commands of one initiator and one kind, in their order. */
interface Waiting {
  readonly nexus: Nexus;
  readonly kind: CommandCost['kind'];
  readonly commands: WaitingCommand[];
  /** How much it had, as a share of the limits. */
  had: number;
}

/** Milliseconds that only go forward, and a timer. */
export interface LimitClock {
  now(): number;
  /** @returns what prevents that */
  after(ms: number, what: () => void): () => void;
}

const clock: LimitClock = { now: runningMs, after: whenLate };

/** The limits of one LUN, and who waits for them. */
export class CommandLimits implements LunLimits {
  readonly #clock: LimitClock;
  #buckets: Bucket[] = [];
  #filledAt = 0;
  readonly #waiting = new Set<Waiting>();
  /** How much those had that are served now: who comes new begins there. */
  #had = 0;
  /** Prevents what the timer would do, while it runs. */
  #untime: (() => void) | undefined;

  constructor(timers: LimitClock = clock) {
    this.#clock = timers;
  }

  /** Whether anything is limited. */
  get isSet(): boolean {
    return this.#buckets.length > 0 || this.#waiting.size > 0;
  }

  /** Begins with full buckets. Who waits goes on waiting by the new limits. */
  set(values: AttributeValues<typeof limitAttributes>): void {
    const bucket = (of: Bucket['of'], unit: Bucket['unit'], perSecond: number): Bucket[] => {
      const most = perSecond * values.limit_burst;
      return perSecond > 0 ? [{ of, unit, perSecond, most, left: most }] : [];
    };
    this.#buckets = [
      ...bucket('both', 'commands', values.limit_iops),
      ...bucket('read', 'commands', values.limit_read_iops),
      ...bucket('write', 'commands', values.limit_write_iops),
      ...bucket('both', 'bytes', values.limit_bytes),
      ...bucket('read', 'bytes', values.limit_read_bytes),
      ...bucket('write', 'bytes', values.limit_write_bytes),
    ];
    this.#filledAt = this.#clock.now();
    // The timer that runs stands for when the limits before would have let somebody go.
    this.#untime?.();
    this.#untime = undefined;
    this.#serve();
  }

  turn(nexus: Nexus, cost: CommandCost): LimitTurn | undefined {
    this.#fill();
    const { kind } = cost;
    const all = [...this.#waiting].filter((one) => one.kind === kind);
    if (all.length === 0 && this.#isFree(cost)) {
      this.#take(cost);
      return undefined;
    }
    let leave = () => {};
    const come = new Promise<void>((go) => {
      const waiting = all.find((one) => one.nexus === nexus) ?? { nexus, kind, commands: [], had: this.#had };
      this.#waiting.add(waiting);
      const command = { cost, go };
      waiting.commands.push(command);
      leave = () => this.#leave(waiting, command);
      this.#serve();
    });
    return { come, leave };
  }

  /** A command does not wait any more: it takes nothing. */
  #leave(waiting: Waiting, command: WaitingCommand): void {
    const at = waiting.commands.indexOf(command);
    if (at < 0) return;
    waiting.commands.splice(at, 1);
    if (waiting.commands.length === 0) this.#waiting.delete(waiting);
    command.go();
    this.#serve();
  }

  #fill(): void {
    const now = this.#clock.now();
    const seconds = Math.max(0, now - this.#filledAt) / 1000;
    this.#filledAt = now;
    for (const bucket of this.#buckets) bucket.left = Math.min(bucket.most, bucket.left + seconds * bucket.perSecond);
  }

  #isFree(cost: CommandCost): boolean {
    return this.#buckets.every((bucket) => !concerns(bucket, cost) || bucket.left > 0);
  }

  /** @returns the share of a second that it was */
  #take(cost: CommandCost): number {
    let share = 0;
    for (const bucket of this.#buckets) {
      if (!concerns(bucket, cost)) continue;
      const { left, perSecond } = bucket;
      const amount = bucket.unit === 'commands' ? 1 : cost.bytes;
      bucket.left = Math.max(left - amount, Math.min(left, -debtSecondsMax * perSecond));
      share = Math.max(share, (left - bucket.left) / perSecond);
    }
    return share;
  }

  /** Lets go who may, those first that had least. */
  #serve(): void {
    this.#fill();
    for (let next = this.#next(); next; next = this.#next()) {
      const { cost, go } = next.commands.shift()!;
      this.#had = Math.max(this.#had, next.had);
      next.had += this.#take(cost);
      if (next.commands.length === 0) this.#waiting.delete(next);
      go();
    }
    if (this.#waiting.size > 0) this.#wait();
  }

  #next(): Waiting | undefined {
    let found: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (!this.#isFree(waiting.commands[0]!.cost)) continue;
      if (!found || waiting.had < found.had) found = waiting;
    }
    return found;
  }

  /** Until the first that waits may go. */
  #wait(): void {
    if (this.#untime) return;
    const waits = Array.from(this.#waiting, ({ commands: [first] }) =>
      Math.max(
        ...this.#buckets
          .filter((bucket) => concerns(bucket, first!.cost) && bucket.left <= 0)
          .map(({ left, perSecond }) => (-left / perSecond) * 1000),
      ),
    );
    this.#untime = this.#clock.after(Math.max(1, Math.ceil(Math.min(...waits))), () => {
      this.#untime = undefined;
      this.#serve();
    });
  }
}

const concerns = ({ of }: Bucket, { kind }: CommandCost): boolean => of === 'both' || of === kind;

/**
 * When a task may run, by the limits of its LUN, or does not wait any more; undefined: now, or its data has to come first.
 * Asked again, a task that has had its turn may run.
 */
export function limitedTurn(task: Task): Promise<void> | undefined {
  const { command, unit } = task;
  const { row, cdb } = command ?? {};
  if (!row?.limited || !unit?.limits || !cdb || task.hadTurn) return undefined;
  const kind = row.medium === 'write' ? 'write' : 'read';
  const bytes = row.limited(unit.storageObject, cdb, task);
  if (bytes === undefined) return undefined;
  task.hadTurn = true;
  return turnOf(task, unit.limits, { kind, bytes });
}

/** When a task may do what it does at a LUN, or does not wait any more; undefined: now. */
export function turnOf(task: Task, limits: LunLimits, cost: CommandCost): Promise<void> | undefined {
  if (task.aborted || task.terminated) return undefined;
  const turn = limits.turn(task.nexus, cost);
  if (!turn) return undefined;
  // Task management ends the wait.
  task.leave = turn.leave;
  task.limited = true;
  return turn.come.then(() => {
    task.leave = undefined;
    task.limited = false;
  });
}
