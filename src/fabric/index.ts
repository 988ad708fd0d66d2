/** The fabrics, and their services; one line each. */

import type { Fabric } from '../target/fabric.ts';
import type { Service } from '../target/service.ts';
import { iscsi, iscsiService } from './iscsi.ts';
import { loopback, loopbackService } from './loopback.ts';
import { vhost, vhostService } from './vhost.ts';

export const fabrics: readonly Fabric[] = [iscsi, loopback, vhost];

const services: readonly Service[] = [iscsiService, loopbackService, vhostService];

/** The service of a fabric. Undefined: the fabric is kept in the tree and in the file, and nothing serves it. */
export const serviceOf = (fabric: Fabric): Service | undefined => services.find((one) => one.fabric === fabric);
