/** What the device server sees of an initiator: the I_T nexus, and the logical units that it reaches (SAM-5 4.5, 4.7). */

import type { Sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';

/** A storage object as one initiator reaches it. `target/access.ts` makes it; everything in it holds for the command at hand. */
export interface LogicalUnitView {
  readonly storageObject: StorageObject;
  readonly writeProtected: boolean;
  readonly port: TargetPort;
}

/** The target port of the nexus, for VPD page 83h and reservations. */
export interface TargetPort {
  /** WWN of the target device (`iqn…`, `naa…`). */
  readonly targetName: string;
  /** SCSI target port name: for iSCSI `iqn…,t,0x0001` (RFC 7143 appendix on SCSI names). */
  readonly portName: string;
  /** Relative target port identifier: stable, never derived from list order. */
  readonly relativePortId: number;
  /** SPC-4 protocol identifier: 5 iSCSI. */
  readonly protocol: number;
  /** Target port group of this logical unit behind this port. */
  readonly portGroup: number;
}

/** One initiator port × target port. Unit attentions and reservations hang on it; its session ends it with `close`. */
export class Nexus {
  /** SCSI initiator port name: for iSCSI `iqn…,i,0x` and the ISID in 12 hex digits. */
  readonly initiatorPortName: string;
  readonly initiatorName: string;
  readonly targetPortName: string;
  /** The number of the session that it belongs to, for the log; undefined where the fabric has none. */
  readonly session: number | undefined;
  readonly #view: (lun: number) => LogicalUnitView | undefined;
  readonly #luns: () => number[];
  /** Conditions to report, oldest first, for each logical unit (SAM-5 5.14). */
  readonly unitAttentions = new Map<StorageObject, Sense[]>();

  constructor(names: {
    initiatorName: string;
    initiatorPortName: string;
    targetPortName: string;
    session?: number;
    /** The logical unit behind a number now, or undefined; asked for every command. */
    view: (lun: number) => LogicalUnitView | undefined;
    /** The numbers that `view` knows, ascending. */
    luns: () => number[];
  }) {
    this.initiatorName = names.initiatorName;
    this.initiatorPortName = names.initiatorPortName;
    this.targetPortName = names.targetPortName;
    this.session = names.session;
    this.#view = names.view;
    this.#luns = names.luns;
  }

  view(lun: number): LogicalUnitView | undefined {
    return this.#view(lun);
  }

  luns(): number[] {
    return this.#luns();
  }
}
