/**
 * The contracts of a backstore (a kind of volume: fileio, block, ramdisk …) and of a volume (an open medium: bytes, and no SCSI). A
 * capability that a volume lacks is absent from it, and the layers above offer it or not by that absence alone.
 */

import { type Parameter, types } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import type { IoVector } from '../system/io-vector.ts';
import type { DirectSocket } from '../system/socket-io.ts';

/**
 * An open medium. Positions and lengths are bytes; a range beyond `size` is ERANGE. Other system errors (EIO, ENOSPC …) pass through, as
 * a `MediumError` where it is known how far a read or write came.
 */
export interface Volume {
  /** The size in bytes, which `resize` changes. */
  readonly size: number;
  /** The bytes of a logical block that the medium can address; fileio and ramdisk take any, so they say 512. */
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  /** The bytes at which a discard takes effect; 0 when the medium does not say. */
  readonly discardGranularity: number;
  /** Present when the medium promises nothing about what a discarded range reads. */
  readonly discardLeavesAnything?: true;
  readonly rotational: boolean;
  /** The longest `write` that happens as a whole or not at all, in every failure. Absent: none does for certain. */
  readonly atomicWriteBytesMax?: number;
  /** The space that the volume takes and could take now, as it is written to. Absent: the medium cannot tell, or needs no space. */
  space?(): Promise<Space>;
  /** Present where the medium has had all of its space from the start, as a disk has, and needs no more. */
  readonly fullyProvisioned?: true;

  /**
   * Fills `into` from `position` when that needs no waiting (memory, page cache) and returns true. False: the caller uses `read`, which
   * also says what is wrong; the contents of `into` mean nothing until then.
   */
  readNow?(into: Uint8Array, position: number): boolean;
  /**
   * Adds the memory of a range to what one system call moves before anything else happens; false when the range lies in no memory, and
   * nothing is added. Later writes to the range are sent, too, so a caller that puts a digest beside the data copies it first.
   * @param filled the call moves data into the range
   */
  lend?(position: number, length: number, to: IoVector, filled?: boolean): boolean;
  /** A range of a file that is in memory, to be sent without a copy, as with `lend`; undefined when it is not in memory. */
  straight?(position: number, length: number): Straight | undefined;
  /** The length of the shortest range that `straight` is worth. */
  readonly straightBytesMin?: number;
  /** Fills all of `into`; a read beyond what the medium holds is EIO, never zeros. `into` may be any view, also unaligned. */
  read(into: Uint8Array, position: number): Promise<void>;
  /**
   * Takes all of `from`, as `write` does, when that needs no waiting, and returns true. False: the caller uses `write`, which also says
   * what is wrong; a part may be written already.
   */
  writeNow?(from: Uint8Array, position: number, durable: boolean): boolean;
  /** Writes all of `from`. @param durable the data is on stable storage when this resolves (FUA, write-through) */
  write(from: Uint8Array, position: number, durable: boolean): Promise<void>;
  /** All writes that completed before are on stable storage when this resolves. */
  flush(): Promise<void>;
  /** Whether all acknowledged writes in the range are on stable storage. Absent: nothing keeps a record of that. */
  isFlushed?(position: number, length: number): boolean;
  /** Gives the space of a range back; reads give zeros afterwards (but see `discardLeavesAnything`). Absent: the medium cannot. */
  discard?(position: number, length: number): Promise<void>;
  /**
   * Writes `data` if the range holds `expected`, at once and durably. Absent: the layer above reads, compares and writes.
   * @returns whether it was written
   */
  compareAndWrite?(expected: Uint8Array, data: Uint8Array, position: number): Promise<boolean>;
  /** Whether `compareAndWrite` can have this range. */
  canCompareAndWrite?(position: number, length: number): boolean;
  /** Zeros a range faster than writing zeros would. Absent: the layer above writes zeros. */
  writeZeroes?(position: number, length: number, mayDiscard: boolean): Promise<void>;
  /** The first extent at `position`: whether it holds data, and where it ends (at most `limit`). Absent: all is data. */
  extentAt?(position: number, limit: number): Promise<{ allocated: boolean; end: number }>;
  /**
   * Present where the size can change: from the call on the volume has `size` bytes, which the medium holds already. Resolves when no I/O
   * is in flight beyond them. Data beyond them is out of reach, and comes back when the volume is made larger again, until `cut`.
   * @throws OperatorError when the medium holds fewer
   */
  resize?(size: number): Promise<void>;
  /** Forgets data beyond `size`: bytes that are added later read as zeros. Absent: the medium holds none there. */
  cut?(): void;
  /**
   * Present when the medium is a SCSI logical unit itself, which gets the commands of initiators as they came.
   * @param dataInMax bytes that the initiator takes
   */
  passThrough?(cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number): Promise<PassThroughAnswer>;
  /**
   * Present when memory alone holds the contents: gives them up, so that another thread can open the same volume with them. The volume
   * can then only be closed.
   */
  takeContents?(): VolumeContents;
  /** Present when the medium can keep its contents of a moment. */
  readonly snapshots?: Snapshots;
  /** Present while a medium outside of this process is not there: reads and writes wait for it, or fail. */
  readonly trouble?: Trouble | undefined;
  /** Present where there may be trouble. @param told called whenever it begins, changes or is over, and when `found` changes */
  watch?(told: () => void): void;
  /**
   * Present where acknowledged writes can be lost without a flush that fails. @param lost called when all writes that were not flushed
   * may be lost, with the reason in a line
   */
  watchLosses?(lost: (reason: string) => void): void;
  /**
   * Present where the medium may change its size by itself: the size in bytes that the volume should have now. An operation `resize` then
   * sets it.
   */
  readonly found?: number | undefined;
  /** The name by which the medium knows us, where it has a lock and we hold it: a process that takes the lock over shuts this client out. */
  readonly client?: string;
  /** Closes the volume. I/O in flight ends first, as long as the medium answers. After it, every call rejects. */
  close(): Promise<void>;
}

/** A snapshot: the contents of a volume at a moment, as its engine tells of it; nobody else keeps a list. Plain data. */
export interface Snapshot {
  readonly name: string;
  /** The time of the snapshot: milliseconds since 1970. */
  readonly madeAt: number;
  /** The bytes that the volume had then. */
  readonly size: number;
}

/** The operations on the snapshots of a medium. A refusal is an OperatorError that names the way out, or a system error. */
export interface Snapshots {
  /** The snapshots, oldest first. */
  list(): Promise<readonly Snapshot[]>;
  /**
   * Keeps the contents of the volume under a name that no snapshot of it has; they are on stable storage when this resolves. The caller
   * has flushed the volume, and writes nothing meanwhile.
   */
  create(name: string): Promise<void>;
  /** Deletes a snapshot, and gives its space back. */
  remove(name: string): Promise<void>;
  /**
   * Gives the volume the contents of a snapshot, which are on stable storage when this resolves. The caller has flushed the volume,
   * neither reads nor writes meanwhile, and has checked that the size is the same. After a failure the volume has either the old contents
   * or those of the snapshot.
   */
  rollback(name: string): Promise<void>;
  /**
   * Makes the medium that `Backstore.cloned` names, with the contents of a snapshot: a write to one of the two changes nothing of the
   * other. Both may be written to meanwhile. A failure leaves nothing behind.
   */
  clone(name: string, config: VolumeConfig): Promise<void>;
}

/** The absence of a medium outside of this process. */
export interface Trouble {
  readonly since: Date;
  /** The reason, in a line. */
  readonly reason: string;
  /** Set when the medium does not come back by itself: the volume is of no use any more, until an operator opens it anew. */
  readonly isOver?: true;
}

/**
 * The claim to a medium that other machines can reach, too, and only one may write to: the names that earlier threads of ours have there,
 * and the holders that may be shut out.
 */
export interface Claim {
  /** The names by which threads of ours that are gone had the medium: they are shut out at once. */
  readonly earlier: readonly string[];
  /**
   * Stores the name by which we have the medium, before we have it, or undefined when we do not any more. Resolves when the next process
   * will know it.
   */
  keep(client: string | undefined): Promise<void>;
  /** A holder that lives, and is to be shut out all the same. Absent: no living holder is shut out. */
  readonly over?: string | 'anybody';
  /** Clients of earlier owners: shut out before the medium is ours, holders or not, and again and again as long as it is. */
  readonly shutOut?: readonly string[];
}

/** The claim to a medium that nobody shares. */
export const unclaimed: Claim = { earlier: [], keep: async () => {} };

/** The space of a volume, in bytes. */
export interface Space {
  /** The space that the volume takes of its medium. */
  readonly allocated: number;
  /** The space that is left of the medium, for this volume and all others on it. Absent: there is none to be left, or the medium does not say it. */
  readonly available?: number;
}

/** A system error with its place: nothing was wrong before this byte. */
export interface MediumError extends NodeJS.ErrnoException {
  readonly position: number;
}

/** A range of a volume on its way to a socket. */
export interface Straight {
  /** Sends from the start of the range. @returns the number of bytes that the socket took */
  send(to: DirectSocket): number;
  /** Copies the rest, from byte `from` of the range on. @returns false when it cannot be had after all; `into` is zeros then */
  copy(into: Uint8Array, from: number): boolean;
}

/** Pieces of a volume by their positions; all else is zeros. */
export type VolumeContents = readonly (readonly [position: number, bytes: Uint8Array<ArrayBuffer>])[];

/** The end of a command at a SCSI device: status byte, sense data, data-in. */
export interface PassThroughAnswer {
  readonly status: number;
  readonly sense: Uint8Array;
  readonly dataIn: Buffer;
}

/** A storage object's part of saveconfig.json that its kind owns (`dev`, `size`, `write_back` …). Plain data. */
export type VolumeConfig = Readonly<Record<string, string | number | boolean | null>>;

/** A kind of backstore: one record in one file, listed in backstore/index.ts. */
export interface Backstore {
  /** The name in the tree and, for LIO's kinds, the `plugin` in saveconfig.json. */
  readonly name: string;
  readonly plugin: string;
  /** The first word of `config` in saveconfig.json, before a slash, for a kind that shares its plugin with others. */
  readonly handler?: string;
  readonly doc: string;
  /** Further paragraphs of the help on `create`. */
  readonly details?: readonly string[];
  /**
   * The configuration with another medium, for the same storage object. Absent: the object keeps its medium.
   * @throws OperatorError for an impossible one
   */
  exchange?(config: VolumeConfig, size: number, cfgstring: string): VolumeConfig;
  /** Whether closing a volume of this configuration loses its contents. */
  isVolatile?(config: VolumeConfig): boolean;
  /** Set when the kind's media are SCSI devices that initiators talk to: they have an identity and target port groups of their own. */
  readonly passesThrough?: true;
  /** The attributes that LIO has for this kind, where LIO has fewer: others are saved only where they differ. */
  readonly lioAttributes?: readonly string[];
  /** Present when some media of this kind can have snapshots (`Volume.snapshots`). */
  readonly snapshots?: {
    /** A sentence for operators that says what the other media lack. */
    readonly needs: string;
    /**
     * The configuration of a clone that is called `name`: a medium beside that of `config`.
     * @param where the operator's word for the medium (a path, an image), where he gives one
     * @throws OperatorError
     */
    cloned(config: VolumeConfig, name: string, where: string | undefined): VolumeConfig;
  };
  /** Set when other programs serve the kind's media, and may take their time to open one; `settle` makes nothing. */
  readonly elsewhere?: true;
  /**
   * How several gateways can have a medium of this configuration, one after the other: it `fences` whoever is shut out of it, or
   * it `trusts` them to stop by themselves. Absent: another gateway cannot reach it.
   */
  sharing?(config: VolumeConfig): 'fences' | 'trusts' | undefined;
  /** The words of `create` after the name, in order. */
  readonly parameters: readonly Parameter[];
  /** An example for help and its test: the words after `create`. */
  readonly example: string;
  /** The keys of saveconfig.json that are this kind's own; their absence is allowed unless `required`. */
  readonly keys: Readonly<Record<string, KeyOfKind>>;

  /** The reason why a saved configuration is invalid, in rtslib's words where it has some; undefined when it is valid. */
  refuse?(config: VolumeConfig): string | undefined;
  /**
   * Makes a settled configuration of an operator's parameters: sizes known, paths absolute, a new file made. It runs once, when the
   * object is created; restoring opens the settled configuration.
   * @param create the parameters' values, absent ones undefined
   * @param others the configurations of this kind's other storage objects, each behind its name
   * @throws OperatorError
   */
  settle(
    create: Readonly<Record<string, unknown>>,
    others: Iterable<readonly [string, VolumeConfig]>,
  ): Promise<Settled>;
  /** Opens a volume. @param contents what `takeContents` gave @throws OperatorError, or a system error */
  open(config: VolumeConfig, contents?: VolumeContents, claim?: Claim): Promise<Volume>;
  /** Undoes the work of `settle` on disk, when the object could not be created after all. */
  abandon?(config: VolumeConfig): Promise<void>;
  /**
   * Prepares another size: added bytes are there when it resolves, and read as zeros; bytes to be taken away go with `finish`.
   * @param size undefined: the medium says it
   * @param force data of the file beyond its volume may be overwritten
   * @param served this process has the volume open, and goes on using it meanwhile
   * @throws OperatorError; nothing has changed then. A kind that keeps its size says what to do instead
   */
  resize(config: VolumeConfig, size: number | undefined, force: boolean, served: boolean): Promise<Resized>;

  /**
   * The words of `ls` before `activated`, e.g. `/srv/f1.img (8.0MiB) write-back`. @param size bytes that are served, where something is
   * @param writeCache emulate_write_cache is 1
   */
  summary(config: VolumeConfig, size: number | undefined, writeCache: boolean): string;
  /** The words of `luns` in brackets after the name (`/srv/f1.img`); absent when there are none. */
  device?(config: VolumeConfig): string;
  /** targetcli's line after a creation. */
  created(name: string, config: VolumeConfig, create: Readonly<Record<string, unknown>>): string;
  /** Attribute defaults that differ from LIO's general ones for this kind and medium (name → number). */
  attributeDefaults(config: VolumeConfig, volume: Volume | undefined): Readonly<Record<string, number>>;
}

/** A new size, and how to take it back. */
export interface Resized {
  readonly config: VolumeConfig;
  /** The new size in bytes. */
  readonly size: number;
  undo?(): Promise<void>;
  finish?(): Promise<void>;
}

/** A key of saveconfig.json. */
interface KeyOfKind {
  readonly type: 'string' | 'number' | 'boolean';
  readonly required?: boolean;
  /** Set for a number that may be written as text, as rtslib allows. */
  readonly orText?: true;
  /** LIO does not have it: it stands where attributes stand that LIO does not have, for rtslib would restore nothing of the object. */
  readonly ours?: true;
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

/** The parameter of kinds that can read and write past the page cache. */
export const directParameter: Parameter<boolean> = {
  name: 'direct',
  doc: 'Read and write past the page cache, straight from and to the disk.',
  type: types.bool,
  required: false,
  kind: 'plain',
  byName: true,
  default: false,
};

/** The form of a snapshot's name, the same for all kinds: it becomes a part of names of files and images. */
const snapshotName = /^[A-Za-z0-9][\w.:-]{0,63}$/;

/** Checks the name of a snapshot. @throws OperatorError */
export function checkSnapshotName(name: string): void {
  if (snapshotName.test(name) && !name.endsWith('.new')) return;
  throw new OperatorError(
    `'${name}' cannot be the name of a snapshot`,
    'It has up to 64 letters, digits and characters of _ . : -, begins with a letter or digit, and does not end with .new',
  );
}

/** The error for a snapshot that does not exist. */
export const snapshotMissing = (name: string): OperatorError =>
  new OperatorError(`There is no snapshot ${name}.`, 'See those that there are: ls');

/** Requires a size, for kinds whose media do not say theirs. @throws OperatorError */
export function sizeWanted(size: number | undefined): number {
  if (size === undefined) throw new OperatorError('Missing required parameter size', 'For example: resize 20G');
  return size;
}

/** Prints bytes as `ls` does: `8.0MiB`, `512 bytes`. */
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
