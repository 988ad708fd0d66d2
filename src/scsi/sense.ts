/** Sense by name: key, additional code and qualifier (SPC-4 4.5, annex F), and its two encodings. */

import { bit, bits, counting, decode, encode, type Field, octets, record, u8, u16, u32, u64 } from '../wire/layout.ts';

/** A condition that sense data tells. */
export interface Sense {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
  /** INFORMATION field, where the condition itself has one. */
  readonly information?: number;
  /** Set when the sense is about an earlier command that was answered GOOD, and not about the one that it ends (SPC-4 4.5.5). */
  readonly deferred?: true;
}

/** SPC-4 4.5.6 */
export const senseKey = {
  noSense: 0x0,
  recoveredError: 0x1,
  notReady: 0x2,
  mediumError: 0x3,
  hardwareError: 0x4,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  copyAborted: 0xa,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const;

const named = (key: keyof typeof senseKey, asc: number, ascq: number): Sense => ({ key: senseKey[key], asc, ascq });

/** Every sense this target gives. */
export const sense = {
  noAdditionalSense: named('noSense', 0x00, 0x00),
  failurePredictionFalse: named('noSense', 0x5d, 0xff),
  idleByCommand: named('noSense', 0x5e, 0x03),
  standbyByCommand: named('noSense', 0x5e, 0x04),

  logicalUnitNotReady: named('notReady', 0x04, 0x00),
  becomingReady: named('notReady', 0x04, 0x01),
  formatInProgress: named('notReady', 0x04, 0x04),
  asymmetricAccessTransition: named('notReady', 0x04, 0x0a),
  targetPortStandby: named('notReady', 0x04, 0x0b),
  targetPortUnavailable: named('notReady', 0x04, 0x0c),
  sanitizeInProgress: named('notReady', 0x04, 0x1b),
  incompatibleMedium: named('notReady', 0x30, 0x00),
  mediumNotPresent: named('notReady', 0x3a, 0x00),

  writeError: named('mediumError', 0x0c, 0x00),
  deferredWriteError: { ...named('mediumError', 0x0c, 0x00), deferred: true },
  unrecoveredReadError: named('mediumError', 0x11, 0x00),
  formatCommandFailed: named('mediumError', 0x31, 0x01),
  sanitizeCommandFailed: named('mediumError', 0x31, 0x03),

  failedSelfTest: named('hardwareError', 0x3e, 0x03),
  internalTargetFailure: named('hardwareError', 0x44, 0x00),

  parameterListLengthError: named('illegalRequest', 0x1a, 0x00),
  invalidOperationCode: named('illegalRequest', 0x20, 0x00),
  invalidFieldInCommandInformationUnit: named('illegalRequest', 0x0e, 0x03),
  lbaOutOfRange: named('illegalRequest', 0x21, 0x00),
  invalidFieldInCdb: named('illegalRequest', 0x24, 0x00),
  logicalUnitNotSupported: named('illegalRequest', 0x25, 0x00),
  invalidFieldInParameterList: named('illegalRequest', 0x26, 0x00),
  invalidReleaseOfPersistentReservation: named('illegalRequest', 0x26, 0x04),
  tooManyTargetDescriptors: named('illegalRequest', 0x26, 0x06),
  unsupportedTargetDescriptor: named('illegalRequest', 0x26, 0x07),
  tooManySegmentDescriptors: named('illegalRequest', 0x26, 0x08),
  unsupportedSegmentDescriptor: named('illegalRequest', 0x26, 0x09),
  operationInProgress: named('illegalRequest', 0x00, 0x16),
  commandSequenceError: named('illegalRequest', 0x2c, 0x00),
  savingParametersNotSupported: named('illegalRequest', 0x39, 0x00),
  invalidMessage: named('illegalRequest', 0x49, 0x00),
  mediumRemovalPrevented: named('illegalRequest', 0x53, 0x02),
  insufficientRegistrationResources: named('illegalRequest', 0x55, 0x04),

  mediumMayHaveChanged: named('unitAttention', 0x28, 0x00),
  powerOnReset: named('unitAttention', 0x29, 0x00),
  busDeviceReset: named('unitAttention', 0x29, 0x03),
  nexusLoss: named('unitAttention', 0x29, 0x07),
  modeParametersChanged: named('unitAttention', 0x2a, 0x01),
  previousReservationConflict: named('unitAttention', 0x2c, 0x09),
  reservationsPreempted: named('unitAttention', 0x2a, 0x03),
  reservationsReleased: named('unitAttention', 0x2a, 0x04),
  registrationsPreempted: named('unitAttention', 0x2a, 0x05),
  setTargetPortGroupsCommandFailed: named('illegalRequest', 0x67, 0x0a),
  asymmetricAccessStateChanged: named('unitAttention', 0x2a, 0x06),
  capacityDataChanged: named('unitAttention', 0x2a, 0x09),
  timestampChanged: named('unitAttention', 0x2a, 0x10),
  commandsCleared: named('unitAttention', 0x2f, 0x00),
  thinProvisioningSoftThresholdReached: named('unitAttention', 0x38, 0x07),
  inquiryDataChanged: named('unitAttention', 0x3f, 0x03),
  reportedLunsDataChanged: named('unitAttention', 0x3f, 0x0e),
  commandsClearedByTransport: named('unitAttention', 0x47, 0x7f),

  writeProtected: named('dataProtect', 0x27, 0x00),
  softwareWriteProtected: named('dataProtect', 0x27, 0x02),
  spaceAllocationFailed: named('dataProtect', 0x27, 0x07),

  thirdPartyDeviceFailure: named('copyAborted', 0x0d, 0x01),
  copyTargetUnreachable: named('copyAborted', 0x0d, 0x02),
  unexpectedInexactSegment: named('copyAborted', 0x26, 0x0a),

  unexpectedUnsolicitedData: named('abortedCommand', 0x0c, 0x0c),
  incorrectAmountOfData: named('abortedCommand', 0x0c, 0x0d),
  protocolServiceCrcError: named('abortedCommand', 0x47, 0x05),

  miscompareDuringVerify: named('miscompare', 0x1d, 0x00),
} as const satisfies Record<string, Sense>;

/** Where a wrong field starts (SPC-4 4.5.2.4.2). */
interface FieldPointer {
  readonly in: 'cdb' | 'parameter list';
  readonly byte: number;
  /** The leftmost bit of the field, when the field is not a whole byte. */
  readonly bit?: number;
}

/** The details of a command's sense beyond its code. */
export interface SenseDetail {
  /** INFORMATION field: an LBA, or the offset of a miscompare. */
  readonly information?: number;
  readonly field?: FieldPointer;
  /** PROGRESS INDICATION: how much of an operation is done, 0 to below 1 (SPC-4 4.5.2.4.4). */
  readonly progress?: number;
}

/** The initiator's kind of error, inside scsi/: `executeTask` and `admitTask` turn it into CHECK CONDITION. */
export class CheckCondition extends Error {
  readonly sense: Sense;
  readonly detail: SenseDetail;

  constructor(what: Sense, detail: SenseDetail = {}) {
    super(`sense ${what.key}h/${what.asc.toString(16)}h/${what.ascq.toString(16)}h`);
    this.name = 'CheckCondition';
    this.sense = what;
    this.detail = detail;
  }
}

/** INVALID FIELD IN CDB that points to the leftmost bit of the field. */
export const invalidCdb = ({ at, mask }: FieldBits): CheckCondition =>
  new CheckCondition(sense.invalidFieldInCdb, { field: { in: 'cdb', byte: at, bit: leftmostBit(mask) } });

/** The part of a field that a pointer needs. */
type FieldBits = Pick<Field, 'at' | 'mask'>;
const leftmostBit = (mask: number): number => 31 - Math.clz32(mask);

/**
 * INVALID FIELD IN PARAMETER LIST that points to the field, and to its leftmost bit when it is not a whole byte.
 * @param start where the record with the field begins in the list
 */
export function invalidParameter({ at, mask }: FieldBits, start = 0): CheckCondition {
  const byte = start + at;
  const field = { in: 'parameter list', byte, ...(mask !== 0xff && { bit: leftmostBit(mask) }) } as const;
  return new CheckCondition(sense.invalidFieldInParameterList, { field });
}

/** SPC-4 4.5.3. What differs between the two formats and their deferred kinds is RESPONSE CODE. */
const responseCode = bits(0, 0x7f);
const responseCodes = { fixed: 0x70, fixedDeferred: 0x71, descriptor: 0x72, descriptorDeferred: 0x73 } as const;

const fixed = record(18, {
  valid: bit(0, 0x80),
  responseCode,
  key: bits(2, 0x0f),
  information: u32(3),
  additionalLength: counting(u8(7)),
  asc: u8(12),
  ascq: u8(13),
  keySpecific: octets(15, 3),
});

/** SPC-4 4.5.2: descriptors follow. */
const descriptors = record(8, {
  responseCode,
  key: bits(1, 0x0f),
  asc: u8(2),
  ascq: u8(3),
  additionalLength: counting(u8(7)),
});
const descriptorType = { information: 0x00, keySpecific: 0x02 } as const;
/** SPC-4 4.5.2.2 */
const informationDescriptor = record(12, {
  type: u8(0),
  additionalLength: counting(u8(1)),
  valid: bit(2, 0x80),
  information: u64(4),
});
/** SPC-4 4.5.2.4 */
const keySpecificDescriptor = record(8, { type: u8(0), additionalLength: counting(u8(1)), keySpecific: octets(4, 3) });

/** SENSE KEY SPECIFIC about a field (SPC-4 4.5.2.4.2): SKSV, C/D, BPV, BIT POINTER, FIELD POINTER. */
const fieldPointer = record(3, {
  valid: bit(0, 0x80),
  inCdb: bit(0, 0x40),
  bitValid: bit(0, 0x08),
  bit: bits(0, 0x07),
  byte: u16(1),
});
/** SENSE KEY SPECIFIC about progress (SPC-4 4.5.2.4.4), in parts of 65,536. */
const progressIndication = record(3, { valid: bit(0, 0x80), progress: u16(1) });

/** Sense data as an initiator reads it. @param descriptor D_SENSE of the Control mode page */
export function encodeSense(what: Sense, descriptor: boolean, detail: SenseDetail = {}): Uint8Array {
  const { key, asc, ascq } = what;
  const information = detail.information ?? what.information;
  const keySpecific = keySpecificOf(detail);
  if (!descriptor) {
    const code = what.deferred ? responseCodes.fixedDeferred : responseCodes.fixed;
    // Values above 32 bits have no place here: VALID stays 0 (SPC-4 4.5.3).
    const valid = information !== undefined && information <= 0xffffffff;
    return encode(fixed, {
      ...{ responseCode: code, key, asc, ascq },
      ...(valid && { valid, information }),
      ...(keySpecific && { keySpecific }),
    });
  }
  return encode(
    descriptors,
    { responseCode: what.deferred ? responseCodes.descriptorDeferred : responseCodes.descriptor, key, asc, ascq },
    ...(information === undefined
      ? []
      : [encode(informationDescriptor, { type: descriptorType.information, valid: true, information })]),
    ...(keySpecific ? [encode(keySpecificDescriptor, { type: descriptorType.keySpecific, keySpecific })] : []),
  );
}

function keySpecificOf({ field, progress }: SenseDetail): Uint8Array | undefined {
  if (progress !== undefined) {
    const parts = Math.min(0xffff, Math.floor(progress * 0x10000));
    return encode(progressIndication, { valid: true, progress: parts });
  }
  if (!field) return undefined;
  const { in: where, byte, bit: pointed } = field;
  return encode(fieldPointer, {
    ...{ valid: true, inCdb: where === 'cdb', byte },
    ...(pointed !== undefined && { bitValid: true, bit: pointed }),
  });
}

/** Decodes sense data in either format; undefined where there is none. */
export function decodeSense(data: Uint8Array): Required<Pick<Sense, 'key' | 'asc' | 'ascq'>> & { deferred: boolean } {
  const code = responseCode.get(data, 0);
  const isDescriptor = code === responseCodes.descriptor || code === responseCodes.descriptorDeferred;
  const { key, asc, ascq } = isDescriptor ? decode(descriptors, data) : decode(fixed, data);
  return {
    key,
    asc,
    ascq,
    deferred: code === responseCodes.fixedDeferred || code === responseCodes.descriptorDeferred,
  };
}
