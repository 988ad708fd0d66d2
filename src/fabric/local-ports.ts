/** What the fabrics that stay on this machine have in common: their target ports, and the one attribute of their TPGs. */

import { integer } from '../attribute.ts';

export const localPorts = {
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
