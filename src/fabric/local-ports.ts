/** The common part of the fabrics that stay on this machine: their target ports, and the one attribute of their TPGs. */

import { integer } from '../attribute.ts';

export const localPorts = {
  // LIO's SCSI bus in a machine calls itself SAS, too.
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
