/** The carrying out of one line: what it goes by, and what has become of it so far. */

import type { PartOfChange } from '../../src/index.ts';
import type { OutputSink } from '../channel/protocol.ts';
import type { LineChange } from './line-change.ts';
import type { ShownLine } from './secrets.ts';

/** A run of which nothing is known yet. */
export const notYet = { exit: false, failed: false, json: false, isForMany: false, isAllowed: false };

/** The carrying out of one line. */
export interface Run {
  readonly sink: OutputSink;
  readonly signal: AbortSignal;
  /** The line without its secrets. */
  readonly line: ShownLine;
  /** The name and the author of its changes. */
  readonly part: PartOfChange;
  /** The change that the line makes. */
  readonly change: LineChange;
  exit: boolean;
  failed: boolean;
  /** Whether the command runs at several nodes. */
  isForMany: boolean;
  /** Somebody was asked whether something may go away at all nodes, and has said yes. */
  isAllowed: boolean;
  /** Output of the command is wanted as data. */
  json: boolean;
}
