/** The server's side of the handshake: fixed newstyle negotiation (NBD proto.md "Newstyle negotiation"), option by option. */

import type { ByteChannel } from '../wire/byte-channel.ts';
import { decode, encode } from '../wire/layout.ts';
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
  replies,
  statusContext,
  stringBytesMax,
} from '../wire/nbd.ts';
import type { Export, Geometry } from './export.ts';
import { optionBytesMax, optionsMax } from './limits.ts';

/** The terms on which client and server have agreed. */
export interface Negotiated {
  readonly export: Export;
  readonly geometry: Geometry;
  readonly medium: object | undefined;
  readonly structured: boolean;
  /** Whether BLOCK STATUS may be asked for. */
  readonly baseAllocation: boolean;
}

/** The identifier that stands for base:allocation in this server's answers. */
export const baseAllocationId = 1;

/** The state of a handshake. */
interface Handshake {
  readonly channel: ByteChannel;
  /** The exports, asked each time: LUNs come and go while a client chooses. */
  readonly exports: () => readonly Export[];
  readonly zeroes: boolean;
  structured: boolean;
  /** The name for which base:allocation was chosen. */
  contextFor: string | undefined;
}

/** The phase after an option: transmission, the end of the connection, or the next option. */
type Next = Negotiated | 'end' | undefined;
type Option = (handshake: Handshake, code: number, data: Buffer) => Next;

/** Negotiates. @returns the terms, or undefined when the client has left in good order. @throws ChannelEnded */
export async function negotiateExport(
  channel: ByteChannel,
  exports: () => readonly Export[],
): Promise<Negotiated | undefined> {
  const flags = handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes;
  void channel.send(encode(greeting, { server: magic.server, option: magic.option, flags }));
  const client = decode(clientFlags, await channel.exactly(clientFlags.length)).flags;
  if ((client & ~flags) !== 0) return undefined;
  const handshake: Handshake = {
    channel,
    exports,
    zeroes: (client & handshakeFlag.noZeroes) === 0,
    structured: false,
    contextFor: undefined,
  };
  for (let count = 0; count < optionsMax; count += 1) {
    const { magic: found, code, length } = decode(option, await channel.exactly(option.length));
    if (found !== magic.option) return undefined;
    if (length > optionBytesMax) {
      await channel.discard(length);
      refuse(handshake, code, replies.tooBig, `an option has at most ${optionBytesMax} bytes`);
      continue;
    }
    const next = act(handshake, code, await channel.exactly(length));
    if (next === 'end') return undefined;
    if (next) return next;
  }
  return undefined;
}

function act(handshake: Handshake, code: number, data: Buffer): Next {
  const known = table[code];
  if (!known) return refuse(handshake, code, replies.unsupported, `option ${code} is not supported`);
  try {
    return known(handshake, code, data);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return refuse(handshake, code, replies.invalid, error.message);
  }
}

const table: Readonly<Record<number, Option>> = {
  [options.exportName]: exportName,
  [options.abort]: (handshake, code) => {
    reply(handshake, code, replies.ack);
    return 'end';
  },
  [options.list]: list,
  [options.info]: info,
  [options.go]: info,
  [options.structuredReply]: (handshake, code, data) => {
    if (data.length > 0) throw new Malformed('STRUCTURED_REPLY has no data');
    handshake.structured = true;
    return reply(handshake, code, replies.ack);
  },
  [options.listMetaContext]: metaContext,
  [options.setMetaContext]: metaContext,
};

/** EXPORT_NAME. Its answer has no place for a refusal: the connection ends instead. */
function exportName(handshake: Handshake, _code: number, data: Buffer): Next {
  const agreed = choose(handshake, data.toString());
  if (!agreed) return 'end';
  const zeroes = new Uint8Array(handshake.zeroes ? exportAnswerZeroes : 0);
  const answer = { size: agreed.geometry.size, flags: flagsOf(agreed) };
  void handshake.channel.send(encode(exportAnswer, answer, zeroes));
  return agreed;
}

function list(handshake: Handshake, code: number, data: Buffer): Next {
  if (data.length > 0) throw new Malformed('LIST has no data');
  for (const { name, description } of handshake.exports())
    reply(handshake, code, replies.server, Buffer.concat([counted(name), Buffer.from(description)]));
  return reply(handshake, code, replies.ack);
}

function info(handshake: Handshake, code: number, data: Buffer): Next {
  const words = new Words(data);
  const name = words.string();
  const wanted = Array.from({ length: words.u16() }, () => words.u16());
  words.end();
  const agreed = choose(handshake, name);
  if (!agreed) return refuse(handshake, code, replies.unknown, `no export '${name}' here that could be used`);
  const { geometry } = agreed;
  const tell = (bytes: Uint8Array) => reply(handshake, code, replies.info, bytes);
  const text = (type: number, value: string) => tell(encode(infoHeader, { type }, Buffer.from(value)));
  tell(encode(exportInfo, { type: infoTypes.export, size: geometry.size, flags: flagsOf(agreed) }));
  if (wanted.includes(infoTypes.name)) text(infoTypes.name, agreed.export.name);
  if (wanted.includes(infoTypes.description)) text(infoTypes.description, agreed.export.description);
  if (wanted.includes(infoTypes.blockSize)) {
    const { minimumBlock: minimum, preferredBlock: preferred } = geometry;
    tell(encode(blockSizeInfo, { type: infoTypes.blockSize, minimum, preferred, maximum: payloadBytesMax }));
  }
  reply(handshake, code, replies.ack);
  return code === options.go ? agreed : undefined;
}

/** LIST_META_CONTEXT and SET_META_CONTEXT: no query lists everything and sets nothing. */
function metaContext(handshake: Handshake, code: number, data: Buffer): Next {
  const words = new Words(data);
  const name = words.string();
  const queries = Array.from({ length: words.count(4) }, () => words.string());
  words.end();
  const sets = code === options.setMetaContext;
  if (!handshake.structured) throw new Malformed('metadata needs structured replies');
  if (sets) handshake.contextFor = undefined;
  if (!find(handshake, name)) return refuse(handshake, code, replies.unknown, `no export '${name}'`);
  const matches = sets ? [baseAllocation] : [baseAllocation, 'base:'];
  if (queries.some((query) => matches.includes(query)) || (!sets && queries.length === 0)) {
    if (sets) handshake.contextFor = name;
    const context = encode(statusContext, { id: sets ? baseAllocationId : 0 }, Buffer.from(baseAllocation));
    reply(handshake, code, replies.metaContext, context);
  }
  return reply(handshake, code, replies.ack);
}

/** The export of a name; '' is the first export. */
const find = ({ exports }: Handshake, name: string): Export | undefined =>
  name === ''
    ? exports()[0]
    : (exports().find((one) => one.name === name) ?? exports().find(({ serial }) => serial === name));

function choose(handshake: Handshake, name: string): Negotiated | undefined {
  const chosen = find(handshake, name);
  const geometry = chosen?.geometry();
  if (!chosen || !geometry) return undefined;
  const { structured, contextFor } = handshake;
  return { export: chosen, geometry, medium: chosen.medium, structured, baseAllocation: contextFor === name };
}

function flagsOf({ geometry, structured }: Negotiated): number {
  const { readOnly, rotational, trims, zeroes, zeroesFast } = geometry;
  const changes = readOnly
    ? exportFlag.readOnly
    : exportFlag.fua |
      (zeroes ? exportFlag.writeZeroes : 0) |
      (trims ? exportFlag.trim : 0) |
      (zeroesFast ? exportFlag.fastZero : 0);
  return (
    exportFlag.hasFlags |
    exportFlag.flush |
    exportFlag.multiConn |
    exportFlag.cache |
    changes |
    (rotational ? exportFlag.rotational : 0) |
    (structured ? exportFlag.df : 0)
  );
}

function reply({ channel }: Handshake, code: number, type: number, data: Uint8Array = new Uint8Array()): undefined {
  const header = { magic: magic.optionReply, option: code, type, length: data.length };
  void channel.send(encode(optionReply, header), data);
}

const refuse = (handshake: Handshake, code: number, type: number, why: string): undefined =>
  reply(handshake, code, type, Buffer.from(why));

/** The data of an option does not have its form. */
class Malformed extends Error {}

/** Takes an option's data apart. @throws Malformed where it ends too early or too late */
class Words {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Malformed('the data of the option is too short');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u16(): number {
    return decode(number16, this.#take(number16.length)).value;
  }

  u32(): number {
    return decode(number32, this.#take(number32.length)).value;
  }

  /** Reads a number of items that take `least` bytes or more each: they have to be there. */
  count(least: number): number {
    const items = this.u32();
    if (items * least > this.#bytes.length - this.#at) throw new Malformed('the data of the option is too short');
    return items;
  }

  string(): string {
    const length = this.u32();
    if (length > stringBytesMax) throw new Malformed(`a name has at most ${stringBytesMax} bytes`);
    return this.#take(length).toString();
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Malformed('the data of the option is too long');
  }
}
