// Generators of hostile input: login text, headers with the bytes behind them, CDBs and parameter lists.

import fc from 'fast-check';
import { pdus, scsiCommand } from '../../src/iscsi/pdu.ts';
import { serviceActionOf } from '../../src/scsi/opcode.ts';
import { opcodes } from '../../src/scsi/opcode-table.ts';

const bodyBytesMax = 600;

/** A PDU whose header is noise but for what makes it matter: a known opcode, small tags, numbers near the window. */
export const noisyPdu = fc
  .record({
    bytes: fc.uint8Array({ minLength: 48, maxLength: 48 }),
    opcode: fc.oneof(fc.constantFrom(...pdus.keys()), fc.nat(63)),
    length: fc.oneof(fc.constant(0), fc.nat(bodyBytesMax), fc.nat(0xffffff)),
    ahs: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(255)),
    cmdSn: fc.nat(8),
    tag: fc.nat(4),
    // READ, WRITE and INQUIRY come up often enough to leave commands open.
    cdb: fc.constantFrom(0x28, 0x2a, 0x12, 0x41, 0x93, 0x5f, 0xff),
  })
  .map(({ bytes, opcode, length, ahs, cmdSn, tag, cdb }) => {
    const head = Buffer.from(bytes);
    head[0] = (head[0]! & 0x40) | opcode;
    head[4] = ahs;
    head.writeUIntBE(length, 5, 3);
    head.writeUInt32BE(tag, 16);
    head.writeUInt32BE(cmdSn, 24);
    if (opcode === scsiCommand.opcode) {
      head.fill(0, 8, 16);
      head[32] = cdb;
    }
    return Buffer.concat([
      head,
      Buffer.alloc(ahs * 4),
      Buffer.alloc(length > bodyBytesMax ? 0 : (length + 3) & ~3, 0x2c),
    ]);
  });

const key = fc.constantFrom(
  'MaxBurstLength',
  'HeaderDigest',
  'AuthMethod',
  'CHAP_A',
  'CHAP_N',
  'CHAP_C',
  'InitiatorName',
  'TargetName',
  'SessionType',
  'MaxConnections',
  'constructor',
  '__proto__',
);
const value = fc.oneof(
  fc.constantFrom('Yes', 'No', 'None', 'CHAP', '5', '0x', '0', '-1', 'Reject', ''),
  fc.string({ maxLength: 40 }),
);
/** Keys of all kinds with values of all kinds. */
export const loginPairs = fc
  .array(fc.tuple(key, value), { maxLength: 8 })
  .map((pairs) => pairs.map(([name, text]): [string, string] => [name, text.replaceAll('\0', '')]));

const byte = fc.oneof(fc.constantFrom(0, 1, 2, 8, 0x10, 0xff), fc.nat(255));

/** A CDB of a known opcode, or of any: its other bytes often small. */
export const noisyCdb = fc
  .tuple(fc.oneof(fc.constantFrom(...opcodes), fc.nat(255)), fc.array(byte, { minLength: 15, maxLength: 15 }))
  .map(([row, rest]) => {
    if (typeof row === 'number') return Uint8Array.of(row, ...rest);
    const cdb = Uint8Array.of(row.code, ...rest, ...new Uint8Array(Math.max(0, row.cdbLength - 16)));
    if (row.cdbLength > 16) cdb[7] = row.cdbLength - 8;
    if (row.serviceAction !== undefined) serviceActionOf(row.code).set(cdb, 0, row.serviceAction);
    return cdb;
  });

/** A parameter list or the data of a write: noise, or zeros with a few bytes set. */
export const dataOut = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.uint8Array({ maxLength: 600 }),
  fc.tuple(fc.nat(1024), fc.array(fc.tuple(fc.nat(63), byte), { maxLength: 12 })).map(([length, bytes]) => {
    const list = new Uint8Array(length);
    for (const [at, one] of bytes) if (at < length) list[at] = one;
    return list;
  }),
);
