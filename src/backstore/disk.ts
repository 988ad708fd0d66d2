/** The facts of a disk of this machine. */

/** A disk or a partition. Sizes are bytes. */
export interface BlockDevice {
  /** The name by which the kernel knows it: `sda1`. */
  readonly name: string;
  /** The folder of the device, and of the disk that it is on: in sysfs, or in /dev on macOS. A partition's differ. */
  readonly folder: string;
  readonly disk: string;
  readonly size: number;
  readonly readOnly: boolean;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly rotational: boolean;
  /** Whether its cache loses writes that were not flushed. */
  readonly volatileCache: boolean;
  readonly transferBytesMax: number;
  readonly queueDepth: number;
  /** The longest discard; 0: it cannot discard. */
  readonly discardBytesMax: number;
  readonly discardGranularity: number;
  readonly discardAlignment: number;
  /** The longest range of the command that writes zeros; 0: it has no such command. */
  readonly zeroBytesMax: number;
}
