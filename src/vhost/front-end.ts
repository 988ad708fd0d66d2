/**
 * One front-end (QEMU, or whoever speaks vhost-user) as the messages on its socket make it: features, the guest's memory, the
 * rings. Messages are worked off one by one; one that cannot be ends the connection, with a line in the log.
 */

import { reasonOf, systemErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { closeForeign } from '../system/descriptor.ts';
import { DescriptorSocket } from '../system/descriptor-socket.ts';
import { takeEvent } from '../system/eventfd.ts';
import type { Watched } from '../system/ffi.ts';
import { whenLate } from '../system/running-time.ts';
import { createShared, mapShared, type SharedMemory } from '../system/shared-memory.ts';
import {
  headerBytes,
  headerFlag,
  type InflightDescription,
  inflightBytes,
  numberBytes,
  payloadBytesMax,
  protocolFeature,
  type RegionDescription,
  readHeader,
  readInflight,
  readNumber,
  readRegions,
  readRingAddresses,
  readRingState,
  readSingleRegion,
  replyTo,
  requests,
  ringAddressBytes,
  ringStateBytes,
  singleRegionBytes,
  vringDescriptor,
  writeInflight,
  writeNumber,
  writeRingState,
} from '../wire/vhost-user.ts';
import { feature } from '../wire/virtio-scsi.ts';
import { Device, shapeOf } from './device.ts';
import { GuestMemory, mapRegion } from './guest-memory.ts';
import { Inflight, inflightPartBytes } from './inflight.ts';
import { memorySlotsMax, messageMs, queueSizeMax, queuesMax } from './limits.ts';
import type { Session } from './session.ts';
import { type RingAddresses, VirtQueue } from './virtqueue.ts';

/** What is offered to the driver. T10 PI, INOUT, IOMMU, packed rings and the log of a migration are not. */
const features =
  feature.version1 |
  feature.protocolFeatures |
  feature.eventIndex |
  feature.indirectDescriptors |
  feature.hotplug |
  feature.change;

const protocolFeatures =
  protocolFeature.mq |
  protocolFeature.replyAck |
  protocolFeature.inflightShmfd |
  protocolFeature.resetDevice |
  protocolFeature.configureMemSlots;

/** The front-end has said what cannot be: its connection ends. */
class MessageError extends Error {}

/** A ring as it was told. */
interface Ring {
  size: number;
  base: number;
  addresses: RingAddresses | undefined;
  isEnabled: boolean;
  kick: number;
  call: number;
}

const noRing = (): Ring => ({ size: 0, base: 0, addresses: undefined, isEnabled: false, kick: -1, call: -1 });

export interface FrontEndHost {
  readonly log: Log;
  sessionOf(target: number): Session | undefined;
  /** The guest has reset its device: what it held is lost. */
  reset(): Promise<void>;
  /** It is gone. */
  ended(): void;
}

interface Message {
  readonly payload: Buffer;
  readonly descriptors: readonly number[];
}

/** What a request is answered with: nothing but an acknowledgement where that is asked for, a payload, descriptors with it. */
type Answer = undefined | Buffer | { readonly payload: Buffer; readonly descriptors: readonly number[] };

interface Row {
  readonly name: string;
  /** Bytes of payload, at least. */
  readonly bytes?: number;
  /** Descriptors that come with it, at most. */
  readonly descriptors?: number;
  readonly act: (message: Message) => Answer | Promise<Answer>;
}

export class FrontEnd {
  readonly device: Device;
  readonly #socket: DescriptorSocket;
  readonly #host: FrontEndHost;
  readonly #where: Readonly<Record<string, string | number>>;
  readonly #watched: Watched | undefined;
  readonly #buffer = Buffer.alloc(headerBytes + payloadBytesMax);
  #come = 0;
  #descriptors: number[] = [];
  #inTime: (() => void) | undefined;
  #memory = new GuestMemory([]);
  #hasProtocolFeatures = false;
  readonly #rings: Ring[] = Array.from({ length: queuesMax }, noRing);
  #inflight: (InflightDescription & { readonly shared: SharedMemory }) | undefined;
  #hasEnded = false;
  readonly #rows: ReadonlyMap<number, Row>;

  /** @param fd of its socket, which is this one's to close @param where for the log: the socket's path, who came */
  constructor(fd: number, host: FrontEndHost, where: Readonly<Record<string, string | number>>) {
    this.#socket = new DescriptorSocket(fd);
    this.#host = host;
    this.#where = where;
    this.device = new Device({
      log: host.log,
      sessionOf: (target) => host.sessionOf(target),
      fail: (error) => this.#fail(error),
    });
    this.#rows = new Map(
      Object.entries(this.#table()).map(([name, row]) => [requests[name as keyof typeof requests], row]),
    );
    this.#watched = this.#socket.watch(() => this.#receive());
  }

  /** Ends the connection; the device goes away under its guest. */
  close(why: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#inTime?.();
    this.#watched?.close();
    this.device.close();
    for (const ring of this.#rings) closeEvents(ring);
    for (const fd of this.#descriptors) closeForeign(fd);
    closeForeign(this.#socket.fd);
    // What is under way holds the memory until it ends.
    this.#memory.release();
    this.#inflight?.shared.unmap();
    this.#host.log({ level: 'info', event: 'vhost front-end gone', detail: { ...this.#where, reason: why } });
    this.#host.ended();
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    const detail = { ...this.#where, reason: reasonOf(error) };
    this.#host.log({ level: 'warning', event: 'vhost front-end dropped', detail });
    this.close(reasonOf(error));
  }

  /**
   * Takes what has come: a header by itself, since descriptors come with whatever is received last, and then its payload.
   * While a message is worked off, the next one waits in the socket.
   */
  #receive(): void {
    try {
      while (!this.#hasEnded) {
        const wanted = this.#wanted();
        const received = this.#socket.receive(this.#buffer.subarray(this.#come, wanted));
        if (received === 'none yet') break;
        if (received === 'end') {
          this.close('it has closed the connection');
          return;
        }
        this.#descriptors.push(...received.descriptors);
        this.#come += received.bytes;
        if (this.#come < headerBytes || this.#come < this.#wanted()) continue;
        const work = this.#message();
        if (!work) continue;
        this.#watched?.pause();
        void work.then(
          () => this.#hasEnded || this.#watched?.resume(),
          (error) => this.#fail(error),
        );
        break;
      }
      if (this.#come > 0)
        this.#inTime ??= whenLate(messageMs, () => this.#fail(new MessageError('half a message came')));
    } catch (error) {
      this.#fail(error);
    }
  }

  #wanted(): number {
    if (this.#come < headerBytes) return headerBytes;
    const { payloadBytes, flags } = readHeader(this.#buffer);
    if ((flags & headerFlag.versionMask) !== headerFlag.version) throw new MessageError('it speaks another version');
    if (payloadBytes > payloadBytesMax) throw new MessageError(`a message of ${payloadBytes} bytes`);
    return headerBytes + payloadBytes;
  }

  /** Works a whole message off. @returns a promise where that takes its time */
  #message(): Promise<void> | undefined {
    const { request, flags, payloadBytes } = readHeader(this.#buffer);
    const payload = Buffer.from(this.#buffer.subarray(headerBytes, headerBytes + payloadBytes));
    const descriptors = this.#descriptors;
    this.#descriptors = [];
    this.#come = 0;
    this.#inTime?.();
    this.#inTime = undefined;
    const row = this.#rows.get(request);
    if (!row || descriptors.length > (row.descriptors ?? 0) || payload.length < (row.bytes ?? 0)) {
      for (const fd of descriptors) closeForeign(fd);
      throw new MessageError(
        row ? `${row.name} with ${payload.length} bytes and ${descriptors.length} descriptors` : `request ${request}`,
      );
    }
    const answer = row.act({ payload, descriptors });
    if (!(answer instanceof Promise)) return void this.#answer(request, flags, answer);
    return answer.then((later) => this.#answer(request, flags, later));
  }

  #answer(request: number, flags: number, answer: Answer): void {
    if (this.#hasEnded) return;
    const { payload, descriptors } = Buffer.isBuffer(answer) || !answer ? { payload: answer, descriptors: [] } : answer;
    // An acknowledgement: what fails here ends the connection.
    const said = payload ?? ((flags & headerFlag.needReply) !== 0 ? writeNumber(0n) : undefined);
    if (said && !this.#socket.send(replyTo(request, said), descriptors))
      throw new MessageError('it does not read its answers');
    for (const fd of descriptors) closeForeign(fd);
  }

  /** What each request does (QEMU, docs/interop/vhost-user.rst, "Front-end message types"). */
  #table(): Record<keyof typeof requests, Row> {
    const number = { bytes: numberBytes };
    const state = { bytes: ringStateBytes };
    return {
      getFeatures: { name: 'GET_FEATURES', act: () => writeNumber(features) },
      setFeatures: { name: 'SET_FEATURES', ...number, act: ({ payload }) => this.#setFeatures(readNumber(payload)) },
      setOwner: { name: 'SET_OWNER', act: () => undefined },
      resetOwner: { name: 'RESET_OWNER', act: () => undefined },
      getProtocolFeatures: { name: 'GET_PROTOCOL_FEATURES', act: () => writeNumber(protocolFeatures) },
      setProtocolFeatures: {
        name: 'SET_PROTOCOL_FEATURES',
        ...number,
        act: ({ payload }) => refuseOthers(readNumber(payload), protocolFeatures),
      },
      getQueueNum: { name: 'GET_QUEUE_NUM', act: () => writeNumber(BigInt(queuesMax)) },
      getMaxMemSlots: { name: 'GET_MAX_MEM_SLOTS', act: () => writeNumber(BigInt(memorySlotsMax)) },
      setMemTable: {
        name: 'SET_MEM_TABLE',
        descriptors: memorySlotsMax,
        act: ({ payload, descriptors }) => this.#setMemory(readRegions(payload), descriptors),
      },
      addMemReg: {
        name: 'ADD_MEM_REG',
        bytes: singleRegionBytes,
        descriptors: 1,
        act: ({ payload, descriptors }) => this.#addMemory(readSingleRegion(payload), descriptors),
      },
      remMemReg: {
        name: 'REM_MEM_REG',
        bytes: singleRegionBytes,
        descriptors: 1,
        act: ({ payload, descriptors }) => this.#removeMemory(readSingleRegion(payload), descriptors),
      },
      setVringNum: { name: 'SET_VRING_NUM', ...state, act: ({ payload }) => this.#setSize(readRingState(payload)) },
      setVringBase: {
        name: 'SET_VRING_BASE',
        ...state,
        act: ({ payload }) => {
          const { ring, value } = readRingState(payload);
          this.#stopped(ring).base = value;
        },
      },
      setVringAddr: {
        name: 'SET_VRING_ADDR',
        bytes: ringAddressBytes,
        act: ({ payload }) => {
          const { ring, flags, ...addresses } = readRingAddresses(payload);
          if (flags !== 0) throw new MessageError('the log of a live migration is not kept');
          this.#stopped(ring).addresses = addresses;
        },
      },
      setVringKick: {
        name: 'SET_VRING_KICK',
        ...number,
        descriptors: 1,
        act: ({ payload, descriptors }) => this.#setKick(readNumber(payload), descriptors),
      },
      setVringCall: {
        name: 'SET_VRING_CALL',
        ...number,
        descriptors: 1,
        act: ({ payload, descriptors }) => this.#setCall(readNumber(payload), descriptors),
      },
      setVringErr: {
        name: 'SET_VRING_ERR',
        ...number,
        descriptors: 1,
        act: ({ descriptors }) => {
          for (const fd of descriptors) closeForeign(fd);
        },
      },
      setVringEnable: {
        name: 'SET_VRING_ENABLE',
        ...state,
        act: ({ payload }) => {
          const { ring, value } = readRingState(payload);
          this.#ring(ring).isEnabled = value === 1;
          this.device.enable(ring, value === 1);
        },
      },
      getVringBase: { name: 'GET_VRING_BASE', ...state, act: ({ payload }) => this.#stop(readRingState(payload).ring) },
      resetDevice: { name: 'RESET_DEVICE', act: () => this.#reset() },
      getInflightFd: {
        name: 'GET_INFLIGHT_FD',
        bytes: inflightBytes,
        act: ({ payload }) => this.#giveInflight(readInflight(payload)),
      },
      setInflightFd: {
        name: 'SET_INFLIGHT_FD',
        bytes: inflightBytes,
        descriptors: 1,
        act: ({ payload, descriptors }) => this.#takeInflight(readInflight(payload), descriptors),
      },
    };
  }

  #setFeatures(wanted: bigint): undefined {
    refuseOthers(wanted, features);
    if ((wanted & feature.version1) === 0n) throw new MessageError('the driver is older than VIRTIO 1.0');
    this.device.features = wanted;
    this.#hasProtocolFeatures = (wanted & feature.protocolFeatures) !== 0n;
  }

  #setMemory(descriptions: RegionDescription[] | undefined, descriptors: readonly number[]): undefined {
    if (descriptions?.length !== descriptors.length) {
      for (const fd of descriptors) closeForeign(fd);
      throw new MessageError('a table of memory with another number of descriptors');
    }
    this.#replaceMemory(mapAll(descriptions, descriptors));
  }

  #addMemory(description: RegionDescription, descriptors: readonly number[]): undefined {
    if (descriptors.length !== 1) throw new MessageError('memory without a descriptor');
    if (this.#memory.regions.length === memorySlotsMax) {
      for (const fd of descriptors) closeForeign(fd);
      throw new MessageError(`more than ${memorySlotsMax} regions of memory`);
    }
    this.#replaceMemory([...this.#memory.regions, ...mapAll([description], descriptors)]);
  }

  #removeMemory({ guest, user, size }: RegionDescription, descriptors: readonly number[]): undefined {
    for (const fd of descriptors) closeForeign(fd);
    const { regions } = this.#memory;
    const found = regions.find((one) => one.guest === guest && one.user === user && one.size === size);
    if (!found) throw new MessageError('memory is taken away that was not given');
    this.#replaceMemory(regions.filter((one) => one !== found));
  }

  #replaceMemory(regions: GuestMemory['regions']): undefined {
    const before = this.#memory;
    this.#memory = new GuestMemory(regions);
    before.release();
    this.device.relocate(this.#memory);
  }

  #ring(number: number): Ring {
    const ring = this.#rings[number];
    if (!ring) throw new MessageError(`ring ${number}: there are ${queuesMax}`);
    return ring;
  }

  /** A ring that may be described anew. */
  #stopped(number: number): Ring {
    const ring = this.#ring(number);
    if (this.device.has(number)) throw new MessageError(`ring ${number} is changed while it runs`);
    return ring;
  }

  #setSize({ ring, value }: { ring: number; value: number }): undefined {
    if (value === 0 || value > queueSizeMax || (value & (value - 1)) !== 0)
      throw new MessageError(`a ring of ${value} descriptors: it has a power of two, ${queueSizeMax} at most`);
    this.#stopped(ring).size = value;
  }

  /** The ring runs from here on, as soon as it is enabled. */
  #setKick(value: bigint, descriptors: readonly number[]): undefined {
    const number = Number(value & vringDescriptor.ringMask);
    const fd = eventOf(value, descriptors);
    if (fd < 0) throw new MessageError('a ring without kicks: polling it is not offered');
    if (!this.#rings[number] || this.device.has(number) || this.#rings[number].kick >= 0) {
      closeForeign(fd);
      throw new MessageError(`a kick for ring ${number}, which has one or is none`);
    }
    const ring = this.#rings[number];
    ring.kick = fd;
    const { size, base, addresses } = ring;
    if (size === 0 || !addresses) throw new MessageError(`ring ${number} is started before it is described`);
    const { features: accepted } = this.device;
    const queue = new VirtQueue(this.#memory, {
      size,
      base,
      addresses,
      eventIndex: (accepted & feature.eventIndex) !== 0n,
      indirect: (accepted & feature.indirectDescriptors) !== 0n,
      shape: shapeOf(number),
    });
    queue.call = ring.call;
    const inflight = this.#inflight;
    if (inflight && number < inflight.queues && size <= inflight.queueSize)
      queue.track(
        new Inflight(
          inflight.shared.bytes,
          inflight.offset + number * inflightPartBytes(inflight.queueSize),
          inflight.queueSize,
        ),
      );
    if (!this.#hasProtocolFeatures) ring.isEnabled = true;
    this.device.start(number, queue, fd, ring.isEnabled);
  }

  #setCall(value: bigint, descriptors: readonly number[]): undefined {
    const number = Number(value & vringDescriptor.ringMask);
    const fd = eventOf(value, descriptors);
    const ring = this.#rings[number];
    if (!ring) {
      if (fd >= 0) closeForeign(fd);
      throw new MessageError(`ring ${number}: there are ${queuesMax}`);
    }
    if (ring.call >= 0) closeForeign(ring.call);
    ring.call = fd;
    const queue = this.device.queueOf(number);
    if (queue) queue.call = fd;
  }

  /** The ring takes nothing more, and has nothing under way when this is answered. */
  async #stop(number: number): Promise<Buffer> {
    const ring = this.#ring(number);
    const queue = await this.device.stop(number);
    const base = queue ? queue.next : ring.base;
    if (this.#hasEnded) return writeRingState(number, base);
    closeEvents(ring);
    ring.base = base;
    return writeRingState(number, base);
  }

  /** All rings stop, and are to be described again. */
  async #reset(): Promise<undefined> {
    await Promise.all(this.#rings.map((_, number) => this.device.stop(number)));
    if (this.#hasEnded) return;
    for (const [number, ring] of this.#rings.entries()) {
      closeEvents(ring);
      this.#rings[number] = noRing();
    }
    await this.#host.reset();
  }

  #giveInflight({ queues, queueSize }: InflightDescription): Answer {
    if (queues > queuesMax || queueSize === 0 || queueSize > queueSizeMax)
      throw new MessageError(`memory for requests in flight of ${queues} queues of ${queueSize}`);
    const bytes = Math.max(1, queues) * inflightPartBytes(queueSize);
    const fd = createShared('tcli-inflight', bytes);
    this.#mapInflight({ bytes, offset: 0, queues, queueSize }, fd);
    return { payload: writeInflight({ bytes, offset: 0, queues, queueSize }), descriptors: [fd] };
  }

  #takeInflight(description: InflightDescription, descriptors: readonly number[]): undefined {
    const [fd] = descriptors;
    if (fd === undefined) throw new MessageError('SET_INFLIGHT_FD without a descriptor');
    try {
      this.#mapInflight(description, fd);
    } finally {
      closeForeign(fd);
    }
  }

  #mapInflight(description: InflightDescription, fd: number): void {
    const { bytes, offset, queues, queueSize } = description;
    const needed = queues * inflightPartBytes(queueSize);
    if (queues > queuesMax || queueSize > queueSizeMax || offset % 8 !== 0 || needed > bytes)
      throw new MessageError('memory for requests in flight that does not fit');
    for (let ring = 0; ring < queuesMax; ring += 1)
      if (this.device.has(ring)) throw new MessageError('memory for requests in flight while rings run');
    const shared = mapShared(fd, offset + bytes);
    this.#inflight?.shared.unmap();
    this.#inflight = { ...description, shared };
  }
}

function refuseOthers(wanted: bigint, offered: bigint): undefined {
  if ((wanted & ~offered) !== 0n)
    throw new MessageError(`features ${(wanted & ~offered).toString(16)}h, which were not offered`);
}

/** The eventfd that comes with a message; -1 where it says that there is none. */
function eventOf(value: bigint, [fd]: readonly number[]): number {
  if (fd === undefined) {
    if ((value & vringDescriptor.none) === 0n) throw new MessageError('a ring without its eventfd');
    return -1;
  }
  if (takeEvent(fd)) return fd;
  closeForeign(fd);
  throw new MessageError('a descriptor that is no eventfd');
}

function closeEvents(ring: Ring): void {
  for (const fd of [ring.kick, ring.call]) if (fd >= 0) closeForeign(fd);
  ring.kick = -1;
  ring.call = -1;
}

/** @throws MessageError when the memory is none that may be mapped; nothing is mapped then */
function mapAll(descriptions: readonly RegionDescription[], descriptors: readonly number[]): GuestMemory['regions'] {
  const mapped: GuestMemory['regions'][number][] = [];
  const left = [...descriptors];
  try {
    for (const description of descriptions) mapped.push(mapRegion(description, left.shift()!));
    return mapped;
  } catch (error) {
    for (const fd of left) closeForeign(fd);
    new GuestMemory(mapped).release();
    if (systemErrorCode(error) === 'EPERM')
      throw new MessageError(
        'its memory is not sealed, and could be taken away: QEMU seals it with -object memory-backend-memfd,share=on,seal=on',
      );
    throw error;
  }
}
