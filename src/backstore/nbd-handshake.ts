/** The client's side of the NBD handshake: the terms of an export, and the abilities of the server (NBD proto.md). */

import { OperatorError } from '../errors.ts';
import type { ByteChannel } from '../wire/byte-channel.ts';
import { decode, encode, type Layout } from '../wire/layout.ts';
import {
  baseAllocation,
  blockSizeInfo,
  clientFlags,
  counted,
  exportAnswer,
  exportAnswerZeroes,
  exportFlag,
  exportInfo,
  greeting,
  handshakeFlag,
  infoHeader,
  infoTypes,
  magic,
  number16,
  number32,
  option,
  optionReply,
  options,
  payloadBytesMax,
  refusals,
  replies,
  statusContext,
} from '../wire/nbd.ts';

/** The terms of an export, for the whole connection. */
export interface Terms {
  /** The size in bytes. */
  readonly size: number;
  /** The flags of the export (`exportFlag`). */
  readonly flags: number;
  /** The bytes of which offsets and lengths are multiples. */
  readonly minimumBlock: number;
  /** The bytes of data that one request may have. */
  readonly maximumPayload: number;
  /** The server's identifier of base:allocation; undefined when BLOCK STATUS is not to be had. */
  readonly allocationId: number | undefined;
}

/** The bytes of one reply to an option, and the number of replies to one. */
const replyBytesMax = 64 * 1024;
const repliesMax = 1024;

interface Reply {
  readonly type: number;
  readonly data: Buffer;
}

/**
 * Agrees on an export.
 * @param secure makes the channel secure, when the server or the operator wants that; undefined: it is already
 * @returns the terms, with the channel on which the connection goes on
 * @throws OperatorError with the server's own words; ChannelEnded
 */
export async function shakeHands(
  plain: ByteChannel,
  exportName: string,
  tls: 'require' | 'allow',
  secure: (channel: ByteChannel) => Promise<ByteChannel>,
): Promise<{ channel: ByteChannel; terms: Terms }> {
  const { server, option: kind, flags } = decode(greeting, await plain.exactly(greeting.length));
  if (server !== magic.server || kind !== magic.option || (flags & handshakeFlag.fixedNewstyle) === 0)
    throw new OperatorError('The server does not speak the fixed newstyle NBD protocol');
  const ours = flags & (handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes);
  void plain.send(encode(clientFlags, { flags: ours }));
  const zeroes = (flags & handshakeFlag.noZeroes) === 0;
  const channel = tls === 'require' ? await startTls(plain, secure) : plain;
  try {
    return { channel, terms: await choose(channel, exportName, zeroes) };
  } catch (error) {
    if (!(error instanceof TlsRequired) || tls === 'require') throw error;
    const safe = await startTls(channel, secure);
    return { channel: safe, terms: await choose(safe, exportName, zeroes) };
  }
}

class TlsRequired extends Error {}

async function startTls(
  channel: ByteChannel,
  secure: (channel: ByteChannel) => Promise<ByteChannel>,
): Promise<ByteChannel> {
  const { last } = await ask(channel, options.startTls);
  if (last.type !== replies.ack)
    throw new OperatorError('The server does not offer TLS', 'Use an nbd: URI for a connection that anybody can read.');
  return secure(channel);
}

/** Asks for structured replies and base:allocation where they can be had, then for the export. */
async function choose(channel: ByteChannel, exportName: string, zeroes: boolean): Promise<Terms> {
  const { last: structured } = await ask(channel, options.structuredReply);
  if (structured.type === replies.tlsRequired) throw new TlsRequired();
  const name = counted(exportName);
  let allocationId: number | undefined;
  if (structured.type === replies.ack) {
    const query = Buffer.concat([name, encode(number32, { value: 1 }), counted(baseAllocation)]);
    const { all: contexts } = await ask(channel, options.setMetaContext, query);
    const found = contexts.find(
      ({ type, data }) =>
        type === replies.metaContext && data.toString('latin1', statusContext.length) === baseAllocation,
    );
    allocationId = found && decode(statusContext, found.data).id;
  }
  const wanted = encode(number16, { value: 1 }, encode(infoHeader, { type: infoTypes.blockSize }));
  const { all: answers, last } = await ask(channel, options.go, Buffer.concat([name, wanted]));
  if (last.type === replies.tlsRequired) throw new TlsRequired();
  if (last.type === replies.unsupported) return oldChoice(channel, exportName, zeroes);
  if (last.type !== replies.ack) throw refusal(exportName, last);
  return { ...termsOf(answers), allocationId };
}

function termsOf(answers: readonly Reply[]): Omit<Terms, 'allocationId'> {
  const about = (type: number, { length }: Layout) =>
    answers.find(
      ({ type: kind, data }) =>
        kind === replies.info && data.length >= length && decode(infoHeader, data).type === type,
    );
  const info = about(infoTypes.export, exportInfo);
  if (!info) throw new OperatorError('The server does not say how large the export is');
  const { size, flags } = decode(exportInfo, info.data);
  const sizes = about(infoTypes.blockSize, blockSizeInfo);
  const { minimum, maximum } = sizes ? decode(blockSizeInfo, sizes.data) : { minimum: 512, maximum: payloadBytesMax };
  checkLimits(minimum, maximum);
  return { size, flags, minimumBlock: minimum, maximumPayload: Math.min(maximum, payloadBytesMax) };
}

/** The bytes of a block that initiators can use: Linux takes no more, and none takes fewer than 512. */
const blockBytesMin = 512;
const blockBytesMax = 4096;

/** Checks the limits (NBD proto.md "Block size constraints"). @throws OperatorError for limits that no disk could have */
function checkLimits(minimum: number, maximum: number): void {
  const refuse = (what: string) => new OperatorError('The NBD export cannot be used as a disk', what);
  if (minimum < 1 || Math.log2(minimum) % 1 !== 0)
    throw refuse(`Its server says that blocks have ${minimum} bytes, which is no power of two.`);
  if (minimum > blockBytesMax)
    throw refuse(`Its blocks have ${minimum} bytes or more; initiators take at most ${blockBytesMax}.`);
  const block = Math.max(blockBytesMin, minimum);
  if (maximum < block)
    throw refuse(`Its server takes at most ${maximum} bytes in one request, less than a block of ${block}.`);
}

/** Asks a server that does not know GO. Such a server ends the connection when it lacks the export. */
async function oldChoice(channel: ByteChannel, exportName: string, zeroes: boolean): Promise<Terms> {
  sendOption(channel, options.exportName, Buffer.from(exportName));
  const { size, flags } = decode(exportAnswer, await channel.exactly(exportAnswer.length));
  if (zeroes) await channel.discard(exportAnswerZeroes);
  const valid = (flags & exportFlag.hasFlags) !== 0 ? flags : 0;
  return { size, flags: valid, minimumBlock: 512, maximumPayload: payloadBytesMax, allocationId: undefined };
}

function refusal(exportName: string, { type, data }: Reply): OperatorError {
  const said = data
    .toString('utf8')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200);
  if (type === replies.unknown)
    return new OperatorError(`The NBD server has no export '${exportName}'`, said || 'List them: nbdinfo --list URI');
  return new OperatorError(`The NBD server refuses the export '${exportName}'`, said || `It says ${type - refusals}.`);
}

function sendOption(channel: ByteChannel, code: number, data: Uint8Array): void {
  void channel.send(encode(option, { magic: magic.option, code, length: data.length }), data);
}

/** Sends an option. @returns its replies; the last is an acknowledgement or a refusal */
async function ask(
  channel: ByteChannel,
  code: number,
  data: Uint8Array = new Uint8Array(),
): Promise<{ all: Reply[]; last: Reply }> {
  sendOption(channel, code, data);
  const all: Reply[] = [];
  while (all.length < repliesMax) {
    const header = decode(optionReply, await channel.exactly(optionReply.length));
    if (header.magic !== magic.optionReply || header.option !== code || header.length > replyBytesMax)
      throw new OperatorError('The server does not speak the NBD protocol: its reply makes no sense');
    const reply = { type: header.type, data: await channel.exactly(header.length) };
    all.push(reply);
    if (reply.type === replies.ack || reply.type >= refusals) return { all, last: reply };
  }
  throw new OperatorError('The server does not speak the NBD protocol: its replies do not end');
}
