/** What a root is asked with. */

import { randomBytes } from 'node:crypto';
import type { Log } from '../log.ts';
import type { LoopOptions } from '../loops/loops.ts';
import type { Operation, PartOfChange } from '../operations/operation.ts';

/** Called with the operations of each change as they were carried out, before it is answered; a rejection is the operator's to hear. */
export type RecordChange = (operations: readonly Operation[], part?: PartOfChange) => Promise<void>;

/** What is said of a change besides its name. */
export type PartWords = Omit<PartOfChange, 'of'>;

/** The length of the name by which the operations of a change are known. */
const changeIdBytes = 4;

/** A change of its own, with a name that it alone has. */
export const newPart = (said: PartWords = {}): PartOfChange => ({
  ...said,
  of: randomBytes(changeIdBytes).toString('hex'),
});

/** How a change is made. */
export interface ChangeOptions {
  /** Absent: it is a change by itself. */
  readonly part?: PartOfChange | undefined;
  /** As in `Surroundings`. */
  readonly comingBack?: boolean;
  /** Whoever asked for it does not any more: a change that has not begun is not made then. */
  readonly givenUp?: AbortSignal | undefined;
}

/** How a root begins to serve. */
export interface StartOptions {
  /** How long it waits for devices that are not there, and what ends that early. */
  readonly waitMs?: number;
  readonly givenUp?: AbortSignal;
  /** As in `ReceptionContext`. */
  readonly sockets?: readonly number[];
}

/** What a root is made with. */
export interface RootOptions extends LoopOptions {
  readonly log?: Log;
  /** Called when a medium has gone, or come, by itself. */
  readonly looked?: () => void;
  /** As in `Surroundings`; absent: chance makes them. */
  readonly missingSerial?: (of: string) => Promise<string>;
}
