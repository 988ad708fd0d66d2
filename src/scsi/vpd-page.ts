/** VPD pages beyond those that LIO has: each a function of its bytes after the four-byte header (SPC-4 7.8). */

import { association, codeSet, designator, designatorType, protocolValid, scsiName } from './designator.ts';
import { copyDescriptors, copyLimits, offersCopy } from './extended-copy.ts';
import type { StorageObject } from './logical-unit.ts';
import { targetPortsOf } from './nexus.ts';

/** Mode Page Policy (SPC-4 7.8.9): all pages and subpages are shared by all nexuses. */
export const modePagePolicy = (): Uint8Array => Uint8Array.of(0x3f, 0xff, 0x00, 0x00);

/** SCSI Ports (SPC-4 7.8.14): each target port with its SCSI name. */
export function scsiPorts(lu: StorageObject): Uint8Array {
  const ports = targetPortsOf(lu).map(({ relativePortId, portName, protocol }) => {
    const name = designator(
      (protocol << 4) | codeSet.utf8,
      protocolValid | association.port | designatorType.scsiName,
      scsiName(portName),
    );
    const header = Buffer.alloc(12);
    header.writeUInt16BE(relativePortId, 2);
    header.writeUInt16BE(name.length, 10);
    return Buffer.concat([header, name]);
  });
  return Buffer.concat(ports);
}

/** Power Condition (SPC-4 7.8.10): standby_z and idle_a, which are left at once. */
export function powerConditions(): Uint8Array {
  const bytes = new Uint8Array(14);
  bytes[0] = 0x01; // STANDBY_Z
  bytes[1] = 0x01; // IDLE_A
  return bytes;
}

/** Third-party Copy (SPC-4 7.8.17), where EXTENDED COPY is offered: commands, limits, and what descriptors may be. */
export function thirdPartyCopy(lu: StorageObject): Uint8Array | undefined {
  if (!offersCopy(lu)) return undefined;
  const parameters = Buffer.alloc(28);
  parameters.writeUInt16BE(copyLimits.targets, 4);
  parameters.writeUInt16BE(copyLimits.segments, 6);
  parameters.writeUInt32BE(copyLimits.descriptorListBytes, 8);
  const general = Buffer.alloc(32);
  general.writeUInt32BE(1, 0); // TOTAL CONCURRENT COPIES
  general.writeUInt32BE(1, 4); // MAXIMUM IDENTIFIED CONCURRENT COPIES
  general.writeUInt32BE(copyLimits.segmentBytes, 8);
  general[12] = copyLimits.granularity; // DATA SEGMENT GRANULARITY
  const commands = [0x83, 1, 0x00, 0x84, 2, 0x00, 0x03];
  return Buffer.concat([
    descriptor(0x0001, Uint8Array.of(commands.length, ...commands)), // Supported Commands
    descriptor(0x0004, parameters), // Parameter Data
    descriptor(0x0008, Uint8Array.of(copyDescriptors.length, ...copyDescriptors)), // Supported Descriptors
    descriptor(0x000c, Uint8Array.of(0, 0)), // Supported CSCD Descriptor IDs: none without a descriptor
    descriptor(0x8001, general), // General Copy Operations
  ]);
}

/** TYPE, LENGTH, and bytes padded to a multiple of four. */
function descriptor(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(bytes.length - 4, 2);
  bytes.set(value, 4);
  return bytes;
}
