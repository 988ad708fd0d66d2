/** INQUIRY: the standard data and the VPD pages, byte for byte as LIO gives them (SPC-4 6.6, 7.8; SBC-3 6.6). */

import { accessTypes } from './alua.ts';
import { diskAttributes } from './attributes.ts';
import { atomicBlocksMax } from './block-access.ts';
import { association, codeSet, designator, designatorType, naaOf, protocolValid, scsiName } from './designator.ts';
import { offersBlockErase } from './format-sanitize.ts';
import type { LogicalUnitView, StorageObject } from './logical-unit.ts';
import { bit, type Cdb, opcode, u8, u16 } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { offersUnmap, offersWriteSameUnmap, writesSameToEnd } from './provisioning.ts';
import { thresholdExponent } from './provisioning-threshold.ts';
import { invalidCdb } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { hasTextIdentity, textDesignators, textSerial } from './text-identity.ts';
import { modePagePolicy, powerConditions, scsiPorts, thirdPartyCopy } from './vpd-page.ts';

const vendorBytes = 8;
const productBytes = 16;
const revisionBytes = 4;
/** PERIPHERAL QUALIFIER 011b, DEVICE TYPE 1Fh: no logical unit can be here (SPC-4 6.6.2). */
const nothingHere = 0x7f;

const cdb = { evpd: bit(1, 0), page: u8(2), allocation: u16(3) };

export const inquiry = opcode({
  code: 0x12,
  name: 'INQUIRY',
  spec: 'SPC-4 6.6',
  cdb,
  medium: 'none',
  whenReserved: 'always',
  ignoresUnitAttention: true,
  duringMediumOperation: true,
  runsIn: 'any',
  absent: (_task, { evpd, page, allocation }) => {
    if (evpd === 1 || page !== 0) throw invalidCdb(evpd === 1 ? 1 : 2);
    return allocated(standardData(nothingHere, undefined), allocation);
  },
  execute: answer,
});

function answer(lu: StorageObject, { evpd, page, allocation }: Cdb<typeof cdb>, task: Task): Completion {
  if (evpd === 0) {
    if (page !== 0) throw invalidCdb(2, 7);
    return allocated(standardData(0, lu, task.unit), allocation);
  }
  const body = vpdPages.find(({ code }) => code === page)?.body(lu, task);
  if (!body) throw invalidCdb(2, 7);
  return allocated(Buffer.concat([Uint8Array.of(0, page, body.length >> 8, body.length & 0xff), body]), allocation);
}

/** SPC-4 6.6.2: 96 bytes. */
function standardData(peripheral: number, lu: StorageObject | undefined, unit?: LogicalUnitView): Uint8Array {
  const bytes = Buffer.alloc(96);
  const values = lu?.attributes.values;
  bytes[0] = peripheral;
  bytes[1] = values?.removable === 1 ? 0x80 : 0; // RMB
  bytes[2] = 0x06; // SPC-4
  bytes[3] = 0x02; // response data format; AERC is obsolete since SPC-3, so that 0 does not say that there are no events
  bytes[4] = bytes.length - 5;
  // SCCS, TPGS, 3PC
  bytes[5] =
    0x80 |
    (lu && !hasTextIdentity(lu.attributes.values) ? accessTypes(lu, unit?.port.portGroup) << 4 : 0) |
    (values?.emulate_3pc === 1 ? 0x08 : 0);
  bytes[6] = lu && lu.exports.size > 1 ? 0x10 : 0; // MULTIP
  bytes[7] = 0x02; // CMDQUE
  bytes.write((values ?? defaults).vendor_id.padEnd(vendorBytes), 8, 'latin1');
  bytes.write((lu ? product(lu) : '').padEnd(productBytes), 16, 'latin1');
  bytes.write((values ?? defaults).revision.padEnd(revisionBytes), 32, 'latin1');
  // Version descriptors: SAM-5, iSCSI, SPC-4, SBC-3
  [0x00a0, 0x0960, 0x0460, 0x04c0].forEach((version, i) => {
    bytes.writeUInt16BE(version, 58 + 2 * i);
  });
  return bytes;
}

/** The standard data and the VPD pages that settings change: to see what a setting changes. */
export const deviceData = (lu: StorageObject): Uint8Array =>
  Buffer.concat([
    standardData(0, lu),
    textSerial(lu.attributes.values),
    textDesignators(lu.attributes.values),
    blockLimits(lu),
    blockDeviceCharacteristics(lu),
    logicalBlockProvisioning(lu),
    thirdPartyCopy(lu) ?? new Uint8Array(0),
  ]);

/** PROVISIONING TYPE of what can be unmapped. */
const thinProvisioned = 2;

const defaults = { vendor_id: diskAttributes.vendor_id.default, revision: diskAttributes.revision.default };

/** Product identification by kind of backstore, when emulate_model_alias is 0. */
const products: Readonly<Record<string, string>> = { fileio: 'FILEIO', block: 'IBLOCK', ramdisk: 'RAMDISK-MCP' };

function product(lu: StorageObject): string {
  if (lu.attributes.values.product_id !== '') return lu.attributes.values.product_id;
  const kind = products[lu.backstore.name] ?? lu.backstore.name.toUpperCase();
  return (lu.attributes.values.emulate_model_alias === 1 ? lu.name : kind).slice(0, productBytes);
}

interface VpdPage {
  readonly code: number;
  readonly name: string;
  readonly spec: string;
  /** Its bytes after the header of four; undefined where it is not offered. */
  body(lu: StorageObject, task: Task): Uint8Array | undefined;
}

const serialNumber = ({ wwn, attributes: { values } }: StorageObject): Uint8Array =>
  values.scsi_sn === '' ? Buffer.from(`${wwn}\0`, 'latin1') : textSerial(values);

/** Every VPD page there is, ascending. */
export const vpdPages: readonly VpdPage[] = [
  { code: 0x00, name: 'Supported VPD Pages', spec: 'SPC-4 7.8.16', body: supportedPages },
  { code: 0x80, name: 'Unit Serial Number', spec: 'SPC-4 7.8.18', body: serialNumber },
  { code: 0x83, name: 'Device Identification', spec: 'SPC-4 7.8.6', body: deviceIdentification },
  { code: 0x86, name: 'Extended INQUIRY Data', spec: 'SPC-4 7.8.7', body: extendedInquiry },
  { code: 0x87, name: 'Mode Page Policy', spec: 'SPC-4 7.8.9', body: modePagePolicy },
  { code: 0x88, name: 'SCSI Ports', spec: 'SPC-4 7.8.14', body: scsiPorts },
  { code: 0x8a, name: 'Power Condition', spec: 'SPC-4 7.8.10', body: powerConditions },
  { code: 0x8f, name: 'Third-party Copy', spec: 'SPC-4 7.8.17', body: thirdPartyCopy },
  { code: 0xb0, name: 'Block Limits', spec: 'SBC-4 6.6.4', body: blockLimits },
  { code: 0xb1, name: 'Block Device Characteristics', spec: 'SBC-3 6.6.5', body: blockDeviceCharacteristics },
  { code: 0xb2, name: 'Logical Block Provisioning', spec: 'SBC-3 6.6.7', body: logicalBlockProvisioning },
];

function supportedPages(lu: StorageObject, task: Task): Uint8Array {
  const offered = vpdPages.filter(({ code, body }) => code === 0 || body(lu, task) !== undefined);
  return Uint8Array.from(offered.map(({ code }) => code));
}

/** SPC-4 7.8.6 */
function deviceIdentification(lu: StorageObject, { unit }: Task): Uint8Array {
  if (hasTextIdentity(lu.attributes.values)) return textDesignators(lu.attributes.values);
  const port = unit!.port;
  const ofPort = (code: number, of: 'port' | 'device', type: number, value: Uint8Array) =>
    designator((port.protocol << 4) | code, protocolValid | association[of] | type, value);
  return Buffer.concat([
    designator(codeSet.binary, association.unit | designatorType.naa, naaOf(lu)),
    designator(codeSet.ascii, association.unit | designatorType.t10VendorId, t10VendorId(lu)),
    ofPort(
      codeSet.binary,
      'port',
      designatorType.relativePort,
      Uint8Array.of(0, 0, port.relativePortId >> 8, port.relativePortId & 0xff),
    ),
    ofPort(
      codeSet.binary,
      'port',
      designatorType.targetPortGroup,
      Uint8Array.of(0, 0, port.portGroup >> 8, port.portGroup & 0xff),
    ),
    designator(codeSet.binary, association.unit | designatorType.logicalUnitGroup, new Uint8Array(4)),
    ofPort(codeSet.utf8, 'port', designatorType.scsiName, scsiName(port.portName)),
    ofPort(codeSet.utf8, 'device', designatorType.scsiName, scsiName(port.targetName)),
  ]);
}

/** SPC-4 7.8.6.4 */
const t10VendorId = (lu: StorageObject): Uint8Array =>
  Buffer.from(`${lu.attributes.values.vendor_id.padEnd(vendorBytes)}${product(lu)}:${lu.wwn}\0`, 'latin1');

/** SPC-4 7.8.7: HEADSUP, ORDSUP, SIMPSUP; V_SUP. */
function extendedInquiry(): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes[1] = 0x07;
  bytes[2] = 0x01;
  return bytes;
}

/** SBC-4 6.6.4. LIO gives the short form of the page while nothing can be unmapped, or written atomically. */
function blockLimits(lu: StorageObject): Uint8Array {
  const { values } = lu.attributes;
  const thin = offersUnmap(lu) || offersWriteSameUnmap(lu);
  const long = thin || atomicBlocksMax(lu) > 0;
  const page = Buffer.alloc(long ? 64 : 20);
  page[4] = writesSameToEnd(lu) ? 0 : 0x01; // WSNZ
  page[5] = compareBlocksMax(lu);
  page.writeUInt16BE(Math.max(1, physicalBlocks(lu)), 6);
  page.writeUInt32BE(values.hw_max_sectors, 8);
  page.writeUInt32BE(values.optimal_sectors, 12);
  if (!long) return page.subarray(4);
  page.writeUInt32BE(offersUnmap(lu) ? values.max_unmap_lba_count : 0, 20);
  page.writeUInt32BE(offersUnmap(lu) ? values.max_unmap_block_desc_count : 0, 24);
  if (thin) page.writeUInt32BE(values.unmap_granularity, 28);
  if (thin) page.writeUInt32BE(values.unmap_granularity_alignment, 32);
  if (thin && values.unmap_granularity_alignment !== 0) page[32]! |= 0x80; // UGAVALID
  page.writeBigUInt64BE(BigInt(values.max_write_same_len), 36);
  page.writeUInt32BE(atomicBlocksMax(lu), 44);
  return page.subarray(4);
}

/** MAXIMUM COMPARE AND WRITE LENGTH: one block, as LIO. */
export const compareBlocksMax = (lu: StorageObject): number => lu.attributes.values.emulate_caw;

/** Logical blocks in a physical one; 1 where the medium's are not larger. */
export function physicalBlocks(lu: StorageObject): number {
  const bytes = lu.attributes.values.physical_block_size || (lu.volume?.physicalBlockSize ?? 0);
  return Math.max(1, Math.floor(bytes / lu.blockSize));
}

/** SBC-3 6.6.5: MEDIUM ROTATION RATE 1 is "does not rotate", 0 "not reported". */
function blockDeviceCharacteristics(lu: StorageObject): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes[1] = lu.attributes.values.is_nonrot;
  bytes[3] = offersBlockErase(lu) ? 0x40 : 0; // WABEREQ: reads succeed after a BLOCK ERASE
  bytes[4] = 0x03; // FUAB: FUA and SYNCHRONIZE CACHE as SBC-3 has them; VBULS: unmapped blocks are compared too
  return bytes;
}

/** SBC-3 6.6.7: THRESHOLD EXPONENT; LBPU, LBPWS and LBPWS10, LBPRZ; PROVISIONING TYPE. */
function logicalBlockProvisioning(lu: StorageObject): Uint8Array {
  const unmap = offersUnmap(lu);
  const writeSame = offersWriteSameUnmap(lu);
  const zeroes = (unmap || writeSame) && lu.attributes.values.unmap_zeroes_data === 1;
  const flags = (unmap ? 0x80 : 0) | (writeSame ? 0x60 : 0) | (zeroes ? 0x04 : 0);
  return Uint8Array.of(thresholdExponent(lu), flags, unmap || writeSame ? thinProvisioned : 0, 0);
}
