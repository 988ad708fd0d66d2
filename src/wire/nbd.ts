/**
 * The NBD protocol (NetworkBlockDevice doc/proto.md): numbers and messages, for the server and the client.
 *
 *     server                              client
 *     greeting ->
 *                                         <- client flags
 *                                         <- option, its data        } until GO, EXPORT_NAME or ABORT
 *     option reply, its data ->                                      }
 *                                         <- request, data of a WRITE
 *     simple reply or structured replies ->
 */

import { counting, encode, exact64, record, u16, u32, u64 } from './layout.ts';

/** The magic numbers with which messages begin. */
export const magic = {
  server: 0x4e42444d41474943n, // NBDMAGIC
  option: 0x49484156454f5054n, // IHAVEOPT
  optionReply: 0x0003e889045565a9n,
  request: 0x25609513,
  simpleReply: 0x67446698,
  structuredReply: 0x668e33ef,
} as const;

/** The first message of a server. */
export const greeting = record(18, { server: exact64(0), option: exact64(8), flags: u16(16) });
/** The client's answer to that. */
export const clientFlags = record(4, { flags: u32(0) });
/** Flags of both. */
export const handshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;

/** An option of a client; its data follows. */
export const option = record(16, { magic: exact64(0), code: u32(8), length: u32(12) });
/** A reply to one; its data follows. */
export const optionReply = record(20, { magic: exact64(0), option: u32(8), type: u32(12), length: u32(16) });

/** The options there are. */
export const options = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

const replyError = (code: number): number => 2 ** 31 + code;

/** The types of replies. */
export const replies = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  unsupported: replyError(1),
  policy: replyError(2),
  invalid: replyError(3),
  platform: replyError(4),
  tlsRequired: replyError(5),
  unknown: replyError(6),
  shutdown: replyError(7),
  tooBig: replyError(9),
} as const;

/** Reply types from here on are refusals, with a text for people. */
export const refusals = 2 ** 31;

/** The answer to EXPORT_NAME; behind it stand 124 zeros, unless both sides set `noZeroes`. */
export const exportAnswer = record(10, { size: u64(0), flags: u16(8) });
/** Zeros behind it, in bytes. */
export const exportAnswerZeroes = 124;

/** The types of information that GO and INFO can tell of an export. */
export const infoTypes = { export: 0, name: 1, description: 2, blockSize: 3 } as const;
/** The beginning of each piece of information. */
export const infoHeader = record(2, { type: u16(0) });
/** How large it is, and what it can do. */
export const exportInfo = record(12, { type: u16(0), size: u64(2), flags: u16(10) });
/** The information on the offsets and lengths that the export takes. */
export const blockSizeInfo = record(14, { type: u16(0), minimum: u32(2), preferred: u32(6), maximum: u32(10) });

/** Transmission flags: what an export can do. */
export const exportFlag = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  flush: 1 << 2,
  fua: 1 << 3,
  rotational: 1 << 4,
  trim: 1 << 5,
  writeZeroes: 1 << 6,
  df: 1 << 7,
  multiConn: 1 << 8,
  cache: 1 << 10,
  fastZero: 1 << 11,
} as const;

/** A request; the data of a WRITE follows. */
export const request = record(28, {
  magic: u32(0),
  flags: u16(4),
  type: u16(6),
  cookie: exact64(8),
  offset: u64(16),
  length: u32(24),
});

/** The commands of a request. */
export const commands = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

/** The flags of a command. */
export const commandFlag = { fua: 1 << 0, noHole: 1 << 1, df: 1 << 2, reqOne: 1 << 3, fastZero: 1 << 4 } as const;

/** An answer of one piece; the data of a READ follows. */
export const simpleReply = record(16, { magic: u32(0), error: u32(4), cookie: exact64(8) });

/** A piece of an answer; its payload follows. */
export const structuredReply = record(20, {
  magic: u32(0),
  flags: u16(4),
  type: u16(6),
  cookie: exact64(8),
  length: u32(16),
});

/** The last piece of an answer. */
export const replyDone = 1;
/** The types of a piece. */
export const replyTypes = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: 2 ** 15 + 1,
  errorOffset: 2 ** 15 + 2,
} as const;
/** Structured reply types from here on are errors. */
export const replyErrors = 2 ** 15;

/** Data follows. */
export const offsetData = record(8, { offset: u64(0) });
/** Zeros, which are not sent. */
export const offsetHole = record(12, { offset: u64(0), length: u32(8) });
/** Behind it a message for people, and for `errorOffset` 8 bytes of offset. */
export const errorPayload = record(6, { error: u32(0), messageLength: counting(u16(4)) });
/** Extents follow the identifier of the context. */
export const statusContext = record(4, { id: u32(0) });
/** A stretch of an export, and what is true of it (`extentFlag`). */
export const statusExtent = record(8, { length: u32(0), flags: u32(4) });

/** The metadata context that says what is allocated, and its flags. */
export const baseAllocation = 'base:allocation';
/** No storage; reads as zeros. */
export const extentFlag = { hole: 1, zero: 2 } as const;

/** Error numbers on the wire: Linux's, whatever the machine. */
export const errors = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

/** Numbers in the data of an option: how many of something follow, or a kind of it. */
export const number32 = record(4, { value: u32(0) });
/** A shorter one. */
export const number16 = record(2, { value: u16(0) });
const textHeader = record(4, { length: counting(u32(0)) });

/** Text with its length in front. */
export const counted = (text: string): Buffer => encode(textHeader, {}, Buffer.from(text));

/** Bytes of a string (an export's name, a context's name, a description). */
export const stringBytesMax = 4096;
/** Bytes of data in one READ or WRITE unless both sides know better. */
export const payloadBytesMax = 32 * 1024 * 1024;
