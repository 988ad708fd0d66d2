/**
 * State of a logical unit that belongs to one subject: reservations, mode pages, a copy's results … A subject declares in
 * its own file what it keeps, what it begins with, and what becomes of it; no other file lists the subjects.
 */

import type { LogEvent } from '../log.ts';
import type { LogicalUnitView, Nexus, Obstacles, StorageObject } from './logical-unit.ts';

/** A subject: the state that it keeps of each logical unit, and the fate of that state. `T` has readonly fields: `set` changes them. */
export interface Subject<T extends object, Carried, Kept extends object> {
  /** The unique name of the subject where the states of all subjects stand together. */
  readonly name: string;
  /** The state with which a unit begins, also in another process. */
  initial(lu: StorageObject): T;
  /** A logical unit reset (SAM-5 6.3.3) changes this much. Absent: the state stays. */
  reset?(lu: StorageObject): Partial<T>;
  /** An I_T nexus reaches the unit from now on. @param again it did so before. Absent: that changes nothing */
  establish?(lu: StorageObject, nexus: Nexus, again: boolean): void;
  /** An I_T nexus is lost (SAM-5 6.3.4), or reaches the unit no more. Absent: the state has nothing of it. */
  lose?(lu: StorageObject, nexus: Nexus): void;
  /**
   * The part of the state that moves to another event loop: plain data, `all` of it where the state is that. Absent: the state begins
   * anew there.
   */
  readonly move?:
    | 'all'
    | {
        pack(state: T): Carried;
        unpack(lu: StorageObject, carried: Carried): Partial<T>;
      };
  /** A part that `StorageObject.keep` puts down, and a later process finds. Absent: a restart begins anew. */
  readonly keep?: {
    /** The folder of its files, one for each logical unit. */
    readonly folder: string;
    /** The log event that says that a file was damaged. */
    readonly lostEvent: LogEvent<'error'>;
    /** @throws Error for what is damaged */
    parse(kept: unknown): Kept;
    restore(lu: StorageObject, kept: Kept): Partial<T>;
  };
  /**
   * The plain commands, which only read or only write blocks, that need a look at the subject before they may run. The question is
   * repeated after the subject, an attribute, the medium or an ALUA group has changed. Absent: none.
   */
  obstructs?(state: T, lu: StorageObject): Obstruction;
  /** Whether a plain command is none of the obstructing subject's business, and runs all the same. Absent: none does. */
  spares?(state: T, command: PlainCommand): boolean;
}

/** The plain commands that a subject keeps from running at once. */
type Obstruction = 'nothing' | 'writes' | 'reads and writes';

/** A command that only reads or only writes blocks, as the subjects know it. */
export interface PlainCommand {
  readonly kind: 'read' | 'write';
  readonly nexus: Nexus;
  /** The unit as the nexus reaches it. */
  readonly view: LogicalUnitView;
}

/** The door to what a subject keeps. */
export interface UnitState<T extends object> {
  /** The present state. */
  of(lu: StorageObject): T;
  /** Changes it. The subject alone does that. */
  set(lu: StorageObject, changes: Partial<T>): void;
  /** Says that the state has changed in itself, where that is more than a set of readonly fields. */
  changed(lu: StorageObject): void;
}

type AnySubject = Subject<object, unknown, object>;

const subjects: AnySubject[] = [];

/** In the order of their declaration, which gives each its place in `StorageObject.states`. */
export const unitSubjects: readonly AnySubject[] = subjects;

/** Declares a subject, with its place in every logical unit. */
export function unitState<T extends object, Carried = never, Kept extends object = never>(
  subject: Subject<T, Carried, Kept>,
): UnitState<T> {
  const place = subjects.push(subject as unknown as AnySubject) - 1;
  return {
    of: (lu) => (lu.states[place] as T | undefined) ?? (stateAt(lu, place) as T),
    set: (lu, changes) => change(lu, place, changes),
    changed: lookAgain,
  };
}

function stateAt(lu: StorageObject, place: number): object {
  const known = lu.states[place];
  if (known) return known;
  const state = subjects[place]!.initial(lu);
  lu.states[place] = state;
  return state;
}

function change(lu: StorageObject, place: number, changes: object): void {
  Object.assign(stateAt(lu, place), changes);
  lookAgain(lu);
}

/** Something has changed that the answers of `obstructs` may depend on. */
function lookAgain(lu: StorageObject): void {
  lu.plain = undefined;
}

/** Asks every subject what it obstructs. */
export function obstaclesOf(lu: StorageObject): Obstacles {
  const found = subjects.map(({ obstructs }, place) => obstructs?.(stateAt(lu, place), lu) ?? 'nothing');
  const placesOf = (which: (one: Obstruction) => boolean): number[] =>
    found.flatMap((one, place) => (which(one) ? [place] : []));
  return {
    read: placesOf((one) => one === 'reads and writes'),
    write: placesOf((one) => one !== 'nothing'),
  };
}

/** Whether a plain command is none of the business of the subjects at these places, which obstruct others. */
export function isSpared(places: readonly number[], command: PlainCommand): boolean {
  const lu = command.view.storageObject;
  return places.every((place) => subjects[place]!.spares?.(stateAt(lu, place), command));
}

/** A logical unit reset (SAM-5 6.3.3): what initiators set is as it was at the start. */
export function resetStates(lu: StorageObject): void {
  subjects.forEach((subject, place) => {
    if (subject.reset) change(lu, place, subject.reset(lu));
  });
}

/** Tells the subjects that a nexus reaches the unit. @param again it did so before */
export function establishAt(lu: StorageObject, nexus: Nexus, again: boolean): void {
  for (const { establish } of subjects) establish?.(lu, nexus, again);
}

/** Tells the subjects that a nexus reaches the unit no more: nothing of it is left there. */
export function loseAt(lu: StorageObject, nexus: Nexus): void {
  for (const { lose } of subjects) lose?.(lu, nexus);
}

/** The states that move when a logical unit goes to another event loop, by the names of the subjects. Plain data. */
export type CarriedStates = Readonly<Record<string, unknown>>;

/** The states that the subjects of a unit send along. */
export const packStates = (lu: StorageObject): CarriedStates =>
  Object.fromEntries(
    subjects.flatMap(({ name, move }, place) => {
      const state = stateAt(lu, place);
      return move ? [[name, move === 'all' ? { ...state } : move.pack(state)]] : [];
    }),
  );

/** Gives a unit what its subjects had in the loop that it came from. */
export function unpackStates(lu: StorageObject, carried: CarriedStates): void {
  subjects.forEach(({ name, move }, place) => {
    if (!move || !Object.hasOwn(carried, name)) return;
    const packed = carried[name];
    change(lu, place, move === 'all' ? (packed as object) : move.unpack(lu, packed));
  });
}

/** A subject of which something outlives the process. */
export interface KeptSubject {
  readonly name: string;
  readonly keep: NonNullable<AnySubject['keep']>;
  /** Goes on with what an earlier process put down. */
  restore(lu: StorageObject, kept: object): void;
}

/** The subjects of which something outlives the process. */
export const keptSubjects = (): readonly KeptSubject[] =>
  subjects.flatMap(({ name, keep }, place) =>
    keep ? [{ name, keep, restore: (lu, kept) => change(lu, place, keep.restore(lu, kept)) }] : [],
  );
