/** The fabrics there are, and what serves them; one line each. */

import type { Fabric } from '../target/fabric.ts';
import type { Service } from '../target/service.ts';
import { iscsi, iscsiService } from './iscsi.ts';
import { loopback, loopbackService } from './loopback.ts';
import { vhost, vhostService } from './vhost.ts';

export const fabrics: readonly Fabric[] = [iscsi, loopback, vhost];

const services: readonly Service[] = [iscsiService, loopbackService, vhostService];

/** What serves a fabric. Undefined: it is kept in the tree and in the file, and nothing serves it. */
export const serviceOf = (fabric: Fabric): Service | undefined => services.find((one) => one.fabric === fabric);
