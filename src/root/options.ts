/** The options of a root, of its start, and of a change. */

import { randomBytes } from 'node:crypto';
import type { Log } from '../log.ts';
import type { LoopOptions } from '../loops/loops.ts';
import type { Operation, PartOfChange } from '../operations/operation.ts';

/** Called with the operations of each change as they were carried out, before the change is answered; a rejection is shown to the operator. */
export type RecordChange = (operations: readonly Operation[], part?: PartOfChange) => Promise<void>;

/** The words that describe a change, besides its name. */
export type PartWords = Omit<PartOfChange, 'of'>;

/** The length of the name by which the operations of a change are known. */
const changeIdBytes = 4;

/** A new change, with a name that no other change has. */
export const newPart = (said: PartWords = {}): PartOfChange => ({
  ...said,
  of: randomBytes(changeIdBytes).toString('hex'),
});

/** The options of a change. */
export interface ChangeOptions {
  /** The change that the operations are a part of. Absent: they are a change by themselves. */
  readonly part?: PartOfChange | undefined;
  /** Whether names come back that were there before, as in `Surroundings`. */
  readonly comingBack?: boolean;
  /** Aborted when whoever asked for the change has given up: a change that has not begun is not made then. */
  readonly givenUp?: AbortSignal | undefined;
}

/** The options of a root's start. */
export interface StartOptions {
  /** The time to wait for devices that are not there, and what ends the wait early. */
  readonly waitMs?: number;
  readonly givenUp?: AbortSignal;
  /** The sockets that systemd opened, as in `ReceptionContext`. */
  readonly sockets?: readonly number[];
}

/** The options of a root. */
export interface RootOptions extends LoopOptions {
  readonly log?: Log;
  /** Called when a medium has gone, or come, by itself. */
  readonly looked?: () => void;
  /** Called before every operation that is not read back from the journal. @throws OperatorError for a change that is refused */
  readonly refuse?: (part: PartOfChange | undefined) => void;
  /** The maker of missing serial numbers, as in `Surroundings`. Absent: serial numbers are random. */
  readonly missingSerial?: (of: string) => Promise<string>;
}
