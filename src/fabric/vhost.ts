/** LUNs for virtual machines of this machine: virtio-scsi by vhost-user on a Unix socket. */

import type { Fabric } from '../target/fabric.ts';
import type { Service } from '../target/service.ts';
import { clientLines } from '../vhost/names.ts';
import { localPorts } from './local-ports.ts';

export const vhost: Fabric = {
  name: 'vhost',
  doc: 'vhost: LUNs for virtual machines on this machine.',
  wwnTypes: ['naa'],
  features: ['nexus', 'acls', 'tpgts'],
  tpgNodes: true,
  ...localPorts,
  clientsStay: true,
};

/** The service of vhost. Its engine is loaded when something is served. */
export const vhostService: Service = {
  fabric: vhost,
  clientLines,
  start: async (state, context) => (await import('../vhost/engine.ts')).startVhost(state, context),
};
