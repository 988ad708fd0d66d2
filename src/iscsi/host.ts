/** What a connection knows of the world: the engine that it runs in, and its two ends. */

import type { Log } from '../log.ts';
import type { Addresses, FabricState } from '../target/fabric.ts';
import type { Portal, Tpg } from '../target/tpg.ts';
import type { Sessions } from './sessions.ts';

/** The engine, as a connection sees it. */
export interface Host {
  readonly state: FabricState;
  readonly sessionTable: Sessions;
  readonly log: Log;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  random(bytes: number): Uint8Array;
  boundPort(portal: Portal): number | undefined;
  endSessions(tpg: Tpg, why: string): void;
}

/** Where a connection comes from and goes to. */
export interface Ends extends Addresses {
  /** For people: counts up in this process. */
  readonly id: number;
  /** The portal that it came through, as the tree names it; absent where no target is served. */
  readonly portal?: string;
  /** Present where no target is served: takes the connection away, to where `tpg` is, before anything is answered. */
  readonly handOver?: (tpg: Tpg) => void;
  /** The TPGs behind the portal. */
  tpgs(): readonly Tpg[];
}
