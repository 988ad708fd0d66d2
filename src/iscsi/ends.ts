/** The two ends of a connection. */

import type { Addresses } from '../target/service.ts';
import type { Portal, Tpg } from '../target/target.ts';

/** The addresses of both ends, and the portal between them. */
export interface Ends extends Addresses {
  /** The number of the connection, for people: it counts up in this process. */
  readonly id: number;
  /** The portal that the connection came through, as the tree names it; absent where no target is served. */
  readonly portal?: string;
  /** Moves the connection to the loop of `tpg` before anything is answered. Present where no target is served. */
  readonly handOver?: (tpg: Tpg) => void;
  /** The portal of a TPG that the connection came through; undefined where it is gone. */
  portalOf(tpg: Tpg): Portal | undefined;
  /** The TPGs behind the portal. */
  tpgs(): readonly Tpg[];
}
