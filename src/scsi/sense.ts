/** Sense by name: key, additional code and qualifier (SPC-4 4.5, annex F), and its two encodings. */

export interface Sense {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
  /** INFORMATION field, where the condition itself has one. */
  readonly information?: number;
  /** It is about a command that was answered GOOD, and not about the one that it ends (SPC-4 4.5.5). */
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
export interface FieldPointer {
  readonly in: 'cdb' | 'parameter list';
  readonly byte: number;
  /** Its leftmost bit, when the field is not a whole byte. */
  readonly bit?: number;
}

/** What a command's sense says beyond its code. */
export interface SenseDetail {
  /** INFORMATION field: an LBA, or the offset of a miscompare. */
  readonly information?: number;
  readonly field?: FieldPointer;
  /** PROGRESS INDICATION: how much of an operation is done, 0 to below 1 (SPC-4 4.5.2.4.4). */
  readonly progress?: number;
}

/** The initiator's kind of error, inside scsi/: `execute` and `admit` turn it into CHECK CONDITION. */
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

/** INVALID FIELD IN CDB that points to the field. */
export const invalidCdb = (byte: number, bit?: number): CheckCondition =>
  new CheckCondition(sense.invalidFieldInCdb, { field: pointer('cdb', byte, bit) });

/** INVALID FIELD IN PARAMETER LIST that points to the field. */
export const invalidParameter = (byte: number, bit?: number): CheckCondition =>
  new CheckCondition(sense.invalidFieldInParameterList, { field: pointer('parameter list', byte, bit) });

const pointer = (where: FieldPointer['in'], byte: number, bit?: number): FieldPointer =>
  bit === undefined ? { in: where, byte } : { in: where, byte, bit };

/** Sense data as an initiator reads it. @param descriptor D_SENSE of the Control mode page */
export function encodeSense(what: Sense, descriptor: boolean, detail: SenseDetail = {}): Uint8Array {
  const whole = what.information === undefined ? detail : { information: what.information, ...detail };
  return descriptor ? encodeDescriptor(what, whole) : encodeFixed(what, whole);
}

/** SPC-4 4.5.3: 18 bytes. */
function encodeFixed(what: Sense, { information, field, progress }: SenseDetail): Uint8Array {
  const bytes = Buffer.alloc(18);
  bytes[0] = what.deferred ? 0x71 : 0x70;
  bytes[2] = what.key;
  bytes[7] = 10;
  bytes[12] = what.asc;
  bytes[13] = what.ascq;
  // Values above 32 bits have no place here: VALID stays 0 (SPC-4 4.5.3).
  if (information !== undefined && information <= 0xffffffff) {
    bytes[0] |= 0x80;
    bytes.writeUInt32BE(information, 3);
  }
  if (field) encodeFieldPointer(field, bytes, 15);
  if (progress !== undefined) encodeProgress(progress, bytes, 15);
  return bytes;
}

/** SPC-4 4.5.2 */
function encodeDescriptor(what: Sense, { information, field, progress }: SenseDetail): Uint8Array {
  const specific = field !== undefined || progress !== undefined;
  const bytes = Buffer.alloc(8 + (information === undefined ? 0 : 12) + (specific ? 8 : 0));
  bytes.set([what.deferred ? 0x73 : 0x72, what.key, what.asc, what.ascq]);
  bytes[7] = bytes.length - 8;
  let at = 8;
  if (information !== undefined) {
    bytes.set([0x00, 10, 0x80], at);
    bytes.writeBigUInt64BE(BigInt(information), at + 4);
    at += 12;
  }
  if (specific) bytes.set([0x02, 6], at);
  if (field) encodeFieldPointer(field, bytes, at + 4);
  if (progress !== undefined) encodeProgress(progress, bytes, at + 4);
  return bytes;
}

/** SPC-4 4.5.2.4.2: SKSV, C/D, BPV, BIT POINTER, FIELD POINTER. */
function encodeFieldPointer(field: FieldPointer, into: Buffer, at: number): void {
  into[at] = 0x80 | (field.in === 'cdb' ? 0x40 : 0) | (field.bit === undefined ? 0 : 0x08 | field.bit);
  into.writeUInt16BE(field.byte, at + 1);
}

/** SPC-4 4.5.2.4.4: SKSV, PROGRESS INDICATION in parts of 65,536. */
function encodeProgress(progress: number, into: Buffer, at: number): void {
  into[at] = 0x80;
  into.writeUInt16BE(Math.min(0xffff, Math.floor(progress * 0x10000)), at + 1);
}
