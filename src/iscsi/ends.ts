/** Where a connection comes from and goes to. */

import type { Addresses } from '../target/service.ts';
import type { Tpg } from '../target/target.ts';

/** The two ends of a connection. */
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
