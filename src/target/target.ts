/** One WWN in a fabric, with its target portal groups. */

import type { Fabric } from './fabric.ts';
import type { Tpg } from './tpg.ts';

export class Target {
  readonly fabric: Fabric;
  readonly wwn: string;
  /** By tag. */
  readonly tpgs = new Map<number, Tpg>();
  /** Keys of saveconfig.json that are not ours: written back as they were. */
  unknown: Readonly<Record<string, unknown>>;

  constructor(fabric: Fabric, wwn: string, unknown: Readonly<Record<string, unknown>> = {}) {
    this.fabric = fabric;
    this.wwn = wwn;
    this.unknown = unknown;
  }

  /** `/iscsi/iqn…` */
  get path(): string {
    return `/${this.fabric.name}/${this.wwn}`;
  }
}
