/** The fabrics there are; one line each. */

import type { Fabric } from '../target/fabric.ts';
import { iscsi } from './iscsi.ts';
import { loopback } from './loopback.ts';
import { vhost } from './vhost.ts';

export const fabrics: readonly Fabric[] = [iscsi, loopback, vhost];
