/** A logical unit as an export: NBD requests become SCSI commands of the target's own I_T nexus, and sense becomes errors. */

import { admitTask, executeTask, readFailed, retireTask } from '../scsi/device-server.ts';
import type { Nexus, StorageObject } from '../scsi/logical-unit.ts';
import { offersFua } from '../scsi/mode-pages.ts';
import { cdbOf } from '../scsi/opcode.ts';
import { decodeLbaStatus, lbaStatusBytes, offersUnmap, offersWriteSameUnmap, unmapList } from '../scsi/provisioning.ts';
import { blockCommands } from '../scsi/sbc.ts';
import { decodeSense, type Sense, sense, senseKey } from '../scsi/sense.ts';
import { type Completion, status, Task } from '../scsi/task.ts';
import { countCommand, type Traffic } from '../target/traffic.ts';
import { type Export, type Geometry, NbdError, type Range, type StatusExtent } from './export.ts';
import { attemptsMax } from './limits.ts';

const none: Uint8Array = new Uint8Array();

/** Blocks in one WRITE SAME or UNMAP where the attributes set no limit. */
const pieceBlocksMax = 0x400000;

/** A LUN as an export. */
export class LogicalUnitExport implements Export {
  readonly name: string;
  readonly #nexus: Nexus;
  readonly #lun: number;
  readonly #traffic: Traffic;
  #lastTag = 0;

  /** @param traffic the counts of its commands */
  constructor(nexus: Nexus, lun: number, traffic: Traffic) {
    this.name = `lun${lun}`;
    this.#nexus = nexus;
    this.#lun = lun;
    this.#traffic = traffic;
  }

  get #storageObject(): StorageObject {
    const view = this.#nexus.view(this.#lun);
    if (!view) throw new NbdError('EIO', `${this.name} is gone`);
    return view.storageObject;
  }

  get description(): string {
    return this.#nexus.view(this.#lun)?.storageObject.path ?? '';
  }

  get serial(): string | undefined {
    return this.#nexus.view(this.#lun)?.storageObject.wwn;
  }

  get medium(): object | undefined {
    return this.#nexus.view(this.#lun)?.storageObject.volume;
  }

  get isLimited(): boolean {
    return this.#nexus.view(this.#lun)?.limits !== undefined;
  }

  geometry(): Geometry | undefined {
    const view = this.#nexus.view(this.#lun);
    const volume = view?.storageObject.volume;
    if (!view || !volume) return undefined;
    const { storageObject: lu } = view;
    const { is_nonrot, emulate_caw } = lu.attributes.values;
    return {
      size: lu.blocks * lu.blockSize,
      // The blocks at the edges of a range are changed in part, which COMPARE AND WRITE makes safe.
      minimumBlock: emulate_caw === 1 ? 1 : lu.blockSize,
      preferredBlock: Math.max(4096, lu.blockSize),
      readOnly: view.writeProtected || volume.readOnly,
      rotational: is_nonrot === 0,
      trims: offersUnmap(lu),
      // A device that answers for itself may have WRITE SAME or not, which nobody knows here.
      zeroes: volume.passThrough === undefined,
      zeroesFast: volume.writeZeroes !== undefined,
    };
  }

  async read({ offset, length }: Range, into: Uint8Array): Promise<void> {
    const { blockSize } = this.#storageObject;
    const { lba, blocks, before } = this.#cover(offset, length);
    if (blocks * blockSize === length) return this.#readBlocks(lba, into);
    const covering = Buffer.allocUnsafe(blocks * blockSize);
    await this.#readBlocks(lba, covering);
    into.set(covering.subarray(before, before + length));
  }

  async #readBlocks(lba: number, into: Uint8Array): Promise<void> {
    const { blockSize } = this.#storageObject;
    for (const [first, blocks] of this.#pieces(lba, into.length / blockSize, this.#transferBlocksMax)) {
      const from = (first - lba) * blockSize;
      await this.#command(
        cdbOf(blockCommands.read16, { lba: first, blocks }),
        none,
        into.subarray(from, from + blocks * blockSize),
      );
    }
  }

  async write(range: Range, from: Uint8Array, fua: boolean): Promise<void> {
    const inCommand = fua && offersFua(this.#storageObject);
    await this.#inBlocks(range, inCommand, {
      part: (block, at, offset, length) => block.set(from.subarray(offset, offset + length), at),
      whole: async (lba, blocks, offset) => {
        const { blockSize } = this.#storageObject;
        for (const [first, count] of this.#pieces(lba, blocks, this.#transferBlocksMax)) {
          const start = offset + (first - lba) * blockSize;
          const cdb = cdbOf(blockCommands.write16, { lba: first, blocks: count, fua: inCommand });
          await this.#command(cdb, from.subarray(start, start + count * blockSize));
        }
      },
    });
    if (fua && !inCommand) await this.flush();
  }

  async writeZeroes(range: Range, mayTrim: boolean, fua: boolean): Promise<void> {
    await this.#inBlocks(range, false, {
      part: (block, at, _offset, length) => block.fill(0, at, at + length),
      whole: async (lba, blocks) => {
        const lu = this.#storageObject;
        const unmap = mayTrim && offersWriteSameUnmap(lu);
        // NDOB means blocks of zeros (SBC-3 5.44).
        for (const [first, count] of this.#pieces(lba, blocks, lu.attributes.values.max_write_same_len))
          await this.#command(cdbOf(blockCommands.writeSame16, { lba: first, blocks: count, unmap, ndob: true }));
      },
    });
    if (fua) await this.flush();
  }

  flush(): Promise<void> {
    return this.#command(cdbOf(blockCommands.synchronizeCache16));
  }

  /** Trims a range. TRIM is a hint: blocks that the range fills only in part stay. */
  async trim({ offset, length }: Range, fua: boolean): Promise<void> {
    const { blockSize, attributes } = this.#storageObject;
    const lba = Math.ceil(offset / blockSize);
    const blocks = Math.floor((offset + length) / blockSize) - lba;
    for (const [first, count] of this.#pieces(lba, blocks, attributes.values.max_unmap_lba_count)) {
      const list = unmapList([{ lba: first, blocks: count }]);
      await this.#command(cdbOf(blockCommands.unmap, { length: list.length }), list);
    }
    if (fua) await this.flush();
  }

  async cache({ offset, length }: Range): Promise<void> {
    const { lba, blocks } = this.#cover(offset, length);
    await this.#command(cdbOf(blockCommands.preFetch16, { lba, blocks }));
  }

  async status({ offset, length }: Range, most: number): Promise<StatusExtent[]> {
    const lu = this.#storageObject;
    const { lba } = this.#cover(offset, length);
    const answer = Buffer.alloc(lbaStatusBytes(most));
    await this.#command(cdbOf(blockCommands.getLbaStatus, { lba, allocation: answer.length }), none, answer);
    const reads = lu.volume?.discardLeavesAnything !== true;
    const extents: StatusExtent[] = [];
    for (const { lba: first, blocks, isMapped } of decodeLbaStatus(answer).slice(0, most)) {
      const start = Math.max(offset, first * lu.blockSize);
      const end = (first + blocks) * lu.blockSize;
      const hole = !isMapped;
      if (start >= offset + length) break;
      extents.push({ length: Math.min(end, offset + length) - start, hole, zero: hole && reads });
    }
    return extents;
  }

  get #transferBlocksMax(): number {
    return this.#storageObject.attributes.values.hw_max_sectors;
  }

  /** The blocks that a range touches. @returns with `before`, the bytes of the first block that are not in the range */
  #cover(offset: number, length: number): { lba: number; blocks: number; before: number } {
    const { blockSize } = this.#storageObject;
    const lba = Math.floor(offset / blockSize);
    return { lba, blocks: Math.ceil((offset + length) / blockSize) - lba, before: offset - lba * blockSize };
  }

  /**
   * Changes a range: the blocks that it fills at once, those at its edges one by one.
   * @param part changes `length` bytes at `at` of a block; `offset` is their place in the range
   */
  async #inBlocks(
    { offset, length }: Range,
    fua: boolean,
    {
      part,
      whole,
    }: {
      part(block: Buffer, at: number, offset: number, length: number): void;
      whole(lba: number, blocks: number, offset: number): Promise<void>;
    },
  ): Promise<void> {
    const { blockSize } = this.#storageObject;
    const end = offset + length;
    const first = Math.ceil(offset / blockSize);
    const last = Math.floor(end / blockSize);
    const edge = (from: number, to: number) =>
      this.#change(Math.floor(from / blockSize), fua, (block) =>
        part(block, from % blockSize, from - offset, to - from),
      );
    if (offset < Math.min(first * blockSize, end)) await edge(offset, Math.min(first * blockSize, end));
    if (last > first) await whole(first, last - first, first * blockSize - offset);
    if (last >= first && last * blockSize < end) await edge(last * blockSize, end);
  }

  /** Changes a part of a block; data that others write to the rest of it meanwhile stays (COMPARE AND WRITE). */
  async #change(lba: number, fua: boolean, modify: (block: Buffer) => void): Promise<void> {
    const { blockSize } = this.#storageObject;
    const both = Buffer.alloc(2 * blockSize);
    const compareAndWrite = cdbOf(blockCommands.compareAndWrite, { lba, blocks: 1, fua });
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      await this.#readBlocks(lba, both.subarray(0, blockSize));
      both.copyWithin(blockSize, 0, blockSize);
      modify(both.subarray(blockSize));
      if ((await this.#try(compareAndWrite, both, none)) === 'done') return;
    }
    throw new NbdError('EIO', 'others change the block all the time');
  }

  /** Cuts a range of blocks. @param most blocks in a piece; 0 for no limit of its own */
  *#pieces(lba: number, blocks: number, most: number): Generator<readonly [lba: number, blocks: number]> {
    const step = Math.min(most || pieceBlocksMax, pieceBlocksMax);
    for (let done = 0; done < blocks; done += step) yield [lba + done, Math.min(step, blocks - done)];
  }

  async #command(cdb: Uint8Array, dataOut = none, into = none): Promise<void> {
    if ((await this.#try(cdb, dataOut, into)) !== 'done') throw new NbdError('EIO', 'miscompare');
  }

  /**
   * Runs a command, again when a unit attention or a reset of another initiator ended it, as any initiator does.
   * @throws NbdError
   */
  async #try(cdb: Uint8Array, dataOut: Uint8Array, into: Uint8Array): Promise<'done' | 'miscompare'> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      this.#lastTag += 1;
      const task = new Task({
        nexus: this.#nexus,
        lun: this.#lun,
        unit: this.#nexus.view(this.#lun),
        cdb,
        attribute: 'simple',
        tag: this.#lastTag,
        dataOutOffered: dataOut.length,
        dataInOffered: into.length,
      });
      task.dataOut = dataOut;
      const began = performance.now();
      const completion = await this.#run(task, into);
      const isGood = completion.status === status.good;
      countCommand(this.#traffic, isGood, into.length, dataOut.length, performance.now() - began);
      if (task.aborted || completion.status === status.taskAborted) continue;
      if (completion.status === status.good) return 'done';
      const outcome = errorOf(completion, into.length === 0);
      if (outcome === 'miscompare') return outcome;
      if (outcome !== 'again') throw outcome;
    }
    throw new NbdError('EIO', 'the command was aborted again and again');
  }

  async #run(task: Task, into: Uint8Array): Promise<Completion> {
    try {
      const completion = admitTask(task) ?? (await executeTask(task, false));
      const { dataIn } = completion;
      if (!dataIn || completion.status !== status.good) return completion;
      if (dataIn instanceof Uint8Array) into.set(dataIn.subarray(0, into.length));
      else if (!dataIn.volume.readNow?.(into, dataIn.position)) await dataIn.volume.read(into, dataIn.position);
      return completion;
    } catch (error) {
      return readFailed(task, error);
    } finally {
      retireTask(task);
    }
  }
}

/** Sense as an error: the first row that fits (SPC-4 4.5.6, annex D). */
const senseErrors: readonly {
  readonly key: number;
  readonly of?: Sense;
  readonly is: NbdError['code'] | 'again' | 'miscompare';
  readonly says: string;
}[] = [
  { key: senseKey.unitAttention, is: 'again', says: 'unit attention' },
  { key: senseKey.miscompare, is: 'miscompare', says: 'miscompare' },
  { key: senseKey.notReady, is: 'EIO', says: 'the logical unit is not ready' },
  { key: senseKey.mediumError, is: 'EIO', says: 'medium error' },
  { key: senseKey.hardwareError, is: 'EIO', says: 'internal target failure' },
  { key: senseKey.illegalRequest, of: sense.lbaOutOfRange, is: 'ENOSPC', says: 'beyond the end of the logical unit' },
  { key: senseKey.illegalRequest, of: sense.logicalUnitNotSupported, is: 'EIO', says: 'no such logical unit' },
  { key: senseKey.illegalRequest, is: 'EINVAL', says: 'illegal request' },
  { key: senseKey.dataProtect, of: sense.spaceAllocationFailed, is: 'ENOSPC', says: 'no space left' },
  { key: senseKey.dataProtect, is: 'EPERM', says: 'write protected' },
];

/** The error of a completion. @param writes the command sends no data back: it may have run out of space */
function errorOf({ status: ended, sense: data }: Completion, writes: boolean): NbdError | 'again' | 'miscompare' {
  if (ended === status.reservationConflict) return new NbdError('EPERM', 'reserved by another initiator');
  if (!data) return new NbdError('EIO', `SCSI status ${ended}`);
  const { key, asc, ascq, deferred } = decodeSense(data);
  // A deferred error belongs to an earlier command, and this one was not carried out; NBD has flushes to tell the error (SPC-4 4.5.5).
  if (deferred) return 'again';
  const row = senseErrors.find((one) => one.key === key && (!one.of || (one.of.asc === asc && one.of.ascq === ascq)));
  if (row?.is === 'again' || row?.is === 'miscompare') return row.is;
  if (row?.is === 'ENOSPC' && !writes) return new NbdError('EINVAL', row.says);
  return new NbdError(row?.is ?? 'EIO', row?.says ?? `sense ${key}h/${asc}h/${ascq}h`);
}
