/** What is known of a disk of this machine. */

/** A disk or a partition. Bytes throughout. */
export interface BlockDevice {
  /** The kernel's name: `sda1`. */
  readonly name: string;
  /** Where the system has it, and the disk that it is on: in sysfs, or in /dev on macOS. A partition's differ. */
  readonly folder: string;
  readonly disk: string;
  readonly size: number;
  readonly readOnly: boolean;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly rotational: boolean;
  /** Its cache loses what was not flushed. */
  readonly volatileCache: boolean;
  readonly transferBytesMax: number;
  readonly queueDepth: number;
  /** 0: it cannot discard. */
  readonly discardBytesMax: number;
  readonly discardGranularity: number;
  readonly discardAlignment: number;
  /** 0: it has no command that writes zeros. */
  readonly zeroBytesMax: number;
}
