/** What the kinds of storage objects are made of: printed from the records (npx vitest run test/library -u). */

/** What a block is made of. A volume on a block device: a disk, a partition, an LVM volume … */
export interface CreateBlock {
  /** What it is called. */
  name: string;
  /** The device. */
  dev: string;
  /** Serve it read-only; when absent, as the device itself is. */
  readonly?: boolean;
  /** The unit serial number that initiators see; a random one when absent. */
  wwn?: string;
  /** Read and write past the page cache, straight from and to the disk. false when absent. */
  direct?: boolean;
}

/** What a fileio is made of. A volume in a file. */
export interface CreateFileio {
  /** What it is called. */
  name: string;
  /** The file, made when there is none. */
  file_or_dev: string;
  /** A new file’s size: 100M, 2G … */
  size?: number | string;
  /** Writes are stable only after a flush. false: before they are answered, which is slower. true when absent. */
  write_back?: boolean;
  /** A new file takes space only as it is written. false: all of it now. true when absent. */
  sparse?: boolean;
  /** The unit serial number that initiators see; a random one when absent. */
  wwn?: string;
  /** Read and write past the page cache, straight from and to the disk. false when absent. */
  direct?: boolean;
}

/** What a pscsi is made of. A SCSI device of this machine, whose own answers initiators get. */
export interface CreatePscsi {
  /** What it is called. */
  name: string;
  /** The device: /dev/sgN, /dev/sdX, or H:C:T:L as lsscsi shows it. */
  dev: string;
}

/** What a ramdisk is made of. A volume in memory. Its contents are lost when the target stops. */
export interface CreateRamdisk {
  /** What it is called. */
  name: string;
  /** Its size: 16M, 2G … */
  size: number | string;
  /** Keep nothing: reads give zeros, writes vanish (for measuring). false when absent. */
  nullio?: boolean;
  /** The unit serial number that initiators see; a random one when absent. */
  wwn?: string;
}

/** What a user:nbd is made of. An export of an NBD server. */
export interface CreateUserNbd {
  /** What it is called. */
  name: string;
  /** Its size: 16M, 2G … */
  size: number | string;
  /** An NBD URI: nbd://HOST:PORT/EXPORT, nbds://… with TLS, nbd+unix:///EXPORT?socket=PATH. */
  cfgstring: string;
  /** The unit serial number that initiators see; a random one when absent. */
  wwn?: string;
  /** Blocks of 512 bytes in one command. */
  hw_max_sectors?: number;
  /** Settings for LIO's own user backstore, kept in the file and without a meaning here. */
  control?: string;
}

/** What a user:qcow is made of. A qcow2 image, by qemu-storage-daemon. */
export interface CreateUserQcow {
  /** What it is called. */
  name: string;
  /** Its size: 16M, 2G … */
  size: number | string;
  /**
   * The path of the image; qemu-img create -f qcow2 makes one. With ;backing=follow behind it, its backing and data
   * files are followed wherever they are.
   */
  cfgstring: string;
  /** The unit serial number that initiators see; a random one when absent. */
  wwn?: string;
  /** Blocks of 512 bytes in one command. */
  hw_max_sectors?: number;
  /** Settings for LIO's own user backstore, kept in the file and without a meaning here. */
  control?: string;
}

/** What a user:rbd is made of. An image of a Ceph cluster, by librbd. */
export interface CreateUserRbd {
  /** What it is called. */
  name: string;
  /** Its size: 16M, 2G … */
  size: number | string;
  /** POOL/IMAGE, and behind it ;conf=FILE and ;id=USER where they are not the usual ones. */
  cfgstring: string;
  /** The unit serial number that initiators see; a random one when absent. */
  wwn?: string;
  /** Blocks of 512 bytes in one command. */
  hw_max_sectors?: number;
  /** Settings for LIO's own user backstore, kept in the file and without a meaning here. */
  control?: string;
}
