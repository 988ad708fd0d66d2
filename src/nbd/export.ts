/** An export, as a disk offers it to the protocol. It knows neither sockets nor SCSI. */

import type { errors } from '../wire/nbd.ts';

/** The facts that a client is told when it chooses the export: it goes on with them until it connects again. */
export interface Geometry {
  /** The size in bytes. */
  readonly size: number;
  /** The bytes of which offsets and lengths have to be multiples. */
  readonly minimumBlock: number;
  readonly preferredBlock: number;
  readonly readOnly: boolean;
  readonly rotational: boolean;
  readonly trims: boolean;
  /** Whether the export can write zeros without being sent them. */
  readonly zeroes: boolean;
  /** Whether zeros are written faster than data. */
  readonly zeroesFast: boolean;
}

/** A range of an export, within its size. Bytes. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A stretch of an export, as BLOCK STATUS tells it. Bytes. */
export interface StatusExtent {
  readonly length: number;
  readonly hole: boolean;
  readonly zero: boolean;
}

/** A disk to be served. */
export interface Export {
  /** The name that clients ask for. */
  readonly name: string;
  readonly description: string;
  /** Another name, which stays with the disk: under it a client gets this disk or none. It is not listed. */
  readonly serial?: string | undefined;
  /** The geometry; undefined while there is no medium. */
  geometry(): Geometry | undefined;
  /** The medium itself: another medium is another disk, a medium that was resized is the same disk. */
  readonly medium: object | undefined;
  /** Requests may wait for long: the commands or bytes of the disk in a second are limited. */
  readonly isLimited?: boolean;
  /** Reads; this and the following methods throw NbdError. @param into as long as the range */
  read(range: Range, into: Uint8Array): Promise<void>;
  write(range: Range, from: Uint8Array, fua: boolean): Promise<void>;
  flush(): Promise<void>;
  trim(range: Range, fua: boolean): Promise<void>;
  /** Writes zeros. @param mayTrim the space may go */
  writeZeroes(range: Range, mayTrim: boolean, fua: boolean): Promise<void>;
  cache(range: Range): Promise<void>;
  /** Extents from the range's start on; they may end before the range. At least one. @param most extents wanted */
  status(range: Range, most: number): Promise<StatusExtent[]>;
}

/** The client's kind of error: it becomes the error number of its answer. */
export class NbdError extends Error {
  readonly code: keyof typeof errors;

  constructor(code: keyof typeof errors, message: string) {
    super(message);
    this.name = 'NbdError';
    this.code = code;
  }
}
