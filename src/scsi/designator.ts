/** Designation descriptors: how logical units, ports and devices are named in VPD pages (SPC-4 7.8.6). */

import type { StorageObject } from './logical-unit.ts';

/** CODE SET. */
export const codeSet = { binary: 1, ascii: 2, utf8: 3 } as const;
/** ASSOCIATION, in its place. */
export const association = { unit: 0x00, port: 0x10, device: 0x20 } as const;
/** PIV: the protocol identifier in the first byte counts. */
export const protocolValid = 0x80;
/** DESIGNATOR TYPE. */
export const designatorType = {
  t10VendorId: 1,
  naa: 3,
  relativePort: 4,
  targetPortGroup: 5,
  logicalUnitGroup: 6,
  scsiName: 8,
} as const;

/** @param protocolAndCodeSet and @param associationAndType the first two bytes */
export function designator(protocolAndCodeSet: number, associationAndType: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(protocolAndCodeSet, associationAndType, 0, value.length), value]);
}

/** A SCSI name string (SPC-4 7.8.6.11): null-terminated, a multiple of four bytes. */
export function scsiName(name: string): Uint8Array {
  const text = Buffer.from(name);
  const bytes = Buffer.alloc((text.length + 4) & ~3);
  text.copy(bytes);
  return bytes;
}

/** 16 bytes. */
export const naaOf = (lu: StorageObject): Uint8Array => Buffer.from(lu.naa, 'hex');
