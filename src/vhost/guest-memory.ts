/** The memory of a guest: regions that its front-end shares, mapped here, and found by the guest's addresses or the front-end's. */

import { systemErrorCode } from '../errors.ts';
import { mapShared, type SharedMemory } from '../system/shared-memory.ts';
import { type RegionDescription, readRegions, readSingleRegion, singleRegionBytes } from '../wire/vhost-user.ts';
import { memorySlotsMax } from './limits.ts';
import { closeAll, MessageError, type Rows } from './messages.ts';

/** A mapping, which is unmapped when nobody holds it any more. */
class Mapping {
  readonly shared: SharedMemory;
  #users = 0;

  constructor(shared: SharedMemory) {
    this.shared = shared;
  }

  hold(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.shared.unmap();
  }
}

export interface MemoryRegion extends RegionDescription {
  readonly mapping: Mapping;
  /** The bytes of the mapping, in which the region begins at `offset`. */
  readonly bytes: ArrayBuffer;
  /** All of it, for single bytes and for numbers: a view of its own for each request would cost more than what it is read for. */
  readonly view: Uint8Array;
  readonly data: DataView;
  /** The address of the mapping, for system calls. */
  readonly address: number;
}

/**
 * Maps a region from the beginning of its file: where pages are huge, an offset would have to be a multiple of theirs.
 * @throws MessageError, a system error
 */
function mapRegion(description: RegionDescription, fd: number): MemoryRegion {
  const { guest, user, size, offset } = description;
  if (size === 0 || ![guest, user, offset].every((start) => Number.isSafeInteger(start + size)))
    throw new MessageError('a region that no memory can have');
  try {
    const shared = mapShared(fd, offset + size);
    const { bytes, address } = shared;
    const views = { view: new Uint8Array(bytes), data: new DataView(bytes) };
    return { ...description, mapping: new Mapping(shared), bytes, ...views, address };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ERANGE') throw new MessageError('its memory is shorter than it says');
    if (code !== 'EPERM') throw error;
    throw new MessageError(
      'its memory is not sealed, and could be taken away: QEMU seals it with -object memory-backend-memfd,share=on,seal=on',
    );
  }
}

/** The regions at one time; requests under way keep those that they began with. */
export class GuestMemory {
  readonly regions: readonly MemoryRegion[];
  #users = 1;
  #last: MemoryRegion | undefined;

  constructor(regions: readonly MemoryRegion[]) {
    this.regions = regions;
    for (const { mapping } of regions) mapping.hold();
  }

  /** Keeps the memory mapped until `release`. */
  hold(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) for (const { mapping } of this.regions) mapping.release();
  }

  /** The region of a range of the guest's addresses. */
  find(guest: number, length: number): MemoryRegion | undefined {
    const last = this.#last;
    if (last && guest >= last.guest && guest + length <= last.guest + last.size) return last;
    for (const region of this.regions)
      if (guest >= region.guest && guest + length <= region.guest + region.size) {
        this.#last = region;
        return region;
      }
    return undefined;
  }

  /** The region of a range of the front-end's addresses. @returns with `at`, the place of the range in the region's bytes */
  findByUser(user: number, length: number): { readonly region: MemoryRegion; readonly at: number } | undefined {
    for (const region of this.regions)
      if (user >= region.user && user + length <= region.user + region.size)
        return { region, at: region.offset + user - region.user };
    return undefined;
  }
}

/** The memory as the front-end's messages make it. */
export class MemoryTable {
  #current = new GuestMemory([]);
  readonly #changed: (memory: GuestMemory) => void;

  /** @param changed called with the new memory; requests under way may go on with the old one */
  constructor(changed: (memory: GuestMemory) => void) {
    this.#changed = changed;
  }

  get current(): GuestMemory {
    return this.#current;
  }

  rows(): Rows {
    return {
      setMemTable: {
        name: 'SET_MEM_TABLE',
        descriptors: memorySlotsMax,
        act: ({ payload, descriptors }) => {
          const descriptions = readRegions(payload);
          if (descriptions?.length !== descriptors.length) {
            closeAll(descriptors);
            throw new MessageError('a table of memory with another number of descriptors');
          }
          return this.#replace(mapAll(descriptions, descriptors));
        },
      },
      addMemReg: {
        name: 'ADD_MEM_REG',
        bytes: singleRegionBytes,
        descriptors: 1,
        act: ({ payload, descriptors }) => {
          const { regions } = this.#current;
          if (descriptors.length !== 1 || regions.length === memorySlotsMax) {
            closeAll(descriptors);
            throw new MessageError(`a region without its descriptor, or more than ${memorySlotsMax}`);
          }
          return this.#replace([...regions, ...mapAll([readSingleRegion(payload)], descriptors)]);
        },
      },
      remMemReg: {
        name: 'REM_MEM_REG',
        bytes: singleRegionBytes,
        descriptors: 1,
        act: ({ payload, descriptors }) => {
          closeAll(descriptors);
          const { guest, user, size } = readSingleRegion(payload);
          const { regions } = this.#current;
          const found = regions.find((one) => one.guest === guest && one.user === user && one.size === size);
          if (!found) throw new MessageError('memory is taken away that was not given');
          return this.#replace(regions.filter((one) => one !== found));
        },
      },
    };
  }

  #replace(regions: readonly MemoryRegion[]): undefined {
    const before = this.#current;
    this.#current = new GuestMemory(regions);
    before.release();
    this.#changed(this.#current);
  }

  /** Lets go of the memory; requests under way hold it until they end. */
  close(): void {
    this.#current.release();
  }
}

/** Maps regions and closes their descriptors. @throws MessageError, a system error; nothing is mapped then */
function mapAll(descriptions: readonly RegionDescription[], descriptors: readonly number[]): MemoryRegion[] {
  const mapped: MemoryRegion[] = [];
  try {
    for (const [i, description] of descriptions.entries()) mapped.push(mapRegion(description, descriptors[i]!));
    return mapped;
  } catch (error) {
    new GuestMemory(mapped).release();
    throw error;
  } finally {
    closeAll(descriptors);
  }
}
