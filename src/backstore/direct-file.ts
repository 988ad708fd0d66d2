/**
 * An open file that is read and written past the page cache (O_DIRECT). The device moves whole blocks: where a write has only a part of a
 * block, the rest is read first and written again, while no other write touches the block.
 */

import { closeSync, constants, openSync } from 'node:fs';
import { OperatorError, reasonOf } from '../errors.ts';
import { fileOf } from '../system/descriptor.ts';
import { alignedMemory, directBlockBytes } from '../system/direct-io.ts';
import { waitingIo } from '../system/waiting-io.ts';
import type { MediumError } from './backstore.ts';
import { readAll, readWholeLater, type Whole, writeAll } from './file-transfer.ts';
import { RangeLocks } from './range-locks.ts';

/** A file that is used without the page cache. */
export class DirectFile {
  /** Two descriptors of the file: the second with O_DSYNC. */
  readonly descriptors: readonly [fd: number, durableFd: number];
  /** The bytes of a block. */
  readonly block: number;
  readonly #locks = new RangeLocks(() => {});

  private constructor(descriptors: readonly [number, number], block: number) {
    this.descriptors = descriptors;
    this.block = block;
  }

  /**
   * Opens a file for direct use.
   * @param fd the file, opened without O_DIRECT; it stays its owner's
   * @param path the operator's name of the file
   * @throws OperatorError
   */
  static open(fd: number, path: string, readOnly: boolean): DirectFile {
    const access = (readOnly ? constants.O_RDONLY : constants.O_RDWR) | constants.O_DIRECT;
    const opened: number[] = [];
    try {
      for (const flags of readOnly ? [access] : [access, access | constants.O_DSYNC])
        opened.push(openSync(fileOf(fd, path), flags));
      const [own = -1, durable = own] = opened;
      const block = directBlockBytes(own);
      if (block === undefined) throw new OperatorError('its file system or device has no direct I/O');
      return new DirectFile([own, durable], block);
    } catch (error) {
      for (const one of opened) closeSync(one);
      throw new OperatorError(
        `${path} cannot be read and written directly: ${reasonOf(error)}`,
        'Without direct=true it goes through the page cache.',
      );
    }
  }

  /** Checks a size. @throws OperatorError when its last bytes are no whole block: they could not be written */
  check(path: string, size: number): void {
    if (size % this.block === 0) return;
    throw new OperatorError(
      `${path} has ${size} bytes, which cannot all be written directly`,
      `With direct=true the size has to be a multiple of ${this.block}.`,
    );
  }

  /** Reads, as `readWholeLater` does. */
  read(into: Uint8Array, position: number, whole: Whole): void {
    const { from, to } = this.#around(position, into.length);
    const bytes = into.length === to - from && waitingIo().takesAnyMemory ? into : alignedMemory(to - from);
    readWholeLater(this.descriptors[0], bytes, from, (error) => {
      if (!error && bytes !== into) into.set(bytes.subarray(position - from, position - from + into.length));
      whole(error && within(position, error));
    });
  }

  /** Writes. @param durable on stable storage when it resolves @throws MediumError */
  write(bytes: Uint8Array, position: number, durable: boolean): Promise<void> {
    const { from, to } = this.#around(position, bytes.length);
    const isWhole = bytes.length === to - from;
    return this.#locks.during(from, to, !isWhole, async () => {
      const blocks = isWhole ? bytes : await this.#changed(bytes, position, from, to);
      try {
        await this.#writeBlocks(blocks, from, durable);
      } catch (error) {
        throw within(position, error as MediumError);
      }
    });
  }

  /** Does other work that changes a range, while no write touches its blocks. */
  alone(position: number, length: number, work: () => Promise<void>): Promise<void> {
    const { from, to } = this.#around(position, length);
    return this.#locks.during(from, to, true, work);
  }

  #writeBlocks(bytes: Uint8Array, position: number, durable: boolean): Promise<void> {
    const fd = this.descriptors[durable ? 1 : 0];
    return writeAll(aligned(bytes), position, (piece, at, ended) => waitingIo().write(fd, piece, at, ended));
  }

  /** The blocks from `from` to `to`, with `bytes` in them. */
  async #changed(bytes: Uint8Array, position: number, from: number, to: number): Promise<Uint8Array> {
    const blocks = alignedMemory(to - from);
    const edges = [
      ...new Set([...(position > from ? [from] : []), ...(position + bytes.length < to ? [to - this.block] : [])]),
    ];
    for (const edge of edges)
      await readAll(this.descriptors[0], blocks.subarray(edge - from, edge - from + this.block), edge);
    blocks.set(bytes, position - from);
    return blocks;
  }

  /** The whole blocks that a range has a part of. */
  #around(position: number, length: number): { from: number; to: number } {
    const block = this.block;
    return { from: position - (position % block), to: Math.ceil((position + length) / block) * block };
  }
}

/** A copy that begins at a page, which direct I/O needs. */
function aligned(bytes: Uint8Array): Uint8Array {
  if (waitingIo().takesAnyMemory) return bytes;
  const copy = alignedMemory(bytes.length);
  copy.set(bytes);
  return copy;
}

/** The error of a block, as an error of the range that was asked for. */
const within = (position: number, error: MediumError): MediumError =>
  Object.assign(error, { position: Math.max(position, error.position) });
