/** ramdisk: a volume in this process's memory. Memory is committed by the first write to it; `nullio` keeps nothing. */

import { totalmem } from 'node:os';
import { types, type ValueType } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import { systemError } from '../system/system-error.ts';
import {
  type Backstore,
  printSize,
  type Space,
  type Straight,
  sizeWanted,
  type Volume,
  type VolumeConfig,
  type VolumeContents,
  wwnParameter,
} from './backstore.ts';

/** Sizes are whole pages, as LIO's are. */
const pageBytes = 4096;
/** Memory comes and goes in pieces of this size: small enough to stay sparse, large enough to be few. */
const chunkBytes = 64 * 1024;
/** The machine is left this much memory; a write that would need it gets ENOSPC. */
const memoryReserveBytes = 128 * 1024 * 1024;
/** How many chunks are committed between two looks at the machine's free memory (16 MiB). */
const chunksPerMemoryCheck = 256;
/** What lies in memory is gone or whole after a crash, so this is only what one command may want. */
const atomicWriteBytesMax = 8 * 1024 * 1024;
/** An extent is followed over at most this many chunks (1 GiB), so that asking never takes long. */
const chunksPerExtentMax = 16384;

/** A size that remembers its spelling, because `created` repeats it. */
const typedSize: ValueType<string> = {
  ...types.size,
  parse: (text) => (types.size.parse(text) === undefined ? undefined : text),
  print: (text) => text,
};

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
  keys: { size: { type: 'number', required: true }, nullio: { type: 'boolean' } },
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

  // LIO's own rd cannot discard and says 0 to everything about it; this one can, so the general limits stand.
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
  const memory = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  if (nullio || size <= memory) return;
  throw new OperatorError(
    `A ramdisk of ${size} bytes (${printSize(size)}) does not fit: there are ${printSize(memory)} of memory`,
    'Give a smaller size, use fileio with a sparse file, or nullio=true if the data need not be kept.',
  );
}

/** Less than this is copied sooner than it is sent by itself. */
const straightBytesMin = 32 * 1024;

const zeros = Buffer.alloc(chunkBytes);

/** Bytes that volumes may still take; negative where the machine's reserve is touched already. */
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
  /** By position / chunkBytes. An absent chunk is zeros. */
  readonly #chunks = new Map<number, Buffer<ArrayBuffer>>();
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

  straight(position: number, length: number): Straight | undefined {
    if (length < straightBytesMin || !this.#holds(position, length)) return undefined;
    return {
      send: (to) => {
        for (let done = 0; done < length; ) {
          const piece = this.#piece(position + done, length - done);
          const taken = to.send(piece, piece.length, done + piece.length < length);
          done += taken;
          if (taken < piece.length) return done;
        }
        return length;
      },
      copy: (into, from) => this.readNow(into, position + from),
    };
  }

  /** What lies in memory in one piece from `position` on. */
  #piece(position: number, length: number): Uint8Array {
    const index = Math.floor(position / chunkBytes);
    const offset = position - index * chunkBytes;
    return (this.#chunks.get(index) ?? zeros).subarray(offset, Math.min(chunkBytes, offset + length));
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

  async discard(position: number, length: number): Promise<void> {
    this.#refuse('discard', position, length);
    const end = position + length;
    for (const index of this.#indicesBetween(position, end)) {
      const start = index * chunkBytes;
      if (start >= position && (start + chunkBytes <= end || end === this.size)) this.#chunks.delete(index);
      else this.#chunks.get(index)?.fill(0, Math.max(0, position - start), Math.min(chunkBytes, end - start));
    }
  }

  async writeZeroes(position: number, length: number): Promise<void> {
    return this.discard(position, length);
  }

  async extentAt(position: number, limit: number): Promise<{ allocated: boolean; end: number }> {
    this.#refuse('lseek', position);
    const first = Math.floor(position / chunkBytes);
    const allocated = this.#chunks.has(first);
    if (this.#chunks.size === 0) return { allocated, end: limit };
    let index = first + 1;
    const last = Math.min(Math.ceil(limit / chunkBytes), first + chunksPerExtentMax);
    while (index < last && this.#chunks.has(index) === allocated) index += 1;
    return { allocated, end: Math.min(index * chunkBytes, limit) };
  }

  async resize(size: number): Promise<void> {
    this.#refuse('resize');
    this.size = size;
  }

  cut(): void {
    const end = Math.ceil(this.size / chunkBytes);
    for (const index of this.#chunks.keys()) if (index >= end) this.#chunks.delete(index);
    this.#chunks.get(end - 1)?.fill(0, this.size - (end - 1) * chunkBytes);
  }

  takeContents(): VolumeContents {
    const contents = Array.from(this.#chunks, ([index, chunk]) => [index * chunkBytes, chunk] as const);
    this.#chunks.clear();
    return contents;
  }

  async close(): Promise<void> {
    this.#refuse('close');
    this.#closed = true;
    this.#chunks.clear();
  }

  /** Chunks that are there and touch the range: found through whichever is shorter, the range or the chunks. */
  #indicesBetween(position: number, end: number): number[] {
    const first = Math.floor(position / chunkBytes);
    const count = Math.ceil(end / chunkBytes) - first;
    if (count > this.#chunks.size)
      return [...this.#chunks.keys()].filter((index) => index >= first && index < first + count);
    return Array.from({ length: count }, (_, i) => first + i).filter((index) => this.#chunks.has(index));
  }

  /** Memory for the whole range before the first byte of it changes. */
  #commitAll(position: number, length: number): boolean {
    const end = position + length;
    for (let index = Math.floor(position / chunkBytes); index * chunkBytes < end; index++)
      if (!this.#chunks.has(index) && !this.#commit(index)) return false;
    return true;
  }

  /** A new chunk of zeros. @returns false when there is no memory for it */
  #commit(index: number): boolean {
    if (this.#commitsUntilCheck === 0) {
      if (memoryLeft() < 0) return false;
      this.#commitsUntilCheck = chunksPerMemoryCheck;
    }
    this.#commitsUntilCheck -= 1;
    this.#chunks.set(index, Buffer.alloc(chunkBytes));
    return true;
  }

  #holds(position: number, length: number): boolean {
    return !this.#closed && position >= 0 && position + length <= this.size;
  }

  #refuse(call: string, position = 0, length = 0): void {
    if (this.#closed) throw systemError('EBADF', call);
    if (!this.#holds(position, length)) throw systemError('ERANGE', call);
  }
}
