/** LUNs for this machine itself: NBD on a Unix socket, and block devices where the machine has the programs for them. */

import { deviceOf, uriOf } from '../nbd/names.ts';
import type { Fabric } from '../target/fabric.ts';
import type { Service } from '../target/service.ts';

import { localPorts } from './local-ports.ts';

export const loopback: Fabric = {
  name: 'loopback',
  doc: 'Loopback: LUNs for this machine, without a network.',
  wwnTypes: ['naa'],
  features: ['nexus'],
  tpgNodes: false,
  ...localPorts,
  isLocal: true,
};

/** The service of loopback. Its engine is loaded when something is served. */
export const loopbackService: Service = {
  fabric: loopback,
  local: { uri: uriOf, device: deviceOf },
  start: async (state, context) => (await import('../nbd/engine.ts')).startLocal(state, context),
};
