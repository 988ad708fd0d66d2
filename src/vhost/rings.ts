/** The rings of a device, as the front-end's messages describe, start and stop them. */

import { closeForeign } from '../system/descriptor.ts';
import { takeEvent } from '../system/eventfd.ts';
import { createShared } from '../system/shared-memory.ts';
import { decode, encode } from '../wire/layout.ts';
import {
  type InflightDescription,
  inflightDescription,
  numberPayload,
  ringAddresses,
  ringState,
  vringDescriptor,
} from '../wire/vhost-user.ts';
import { feature } from '../wire/virtio-scsi.ts';
import { type Device, shapeOf } from './device.ts';
import type { GuestMemory } from './guest-memory.ts';
import { InflightMemory, inflightMemoryBytes } from './inflight.ts';
import { queueSizeMax, queuesMax } from './limits.ts';
import { closeAll, type MessageAnswer, MessageError, type Rows } from './messages.ts';
import { type RingAddresses, VirtQueue } from './virtqueue.ts';

/** A number that a message says of a ring. */
interface RingState {
  readonly ring: number;
  readonly value: number;
}

/** A ring as the front-end has described it. */
interface Ring {
  size: number;
  base: number;
  addresses: RingAddresses | undefined;
  isEnabled: boolean;
  kick: number;
  call: number;
}

const noRing = (): Ring => ({ size: 0, base: 0, addresses: undefined, isEnabled: false, kick: -1, call: -1 });

export class Rings {
  readonly #device: Device;
  readonly #memory: () => GuestMemory;
  /** Called when the guest has reset its device. */
  readonly #reset: () => Promise<void>;
  readonly #rings: Ring[] = Array.from({ length: queuesMax }, noRing);
  #inflight: InflightMemory | undefined;
  #isClosed = false;

  constructor(device: Device, memory: () => GuestMemory, reset: () => Promise<void>) {
    this.#device = device;
    this.#memory = memory;
    this.#reset = reset;
  }

  /** The messages that are about rings. */
  rows(): Rows {
    const state = { bytes: ringState.length };
    const event = { bytes: numberPayload.length, descriptors: 1 };
    return {
      setVringNum: { name: 'SET_VRING_NUM', ...state, act: ({ payload }) => this.#setSize(decode(ringState, payload)) },
      setVringBase: {
        name: 'SET_VRING_BASE',
        ...state,
        act: ({ payload }) => this.#setBase(decode(ringState, payload)),
      },
      setVringAddr: {
        name: 'SET_VRING_ADDR',
        bytes: ringAddresses.length,
        act: ({ payload }) => this.#setAddresses(decode(ringAddresses, payload)),
      },
      setVringKick: {
        name: 'SET_VRING_KICK',
        ...event,
        act: ({ payload, descriptors }) => this.#setKick(decode(numberPayload, payload).value, descriptors),
      },
      setVringCall: {
        name: 'SET_VRING_CALL',
        ...event,
        act: ({ payload, descriptors }) => this.#setCall(decode(numberPayload, payload).value, descriptors),
      },
      // The eventfd for errors is not used: an error ends the connection.
      setVringErr: { name: 'SET_VRING_ERR', ...event, act: ({ descriptors }) => closeAll(descriptors) },
      setVringEnable: {
        name: 'SET_VRING_ENABLE',
        ...state,
        act: ({ payload }) => this.#enable(decode(ringState, payload)),
      },
      getVringBase: {
        name: 'GET_VRING_BASE',
        ...state,
        act: ({ payload }) => this.#stop(decode(ringState, payload).ring),
      },
      resetDevice: { name: 'RESET_DEVICE', act: () => this.#resetAll() },
      getInflightFd: {
        name: 'GET_INFLIGHT_FD',
        bytes: inflightDescription.length,
        act: ({ payload }) => this.#giveInflight(decode(inflightDescription, payload)),
      },
      setInflightFd: {
        name: 'SET_INFLIGHT_FD',
        bytes: inflightDescription.length,
        descriptors: 1,
        act: ({ payload, descriptors }) => this.#setInflight(decode(inflightDescription, payload), descriptors),
      },
    };
  }

  /** Forgets the rings, because the device has ended. */
  close(): void {
    this.#isClosed = true;
    for (const ring of this.#rings) closeEvents(ring);
    this.#inflight?.unmap();
  }

  #at(number: number): Ring {
    const ring = this.#rings[number];
    if (!ring) throw new MessageError(`ring ${number}: there are ${queuesMax}`);
    return ring;
  }

  /** A ring that may be described anew. */
  #stopped(number: number): Ring {
    const ring = this.#at(number);
    if (this.#device.has(number)) throw new MessageError(`ring ${number} is changed while it runs`);
    return ring;
  }

  #setSize({ ring, value }: RingState): undefined {
    if (value === 0 || value > queueSizeMax || (value & (value - 1)) !== 0)
      throw new MessageError(`a ring of ${value} descriptors: it has a power of two, ${queueSizeMax} at most`);
    this.#stopped(ring).size = value;
  }

  #setBase({ ring, value }: RingState): undefined {
    this.#stopped(ring).base = value;
  }

  #setAddresses({ ring, flags, ...addresses }: RingAddresses & { ring: number; flags: number }): undefined {
    if (flags !== 0) throw new MessageError('it wants a log for live migration, which is not offered');
    this.#stopped(ring).addresses = addresses;
  }

  #enable({ ring, value }: RingState): undefined {
    this.#at(ring).isEnabled = value === 1;
    this.#device.enable(ring, value === 1);
  }

  /** Starts the ring, which runs from here on as soon as it is enabled. */
  #setKick(value: bigint, descriptors: readonly number[]): undefined {
    const number = Number(value & vringDescriptor.ringMask);
    const fd = eventOf(value, descriptors);
    if (fd < 0) throw new MessageError('a ring without kicks: polling it is not offered');
    const ring = this.#rings[number];
    if (!ring || this.#device.has(number) || ring.kick >= 0) {
      closeForeign(fd);
      throw new MessageError(`a kick for ring ${number}, which has one or is none`);
    }
    ring.kick = fd;
    const { size, base, addresses } = ring;
    if (size === 0 || !addresses) throw new MessageError(`ring ${number} is started before it is described`);
    const { features } = this.#device;
    const queue = new VirtQueue(this.#memory(), {
      size,
      base,
      addresses,
      eventIndex: (features & feature.eventIndex) !== 0n,
      indirect: (features & feature.indirectDescriptors) !== 0n,
      shape: shapeOf(number),
    });
    queue.call = ring.call;
    const part = this.#inflight?.partOf(number, size);
    if (part) queue.track(part);
    // Without protocol features, there is no message that enables the ring.
    if ((features & feature.protocolFeatures) === 0n) ring.isEnabled = true;
    this.#device.start(number, queue, fd, ring.isEnabled);
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
    const queue = this.#device.queueOf(number);
    if (queue) queue.call = fd;
  }

  /** Stops a ring. It takes nothing more, and has no request under way when this is answered. */
  async #stop(number: number): Promise<Buffer> {
    const ring = this.#at(number);
    const queue = await this.#device.stop(number);
    const base = queue ? queue.next : ring.base;
    if (!this.#isClosed) closeEvents(ring);
    ring.base = base;
    return encode(ringState, { ring: number, value: base });
  }

  /** Stops all rings, which are to be described again. */
  async #resetAll(): Promise<undefined> {
    await Promise.all(this.#rings.map((_, number) => this.#device.stop(number)));
    if (this.#isClosed) return;
    for (const [number, ring] of this.#rings.entries()) {
      closeEvents(ring);
      this.#rings[number] = noRing();
    }
    await this.#reset();
  }

  #giveInflight(wanted: InflightDescription): MessageAnswer {
    const bytes = inflightMemoryBytes(wanted);
    if (bytes === undefined) throw new MessageError(`memory for requests in flight of ${wanted.queues} queues`);
    const fd = createShared('tcli-inflight', bytes);
    const description = { ...wanted, bytes, offset: 0 };
    this.#takeInflight(description, fd);
    return { payload: encode(inflightDescription, description), descriptors: [fd] };
  }

  #setInflight(description: InflightDescription, descriptors: readonly number[]): undefined {
    try {
      return this.#takeInflight(description, descriptors[0]);
    } finally {
      closeAll(descriptors);
    }
  }

  #takeInflight(description: InflightDescription, fd: number | undefined): undefined {
    if (fd === undefined) throw new MessageError('SET_INFLIGHT_FD without a descriptor');
    if (this.#rings.some((_, ring) => this.#device.has(ring)))
      throw new MessageError('memory for requests in flight comes while rings run');
    const memory = InflightMemory.of(description, fd);
    if (!memory) throw new MessageError('memory for requests in flight that does not fit');
    this.#inflight?.unmap();
    this.#inflight = memory;
  }
}

/** The eventfd that comes with a message; -1 where the message says that there is none. */
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
