/** The kind of object that a node among `acls` stands for. */

import type { NodeAcl, Tpg } from '../../src/index.ts';

/** At least one member; more only where they share a tag. */
export interface AclGroup {
  readonly tpg: Tpg;
  readonly tag: string;
  readonly members: readonly NodeAcl[];
}
