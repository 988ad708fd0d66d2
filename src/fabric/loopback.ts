/** LUNs for this machine itself: NBD on a Unix socket, and block devices where the machine has what that takes. */

import { integer } from '../attribute.ts';
import { deviceOf, uriOf } from '../nbd/names.ts';
import type { Fabric } from '../target/fabric.ts';

export const loopback: Fabric = {
  name: 'loopback',
  doc: 'Loopback: LUNs for this machine, without a network.',
  wwnTypes: ['naa'],
  features: ['nexus'],
  tpgNodes: false,
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
  local: { uri: uriOf, device: deviceOf },
  start: async (state, context) => (await import('../nbd/engine.ts')).startLocal(state, context),
};
