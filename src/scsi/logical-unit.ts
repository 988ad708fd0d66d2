/**
 * The object model of SAM-5 4: the logical unit (a volume with SCSI identity and attributes), the I_T nexus, and a unit as
 * a nexus reaches it. What a logical unit keeps besides belongs to its subjects (unit-state.ts).
 */

import { Attributes } from '../attribute.ts';
import type { Backstore, Volume, VolumeConfig, VolumeContents } from '../backstore/backstore.ts';
import { within } from '../backstore/patience.ts';
import type { Log } from '../log.ts';
import { systemError } from '../system/system-error.ts';
import { type AluaGroup, alteredByInitiator, defaultAluaGroup } from './alua-group.ts';
import { type DiskAttributes, diskAttributes } from './attributes.ts';
import type { SharedUnit } from './shared-unit.ts';
import { textNaa } from './text-naa.ts';

/** A setting that initiators may change: an attribute, or the state of an ALUA group. */
export type ConfigurationChange =
  | { readonly name: 'emulate_write_cache' | 'emulate_tas'; readonly value: 0 | 1 }
  | { readonly name: 'alua_access_state'; readonly value: number; readonly aluaGroup: string };

async function changeConfiguration(lu: StorageObject, change: ConfigurationChange): Promise<void> {
  if (change.name === 'alua_access_state')
    lu.aluaGroups = lu.aluaGroups.map((group) =>
      group.name === change.aluaGroup ? alteredByInitiator(group, change.value) : group,
    );
  else if (change.name === 'emulate_tas') lu.attributes.set(change.name, change.value);
  else await switchWriteCache(lu, change.value, (value) => lu.attributes.set(change.name, value));
}

/** How long a medium may take to bring to stable storage what it has: other changes wait for that. */
const switchMs = 10_000;

/**
 * Switches the write cache on, or off: what was acknowledged out of it is on stable storage then.
 * @param set carries the switch out @throws a system error when it could not be brought there; the cache is on again
 */
export async function switchWriteCache(lu: StorageObject, to: number, set: (value: 0 | 1) => void): Promise<void> {
  const before = lu.attributes.values.emulate_write_cache;
  set(to === 0 ? 0 : 1);
  if (to !== 0 || before === 0) return;
  try {
    // Writes that end from now on are durable by themselves.
    if (lu.volume && (await within(switchMs, lu.volume.flush()))) throw systemError('ETIMEDOUT', 'flush');
  } catch (error) {
    set(1);
    throw error;
  }
}

/** The obstacles of commands that only read, and of those that only write: the places of subjects (unit-state.ts). */
export interface Obstacles {
  readonly read: readonly number[];
  readonly write: readonly number[];
}

/** The facts of a unit that the fast path needs, in one place, and the conditions under which they hold. */
export interface PlainAccess
  extends Obstacles,
    Readonly<Pick<StorageObject, 'volume' | 'ejected' | 'arriving' | 'aluaGroups'>> {
  readonly blockSize: number;
  /** There is no write cache: what is written has to be on the medium. */
  readonly durable: boolean;
  /** Whether data may be sent from the place where it was read (`TaskSet.ordered`). */
  readonly lends: boolean;
  readonly counted: { readCommands: number; writeCommands: number; blocksRead: number; blocksWritten: number };
}

/** The digits that an NAA 6 designator has room for. */
const serialDigitsMax = 25;

const defaultAluaGroups: readonly AluaGroup[] = [defaultAluaGroup];

/** The ALUA groups of a new storage object. */
export const freshAluaGroups = ({ passesThrough }: Backstore): readonly AluaGroup[] =>
  passesThrough ? [] : defaultAluaGroups;

/** A logical unit: a volume, the identity that it has for initiators, and its attributes. */
export class StorageObject {
  readonly backstore: Backstore;
  /** `rename` changes it. Whoever keeps something of a storage object keeps it by the object itself. */
  name: string;
  /** Another one where the kind can exchange a medium. */
  config: VolumeConfig;
  /** Unit serial number (LIO's `wwn`): text, a UUID when we made it. */
  readonly wwn: string;
  readonly #serialDigits: string;
  /** The saved file does not have it. */
  isSerialMade = false;
  readonly attributes: Attributes<DiskAttributes>;
  /** The contents with which the volume is to be opened, where another event loop had it. */
  contents: VolumeContents | undefined;
  /** Bytes of the volume, where the tree of another thread has it open. */
  sizeElsewhere: number | undefined;
  /** Why the volume could not be opened, in a line; such an object stays in the tree and in the file. */
  missing: string | undefined;
  /** Why what memory held is gone, in a line: it is not opened, and no zeros are served in place of that, until the operator says so. */
  contentsLost: string | undefined;
  /** Another event loop has not let go of it yet: until then it has nothing of what it is to go on with, and is busy. */
  arriving = false;
  /** LUNs that export it, in any fabric. */
  readonly exports = new Set<object>();
  /** The name of VPD page 83h, and the attributes that it was made of: each new object is compared with all. */
  #naa: { readonly id?: string; readonly company?: string; readonly naa: string } = { naa: '' };
  /** The states of its subjects, each at the subject's own place (unit-state.ts). */
  readonly states: object[] = [];
  /**
   * The facts as plain-access.ts found them; undefined when a subject or an attribute has changed since. No other file sets them to
   * anything else.
   */
  plain: PlainAccess | undefined;
  /** Open while the process serves; closed objects have none. */
  volume: Volume | undefined;
  /** A removable medium is out: the volume stays open, and nobody reaches it. */
  ejected = false;
  /** ALUA groups as they stand in saveconfig.json. */
  aluaGroups: readonly AluaGroup[];
  /** Several gateways show it, and one of them serves it; absent: it is this process's alone. `standShared` changes it. */
  shared: SharedUnit | undefined;
  /** Milliseconds since 1970, and a timer. */
  readonly clock: { now: () => number; after: (ms: number, what: () => void) => void } = {
    now: Date.now,
    after: (ms, what) => void setTimeout(what, ms).unref(),
  };
  /**
   * Keeps something of a subject over a power loss, or forgets it when it is undefined (`Subject.keep`). Resolves when that
   * is on stable storage, rejects when it could not. Absent: nothing outlives the process, and APTPL is not offered.
   */
  keep?: (subject: string, kept: object | undefined) => Promise<void>;
  /**
   * Carries out a change that an initiator asks for. The tree takes it through its one door, so that it lasts.
   * Rejects when it could not.
   */
  configure: (change: ConfigurationChange) => Promise<void> = (change) => changeConfiguration(this, change);
  /** Target ports that export it, which the tree knows. Absent: those that a nexus uses now. */
  ports?: () => readonly TargetPort[];
  /** The log for records that operators should read. */
  log?: Log;
  /** Keys of saveconfig.json that are not ours: written back as they were. */
  unknown: Readonly<Record<string, unknown>>;

  constructor(parts: {
    backstore: Backstore;
    name: string;
    config: VolumeConfig;
    wwn: string;
    volume?: Volume | undefined;
    aluaGroups?: readonly AluaGroup[];
    unknown?: Readonly<Record<string, unknown>>;
  }) {
    this.backstore = parts.backstore;
    this.name = parts.name;
    this.config = parts.config;
    this.wwn = parts.wwn;
    this.#serialDigits = parts.wwn.replace(/[^0-9a-fA-F]/g, '').slice(0, serialDigitsMax);
    this.volume = parts.volume;
    this.attributes = new Attributes(
      diskAttributes,
      parts.backstore.attributeDefaults(parts.config, parts.volume),
      () => {
        this.plain = undefined;
      },
      kindOfAttributes(this),
    );
    this.aluaGroups = parts.aluaGroups ?? freshAluaGroups(parts.backstore);
    this.unknown = parts.unknown ?? {};
  }

  /** The value that an attribute of a new object of this kind has. */
  initial<K extends keyof DiskAttributes>(name: K): DiskAttributes[K]['default'] {
    return this.backstore.attributeDefaults(this.config, this.volume)[name] ?? diskAttributes[name].default;
  }

  /**
   * LIO's NAA 6 of VPD page 83h, in hexadecimal digits: the company identifier and those of the serial number. Initiators take
   * two units that share it for one.
   */
  get naa(): string {
    const { scsi_id: id, company_id: company } = this.attributes.values;
    if (this.#naa.id !== id || this.#naa.company !== company) {
      const naa = id === '' ? `6${company}${this.#serialDigits}`.toLowerCase().padEnd(32, '0') : textNaa(id);
      this.#naa = { id, company, naa };
    }
    return this.#naa.naa;
  }

  /** `/backstores/fileio/disk0` */
  get path(): string {
    return `/backstores/${this.backstore.name}/${this.name}`;
  }

  /** Bytes that are served; undefined while nothing is. */
  get size(): number | undefined {
    return this.volume?.size ?? this.sizeElsewhere;
  }

  /** The unit is without its medium: it was ejected, or the operator says so. */
  get isOut(): boolean {
    return this.ejected || this.attributes.values.online === 0;
  }

  get exported(): boolean {
    return this.exports.size > 0;
  }

  /** Bytes per logical block. */
  get blockSize(): number {
    return this.attributes.values.block_size;
  }

  /** Logical blocks; 0 while there is no medium. */
  get blocks(): number {
    return this.volume && !this.isOut ? Math.floor(this.volume.size / this.blockSize) : 0;
  }
}

/** A storage object as one initiator reaches it. `target/access.ts` makes it; everything in it holds for the command at hand. */
export interface LogicalUnitView {
  readonly storageObject: StorageObject;
  readonly writeProtected: boolean;
  readonly port: TargetPort;
  /** How much may be asked of it through this LUN; absent where nothing is limited. */
  readonly limits?: LunLimits;
}

/** The limits of a LUN, which a command that reads or writes asks before it runs (limits.ts). */
export interface LunLimits {
  /** Undefined when it may run now. */
  turn(nexus: Nexus, cost: { readonly kind: 'read' | 'write'; readonly bytes: number }): LimitTurn | undefined;
}

/** A command waits for the limits of its LUN. */
export interface LimitTurn {
  /** Resolves when it may run, or has left. */
  readonly come: Promise<void>;
  /** Ends the wait. */
  leave(): void;
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
  /** The logical units that it is established with (nexus.ts). */
  readonly units = new Set<StorageObject>();

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

/** The attributes of a storage object, among those of others. */
function kindOfAttributes(one: StorageObject): ConstructorParameters<typeof Attributes>[3] {
  const { backstore } = one;
  const { lioAttributes: lio } = backstore;
  const fresh = () => backstore.attributeDefaults(one.config, undefined);
  return lio ? { lio, initial: fresh, fresh } : { fresh };
}
