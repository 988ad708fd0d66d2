/** The memory of a sparse volume, in chunks by their numbers. An absent chunk is zeros. */

import { addressNumber } from '../system/io-vector.ts';

/** The number of chunks in a table: a lookup is two loads, however large and however empty the volume is. */
const tableSize = 1024;

/** The memory of a piece of a volume. */
export type Chunk = Buffer<ArrayBuffer>;

interface Table {
  readonly chunks: (Chunk | undefined)[];
  /** The addresses of the chunks' first bytes; 0: not known yet. They stay in the processor's cache because they have an array of their own. */
  readonly addresses: Float64Array;
  count: number;
}

/** The chunks of a volume, by their number. */
export class ChunkTable {
  readonly #tables: (Table | undefined)[] = [];
  #size = 0;

  /** The number of chunks. */
  get size(): number {
    return this.#size;
  }

  get(index: number): Chunk | undefined {
    return this.#tables[Math.floor(index / tableSize)]?.chunks[index % tableSize];
  }

  /** The address of a chunk; undefined when the chunk is absent. */
  addressOf(index: number): number | undefined {
    const table = this.#tables[Math.floor(index / tableSize)];
    const at = index % tableSize;
    if (!table) return undefined;
    const known = table.addresses[at];
    if (known) return known;
    const chunk = table.chunks[at];
    if (!chunk) return undefined;
    const address = addressNumber(chunk);
    table.addresses[at] = address;
    return address;
  }

  set(index: number, chunk: Chunk): void {
    const number = Math.floor(index / tableSize);
    this.#tables[number] ??= newTable();
    const table = this.#tables[number];
    const at = index % tableSize;
    if (!table.chunks[at]) {
      table.count += 1;
      this.#size += 1;
    }
    table.chunks[at] = chunk;
    table.addresses[at] = 0;
  }

  /** Removes a chunk. @returns the chunk that was there */
  delete(index: number): Chunk | undefined {
    const number = Math.floor(index / tableSize);
    const table = this.#tables[number];
    const at = index % tableSize;
    const chunk = table?.chunks[at];
    if (!table || !chunk) return undefined;
    table.chunks[at] = undefined;
    table.addresses[at] = 0;
    table.count -= 1;
    this.#size -= 1;
    if (table.count === 0) this.#tables[number] = undefined;
    return chunk;
  }

  /** The chunks in the order of their numbers. */
  *entries(from = 0, to = Number.POSITIVE_INFINITY): IterableIterator<[index: number, chunk: Chunk]> {
    const last = Math.min(this.#tables.length, Math.ceil(to / tableSize));
    for (let number = Math.floor(from / tableSize); number < last; number += 1) {
      const { chunks = [] } = this.#tables[number] ?? {};
      const first = number * tableSize;
      for (let at = Math.max(0, from - first); at < Math.min(chunks.length, to - first); at += 1) {
        const chunk = chunks[at];
        if (chunk) yield [first + at, chunk];
      }
    }
  }

  clear(): void {
    this.#tables.length = 0;
    this.#size = 0;
  }
}

const newTable = (): Table => ({
  chunks: new Array<undefined>(tableSize).fill(undefined),
  addresses: new Float64Array(tableSize),
  count: 0,
});
