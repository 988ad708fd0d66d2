/** LUNs for this machine itself. Kept in the tree and in the file; nothing serves them. */

import { integer } from '../attribute.ts';
import type { Fabric } from '../target/fabric.ts';

export const loopback: Fabric = {
  name: 'loopback',
  doc: 'Loopback: LUNs for this machine, without a network.',
  wwnTypes: ['naa'],
  features: ['nexus'],
  tpgNodes: false,
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
