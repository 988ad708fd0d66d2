/** Designation descriptors: how logical units, ports and devices are named in VPD pages (SPC-4 7.8.6). */

import { bit, bits, counting, encode, hex, record, u8, u16 } from '../wire/layout.ts';
import type { StorageObject, TargetPort } from './logical-unit.ts';

/** CODE SET. */
export const codeSet = { binary: 1, ascii: 2, utf8: 3 } as const;
/** ASSOCIATION. */
export const association = { unit: 0, port: 1, device: 2 } as const;
/** DESIGNATOR TYPE. */
export const designatorType = {
  t10VendorId: 1,
  naa: 3,
  relativePort: 4,
  targetPortGroup: 5,
  logicalUnitGroup: 6,
  scsiName: 8,
} as const;

/** The designator follows. */
const header = record(4, {
  protocol: bits(0, 0xf0),
  codeSet: bits(0, 0x0f),
  protocolValid: bit(1, 0x80),
  association: bits(1, 0x30),
  type: bits(1, 0x0f),
  length: counting(u8(3)),
});

/** A designation descriptor of the logical unit. */
export const unitDesignator = (
  set: keyof typeof codeSet,
  type: keyof typeof designatorType,
  value: Uint8Array,
): Uint8Array =>
  encode(header, { codeSet: codeSet[set], association: association.unit, type: designatorType[type] }, value);

/** A designation descriptor of the port of a protocol, or of its device: the target. */
export const targetDesignator = (
  { protocol }: TargetPort,
  of: 'port' | 'device',
  set: keyof typeof codeSet,
  type: keyof typeof designatorType,
  value: Uint8Array,
): Uint8Array =>
  encode(
    header,
    { protocol, codeSet: codeSet[set], protocolValid: true, association: association[of], type: designatorType[type] },
    value,
  );

const number = record(4, { value: u16(2) });

/** Relative target port, target port group and logical unit group designators (SPC-4 7.8.6.8 to 7.8.6.10). */
export const numberDesignator = (value: number): Uint8Array => encode(number, { value });

/** A SCSI name string (SPC-4 7.8.6.11): null-terminated, a multiple of four bytes. */
export function scsiName(name: string): Uint8Array {
  const text = Buffer.from(name);
  const bytes = Buffer.alloc((text.length + 4) & ~3);
  text.copy(bytes);
  return bytes;
}

const productBytes = 16;
/** Product identification by kind of backstore, when emulate_model_alias is 0. */
const products: Readonly<Record<string, string>> = { fileio: 'FILEIO', block: 'IBLOCK', ramdisk: 'RAMDISK-MCP' };

/** PRODUCT IDENTIFICATION: what the operator says, or as LIO names it. */
export function productOf(lu: StorageObject): string {
  if (lu.attributes.values.product_id !== '') return lu.attributes.values.product_id;
  const kind = products[lu.backstore.name] ?? lu.backstore.name.toUpperCase();
  return (lu.attributes.values.emulate_model_alias === 1 ? lu.name : kind).slice(0, productBytes);
}

const naa = record(16, { naa: hex(0, 16) });
/** LIO's NAA 6 of a logical unit: 16 bytes. */
export const naaOf = (lu: StorageObject): Buffer => encode(naa, { naa: lu.naa });
