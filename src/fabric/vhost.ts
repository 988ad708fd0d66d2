/** LUNs for a virtual machine on this machine (vhost-scsi). Kept in the tree and in the file; nothing serves them. */

import type { Fabric } from '../target/fabric.ts';
import { localPorts } from './local-ports.ts';

export const vhost: Fabric = {
  name: 'vhost',
  doc: 'vhost: LUNs for virtual machines on this machine.',
  wwnTypes: ['naa'],
  features: ['nexus', 'acls', 'tpgts'],
  tpgNodes: true,
  ...localPorts,
};
