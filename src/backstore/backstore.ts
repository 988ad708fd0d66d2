/**
 * What a backstore is (a kind of volume: fileio, block, ramdisk …) and what a volume is (an open one: bytes, and no SCSI).
 * What a volume cannot do is absent from it, and the layers above offer it or not by that absence alone.
 */

import { type Parameter, types } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import type { IoVector } from '../system/io-vector.ts';
import type { DirectSocket } from '../system/socket-io.ts';

/**
 * An open medium. Positions and lengths are bytes; what reaches beyond `size` is ERANGE. Other system errors (EIO, ENOSPC …)
 * pass through, as a `MediumError` where it is known how far a read or write came.
 */
export interface Volume {
  /** Bytes. `resize` changes it. */
  readonly size: number;
  /** Bytes per logical block the medium can address; fileio and ramdisk take any, so they say 512. */
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  /** Bytes at which a discard takes effect; 0 when the medium does not say. */
  readonly discardGranularity: number;
  /** Present when the medium promises nothing about what a discarded range reads. */
  readonly discardLeavesAnything?: true;
  readonly rotational: boolean;
  /** A `write` of at most so many bytes happens as a whole or not at all, whatever fails. Absent: that cannot be promised. */
  readonly atomicWriteBytesMax?: number;
  /** What it takes and could take now. Absent: the medium cannot tell, or needs no space. */
  space?(): Promise<Space>;

  /**
   * Fills `into` from `position` when that needs no waiting (memory, page cache) and says true. False: `read` it, which
   * also says what is wrong; what `into` holds meanwhile means nothing.
   */
  readNow?(into: Uint8Array, position: number): boolean;
  /**
   * Adds the memory that a range lies in to what one system call moves before anything else happens; false when it lies
   * in none, and nothing is added. What is written to the range until then is sent: whoever puts a digest beside it copies
   * it first.
   * @param filled what the call moves goes into the range
   */
  lend?(position: number, length: number, to: IoVector, filled?: boolean): boolean;
  /** A range of a file that is in memory, to be sent without a copy, as with `lend`; undefined when it is not. */
  straight?(position: number, length: number): Straight | undefined;
  /** Where there is `straight`: bytes of the shortest range that goes so. */
  readonly straightBytesMin?: number;
  /** Fills all of `into`; a read beyond what the medium holds is EIO, never zeros. `into` may be any view, also unaligned. */
  read(into: Uint8Array, position: number): Promise<void>;
  /**
   * Takes all of `from`, as `write` does, when that needs no waiting and says true. False: `write` it, which also says what
   * is wrong; a part may be written already.
   */
  writeNow?(from: Uint8Array, position: number, durable: boolean): boolean;
  /** @param durable on stable storage when this resolves (FUA, write-through) */
  write(from: Uint8Array, position: number, durable: boolean): Promise<void>;
  /** All writes that completed before are on stable storage when this resolves. */
  flush(): Promise<void>;
  /** Whether all that was acknowledged is on stable storage, as far as the range goes. Absent: nobody keeps a record of it. */
  isFlushed?(position: number, length: number): boolean;
  /** Gives the space back; reads of it give zeros afterwards (but see `discardLeavesAnything`). Absent: the medium cannot. */
  discard?(position: number, length: number): Promise<void>;
  /**
   * Writes `data` if the range holds `expected`, at once and durably. Absent: it is read, compared and written.
   * @returns whether it was written
   */
  compareAndWrite?(expected: Uint8Array, data: Uint8Array, position: number): Promise<boolean>;
  /** Where there is `compareAndWrite`: whether it can have this range. */
  canCompareAndWrite?(position: number, length: number): boolean;
  /** Zeros a range faster than writing zeros would. Absent: write zeros. */
  writeZeroes?(position: number, length: number, mayDiscard: boolean): Promise<void>;
  /** The first extent at `position`: whether it holds data, and where it ends (at most `limit`). Absent: all is data. */
  extentAt?(position: number, limit: number): Promise<{ allocated: boolean; end: number }>;
  /**
   * Present where the size can change: from the call on it has so many bytes, which the medium holds already. Resolves when
   * nothing is in flight beyond them. What lay there is out of reach, and back when it is made larger again, until `cut`.
   * @throws OperatorError when the medium holds fewer
   */
  resize?(size: number): Promise<void>;
  /** Forgets what lies beyond `size`: what is added later reads as zeros. Absent: the medium holds nothing there. */
  cut?(): void;
  /**
   * Present when the medium is a SCSI logical unit itself: it gets the commands of initiators as they came.
   * @param dataInMax bytes that the initiator takes
   */
  passThrough?(cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number): Promise<PassThroughAnswer>;
  /**
   * Present when memory alone holds the contents: gives them up, so that the same volume can be opened with them by
   * another thread. What is left is to close it.
   */
  takeContents?(): VolumeContents;
  /** Present when the medium can keep what it holds at a moment. */
  readonly snapshots?: Snapshots;
  /** Present while a medium outside of this process is not there: what is asked waits for it, or fails. */
  readonly trouble?: Trouble | undefined;
  /** Present where there may be trouble. @param told called whenever it begins, changes or is over, and when `found` changes */
  watch?(told: () => void): void;
  /**
   * Present where what was acknowledged can be lost without a flush that fails. @param lost called when all that was not
   * flushed may be lost, with the reason in a line
   */
  watchLosses?(lost: (reason: string) => void): void;
  /** Present where the medium may change its size by itself: bytes that it should have now, which is told by an operation `resize`. */
  readonly found?: number | undefined;
  /** As whom the medium knows us, where it has a lock and we hold it: whoever takes it over shuts out this client. */
  readonly client?: string;
  /** I/O in flight ends first, as long as the medium answers. After it, every call rejects. */
  close(): Promise<void>;
}

/** What a volume held at a moment, as its engine says it: nobody else keeps a list. Plain data. */
export interface Snapshot {
  readonly name: string;
  /** When it was made: milliseconds since 1970. */
  readonly madeAt: number;
  /** Bytes that the volume had then. */
  readonly size: number;
}

/** What a medium can do with snapshots. What is refused is an OperatorError that names the way out, or a system error. */
export interface Snapshots {
  /** Oldest first. */
  list(): Promise<readonly Snapshot[]>;
  /**
   * Keeps what the volume holds, under a name that it has no snapshot of; it is on stable storage when this resolves. The
   * caller has flushed the volume, and writes nothing meanwhile.
   */
  create(name: string): Promise<void>;
  /** Forgets one, and gives its space back. */
  remove(name: string): Promise<void>;
  /**
   * The volume holds what it held then, and that is on stable storage when this resolves. The caller has flushed the volume,
   * neither reads nor writes meanwhile, and holds that the size is the same. After a failure it holds one or the other.
   */
  rollback(name: string): Promise<void>;
  /**
   * Makes the medium that `Backstore.cloned` names, of what a snapshot holds: whoever writes to one of the two changes nothing
   * of the other. Volume and clone may be written to meanwhile. A failure leaves nothing behind.
   */
  clone(name: string, config: VolumeConfig): Promise<void>;
}

/** Why a medium outside of this process is not there. */
export interface Trouble {
  readonly since: Date;
  /** In a line. */
  readonly reason: string;
  /** It does not come back by itself: the volume is of no use any more, and is opened anew when an operator says so. */
  readonly isOver?: true;
}

/**
 * What a medium is opened with that others can reach, too, and only one may write to: what is left of us there, and whom we
 * may shut out.
 */
export interface Claim {
  /** As whom threads of ours that are gone had the medium: they are shut out at once. */
  readonly earlier: readonly string[];
  /** As whom we have it, told before we have it, or undefined when we do not any more. Resolves when the next process knows. */
  keep(client: string | undefined): Promise<void>;
  /** A holder that lives, and is to be shut out all the same. Absent: none is. */
  readonly over?: string | 'anybody';
}

/** Of a medium that nobody shares. */
export const unclaimed: Claim = { earlier: [], keep: async () => {} };

/** Bytes. */
export interface Space {
  /** What the volume takes of its medium. */
  readonly allocated: number;
  /** What is left of the medium, for this volume and for whoever else uses it. */
  readonly available: number;
}

/** A system error that says where: up to this byte nothing was wrong. */
export interface MediumError extends NodeJS.ErrnoException {
  readonly position: number;
}

/** A range of a volume on its way to a socket. */
export interface Straight {
  /** @returns how many bytes the socket took, from the start on */
  send(to: DirectSocket): number;
  /** Copies the rest, from byte `from` of the range on. @returns false when it cannot be had after all; `into` is zeros then */
  copy(into: Uint8Array, from: number): boolean;
}

/** Pieces of a volume by their positions; all else is zeros. */
export type VolumeContents = readonly (readonly [position: number, bytes: Uint8Array<ArrayBuffer>])[];

/** How a SCSI device ended a command: status byte, sense data, data-in. */
export interface PassThroughAnswer {
  readonly status: number;
  readonly sense: Uint8Array;
  readonly dataIn: Buffer;
}

/** A storage object's part of saveconfig.json that its kind owns (`dev`, `size`, `write_back` …). Plain data. */
export type VolumeConfig = Readonly<Record<string, string | number | boolean | null>>;

/** A kind of backstore: one record in one file, listed in backstore/index.ts. */
export interface Backstore {
  /** Its name in the tree and, for LIO's kinds, the `plugin` in saveconfig.json. */
  readonly name: string;
  readonly plugin: string;
  /** How `config` in saveconfig.json begins, before a slash, for a kind that shares its plugin with others. */
  readonly handler?: string;
  readonly doc: string;
  /** What help on `create` says besides, a paragraph each. */
  readonly details?: readonly string[];
  /**
   * The configuration with another medium, for the same storage object. Absent: it keeps the one that it has.
   * @throws OperatorError for one that cannot be meant
   */
  exchange?(config: VolumeConfig, size: number, cfgstring: string): VolumeConfig;
  /** What a volume of this configuration holds is gone when it is closed. */
  isVolatile?(config: VolumeConfig): boolean;
  /** Its media are SCSI devices that initiators talk to: they have an identity and target port groups of their own. */
  readonly passesThrough?: true;
  /** The attributes that LIO has for this kind, where it has fewer: others are saved only where they differ. */
  readonly lioAttributes?: readonly string[];
  /**
   * Some of its media can have snapshots (`Volume.snapshots`). Absent: none can.
   */
  readonly snapshots?: {
    /** What the others lack, in a sentence for operators. */
    readonly needs: string;
    /**
     * The configuration of a clone that is called `name`: a medium beside that of `config`.
     * @param where the operator's word for the medium (a path, an image), where he gives one
     * @throws OperatorError
     */
    cloned(config: VolumeConfig, name: string, where: string | undefined): VolumeConfig;
  };
  /** Its media are served by other programs, which may take their time to open one; `settle` makes nothing. */
  readonly elsewhere?: true;
  /** The words of `create` after the name, in order. */
  readonly parameters: readonly Parameter[];
  /** An example for help and its test: the words after `create`. */
  readonly example: string;
  /** The keys of saveconfig.json that are this kind's own; their absence is allowed unless `required`. */
  readonly keys: Readonly<Record<string, KeyOfKind>>;

  /** Why a saved configuration is none, in rtslib's words where it has some; undefined when it is one. */
  refuse?(config: VolumeConfig): string | undefined;
  /**
   * An operator's parameters → settled configuration: sizes known, paths absolute, a new file made.
   * It runs once, when the object is created; restoring opens the settled configuration.
   * @param create the parameters' values, absent ones undefined
   * @param others the configurations of this kind's other storage objects, by name
   * @throws OperatorError
   */
  settle(create: Readonly<Record<string, unknown>>, others: ReadonlyMap<string, VolumeConfig>): Promise<Settled>;
  /** Opens it. @param contents what `takeContents` gave @throws OperatorError, or a system error */
  open(config: VolumeConfig, contents?: VolumeContents, claim?: Claim): Promise<Volume>;
  /** Undoes what `settle` did on disk, when the object could not be created after all. */
  abandon?(config: VolumeConfig): Promise<void>;
  /**
   * Prepares another size: what is added is there when it resolves, and reads as zeros; what is taken away goes with `finish`.
   * @param size undefined: the medium says it
   * @param force what the file holds beyond its volume may be overwritten
   * @param served this process has it open, and goes on using it meanwhile
   * @throws OperatorError; nothing has changed then. Of a kind that keeps its size: what to do instead
   */
  resize(config: VolumeConfig, size: number | undefined, force: boolean, served: boolean): Promise<Resized>;

  /** What `ls` says before `activated`, e.g. `/srv/f1.img (8.0MiB) write-back`. @param size bytes that are served, where something is @param writeCache emulate_write_cache is 1 */
  summary(config: VolumeConfig, size: number | undefined, writeCache: boolean): string;
  /** What `luns` shows in brackets after the name (`/srv/f1.img`); absent when there is nothing. */
  device?(config: VolumeConfig): string;
  /** targetcli's line after a creation. */
  created(name: string, config: VolumeConfig, create: Readonly<Record<string, unknown>>): string;
  /** Attribute defaults that differ from LIO's general ones for this kind and medium (name → number). */
  attributeDefaults(config: VolumeConfig, volume: Volume | undefined): Readonly<Record<string, number>>;
}

/** Another size, as far as it can be taken back. */
export interface Resized {
  readonly config: VolumeConfig;
  /** Bytes. */
  readonly size: number;
  undo?(): Promise<void>;
  finish?(): Promise<void>;
}

/** A key of saveconfig.json. */
interface KeyOfKind {
  readonly type: 'string' | 'number' | 'boolean';
  readonly required?: boolean;
  /** A number that may stand there as text, as it may for rtslib. */
  readonly orText?: true;
}

interface Settled {
  readonly config: VolumeConfig;
  /** Lines for the operator (`… exists, using its size (N bytes) instead`), shown at level info. */
  readonly notes: readonly string[];
  /** Whether `settle` made the file, so that `abandon` may remove it. */
  readonly made: boolean;
}

/** A parameter of `create` in every kind. It belongs to the storage object, and never gets into a `VolumeConfig`. */
export const wwnParameter: Parameter<string> = {
  name: 'wwn',
  doc: 'The unit serial number that initiators see; a random one when absent.',
  type: types.string,
  required: false,
  kind: 'plain',
};

/** For kinds that can read and write past the page cache. */
export const directParameter: Parameter<boolean> = {
  name: 'direct',
  doc: 'Read and write past the page cache, straight from and to the disk.',
  type: types.bool,
  required: false,
  kind: 'plain',
  byName: true,
  default: false,
};

/** What a snapshot may be called, everywhere: it becomes a part of names of files and images. */
const snapshotName = /^[A-Za-z0-9][\w.:-]{0,63}$/;

/** @throws OperatorError */
export function checkSnapshotName(name: string): void {
  if (snapshotName.test(name) && !name.endsWith('.new')) return;
  throw new OperatorError(
    `'${name}' cannot be the name of a snapshot`,
    'It has up to 64 letters, digits and characters of _ . : -, begins with a letter or digit, and does not end with .new',
  );
}

/** There is no such snapshot. */
export const snapshotMissing = (name: string): OperatorError =>
  new OperatorError(`There is no snapshot ${name}.`, 'See those that there are: ls');

/** For kinds whose media do not say their size. @throws OperatorError */
export function sizeWanted(size: number | undefined): number {
  if (size === undefined) throw new OperatorError('Missing required parameter size', 'For example: resize 20G');
  return size;
}

/** Bytes as `ls` prints them: `8.0MiB`, `512 bytes`. */
export function printSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)}${['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][unit]}`;
}
