/** The transmission phase: requests in, answers out, in whatever order the disk ends them (NBD proto.md "Transmission"). */

import { beginPatience } from '../backstore/patience.ts';
import { type Log, logBug } from '../log.ts';
import { leaveToCollector } from '../system/collector.ts';
import { dataMemory } from '../system/memory-budget.ts';
import { type ByteChannel, ChannelEnded } from '../wire/byte-channel.ts';
import { decode, encode, encodeInto, type Values } from '../wire/layout.ts';
import {
  commandFlag,
  commands,
  errorPayload,
  errors,
  extentFlag,
  magic,
  offsetData,
  payloadBytesMax,
  replyDone,
  replyTypes,
  request as requestRecord,
  simpleReply,
  statusContext,
  statusExtent,
  structuredReply,
} from '../wire/nbd.ts';
import { NbdError, type StatusExtent } from './export.ts';
import { extentsMax, limitedBytesMax, requestBytesMax, requestsMax, unreadMs } from './limits.ts';
import { baseAllocationId, type Negotiated } from './negotiation.ts';

type TransmissionRequest = Values<typeof requestRecord.fields>;

/** The row of one command: the form of its requests, and the function that carries them out. */
interface RequestRow {
  /** The flags that it may have; FUA is for commands that change something. */
  readonly flags: number;
  /** Set for a command that changes the export. */
  readonly writes?: true;
  /** Set for a command without a range. */
  readonly whole?: true;
  /** The bytes that it has in memory. */
  readonly bytes?: (request: TransmissionRequest) => number;
  run(agreed: Negotiated, request: TransmissionRequest, data: Buffer): Promise<Answer>;
}

/** The answer to a request: success, data, or extents. */
type Answer = undefined | { readonly data: Buffer } | { readonly extents: readonly StatusExtent[] };

const asks = ({ flags }: TransmissionRequest, flag: number): boolean => (flags & flag) !== 0;
const payload = ({ length }: TransmissionRequest): number => length;

const table: Readonly<Record<number, RequestRow>> = {
  [commands.read]: {
    flags: commandFlag.df,
    bytes: payload,
    run: async (agreed, request) => {
      if (request.length === 0) return undefined;
      const front = frontOf(agreed);
      const message = Buffer.allocUnsafe(front + request.length);
      await agreed.export.read(request, message.subarray(front));
      return { data: message };
    },
  },
  [commands.write]: {
    flags: commandFlag.fua,
    writes: true,
    bytes: payload,
    run: async (agreed, request, data) =>
      void (await agreed.export.write(request, data, asks(request, commandFlag.fua))),
  },
  [commands.flush]: { flags: 0, whole: true, run: async (agreed) => void (await agreed.export.flush()) },
  [commands.trim]: {
    flags: commandFlag.fua,
    writes: true,
    run: async (agreed, request) => {
      if (!agreed.geometry.trims) throw new NbdError('EINVAL', 'TRIM was not offered');
      await agreed.export.trim(request, asks(request, commandFlag.fua));
    },
  },
  [commands.cache]: { flags: 0, run: async (agreed, request) => void (await agreed.export.cache(request)) },
  [commands.writeZeroes]: {
    flags: commandFlag.fua | commandFlag.noHole | commandFlag.fastZero,
    writes: true,
    run: async (agreed, request) => {
      if (!agreed.geometry.zeroes) throw new NbdError('EINVAL', 'WRITE_ZEROES was not offered');
      if (asks(request, commandFlag.fastZero) && !agreed.geometry.zeroesFast)
        throw new NbdError('ENOTSUP', 'zeros are as slow as data here');
      const mayTrim = !asks(request, commandFlag.noHole);
      await agreed.export.writeZeroes(request, mayTrim, asks(request, commandFlag.fua));
    },
  },
  [commands.blockStatus]: {
    flags: commandFlag.reqOne,
    run: async (agreed, request) => {
      if (!agreed.baseAllocation || request.length === 0)
        throw new NbdError('EINVAL', 'no metadata context was chosen');
      const most = asks(request, commandFlag.reqOne) ? 1 : extentsMax;
      return { extents: await agreed.export.status(request, most) };
    },
  },
};

/** Serves requests until the client leaves. @throws ChannelEnded when it goes away without a word */
export async function serveRequests(channel: ByteChannel, agreed: Negotiated, log: Log): Promise<void> {
  const flight = new Flight(channel);
  try {
    for (;;) {
      const request = decode(requestRecord, await channel.exactly(requestRecord.length));
      if (request.magic !== magic.request || request.type === commands.disconnect) return;
      // The data of a WRITE has to be taken also when the WRITE is refused: else it would be read as requests.
      const isWrite = request.type === commands.write;
      const refused = check(agreed, request);
      if (refused) {
        if (isWrite) await channel.discard(request.length);
        await flight.start(0, () => send(channel, agreed, request, refused));
        continue;
      }
      const command = table[request.type]!;
      const bytes = command.bytes?.(request) ?? 0;
      await flight.room();
      if (agreed.export.isLimited) await flight.few(bytes);
      await flight.memory(bytes);
      const data = isWrite ? await channel.exactly(request.length) : Buffer.alloc(0);
      await flight.start(bytes, async () =>
        send(channel, agreed, request, await carryOut(agreed, command, request, data, log)),
      );
    }
  } finally {
    await flight.landed();
  }
}

/** Checks a request before anything is done. @returns the error */
function check({ geometry }: Negotiated, { type, flags, offset, length }: TransmissionRequest): NbdError | undefined {
  const command = table[type];
  if (!command) return new NbdError('EINVAL', `command ${type} is unknown`);
  if ((flags & ~command.flags) !== 0) return new NbdError('EINVAL', `flags ${flags} are not for command ${type}`);
  if (command.writes && geometry.readOnly) return new NbdError('EPERM', 'the export is read-only');
  if (command.bytes && length > payloadBytesMax)
    return new NbdError('EOVERFLOW', `at most ${payloadBytesMax} bytes at a time`);
  if (!command.whole && offset + length > geometry.size)
    return new NbdError(command.writes ? 'ENOSPC' : 'EINVAL', 'beyond the end of the export');
  const unaligned = offset % geometry.minimumBlock !== 0 || length % geometry.minimumBlock !== 0;
  return unaligned ? new NbdError('EINVAL', `not in blocks of ${geometry.minimumBlock} bytes`) : undefined;
}

async function carryOut(
  agreed: Negotiated,
  command: RequestRow,
  request: TransmissionRequest,
  data: Buffer,
  log: Log,
): Promise<Answer | NbdError> {
  try {
    return await command.run(agreed, request, data);
  } catch (error) {
    if (error instanceof NbdError) return error;
    logBug(log, 'nbd', error);
    return new NbdError('EIO', 'internal error');
  }
}

/** The requests on their way, and the memory that they have of the budget. */
class Flight {
  readonly #channel: ByteChannel;
  readonly #account = dataMemory.account(requestBytesMax);
  readonly #patience: { end(): void };
  #requests = 0;
  #landed: () => void = () => {};

  constructor(channel: ByteChannel) {
    this.#channel = channel;
    // A client that takes no answers may keep their memory as long as nobody else needs it.
    this.#patience = beginPatience(unreadMs, {
      owed: () => this.#requests > 0 && dataMemory.isAwaited,
      heard: () => channel.signsOfLife,
      lost: () => channel.destroy(),
    });
  }

  /** Waits until one more request may be on its way. */
  async room(): Promise<void> {
    while (this.#requests >= requestsMax) await this.#nextLanding();
  }

  /** Waits until those on their way have so little memory that they take it from nobody, however long they wait. */
  async few(bytes: number): Promise<void> {
    while (this.#account.held > 0 && this.#account.held + bytes > limitedBytesMax) await this.#nextLanding();
  }

  /** Takes the memory that a request needs, when there is some. @throws ChannelEnded when the client leaves meanwhile */
  async memory(bytes: number): Promise<void> {
    if (bytes === 0 || this.#account.take(bytes)) return;
    const taken = new Promise<void>((resolve) => this.#account.whenTaken(bytes, resolve));
    await Promise.race([taken, this.#channel.closed]);
    if (this.#channel.ended) throw new ChannelEnded();
  }

  /** Runs `work` beside other requests; the memory that was taken for it is given back after it. */
  async start(bytes: number, work: () => Promise<void>): Promise<void> {
    await this.room();
    this.#requests += 1;
    void work().finally(() => {
      this.#requests -= 1;
      this.#account.giveBack(bytes);
      // The memory of an answer that was never sent goes to the collector, too.
      if (bytes > 0) leaveToCollector(bytes);
      this.#landed();
    });
  }

  /** Resolves when no request is on its way. */
  async landed(): Promise<void> {
    this.#patience.end();
    this.#account.close();
    while (this.#requests > 0) await this.#nextLanding();
    // The memory was taken for a request that did not come whole.
    this.#account.giveBack(this.#account.held);
  }

  #nextLanding(): Promise<void> {
    return new Promise((resolve) => {
      this.#landed = resolve;
    });
  }
}

/** The bytes in front of the data of a READ's answer. */
const frontOf = ({ structured }: Negotiated): number =>
  structured ? structuredReply.length + offsetData.length : simpleReply.length;

/** Sends an answer. @returns when it has left this process: until then its bytes count */
function send(
  channel: ByteChannel,
  agreed: Negotiated,
  request: TransmissionRequest,
  answer: Answer | NbdError,
): Promise<void> {
  const { cookie } = request;
  if (!agreed.structured) {
    const message = answer && 'data' in answer ? answer.data : Buffer.alloc(simpleReply.length);
    const error = answer instanceof NbdError ? errors[answer.code] : 0;
    encodeInto(simpleReply, message, 0, { magic: magic.simpleReply, error, cookie });
    return channel.send(message);
  }
  const header = (type: number, length: number) => {
    return { magic: magic.structuredReply, flags: replyDone, type, cookie, length };
  };
  const piece = (type: number, ...content: Uint8Array[]): Promise<void> => {
    const length = content.reduce((sum, part) => sum + part.length, 0);
    return channel.send(encode(structuredReply, header(type, length), ...content));
  };
  if (answer === undefined) return piece(replyTypes.none);
  if (answer instanceof NbdError)
    return piece(replyTypes.error, encode(errorPayload, { error: errors[answer.code] }, Buffer.from(answer.message)));
  if ('data' in answer) {
    // Room for both headers is in front of the data, so that header and data are sent as one piece.
    const { data } = answer;
    encodeInto(structuredReply, data, 0, header(replyTypes.offsetData, data.length - structuredReply.length));
    encodeInto(offsetData, data, structuredReply.length, { offset: request.offset });
    return channel.send(data);
  }
  const extents = answer.extents.map(({ length, hole, zero }) =>
    encode(statusExtent, { length, flags: (hole ? extentFlag.hole : 0) | (zero ? extentFlag.zero : 0) }),
  );
  return piece(replyTypes.blockStatus, encode(statusContext, { id: baseAllocationId }), ...extents);
}
