/** A volume with SCSI identity and attributes: the logical unit. */

import { Attributes } from '../attribute.ts';
import type { Backstore, Volume, VolumeConfig, VolumeContents } from '../backstore/backstore.ts';
import { putAway } from '../backstore/put-away.ts';
import { alteredByInitiator, aluaGroup, defaultAluaGroupName } from './alua-group.ts';
import { type DiskAttributes, diskAttributes } from './attributes.ts';
import { TestBuffers } from './buffer.ts';
import type { CopyResult } from './extended-copy.ts';
import type { MediumWork } from './medium-work.ts';
import type { Nexus, TargetPort } from './nexus.ts';
import { noReservations, type PersistentReservations } from './persistent-reservation.ts';
import { initialThresholds, type ThresholdWatch, watchThresholds } from './provisioning-threshold.ts';
import { RangeLocks } from './range-locks.ts';
import type { PowerCondition } from './readiness.ts';
import type { Reservations } from './reservation-conflict.ts';
import { type Counters, Statistics } from './statistics.ts';
import { TaskSet } from './task-set.ts';

/** State of a logical unit that initiators set, and that a reset forgets. */
export interface ModeState {
  /** D_SENSE: sense data in descriptor format (SPC-4 7.5.8). */
  descriptorSense: boolean;
  /** SWP: software write protect (SPC-4 7.5.8). */
  softwareWriteProtect: boolean;
  /** DEXCPT, TEST and MRIE: reporting of informational exceptions (SPC-4 7.5.11). */
  exceptionsDisabled: boolean;
  exceptionTest: boolean;
  exceptionReporting: number;
  /** LBPERE: thresholds are reported (SBC-5 6.5.10). */
  thresholdReports: boolean;
  /** The Logical Block Provisioning mode page behind its header (SBC-5 6.5.9). */
  thresholds: readonly number[];
}

/** A setting that initiators may change: an attribute, or the state of an ALUA group. */
export type ConfigurationChange =
  | { readonly name: 'emulate_write_cache' | 'emulate_tas'; readonly value: 0 | 1 }
  | { readonly name: 'alua_access_state'; readonly value: number; readonly aluaGroup: string };

function changeConfiguration(lu: StorageObject, change: ConfigurationChange): void {
  if (change.name === 'alua_access_state')
    lu.aluaGroups = lu.aluaGroups.map((group) =>
      group['name'] === change.aluaGroup ? alteredByInitiator(group, change.value) : group,
    );
  else lu.attributes.set(change.name, change.value);
}

/** What goes along when a logical unit goes to another event loop. No nexus does: their sessions end. Plain data. */
export interface CarriedState {
  readonly contents: VolumeContents | undefined;
  readonly mode: ModeState;
  readonly ejected: boolean;
  readonly power: PowerCondition;
  readonly persistent: PersistentReservations;
  readonly work: MediumWork | undefined;
  readonly clockSetBy: number | undefined;
  readonly flushFailure: { readonly error: unknown } | undefined;
  readonly counters: Counters;
}

const initialMode: Readonly<ModeState> = {
  descriptorSense: false,
  softwareWriteProtect: false,
  exceptionsDisabled: false,
  exceptionTest: false,
  exceptionReporting: 0,
  thresholdReports: true,
  thresholds: initialThresholds,
};

/** MRIE 6h: only when REQUEST SENSE asks (SPC-4 7.5.11). */
const onRequest = 6;

export class StorageObject {
  readonly backstore: Backstore;
  readonly name: string;
  /** Another one where the kind can exchange a medium. */
  config: VolumeConfig;
  /** Unit serial number (LIO's `wwn`): text, a UUID when we made it. */
  readonly wwn: string;
  readonly attributes: Attributes<DiskAttributes>;
  /** Open while the process serves; closed objects have none. */
  volume: Volume | undefined;
  /** What the volume is to be opened with, where another event loop had it. */
  contents: VolumeContents | undefined;
  /** Bytes of the volume, where the tree of another thread has it open. */
  sizeElsewhere: number | undefined;
  /** Why the volume could not be opened, in a line; such an object stays in the tree and in the file. */
  missing: string | undefined;
  /** LUNs that export it, in any fabric. */
  readonly exports = new Set<object>();
  /** Nexuses that reach it: who gets its unit attentions. */
  readonly nexuses = new Set<Nexus>();
  /** Ports of nexuses that reached it once: unit-attention.ts tells a new nexus from one that comes back. */
  readonly lostNexuses = new Set<string>();
  power: PowerCondition = 'active';
  /** A removable medium is out: the volume stays open, and nobody reaches it. */
  ejected = false;
  /** Nexuses that PREVENT ALLOW MEDIUM REMOVAL holds the medium in for. */
  readonly preventedBy = new Set<Nexus>();
  /** FORMAT UNIT or SANITIZE, while it goes on and after it failed. */
  work: MediumWork | undefined;
  /** Bytes of it to write, and written. */
  progress = { total: 1, done: 0 };
  readonly statistics = new Statistics();
  readonly buffers = new TestBuffers();
  /** Milliseconds since 1970; `setBy`: how far SET TIMESTAMP moved them. */
  readonly clock: { now: () => number; setBy: number | undefined; after: (ms: number, what: () => void) => void } = {
    now: Date.now,
    setBy: undefined,
    after: (ms, what) => void setTimeout(what, ms).unref(),
  };
  /** What MODE SELECT set, beyond the attributes. */
  readonly mode: ModeState = { ...initialMode };
  /** Looks after the thresholds, while one is enabled. */
  thresholdWatch: ThresholdWatch | undefined;
  /** The task set: every command of every nexus that is in flight here. */
  readonly tasks = new TaskSet();
  readonly ranges = new RangeLocks();
  readonly reservations: Reservations = { persistent: noReservations, reserved: undefined };
  /**
   * Keeps persistent reservations over a power loss; undefined means that there is nothing to keep. Absent: APTPL is not
   * offered. Rejects when it could not.
   */
  saveReservations?: (state: PersistentReservations | undefined) => Promise<void>;
  /** Keeps `work` over a power loss, or forgets it. Rejects when it could not. */
  saveWork?: (work: MediumWork | undefined) => Promise<void>;
  /**
   * Carries out a change that an initiator asks for. The tree takes it through its one door, so that it lasts.
   * Rejects when it could not.
   */
  configure: (change: ConfigurationChange) => Promise<void> = async (change) => changeConfiguration(this, change);
  /** Target ports that export it. The tree knows them all; until it says so, those that a nexus uses now. */
  ports: () => readonly TargetPort[] = () => {
    const ports = [...this.nexuses].flatMap((nexus) => this.portOf(nexus) ?? []);
    return ports.filter((port, i) => ports.findIndex((one) => one.relativePortId === port.relativePortId) === i);
  };
  /** Results of EXTENDED COPY by list identifier, until they are fetched. */
  readonly copyResults = new WeakMap<Nexus, Map<number, CopyResult>>();
  /** Why a flush failed that nobody waited for (SYNCHRONIZE CACHE with IMMED). */
  flushFailure: { readonly error: unknown } | undefined;
  /** ALUA groups as they stand in saveconfig.json. */
  aluaGroups: readonly Record<string, unknown>[];
  /** Target port groups on their way to another state, by number; `stateChanged` of alua.ts begins and ends it. */
  readonly transitions = new Map<number, object>();
  /** Keys of saveconfig.json that are not ours: written back as they were. */
  unknown: Readonly<Record<string, unknown>>;

  constructor(parts: {
    backstore: Backstore;
    name: string;
    config: VolumeConfig;
    wwn: string;
    volume?: Volume | undefined;
    aluaGroups?: readonly Record<string, unknown>[];
    unknown?: Readonly<Record<string, unknown>>;
  }) {
    this.backstore = parts.backstore;
    this.name = parts.name;
    this.config = parts.config;
    this.wwn = parts.wwn;
    this.volume = parts.volume;
    this.attributes = new Attributes(diskAttributes, parts.backstore.attributeDefaults(parts.config, parts.volume));
    this.aluaGroups = parts.aluaGroups ?? (parts.backstore.passesThrough ? [] : [aluaGroup(defaultAluaGroupName, 0)]);
    this.unknown = parts.unknown ?? {};
  }

  /** Closes the volume, for another event loop to go on with it where this one ends. */
  async leave(): Promise<CarriedState> {
    const { volume, mode, ejected, power, reservations, clock, statistics } = this;
    this.volume = undefined;
    let contents: VolumeContents | undefined;
    const takeContents = () => {
      contents = volume?.takeContents?.();
    };
    this.flushFailure = (volume && (await putAway(volume, takeContents))) ?? this.flushFailure;
    const { flushFailure, work } = this;
    const { persistent } = reservations;
    return {
      ...{ contents, mode, ejected, power, persistent, clockSetBy: clock.setBy, flushFailure, work },
      counters: statistics.counters(),
    };
  }

  /** Goes on where another event loop ended. The volume is opened by who knows how. */
  arrive(from: CarriedState): void {
    this.contents = from.contents;
    Object.assign(this.mode, from.mode);
    watchThresholds(this);
    this.ejected = from.ejected;
    this.power = from.power;
    this.reservations.persistent = from.persistent;
    this.clock.setBy = from.clockSetBy;
    this.flushFailure = from.flushFailure;
    this.work = from.work;
    Object.assign(this.statistics, from.counters);
  }

  /** Logical unit reset (SAM-5 6.3.3): what initiators set is as it was at the start. */
  reset(): void {
    Object.assign(this.mode, initialMode);
    watchThresholds(this);
    this.reservations.reserved = undefined;
    this.preventedBy.clear();
    this.power = 'active';
  }

  /** The value that an attribute of a new object of this kind has. */
  initial<K extends keyof DiskAttributes>(name: K): DiskAttributes[K]['default'] {
    return this.backstore.attributeDefaults(this.config, this.volume)[name] ?? diskAttributes[name].default;
  }

  /** The target port through which a nexus reaches it. */
  portOf(nexus: Nexus): TargetPort | undefined {
    for (const lun of nexus.luns()) {
      const view = nexus.view(lun);
      if (view?.storageObject === this) return view.port;
    }
    return undefined;
  }

  /** `/backstores/fileio/disk0` */
  get path(): string {
    return `/backstores/${this.backstore.name}/${this.name}`;
  }

  /** Bytes that are served; undefined while nothing is. */
  get size(): number | undefined {
    return this.volume?.size ?? this.sizeElsewhere;
  }

  get exported(): boolean {
    return this.exports.size > 0;
  }

  /** Bytes per logical block. */
  get blockSize(): number {
    return this.attributes.values.block_size;
  }

  /** The TEST bit of the Informational Exceptions Control mode page asks for a false report. */
  get predictsFailure(): boolean {
    return this.mode.exceptionTest && this.mode.exceptionReporting === onRequest;
  }

  /** Logical blocks; 0 while there is no medium. */
  get blocks(): number {
    return this.volume && !this.ejected ? Math.floor(this.volume.size / this.blockSize) : 0;
  }
}
