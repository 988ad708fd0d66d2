/** A device as its rings drive it: the order in which queues are looked at, and the events that the guest is told of by itself. */

import { type Log, logBug } from '../log.ts';
import { type WatchedEvent, watchEvent } from '../system/eventfd.ts';
import { type AwaitedConnection, linger } from '../system/linger.ts';
import { beginSlice, endSlice, forgetClient, inNextSlice, type Sharer, sliceIsOver } from '../system/time-slice.ts';
import { encode } from '../wire/layout.ts';
import { eventRecord, events, feature, queue, transportReset, writeAddress } from '../wire/virtio-scsi.ts';
import { carryOutControl, controlShape } from './control.ts';
import type { GuestMemory } from './guest-memory.ts';
import { commandsAtOnceMax, eventsMax } from './limits.ts';
import { type ChainRequest, type ChainShape, scatterPieces } from './request.ts';
import { commandShape, ScsiDevice } from './scsi-device.ts';
import type { LunChange, VhostSession } from './session.ts';
import type { VirtQueue } from './virtqueue.ts';

const eventShape: ChainShape = { headerBytes: 0, responseBytes: eventRecord.length };

/** The shape of the chains of a queue. */
export const shapeOf = (ring: number): ChainShape =>
  ring === queue.control ? controlShape : ring === queue.event ? eventShape : commandShape;

/** A ring that runs. */
class Running implements AwaitedConnection, Sharer {
  readonly ring: number;
  readonly queue: VirtQueue;
  readonly #serve: (running: Running) => boolean;
  watched: WatchedEvent | undefined;
  isEnabled = false;
  /** Whether more of the ring waits for the next turn. */
  isScheduled = false;
  hasEnded = false;

  constructor(ring: number, queue: VirtQueue, serve: (running: Running) => boolean) {
    this.ring = ring;
    this.queue = queue;
    this.#serve = serve;
  }

  get waits(): boolean {
    return this.isEnabled && !this.hasEnded && this.queue.hasMore;
  }

  look(): boolean | undefined {
    return this.hasEnded || !this.isEnabled ? undefined : this.#serve(this);
  }
}

/** The front-end that a device belongs to. */
export interface DeviceHost {
  sessionOf(target: number): VhostSession | undefined;
  /** Ends the device, because the guest has written something impossible. */
  fail(error: unknown): void;
  readonly log: Log;
}

/** The device of one front-end. */
export class Device {
  readonly #host: DeviceHost;
  readonly #scsi: ScsiDevice;
  readonly #rings = new Map<number, Running>();
  /** The features that the driver has accepted. */
  features = 0n;
  /** Events that wait for the guest to have room for them. */
  #events: Uint8Array[] = [];
  #hasMissed = false;

  constructor(host: DeviceHost) {
    this.#host = host;
    this.#scsi = new ScsiDevice((target) => host.sessionOf(target));
  }

  /** Whether a ring runs. */
  has(ring: number): boolean {
    return this.#rings.has(ring);
  }

  queueOf(ring: number): VirtQueue | undefined {
    return this.#rings.get(ring)?.queue;
  }

  /** Starts a ring. @param kick the eventfd by which the guest says that there is something; the caller closes it after `stop` */
  start(ring: number, queue: VirtQueue, kick: number, enabled: boolean): void {
    const running = new Running(ring, queue, (one) => this.#serve(one));
    running.isEnabled = enabled;
    running.watched = watchEvent(kick, () => void this.#serve(running));
    this.#rings.set(ring, running);
    this.#schedule(running);
  }

  enable(ring: number, enabled: boolean): void {
    const running = this.#rings.get(ring);
    if (!running) return;
    running.isEnabled = enabled;
    // The guest may have kicked before.
    if (enabled) this.#schedule(running);
  }

  /** Takes nothing more from a ring. @returns the queue, when every request that was taken is used */
  async stop(ring: number): Promise<VirtQueue | undefined> {
    const running = this.#rings.get(ring);
    if (!running) return undefined;
    this.#end(running);
    await running.queue.idle();
    this.#scsi.publish();
    running.queue.publish();
    this.#rings.delete(ring);
    return running.queue;
  }

  /** Ends every ring at once; requests in flight are used where nobody looks any more. */
  close(): void {
    for (const running of this.#rings.values()) {
      this.#end(running);
      running.queue.abandon();
    }
    this.#rings.clear();
    this.#scsi.close();
  }

  #end(running: Running): void {
    running.hasEnded = true;
    forgetClient(running);
    running.watched?.close();
    running.watched = undefined;
  }

  /** Follows a change of the guest's memory. @throws RingError */
  relocate(memory: GuestMemory): void {
    for (const { queue } of this.#rings.values()) queue.relocate(memory);
  }

  /** Tells the guest the changes of a target's LUNs, if its driver can hear of them. */
  tell(target: number, changes: readonly LunChange[]): void {
    for (const { lun, what } of changes) {
      const address = writeAddress(target, lun);
      if (what === 'resized') {
        // CAPACITY DATA HAS CHANGED, 2Ah/09h.
        if ((this.features & feature.change) !== 0n)
          this.#push(encode(eventRecord, { what: events.parameterChange, address, reason: 0x092a }));
        continue;
      }
      if ((this.features & feature.hotplug) === 0n) continue;
      const reason = what === 'added' ? transportReset.rescan : transportReset.removed;
      this.#push(encode(eventRecord, { what: events.transportReset, address, reason }));
    }
    const running = this.#rings.get(queue.event);
    if (running?.isEnabled) this.#serve(running);
  }

  #push(event: Uint8Array): void {
    if (this.#events.length < eventsMax) this.#events.push(event);
    else this.#hasMissed = true;
  }

  /** Goes on with a ring in the next turn of the event loop. */
  #schedule(running: Running): void {
    if (running.isScheduled) return;
    running.isScheduled = true;
    inNextSlice(() => {
      running.isScheduled = false;
      this.#serve(running);
    });
  }

  /** Serves a ring. @returns whether there was a request */
  #serve(running: Running): boolean {
    if (running.hasEnded || !running.isEnabled) return false;
    try {
      if (running.ring === queue.event) return this.#deliver(running.queue);
      return running.ring === queue.control ? this.#manageAll(running) : this.#runAll(running);
    } catch (error) {
      endSlice();
      // The commands before it are answered.
      this.#scsi.publish();
      this.#host.fail(error);
      return false;
    }
  }

  #runAll(running: Running): boolean {
    const { queue } = running;
    queue.quiet();
    let count = 0;
    for (;;) {
      const isOver = count >= commandsAtOnceMax || (count > 0 && sliceIsOver());
      const request = isOver ? undefined : queue.take();
      if (request) {
        if (count === 0) beginSlice(running);
        count += 1;
        this.#scsi.run(queue, request);
        continue;
      }
      this.#scsi.publish();
      if (isOver) this.#schedule(running);
      if (isOver || !queue.listen()) break;
    }
    endSlice();
    if (count > 0 && !running.isScheduled) linger(running);
    return count > 0;
  }

  #manageAll({ queue }: Running): boolean {
    queue.quiet();
    // Commands that the guest has sent before the control request have to be here first.
    for (const one of this.#rings.values()) if (one.ring >= firstRequest) this.#serve(one);
    let any = false;
    do
      for (let request = queue.take(); request; request = queue.take()) {
        any = true;
        void this.#manage(queue, request);
      }
    while (queue.listen());
    return any;
  }

  async #manage(queue: VirtQueue, request: ChainRequest): Promise<void> {
    try {
      request.held = queue.memory;
      request.held.hold();
      const answer = await carryOutControl(request, {
        sessionOf: (target) => this.#host.sessionOf(target),
        inFlight: () => this.#inFlight(),
        aborted: (session) => this.#aborted(session),
      });
      const written = answer ? scatterPieces(answer, [...request.response, ...request.dataIn]) : 0;
      queue.use(request, written);
      queue.publish();
    } catch (error) {
      logBug(this.#host.log, 'vhost control queue', error);
    }
  }

  *#inFlight(): IterableIterator<ChainRequest> {
    for (const { ring, queue } of this.#rings.values()) if (ring >= firstRequest) yield* queue.busy();
  }

  /** Resolves when no aborted command of a session is on its way any more: its buffers are the guest's again. */
  async #aborted(session: VhostSession): Promise<void> {
    for (const { ring, queue } of this.#rings.values()) if (ring >= firstRequest) this.#scsi.dropWaiting(queue);
    const isOpen = () => [...this.#inFlight()].some((one) => one.session === session && one.task?.aborted);
    while (isOpen()) await this.#scsi.used();
    this.#scsi.publish();
  }

  /** Tells the guest the events that it has room for. */
  #deliver(queue: VirtQueue): boolean {
    let any = false;
    while (this.#events.length > 0 || this.#hasMissed) {
      const request = queue.take();
      if (!request) break;
      any = true;
      const [next = encode(eventRecord, { what: events.none })] = this.#events;
      this.#events.shift();
      // More events came than could be kept: the guest looks for itself (5.6.6.3).
      const { what } = eventRecord.fields;
      if (this.#hasMissed) what.set(next, 0, what.get(next, 0) | events.missed);
      this.#hasMissed = false;
      queue.use(request, scatterPieces(next, request.response));
    }
    queue.publish();
    queue.listen();
    return any;
  }
}

const { firstRequest } = queue;
