/** A set of sectors of a volume: a bit for each, in leaves that are there only where one of their bits is set. */

/** The bytes of a sector; blocks of every size are whole sectors. */
const sectorBytes = 512;
/** The bytes of a leaf, which stands for 16 MiB of the volume. */
const leafBytes = 4096;
const leafSectors = leafBytes * 8;
/** The number of leaves of a set: 4 MiB of memory. A set that would need more holds everything. */
const leavesMax = 1024;
/** The number of leaves without a bit that wait for the next use, over all sets. */
const spareMax = 64;
const spare: Uint8Array[] = [];

/** A range of bytes. */
export type ByteRange = readonly [position: number, length: number];

/** A set. Positions and lengths are bytes; a sector that is touched in part is in the set as a whole. */
export class SectorSet {
  readonly #leaves = new Map<number, Uint8Array>();
  #everything = false;
  /** The leaf that was added to last: the next sector is probably in it as well. */
  #lastIndex = -1;
  #lastLeaf: Uint8Array | undefined;

  get isEmpty(): boolean {
    return this.#leaves.size === 0 && !this.#everything;
  }

  /** Whether there were more ranges than can be told apart. */
  get isEverything(): boolean {
    return this.#everything;
  }

  add(position: number, length: number): void {
    if (this.#everything || length <= 0) return;
    const end = Math.ceil((position + length) / sectorBytes);
    for (let at = Math.floor(position / sectorBytes); at < end; ) {
      const index = Math.floor(at / leafSectors);
      const first = index * leafSectors;
      const leaf = this.#leaf(index);
      if (!leaf) return;
      setBits(leaf, at - first, Math.min(end - first, leafSectors));
      at = first + leafSectors;
    }
  }

  addEverything(): void {
    this.clear();
    this.#everything = true;
  }

  addSet(other: SectorSet): void {
    if (other.#everything) this.addEverything();
    if (this.#everything) return;
    for (const [index, from] of other.#leaves) {
      const leaf = this.#leaf(index);
      if (!leaf) return;
      for (let i = 0; i < leafBytes; i += 1) leaf[i]! |= from[i]!;
    }
  }

  /** Whether a sector of the range is in the set. */
  has(position: number, length: number): boolean {
    if (this.#everything) return length > 0;
    if (this.#leaves.size === 0) return false;
    const end = Math.ceil((position + length) / sectorBytes);
    for (let at = Math.floor(position / sectorBytes); at < end; ) {
      const index = Math.floor(at / leafSectors);
      const first = index * leafSectors;
      const leaf = this.#leaves.get(index);
      if (leaf && hasBits(leaf, at - first, Math.min(end - first, leafSectors))) return true;
      at = first + leafSectors;
    }
    return false;
  }

  /** Takes a range away. A set that holds everything because it overflowed cannot lose a part. */
  remove(position: number, length: number): void {
    const end = Math.floor((position + length) / sectorBytes);
    for (let at = Math.ceil(position / sectorBytes); at < end; ) {
      const index = Math.floor(at / leafSectors);
      const first = index * leafSectors;
      const leaf = this.#leaves.get(index);
      if (leaf) {
        clearBits(leaf, at - first, Math.min(end - first, leafSectors));
        this.#release(index, leaf);
      }
      at = first + leafSectors;
    }
  }

  /** Takes the sectors of another set away. A set that overflowed does not say which. @returns whether a sector went */
  removeSet(other: SectorSet): boolean {
    let went = false;
    for (const [index, gone] of other.#leaves) {
      const leaf = this.#leaves.get(index);
      if (!leaf) continue;
      for (let i = 0; i < leafBytes; i += 1) {
        went ||= (leaf[i]! & gone[i]!) !== 0;
        leaf[i]! &= ~gone[i]!;
      }
      this.#release(index, leaf);
    }
    return went;
  }

  clear(): void {
    for (const leaf of this.#leaves.values()) recycle(leaf.fill(0));
    this.#leaves.clear();
    this.#lastIndex = -1;
    this.#lastLeaf = undefined;
    this.#everything = false;
  }

  /** The ranges, ascending, and as long as can be; none of a set that holds everything. */
  ranges(): ByteRange[] {
    const ranges: ByteRange[] = [];
    let [start, end] = [-1, -1];
    const close = () => end > start && ranges.push([start * sectorBytes, (end - start) * sectorBytes]);
    for (const index of [...this.#leaves.keys()].sort((a, b) => a - b)) {
      const leaf = this.#leaves.get(index)!;
      for (let at = 0; at < leafSectors; at += 1) {
        if ((leaf[at >> 3]! & (1 << (at & 7))) === 0) continue;
        const sector = index * leafSectors + at;
        if (sector !== end) {
          close();
          start = sector;
        }
        end = sector + 1;
      }
    }
    close();
    return ranges;
  }

  /** A leaf. Undefined: there would be too many, and everything is in the set now. */
  #leaf(index: number): Uint8Array | undefined {
    if (index === this.#lastIndex) return this.#lastLeaf;
    let leaf = this.#leaves.get(index);
    if (!leaf) {
      if (this.#leaves.size >= leavesMax) {
        this.addEverything();
        return undefined;
      }
      leaf = spare.pop() ?? new Uint8Array(leafBytes);
      this.#leaves.set(index, leaf);
    }
    this.#lastIndex = index;
    this.#lastLeaf = leaf;
    return leaf;
  }

  #release(index: number, leaf: Uint8Array): void {
    if (leaf.some((byte) => byte !== 0)) return;
    this.#leaves.delete(index);
    if (index === this.#lastIndex) this.#lastIndex = -1;
    recycle(leaf);
  }
}

function recycle(leaf: Uint8Array): void {
  if (spare.length < spareMax) spare.push(leaf);
}

/** Sets the bits from `from` to before `to`. */
function setBits(leaf: Uint8Array, from: number, to: number): void {
  const first = from >> 3;
  const last = (to - 1) >> 3;
  const head = (0xff << (from & 7)) & 0xff;
  const tail = 0xff >> (7 - ((to - 1) & 7));
  if (first === last) {
    leaf[first]! |= head & tail;
    return;
  }
  leaf[first]! |= head;
  leaf.fill(0xff, first + 1, last);
  leaf[last]! |= tail;
}

function hasBits(leaf: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if ((leaf[at >> 3]! & (1 << (at & 7))) !== 0) return true;
  return false;
}

function clearBits(leaf: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at += 1) leaf[at >> 3]! &= ~(1 << (at & 7));
}
