/** LUNs for a virtual machine on this machine (vhost-scsi). Kept in the tree and in the file; nothing serves them. */

import { integer } from '../attribute.ts';
import type { Fabric } from '../target/fabric.ts';

export const vhost: Fabric = {
  name: 'vhost',
  doc: 'vhost: LUNs for virtual machines on this machine.',
  wwnTypes: ['naa'],
  features: ['nexus', 'acls', 'tpgts'],
  tpgNodes: true,
  // As LIO's: a SCSI bus in this machine calls itself SAS.
  protocol: 6,
  tpgAttributes: {
    fabric_prot_type: integer({
      doc: 'Protection information type.',
      default: 0,
      only: [0],
      effect: 'none: no T10 PI here',
    }),
  },
  tpgParameters: {},
  aclAttributes: {},
};
