/** The record of a fabric, one in fabric/ for each. Its engine and its reception are a `Service` (service.ts). */

import type { AttributeTable } from '../attribute.ts';
import type { WwnType } from './wwn.ts';

export interface Fabric {
  readonly name: string;
  readonly doc: string;
  /** The types of name that targets of the fabric may have; the first is the one that is generated. */
  readonly wwnTypes: readonly WwnType[];
  /** targetcli's feature words, as `info` lists them. */
  readonly features: readonly ('discovery_auth' | 'acls' | 'auth' | 'nps' | 'nexus' | 'tpgts' | 'cpus_allowed_list')[];
  /** Whether TPGs have nodes. Otherwise a target has exactly one TPG, made with it, and its node is the TPG's node. */
  readonly tpgNodes: boolean;
  /** The SPC-4 7.6.1 protocol identifier of the fabric's target ports: 5 iSCSI, 6 SAS. */
  readonly protocol: number;
  readonly tpgAttributes: AttributeTable;
  readonly tpgParameters: AttributeTable;
  readonly aclAttributes: AttributeTable;
  /** Set where this machine reaches the fabric's LUNs without an initiator (`Service.local`). */
  readonly isLocal?: true;
  /** Set where a client whose connection ends may not come back: its target stays in its event loop if that can be. */
  readonly clientsStay?: true;
  /** Text parameters of a session, in the order in which an ACL shows them; absent where sessions have none. */
  readonly sessionParameters?: readonly string[];
}
