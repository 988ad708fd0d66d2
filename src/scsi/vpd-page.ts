/** The vital product data pages of INQUIRY, one record each, most of them byte for byte as LIO gives them (SPC-4 7.8; SBC-3 6.6). */

import {
  bit,
  bits,
  counting,
  encode,
  type Fields,
  type Layout,
  lower,
  record,
  u8,
  u16,
  u32,
  u64,
  type Values,
} from '../wire/layout.ts';
import { atomicBlocksMax } from './block-access.ts';
import { naaOf, numberDesignator, productOf, scsiName, targetDesignator, unitDesignator } from './designator.ts';
import { copyDescriptors, copyLimits, extendedCopyOpcodes, offersCopy } from './extended-copy.ts';
import { offersBlockErase } from './format-sanitize.ts';
import type { LogicalUnitView, StorageObject } from './logical-unit.ts';
import { targetPortsOf } from './nexus.ts';
import { offersUnmap, offersWriteSameUnmap, writesSameToEnd } from './provisioning.ts';
import { thresholdExponent } from './provisioning-threshold.ts';
import { hasTextIdentity, textDesignators, textSerial } from './text-identity.ts';

interface VpdPage {
  readonly code: number;
  readonly name: string;
  readonly spec: string;
  /**
   * The bytes of the page after the header of four; undefined where it is not offered.
   * @param unit as the nexus that asks sees it; undefined: facts about the way there are left out
   */
  body(lu: StorageObject, unit?: LogicalUnitView): Uint8Array | undefined;
}

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

const pageHeader = record(4, { peripheral: u8(0), code: u8(1), length: counting(u16(2)) });

/** A page with its header; undefined where there is none of that code. */
export function vpdPage(code: number, lu: StorageObject, unit?: LogicalUnitView): Uint8Array | undefined {
  const body = vpdPages.find((page) => page.code === code)?.body(lu, unit);
  return body && encode(pageHeader, { code }, body);
}

/**
 * The fields of a page that go behind its header, as its figure in the standard counts their bytes.
 * @param layout with the header's four bytes in front
 */
const behindHeader = <F extends Fields>(layout: Layout<F>, values: Partial<Values<NoInfer<F>>>): Uint8Array =>
  encode(layout, values).subarray(pageHeader.length);

function supportedPages(lu: StorageObject): Uint8Array {
  const offered = vpdPages.filter(({ code, body }) => code === 0 || body(lu) !== undefined);
  return Uint8Array.from(offered.map(({ code }) => code));
}

function serialNumber({ wwn, attributes: { values } }: StorageObject): Uint8Array {
  return values.scsi_sn === '' ? Buffer.from(`${wwn}\0`, 'latin1') : textSerial(values);
}

function deviceIdentification(lu: StorageObject, unit?: LogicalUnitView): Uint8Array {
  if (hasTextIdentity(lu.attributes.values)) return textDesignators(lu.attributes.values);
  const port = unit?.port;
  return Buffer.concat([
    unitDesignator('binary', 'naa', naaOf(lu)),
    unitDesignator('ascii', 't10VendorId', t10VendorId(lu)),
    ...(port
      ? [
          targetDesignator(port, 'port', 'binary', 'relativePort', numberDesignator(port.relativePortId)),
          targetDesignator(port, 'port', 'binary', 'targetPortGroup', numberDesignator(port.portGroup)),
        ]
      : []),
    unitDesignator('binary', 'logicalUnitGroup', numberDesignator(0)),
    ...(port
      ? [
          targetDesignator(port, 'port', 'utf8', 'scsiName', scsiName(port.portName)),
          targetDesignator(port, 'device', 'utf8', 'scsiName', scsiName(port.targetName)),
        ]
      : []),
  ]);
}

const t10VendorBytes = 8;

/** SPC-4 7.8.6.4 */
const t10VendorId = (lu: StorageObject): Uint8Array =>
  Buffer.from(`${lu.attributes.values.vendor_id.padEnd(t10VendorBytes)}${productOf(lu)}:${lu.wwn}\0`, 'latin1');

const extendedInquiryPage = record(64, {
  headSup: bit(5, 0x04),
  ordSup: bit(5, 0x02),
  simpSup: bit(5, 0x01),
  volatileCache: bit(6, 0x01),
});

function extendedInquiry(): Uint8Array {
  return behindHeader(extendedInquiryPage, { headSup: true, ordSup: true, simpSup: true, volatileCache: true });
}

/** SPC-4 7.8.9, a descriptor. */
const policy = record(4, { page: bits(0, 0x3f), subpage: u8(1), policy: bits(2, 0x03) });
const allPages = { page: 0x3f, subpage: 0xff };
const sharedByAll = 0;

function modePagePolicy(): Uint8Array {
  return encode(policy, { ...allPages, policy: sharedByAll });
}

/** A SCSI port designation descriptor (SPC-4 7.8.14), without initiator port; its designators follow. */
const portDescriptor = record(12, { relativePortId: u16(2), designatorsLength: counting(u16(10)) });

/** Each target port with its SCSI name. */
function scsiPorts(lu: StorageObject): Uint8Array {
  const descriptors = targetPortsOf(lu).map((port) =>
    encode(
      portDescriptor,
      { relativePortId: port.relativePortId },
      targetDesignator(port, 'port', 'utf8', 'scsiName', scsiName(port.portName)),
    ),
  );
  return Buffer.concat(descriptors);
}

const powerConditionPage = record(18, { standbyZ: bit(4, 0x01), idleA: bit(5, 0x01) });

/** Standby_z and idle_a, which are left at once. */
function powerConditions(): Uint8Array {
  return behindHeader(powerConditionPage, { standbyZ: true, idleA: true });
}

/** A third-party copy descriptor (SPC-4 7.8.17): padded to a multiple of four bytes. */
const copyHeader = record(4, { type: u16(0), length: counting(u16(2)) });
const copyDescriptor = (type: number, value: Uint8Array): Uint8Array =>
  encode(copyHeader, { type }, value, new Uint8Array(-value.length & 3));
const copyDescriptorType = {
  commands: 0x0001,
  parameters: 0x0004,
  descriptors: 0x0008,
  targetIds: 0x000c,
  general: 0x8001,
} as const;
/** A list whose length is one byte: the number of bytes that follow. */
const listed = record(1, { length: counting(u8(0)) });
const list = (...bytes: number[]): Uint8Array => encode(listed, {}, Uint8Array.from(bytes));
/** Behind the header of a descriptor. */
const copyParameters = record(28, { targets: u16(4), segments: u16(6), descriptorListBytes: u32(8) });
const generalCopies = record(32, {
  totalCopies: u32(0),
  identifiedCopies: u32(4),
  segmentBytes: u32(8),
  granularity: u8(12),
});

/** Where EXTENDED COPY is offered: commands, limits, and what descriptors may be. */
function thirdPartyCopy(lu: StorageObject): Uint8Array | undefined {
  if (!offersCopy(lu)) return undefined;
  const { targets, segments, descriptorListBytes, segmentBytes, granularity } = copyLimits;
  return Buffer.concat([
    copyDescriptor(copyDescriptorType.commands, list(...copyCommands())),
    copyDescriptor(copyDescriptorType.parameters, encode(copyParameters, { targets, segments, descriptorListBytes })),
    copyDescriptor(copyDescriptorType.descriptors, list(...copyDescriptors)),
    // No CSCD is named without a descriptor.
    copyDescriptor(copyDescriptorType.targetIds, new Uint8Array(2)),
    copyDescriptor(
      copyDescriptorType.general,
      encode(generalCopies, { totalCopies: 1, identifiedCopies: 1, segmentBytes, granularity }),
    ),
  ]);
}

/** Each operation code, with how many service actions it has here, and which. */
function copyCommands(): number[] {
  const actions = Map.groupBy(extendedCopyOpcodes, ({ code }) => code);
  return [...actions].flatMap(([code, rows]) => [code, rows.length, ...rows.map((row) => row.serviceAction ?? 0)]);
}

const blockLimitsPage = record(64, {
  wsnz: bit(4, 0x01),
  compareAndWriteBlocksMax: u8(5),
  transferGranularity: u16(6),
  transferBlocksMax: u32(8),
  transferBlocksOptimal: u32(12),
  unmapBlocksMax: u32(20),
  unmapDescriptorsMax: u32(24),
  unmapGranularity: u32(28),
  unmapAlignmentValid: bit(32, 0x80),
  unmapAlignment: lower(31, u32(32)),
  writeSameBlocksMax: u64(36),
  atomicBlocksMax: u32(44),
});
/** LIO gives the short form of the page while nothing can be unmapped, or written atomically. */
const shortBlockLimitsBytes = 20;

function blockLimits(lu: StorageObject): Uint8Array {
  const { values } = lu.attributes;
  const thin = offersUnmap(lu) || offersWriteSameUnmap(lu);
  const alignment = thin ? values.unmap_granularity_alignment : 0;
  const page = encode(blockLimitsPage, {
    wsnz: !writesSameToEnd(lu),
    compareAndWriteBlocksMax: compareBlocksMax(lu),
    transferGranularity: physicalBlocks(lu),
    transferBlocksMax: values.hw_max_sectors,
    transferBlocksOptimal: values.optimal_sectors,
    unmapBlocksMax: offersUnmap(lu) ? values.max_unmap_lba_count : 0,
    unmapDescriptorsMax: offersUnmap(lu) ? values.max_unmap_block_desc_count : 0,
    unmapGranularity: thin ? values.unmap_granularity : 0,
    unmapAlignment: alignment,
    unmapAlignmentValid: alignment !== 0,
    writeSameBlocksMax: values.max_write_same_len,
    atomicBlocksMax: atomicBlocksMax(lu),
  });
  const long = thin || atomicBlocksMax(lu) > 0;
  return page.subarray(pageHeader.length, long ? page.length : shortBlockLimitsBytes);
}

/** MAXIMUM COMPARE AND WRITE LENGTH: one block, as LIO. */
export const compareBlocksMax = (lu: StorageObject): number => lu.attributes.values.emulate_caw;

/** Logical blocks in a physical one; 1 where the medium's are not larger. */
export function physicalBlocks(lu: StorageObject): number {
  const bytes = lu.attributes.values.physical_block_size || (lu.volume?.physicalBlockSize ?? 0);
  return Math.max(1, Math.floor(bytes / lu.blockSize));
}

const characteristicsPage = record(64, {
  rotationRate: u16(4),
  /** WABEREQ: what is read after a BLOCK ERASE, 01b that it succeeds. */
  readsAfterErase: bits(7, 0xc0),
  /** FUAB: FUA and SYNCHRONIZE CACHE are as SBC-3 has them. */
  fuab: bit(8, 0x02),
  /** VBULS: unmapped blocks are compared, too. */
  vbuls: bit(8, 0x01),
});
/** MEDIUM ROTATION RATE: it does not rotate; 0 is "not reported". */
const doesNotRotate = 1;

function blockDeviceCharacteristics(lu: StorageObject): Uint8Array {
  return behindHeader(characteristicsPage, {
    rotationRate: lu.attributes.values.is_nonrot === 1 ? doesNotRotate : 0,
    readsAfterErase: offersBlockErase(lu) ? 1 : 0,
    fuab: true,
    vbuls: true,
  });
}

const provisioningPage = record(8, {
  thresholdExponent: u8(4),
  lbpu: bit(5, 0x80),
  lbpws: bit(5, 0x40),
  lbpws10: bit(5, 0x20),
  lbprz: bits(5, 0x1c),
  provisioningType: bits(6, 0x07),
});
/** PROVISIONING TYPE of what can be unmapped. */
const thinProvisioned = 2;

function logicalBlockProvisioning(lu: StorageObject): Uint8Array {
  const unmaps = offersUnmap(lu);
  const writeSameUnmaps = offersWriteSameUnmap(lu);
  const isThin = unmaps || writeSameUnmaps;
  return behindHeader(provisioningPage, {
    thresholdExponent: thresholdExponent(lu),
    lbpu: unmaps,
    lbpws: writeSameUnmaps,
    lbpws10: writeSameUnmaps,
    lbprz: isThin ? lu.attributes.values.unmap_zeroes_data : 0,
    provisioningType: isThin ? thinProvisioned : 0,
  });
}
