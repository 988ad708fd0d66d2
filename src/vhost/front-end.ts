/** One front-end (QEMU, or another that speaks vhost-user): its messages make the device. An impossible message ends its connection. */

import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { decode, encode } from '../wire/layout.ts';
import { numberPayload, protocolFeature } from '../wire/vhost-user.ts';
import { feature } from '../wire/virtio-scsi.ts';
import { Device } from './device.ts';
import { MemoryTable } from './guest-memory.ts';
import { memorySlotsMax, queuesMax } from './limits.ts';
import { MessageError, Messages, type Rows } from './messages.ts';
import { Rings } from './rings.ts';
import type { VhostSession } from './session.ts';

/** The features that are offered to the driver. T10 PI, INOUT, IOMMU, packed rings and the log of a migration are not. */
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

export interface FrontEndHost {
  readonly log: Log;
  sessionOf(target: number): VhostSession | undefined;
  /** Called when the guest has reset its device: the state that its nexus held is lost. */
  reset(): Promise<void>;
  /** Called when the front-end is gone. */
  ended(): void;
}

/** One connected front-end. */
export class FrontEnd {
  readonly device: Device;
  readonly #messages: Messages;
  readonly #memory: MemoryTable;
  readonly #rings: Rings;
  readonly #host: FrontEndHost;
  readonly #where: Readonly<Record<string, string | number>>;
  #hasEnded = false;

  /** @param fd of its socket, which the front-end closes @param where for the log: the target's path, and the peer */
  constructor(fd: number, host: FrontEndHost, where: Readonly<Record<string, string | number>>) {
    this.#host = host;
    this.#where = where;
    const fail = (error: unknown) => this.#fail(error);
    this.device = new Device({ log: host.log, sessionOf: (target) => host.sessionOf(target), fail });
    this.#memory = new MemoryTable((memory) => this.device.relocate(memory));
    this.#rings = new Rings(
      this.device,
      () => this.#memory.current,
      () => host.reset(),
    );
    this.#messages = new Messages(
      fd,
      { ...this.#rows(), ...this.#memory.rows(), ...this.#rings.rows() },
      { fail, ended: () => this.close('it has closed the connection') },
    );
  }

  /** Whether the front-end has connected and said nothing. */
  get isSilent(): boolean {
    return this.#messages.isSilent;
  }

  /** Ends the connection; the device goes away under its guest. */
  close(why: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#messages.close();
    this.device.close();
    this.#rings.close();
    this.#memory.close();
    this.#host.log({ level: 'info', event: 'vhost front-end gone', detail: { ...this.#where, reason: why } });
    this.#host.ended();
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    const detail = { ...this.#where, reason: reasonOf(error) };
    this.#host.log({ level: 'warning', event: 'vhost front-end dropped', detail });
    this.close(reasonOf(error));
  }

  /** The requests by QEMU, docs/interop/vhost-user.rst, "Front-end message types". */
  #rows(): Rows {
    const { device } = this;
    return {
      getFeatures: { name: 'GET_FEATURES', act: () => encode(numberPayload, { value: features }) },
      setFeatures: {
        name: 'SET_FEATURES',
        bytes: numberPayload.length,
        act({ payload }) {
          const wanted = decode(numberPayload, payload).value;
          refuseOthers(wanted, features);
          // Without VIRTIO_F_VERSION_1 the driver is a legacy one (OVMF's): rings and requests are the same on machines that are little-endian.
          device.features = wanted;
          return undefined;
        },
      },
      setOwner: { name: 'SET_OWNER', act: () => undefined },
      resetOwner: { name: 'RESET_OWNER', act: () => undefined },
      getProtocolFeatures: {
        name: 'GET_PROTOCOL_FEATURES',
        act: () => encode(numberPayload, { value: protocolFeatures }),
      },
      setProtocolFeatures: {
        name: 'SET_PROTOCOL_FEATURES',
        bytes: numberPayload.length,
        act: ({ payload }) => refuseOthers(decode(numberPayload, payload).value, protocolFeatures),
      },
      getQueueNum: { name: 'GET_QUEUE_NUM', act: () => encode(numberPayload, { value: BigInt(queuesMax) }) },
      getMaxMemSlots: {
        name: 'GET_MAX_MEM_SLOTS',
        act: () => encode(numberPayload, { value: BigInt(memorySlotsMax) }),
      },
    };
  }
}

function refuseOthers(wanted: bigint, offered: bigint): undefined {
  if ((wanted & ~offered) !== 0n)
    throw new MessageError(`features ${(wanted & ~offered).toString(16)}h, which were not offered`);
}
