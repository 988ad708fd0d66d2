/** The engine that a connection runs in, as the connection sees it. */

import type { Log } from '../log.ts';
import type { FabricState, Portal } from '../target/target.ts';
import type { Sessions } from './sessions.ts';

/** The services of the engine for its connections. */
export interface ConnectionHost {
  readonly state: FabricState;
  readonly sessionTable: Sessions;
  readonly log: Log;
  /** Milliseconds of a clock that only goes forward, and stands still when this thread does. */
  now(): number;
  /** Milliseconds since 1970, by the clock on the wall: people say times by it. */
  date(): number;
  random(bytes: number): Uint8Array;
  boundPort(portal: Portal): number | undefined;
}
