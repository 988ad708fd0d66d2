/** iSCSI over TCP (RFC 7143). */

import { aclAttributes, tpgAttributes, tpgParameters } from '../iscsi/attributes.ts';
import { sessionParameters } from '../iscsi/keys.ts';
import type { Fabric } from '../target/fabric.ts';
import type { Service } from '../target/service.ts';

export const iscsi: Fabric = {
  name: 'iscsi',
  doc: 'iSCSI: block storage over TCP.',
  wwnTypes: ['iqn', 'naa', 'eui'],
  features: ['discovery_auth', 'acls', 'auth', 'nps', 'tpgts'],
  tpgNodes: true,
  protocol: 5,
  tpgAttributes,
  tpgParameters,
  aclAttributes,
  sessionParameters,
};

/**
 * The service of iSCSI. Its engine is loaded when something is served: a command that only changes the configuration starts faster
 * without it.
 */
export const iscsiService: Service = {
  fabric: iscsi,
  examine: async (...words) => (await import('../iscsi/examination.ts')).examineLogin(...words),
  start: async (state, context) => (await import('../iscsi/engine.ts')).startIscsi(state, context),
  receive: async (state, context) => (await import('../iscsi/reception.ts')).receiveIscsi(state, context),
};
