/** ramdisk: a volume in this process's memory. Memory is committed by the first write to it; `nullio` keeps nothing. */

import { types, type ValueType } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import { addressNumber, type IoVector } from '../system/io-vector.ts';
import { memoryOfProcess } from '../system/memory-budget.ts';
import { systemError } from '../system/system-error.ts';
import {
  type Backstore,
  printSize,
  type Space,
  sizeWanted,
  type Volume,
  type VolumeConfig,
  type VolumeContents,
  wwnParameter,
} from './backstore.ts';
import { type Chunk, ChunkTable } from './chunk-table.ts';

/** Sizes are whole pages, as LIO's are. */
const pageBytes = 4096;
/** The size of the pieces in which memory comes and goes: small enough to stay sparse, large enough to be few. */
const chunkBytes = 64 * 1024;
/** The memory that is left to the machine; a write that would need it gets ENOSPC. */
const memoryReserveBytes = 128 * 1024 * 1024;
/** The number of chunks that are committed between two looks at the machine's free memory (16 MiB). */
const chunksPerMemoryCheck = 256;
/**
 * The longest atomic write. Any length would be atomic, since memory is gone or whole after a crash; this is the longest that a command
 * may want.
 */
const atomicWriteBytesMax = 8 * 1024 * 1024;
/** The number of chunks (1 GiB) over which an extent is followed, so that asking never takes long. */
const chunksPerExtentMax = 16384;

/** A size that keeps its spelling, because `created` repeats it. */
const typedSize: ValueType<string> = {
  ...types.size,
  parse: (text) => (types.size.parse(text) === undefined ? undefined : text),
  print: (text) => text,
};

/** The kind whose volumes are in memory. */
export const ramdisk: Backstore = {
  name: 'ramdisk',
  plugin: 'ramdisk',
  doc: 'A volume in memory. Its contents are lost when the target stops.',
  example: 'rd0 16M',
  parameters: [
    { name: 'size', doc: 'Its size: 16M, 2G …', type: typedSize, required: true, kind: 'plain' },
    {
      name: 'nullio',
      doc: 'Keep nothing: reads give zeros, writes vanish (for measuring).',
      type: types.bool,
      required: false,
      kind: 'plain',
      default: false,
    },
    wwnParameter,
  ],
  keys: { size: { type: 'number', required: true, orText: true }, nullio: { type: 'boolean' } },
  isVolatile: ({ nullio }) => nullio !== true,

  async settle(create) {
    const asked = types.size.parse(String(create['size']));
    if (asked === undefined) throw new OperatorError(types.size.refusal(String(create['size'])));
    const nullio = create['nullio'] === true;
    const size = wholePages(asked, nullio);
    return { config: nullio ? { size, nullio } : { size }, notes: [], made: false };
  },

  async resize(config, asked) {
    const size = wholePages(sizeWanted(asked), config['nullio'] === true);
    return { config: { ...config, size }, size };
  },

  async open(config, contents = []) {
    const { size, nullio } = settled(config);
    refuseTooLarge(size, nullio);
    return new Ramdisk(size, nullio, contents);
  },

  summary: ({ size, nullio }) => `${nullio === true ? 'nullio ' : ''}(${printSize(Number(size))})`,
  created: (name, _config, create) => `Created ramdisk ${name} with size ${create['size']}.`,

  // LIO's own rd cannot discard and says 0 in all attributes about it; this ramdisk can, so the general limits stand.
  attributeDefaults: () => ({
    is_nonrot: 1,
    hw_max_sectors: 0xfffffff8,
    optimal_sectors: 0xfffffff8,
    unmap_granularity: chunkBytes / 512,
  }),
};

function wholePages(asked: number, nullio: boolean): number {
  const size = Math.max(1, Math.ceil(asked / pageBytes)) * pageBytes;
  refuseTooLarge(size, nullio);
  return size;
}

function settled(config: VolumeConfig): { size: number; nullio: boolean } {
  const size = config['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size <= 0)
    throw new OperatorError(`A ramdisk cannot have the size ${size}`);
  return { size, nullio: config['nullio'] === true };
}

function refuseTooLarge(size: number, nullio: boolean): void {
  if (nullio || size <= memoryOfProcess) return;
  throw new OperatorError(
    `A ramdisk of ${size} bytes (${printSize(size)}) does not fit: there are ${printSize(memoryOfProcess)} of memory`,
    'Give a smaller size, use fileio with a sparse file, or nullio=true if the data need not be kept.',
  );
}

const zeros = Buffer.alloc(chunkBytes);

/** The bytes that volumes may still take; negative where the machine's reserve is touched already. */
const memoryLeft = () => process.availableMemory() - memoryReserveBytes;

class Ramdisk implements Volume {
  size: number;
  readonly logicalBlockSize = 512;
  readonly physicalBlockSize = 512;
  readonly readOnly = false;
  readonly discardGranularity = chunkBytes;
  readonly rotational = false;
  readonly atomicWriteBytesMax = atomicWriteBytesMax;
  readonly space?: () => Promise<Space>;
  readonly #nullio: boolean;
  /** The chunks, by position / chunkBytes. */
  readonly #chunks = new ChunkTable();
  #commitsUntilCheck = 0;
  #closed = false;

  constructor(size: number, nullio: boolean, contents: VolumeContents) {
    this.size = size;
    this.#nullio = nullio;
    if (!nullio)
      this.space = async () => {
        this.#refuse('sysinfo');
        return { allocated: this.#chunks.size * chunkBytes, available: Math.max(0, memoryLeft()) };
      };
    for (const [position, bytes] of contents) this.#chunks.set(position / chunkBytes, Buffer.from(bytes.buffer));
  }

  readNow(into: Uint8Array, position: number): boolean {
    if (!this.#holds(position, into.length)) return false;
    for (let done = 0; done < into.length; ) {
      const index = Math.floor((position + done) / chunkBytes);
      const offset = position + done - index * chunkBytes;
      const length = Math.min(into.length - done, chunkBytes - offset);
      const chunk = this.#chunks.get(index);
      if (chunk) chunk.copy(into, done, offset, offset + length);
      else into.fill(0, done, done + length);
      done += length;
    }
    return true;
  }

  lend(position: number, length: number, to: IoVector, filled = false): boolean {
    if (!this.#holds(position, length)) return false;
    if (filled && (this.#nullio || !this.#commitAll(position, length))) return false;
    for (let done = 0; done < length; ) {
      const index = Math.floor((position + done) / chunkBytes);
      const offset = position + done - index * chunkBytes;
      const piece = Math.min(length - done, chunkBytes - offset);
      to.add((this.#chunks.addressOf(index) ?? addressNumber(zeros)) + offset, piece);
      done += piece;
    }
    return true;
  }

  writeNow(from: Uint8Array, position: number): boolean {
    if (!this.#holds(position, from.length)) return false;
    if (this.#nullio) return true;
    if (!this.#commitAll(position, from.length)) return false;
    for (let done = 0; done < from.length; ) {
      const index = Math.floor((position + done) / chunkBytes);
      const offset = position + done - index * chunkBytes;
      const length = Math.min(from.length - done, chunkBytes - offset);
      this.#chunks.get(index)!.set(length === from.length ? from : from.subarray(done, done + length), offset);
      done += length;
    }
    return true;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    this.#refuse('read', position, into.length);
    this.readNow(into, position);
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    this.#refuse('write', position, from.length);
    if (!this.writeNow(from, position)) throw systemError('ENOSPC', 'write');
  }

  async flush(): Promise<void> {
    this.#refuse('flush');
  }

  /** Memory is as stable as it gets. */
  isFlushed(): true {
    return true;
  }

  async discard(position: number, length: number): Promise<void> {
    this.#refuse('discard', position, length);
    const end = position + length;
    const dropped: Chunk[] = [];
    for (const [index, chunk] of this.#chunks.entries(Math.floor(position / chunkBytes), Math.ceil(end / chunkBytes))) {
      const start = index * chunkBytes;
      if (start < position || (start + chunkBytes > end && end !== this.size))
        chunk.fill(0, Math.max(0, position - start), Math.min(chunkBytes, end - start));
      else {
        this.#chunks.delete(index);
        dropped.push(chunk);
      }
    }
    // Lent memory is sent within this turn of the event loop (`lend`).
    setImmediate(() => dropped.splice(0));
  }

  async writeZeroes(position: number, length: number): Promise<void> {
    return this.discard(position, length);
  }

  async extentAt(position: number, limit: number): Promise<{ allocated: boolean; end: number }> {
    this.#refuse('lseek', position);
    const first = Math.floor(position / chunkBytes);
    const allocated = this.#chunks.get(first) !== undefined;
    if (this.#chunks.size === 0) return { allocated, end: limit };
    let index = first + 1;
    const last = Math.min(Math.ceil(limit / chunkBytes), first + chunksPerExtentMax);
    while (index < last && (this.#chunks.get(index) !== undefined) === allocated) index += 1;
    return { allocated, end: Math.min(index * chunkBytes, limit) };
  }

  async resize(size: number): Promise<void> {
    this.#refuse('resize');
    this.size = size;
  }

  cut(): void {
    const end = Math.ceil(this.size / chunkBytes);
    for (const [index] of this.#chunks.entries(end)) this.#chunks.delete(index);
    this.#chunks.get(end - 1)?.fill(0, this.size - (end - 1) * chunkBytes);
  }

  takeContents(): VolumeContents {
    const contents = Array.from(this.#chunks.entries(), ([index, chunk]) => [index * chunkBytes, chunk] as const);
    this.#chunks.clear();
    return contents;
  }

  async close(): Promise<void> {
    this.#refuse('close');
    this.#closed = true;
    this.#chunks.clear();
  }

  /** Commits memory for the whole range before the first byte of it changes. */
  #commitAll(position: number, length: number): boolean {
    const end = position + length;
    for (let index = Math.floor(position / chunkBytes); index * chunkBytes < end; index++)
      if (!this.#chunks.get(index) && !this.#commit(index)) return false;
    return true;
  }

  /** Commits a new chunk of zeros. @returns false when there is no memory for it */
  #commit(index: number): boolean {
    if (this.#commitsUntilCheck === 0) {
      if (memoryLeft() < 0) return false;
      this.#commitsUntilCheck = chunksPerMemoryCheck;
    }
    this.#commitsUntilCheck -= 1;
    try {
      this.#chunks.set(index, Buffer.alloc(chunkBytes));
      return true;
    } catch {
      // The process has reached a limit of its own, although the machine has memory.
      return false;
    }
  }

  #holds(position: number, length: number): boolean {
    return !this.#closed && position >= 0 && position + length <= this.size;
  }

  #refuse(call: string, position = 0, length = 0): void {
    if (this.#closed) throw systemError('EBADF', call);
    if (!this.#holds(position, length)) throw systemError('ERANGE', call);
  }
}
