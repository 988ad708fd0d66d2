/** A virtio-scsi device (VIRTIO 1.2 clause 5.6): requests of the guest become tasks of a nexus, and their ends responses. */

import { admitTask, awaitLimits, executeTask, readFailed, retireTask } from '../scsi/device-server.ts';
import type { PlainAccess } from '../scsi/logical-unit.ts';
import { dataOutBytesMax } from '../scsi/opcode.ts';
import { countPlain, plainPosition, writePlain } from '../scsi/plain-access.ts';
import { type Completion, type Extent, status, Task, type TaskAttribute } from '../scsi/task.ts';
import { dataMemory } from '../system/memory-budget.ts';
import { PipeCopy } from '../system/pipe-copy.ts';
import { Tally, type Traffic } from '../target/traffic.ts';
import { command, putResponse, readAddress, response, responses } from '../wire/virtio-scsi.ts';
import { deviceBytesMax } from './limits.ts';
import { type ChainRequest, type ChainShape, cutPieces, gatherPieces, isScattered, scatterPieces } from './request.ts';
import type { VhostSession } from './session.ts';
import type { VirtQueue } from './virtqueue.ts';

/** The shape of chains of the queues for commands. */
export const commandShape: ChainShape = { headerBytes: command.length, responseBytes: response.length };

/** The task attributes by number (VIRTIO 1.2 5.6.6.1, task_attr). */
const attributes: readonly TaskAttribute[] = ['simple', 'ordered', 'head of queue', 'aca'];

const simpleAttribute = attributes.indexOf('simple');

const { cdb, address, attribute } = command.fields;
const senseAt = response.fields.sense.at;

/** A command of the fast path, and where its data begins on the medium. */
interface FastCommand {
  readonly queue: VirtQueue;
  readonly request: ChainRequest;
  readonly session: VhostSession;
  readonly lun: number;
  readonly traffic: Traffic | undefined;
  readonly plain: PlainAccess;
  readonly position: number;
}

/** The SCSI side of one device. */
export class ScsiDevice {
  readonly #sessionOf: (target: number) => VhostSession | undefined;
  readonly #memory = dataMemory.account(deviceBytesMax);
  readonly #response = new Uint8Array(response.length);
  /** The queues that have used requests to publish. */
  readonly #dirty = new Set<VirtQueue>();
  /** The callers that wait for a command to be used. */
  #waiting: (() => void)[] = [];
  readonly #tally = new Tally(performance);
  #lastTag = 0;
  /** The copies to the guest of pages that were lent in this batch, and their commands. */
  readonly #copy = new PipeCopy();
  #lent: FastCommand[] = [];

  /** @param sessionOf the session with the TPG of a target number */
  constructor(sessionOf: (target: number) => VhostSession | undefined) {
    this.#sessionOf = sessionOf;
  }

  /** Runs a command. It may end at once or later; `publish` shows the guest all commands that have ended. */
  run(queue: VirtQueue, request: ChainRequest): void {
    if (request.headerLength < command.length || request.responseLength < response.length) {
      // A request without room for a response gets none.
      this.#use(queue, request, 0);
      return;
    }
    const { header } = request;
    const { target, lun } = readAddress(header, address.at);
    const session = this.#sessionOf(target);
    // VIRTIO_SCSI_F_INOUT is not offered, so data in both directions is refused.
    const isBoth = request.dataOutLength > 0 && request.dataInLength > 0;
    if (!session || isBoth) {
      this.#refuse(queue, request, session ? responses.failure : responses.badTarget);
      return;
    }
    if (!this.#runPlain(queue, request, session, lun)) this.#runTask(queue, request, session, lun);
  }

  /** Hands a command to the device server. */
  #runTask(queue: VirtQueue, request: ChainRequest, session: VhostSession, lun: number): void {
    const { header } = request;
    this.#lastTag += 1;
    const task = new Task({
      nexus: session.nexus,
      lun,
      unit: session.units.view(lun),
      cdb: cdb.get(header, 0),
      attribute: attributes[attribute.get(header, 0)] ?? 'simple',
      tag: this.#lastTag,
      dataOutOffered: request.dataOutLength,
      dataInOffered: request.dataInLength,
    });
    request.task = task;
    request.session = session;
    request.lun = lun;
    request.arrivedAt = this.#tally.now();
    session.outstanding += 1;
    const refusal = admitTask(task);
    if (refusal) this.#answer(queue, request, task, refusal);
    else if (task.dataOutAsked > request.dataOutLength) {
      retireTask(task);
      this.#end(queue, request, responses.overrun, status.good, undefined, 0);
    } else if (task.dataOutLength === 0) this.#execute(queue, request, task, false);
    else this.#takeData(queue, request, task);
  }

  /**
   * The fast path: a READ or WRITE that nothing obstructs, and whose data is one piece of the guest's memory, begins and ends here. Pages
   * that are lent go to as many pieces as there are, at the end of the batch.
   * @returns false where nothing has happened, and the device server has to take it
   */
  #runPlain(queue: VirtQueue, request: ChainRequest, session: VhostSession, lun: number): boolean {
    const { header, dataIn, dataOut, dataInLength, dataOutLength } = request;
    const isRead = dataOutLength === 0;
    const [piece] = isRead ? dataIn : dataOut;
    const isWhole = dataIn.length + dataOut.length === 1;
    if (!piece || (!isWhole && !isRead) || attribute.get(header, 0) !== simpleAttribute) return false;
    const reach = session.units.reach(lun);
    if (!reach) return false;
    const { view, traffic } = reach;
    const kind = isRead ? 'read' : 'write';
    const position = plainPosition(kind, session.nexus, view, header, cdb.at, dataInLength + dataOutLength);
    if (position < 0) return false;
    const lu = view.storageObject;
    const plain = lu.plain!;
    const command = { queue, request, session, lun, traffic, plain, position };
    if (isRead && plain.lends && this.#lend(command)) return true;
    if (!isWhole) return false;
    const isDone = isRead ? plain.volume!.readNow?.(piece, position) === true : writePlain(lu, piece, position);
    request.tried = !isDone;
    if (isDone) this.#endPlain(kind, command);
    return isDone;
  }

  /** Keeps a read for the end of the batch, if its volume reads by a system call and can lend its pages. @returns whether it did */
  #lend(read: FastCommand): boolean {
    const { queue, request, plain, position } = read;
    const { dataIn, dataInAddresses, dataInLength: length } = request;
    const volume = plain.volume!;
    const copy = this.#copy;
    // Other volumes that lend are memory of ours, which is copied without a call.
    if (!volume.straight || !volume.lend) return false;
    // For one piece that comes alone, one call is quicker than two.
    if (this.#lent.length === 0 && dataIn.length === 1 && !queue.hasMore) return false;
    if (!copy.mayTake(position, length, dataIn.length)) return false;
    if (!copy.takes(position, length, dataIn.length)) this.#moveLent();
    if (!volume.lend(position, length, copy.from)) return false;
    for (let i = 0; i < dataIn.length; i += 1) copy.into.add(dataInAddresses[i]!, dataIn[i]!.length);
    copy.added(position, length);
    this.#lent.push(read);
    return true;
  }

  /** Moves the pages that were lent to the guest. */
  #moveLent(): void {
    const reads = this.#lent;
    if (reads.length === 0) return;
    this.#lent = [];
    const isMoved = this.#copy.copy();
    for (const read of reads)
      if (isMoved) this.#endPlain('read', read);
      else this.#runTask(read.queue, read.request, read.session, read.lun);
  }

  #endPlain(kind: 'read' | 'write', { queue, request, session, traffic, plain }: FastCommand): void {
    const { dataInLength, dataOutLength } = request;
    countPlain(kind, plain, dataInLength + dataOutLength);
    this.#tally.count(session.traffic, traffic, true, dataInLength, dataOutLength, this.#tally.now());
    this.#putResponse(request, responses.ok, status.good, 0, undefined);
    this.#use(queue, request, response.length + dataInLength);
  }

  /** Takes data-out. A plain write uses the guest's memory itself; all other data is copied first, since the guest may change it. */
  #takeData(queue: VirtQueue, request: ChainRequest, task: Task): void {
    const [first] = request.dataOut;
    const { dataOutLength: length } = task;
    if (first && request.dataOut.length === 1 && task.command?.row.lands) {
      task.dataOut = first.length === length ? first : first.subarray(0, length);
      this.#execute(queue, request, task, false);
      return;
    }
    // A command that waits for the limits of its LUN takes no memory from those that need not.
    const limited = awaitLimits(task);
    if (limited === undefined) {
      this.#copyData(queue, request, task, false);
      return;
    }
    this.#hold(queue, request);
    void limited.then((completion) => {
      if (completion) this.#answer(queue, request, task, completion);
      else this.#copyData(queue, request, task, true);
    });
  }

  #copyData(queue: VirtQueue, request: ChainRequest, task: Task, waited: boolean): void {
    const { dataOutLength: length } = task;
    const bytes = Math.min(length, dataOutBytesMax);
    const go = () => {
      const buffer = Buffer.allocUnsafeSlow(bytes);
      gatherPieces(request.dataOut, 0, buffer);
      task.dataOut = buffer;
      let done = bytes;
      if (done < length)
        task.fetch = async () => {
          const piece = buffer.subarray(0, Math.min(buffer.length, length - done));
          gatherPieces(request.dataOut, done, piece);
          done += piece.length;
          return piece;
        };
    };
    request.reserved = bytes;
    if (this.#memory.take(bytes)) {
      go();
      this.#execute(queue, request, task, waited);
      return;
    }
    request.waits = true;
    this.#hold(queue, request);
    this.#memory.whenTaken(bytes, () => {
      // Task management may have ended the request.
      if (request.task !== task || !request.waits) return this.#memory.giveBack(bytes);
      request.waits = false;
      go();
      this.#execute(queue, request, task, true);
    });
  }

  #execute(queue: VirtQueue, request: ChainRequest, task: Task, waited: boolean): void {
    const result = executeTask(task, waited);
    if (result instanceof Promise) {
      this.#hold(queue, request);
      void result.then((completion) => this.#answer(queue, request, task, completion));
    } else this.#answer(queue, request, task, result);
  }

  /** Holds the guest's memory, which stays where it is as long as the volume may write to it. */
  #hold(queue: VirtQueue, request: ChainRequest): void {
    if (request.held) return;
    request.held = queue.memory;
    request.held.hold();
  }

  #answer(queue: VirtQueue, request: ChainRequest, task: Task, completion: Completion): void {
    const { dataIn } = completion;
    if (!dataIn || completion.status !== status.good || task.aborted) {
      const isGood = completion.status === status.good && !task.aborted;
      this.#respond(queue, request, task, completion, 0, isGood ? task.dataOutAsked : 0);
    } else if (dataIn.length > request.dataInLength) {
      retireTask(task);
      this.#end(queue, request, responses.overrun, status.good, undefined, 0);
    } else if (dataIn instanceof Uint8Array)
      this.#respond(queue, request, task, completion, scatterPieces(dataIn, request.dataIn), 0);
    else this.#read(queue, request, task, completion, dataIn);
  }

  /** Reads from the volume straight into the guest's memory. */
  #read(queue: VirtQueue, request: ChainRequest, task: Task, completion: Completion, extent: Extent): void {
    const pieces = request.dataIn;
    const { volume, position, length } = extent;
    if (isScattered(pieces, length)) {
      const buffer = Buffer.allocUnsafe(length);
      this.#readInto(queue, request, task, completion, extent, [buffer], () => scatterPieces(buffer, pieces));
      return;
    }
    const [first] = pieces;
    if (pieces.length === 1 && first?.length === length && !request.tried && volume.readNow?.(first, position)) {
      this.#respond(queue, request, task, completion, length, 0);
      return;
    }
    this.#readInto(queue, request, task, completion, extent, cutPieces(pieces, length), () => length);
  }

  #readInto(
    queue: VirtQueue,
    request: ChainRequest,
    task: Task,
    completion: Completion,
    { volume, position, length }: Extent,
    pieces: readonly Uint8Array[],
    finish: () => number,
  ): void {
    const slow: Promise<void>[] = [];
    let at = position;
    for (const piece of pieces) {
      if (request.tried || !volume.readNow?.(piece, at)) slow.push(volume.read(piece, at));
      at += piece.length;
    }
    if (slow.length === 0) {
      finish();
      this.#respond(queue, request, task, completion, length, 0);
      return;
    }
    this.#hold(queue, request);
    void Promise.allSettled(slow).then((results) => {
      const failure = results.find((one) => one.status === 'rejected');
      if (failure) return this.#respond(queue, request, task, readFailed(task, failure.reason), 0, 0);
      finish();
      this.#respond(queue, request, task, completion, length, 0);
    });
  }

  #respond(
    queue: VirtQueue,
    request: ChainRequest,
    task: Task,
    completion: Completion,
    read: number,
    written: number,
  ): void {
    retireTask(task);
    const code = task.aborted ? (request.abortedByInitiator ? responses.aborted : responses.reset) : responses.ok;
    const { status: ended, sense } = completion;
    this.#end(queue, request, code, task.aborted ? 0 : ended, sense, read, written);
  }

  /** Answers a request that becomes no task: its target does not exist, or the request is malformed. */
  #refuse(queue: VirtQueue, request: ChainRequest, code: number): void {
    this.#putResponse(request, code, 0, 0, undefined);
    this.#use(queue, request, response.length);
  }

  #end(
    queue: VirtQueue,
    request: ChainRequest,
    code: number,
    ended: number,
    sense: Uint8Array | undefined,
    read: number,
    written = 0,
  ): void {
    const session = request.session!;
    session.outstanding -= 1;
    const good = code === responses.ok && ended === status.good;
    const traffic = session.units.reach(request.lun)?.traffic;
    this.#tally.count(session.traffic, traffic, good, read, written, request.arrivedAt);
    if (request.reserved > 0) this.#memory.giveBack(request.reserved);
    const moved = read + Math.min(written, request.dataOutLength);
    this.#putResponse(request, code, ended, request.dataInLength + request.dataOutLength - moved, sense);
    this.#use(queue, request, response.length + read);
  }

  #putResponse(
    request: ChainRequest,
    code: number,
    ended: number,
    residual: number,
    sense: Uint8Array | undefined,
  ): void {
    const [whole] = request.response;
    if (whole?.length === response.length) {
      for (let at = 0; at < senseAt; at += 1) whole[at] = 0;
      putResponse(whole, code, ended, residual, sense);
      return;
    }
    this.#response.fill(0);
    putResponse(this.#response, code, ended, residual, sense);
    scatterPieces(this.#response, request.response);
  }

  #use(queue: VirtQueue, request: ChainRequest, written: number): void {
    queue.use(request, written);
    if (this.#waiting.length > 0) for (const resume of this.#waiting.splice(0)) resume();
    if (this.#dirty.size === 0) queueMicrotask(this.publish);
    this.#dirty.add(queue);
  }

  /** Resolves when the next command has been used. */
  used(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Shows the guest the commands that have ended, and notifies it once: at the end of a batch, or of the turn. */
  readonly publish = (): void => {
    this.#moveLent();
    if (this.#dirty.size === 0) return;
    for (const queue of this.#dirty) queue.publish();
    this.#dirty.clear();
  };

  /** Answers requests that task management has aborted before they began; nothing waits for their memory any more. */
  dropWaiting(queue: VirtQueue): void {
    for (const request of queue.busy()) {
      const { task } = request;
      if (!request.waits || !task?.aborted) continue;
      request.waits = false;
      request.reserved = 0;
      this.#respond(queue, request, task, { status: status.taskAborted }, 0, 0);
    }
  }

  /** Forgets the requests that wait for memory. */
  close(): void {
    this.#memory.close();
    this.#copy.close();
  }
}
