/** SCSI commands to a device of this machine: SG_IO of the kernel's SCSI generic driver (scsi/sg.h, interface version 3). */

import { addressOf, foreignCall } from './ffi.ts';
import { systemError } from './system-error.ts';

const SG_IO = 0x2285;
const direction = { none: -1, toDevice: -2, fromDevice: -3 } as const;
const senseBytesMax = 252;
/** The bytes of struct sg_io_hdr where pointers have eight bytes; x86-64 and arm64 lay it out alike. */
const headerBytes = 88;
const at = {
  interfaceId: 0,
  direction: 4,
  cdbLength: 8,
  senseMax: 9,
  dataLength: 12,
  data: 16,
  cdb: 24,
  sense: 32,
  timeoutMs: 40,
  status: 64,
  senseLength: 67,
  hostStatus: 68,
  driverStatus: 70,
  residual: 72,
} as const;
/** The driver's status that means "there is sense data", which is no failure of its own. */
const driverSense = 0x08;

const ioctl = foreignCall('ioctl', 'int', ['int', 'ulong', 'void *']);

/** Whether such commands can be sent from here. */
export const canSendScsi = (): boolean => ioctl() !== undefined;

/** The answer of the device. */
export interface ScsiAnswer {
  readonly status: number;
  readonly sense: Buffer;
  /** The bytes that came. */
  readonly dataIn: Buffer;
}

/**
 * Sends one command and waits for its end, off the event loop. Data goes one way.
 * @param dataInMax bytes that the device may send back, when there is no `dataOut`
 * @throws EIO when the device was not reached, or another system error
 */
export async function sendScsi(
  fd: number,
  cdb: Uint8Array,
  dataOut: Uint8Array,
  dataInMax: number,
  timeoutMs: number,
): Promise<ScsiAnswer> {
  const call = ioctl();
  if (!call) throw systemError('ENOTSUP', 'ioctl');
  const writes = dataOut.length > 0;
  const data = writes ? dataOut : Buffer.alloc(dataInMax);
  // Sense and CDB have one buffer, which is used after the call: so neither can be collected during it.
  const senseAndCdb = Buffer.concat([Buffer.alloc(senseBytesMax), cdb]);
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE('S'.charCodeAt(0), at.interfaceId);
  const way = writes ? direction.toDevice : dataInMax > 0 ? direction.fromDevice : direction.none;
  header.writeInt32LE(way, at.direction);
  header[at.cdbLength] = cdb.length;
  header[at.senseMax] = senseBytesMax;
  header.writeUInt32LE(data.length, at.dataLength);
  if (data.length > 0) header.writeBigUInt64LE(addressOf(data), at.data);
  const address = addressOf(senseAndCdb);
  header.writeBigUInt64LE(address, at.sense);
  header.writeBigUInt64LE(address + BigInt(senseBytesMax), at.cdb);
  header.writeUInt32LE(timeoutMs, at.timeoutMs);
  await call.later(fd, SG_IO, header);
  const failed =
    header.readUInt16LE(at.hostStatus) !== 0 || (header.readUInt16LE(at.driverStatus) & ~driverSense) !== 0;
  if (failed && header[at.status] === 0) throw systemError('EIO', 'SG_IO');
  const residual = Math.max(0, header.readInt32LE(at.residual));
  return {
    status: header[at.status]! & 0x3e,
    sense: senseAndCdb.subarray(0, header[at.senseLength]),
    dataIn: writes ? Buffer.alloc(0) : (data as Buffer).subarray(0, data.length - residual),
  };
}
