/** The memory of a guest: regions that its front-end shares, mapped here, and found by the guest's addresses or the front-end's. */

import { closeForeign } from '../system/descriptor.ts';
import { mapShared, type SharedMemory } from '../system/shared-memory.ts';
import type { RegionDescription } from '../wire/vhost-user.ts';

/** A mapping, which goes when nobody has it any more. */
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

export interface Region extends RegionDescription {
  readonly mapping: Mapping;
  /** `offset` is where the region begins in them. */
  readonly bytes: ArrayBuffer;
}

/**
 * Maps a region, and closes its descriptor. It is mapped from the beginning of the file: where pages are huge, an offset
 * would have to be one of theirs.
 * @throws a system error: EPERM where the memory is not sealed, ERANGE where it is shorter
 */
export function mapRegion(description: RegionDescription, fd: number): Region {
  const { guest, user, size, offset } = description;
  try {
    const limit = Number.MAX_SAFE_INTEGER;
    if (size === 0 || guest + size > limit || user + size > limit || offset + size > limit)
      throw new RangeError('a region that no memory can have');
    const shared = mapShared(fd, offset + size);
    return { ...description, mapping: new Mapping(shared), bytes: shared.bytes };
  } finally {
    closeForeign(fd);
  }
}

/** Regions as they are at one time; what is under way keeps those that it began with. */
export class GuestMemory {
  readonly regions: readonly Region[];
  #users = 1;
  #last: Region | undefined;

  constructor(regions: readonly Region[]) {
    this.regions = regions;
    for (const { mapping } of regions) mapping.hold();
  }

  /** Somebody goes on using it, until he releases it. */
  hold(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) for (const { mapping } of this.regions) mapping.release();
  }

  /** The region in which a range of the guest's lies. */
  find(guest: number, length: number): Region | undefined {
    const last = this.#last;
    if (last && guest >= last.guest && guest + length <= last.guest + last.size) return last;
    for (const region of this.regions)
      if (guest >= region.guest && guest + length <= region.guest + region.size) {
        this.#last = region;
        return region;
      }
    return undefined;
  }

  /** The same for a range by the front-end's addresses. @returns with `at`, where it begins in the region's bytes */
  findByUser(user: number, length: number): { readonly region: Region; readonly at: number } | undefined {
    for (const region of this.regions)
      if (user >= region.user && user + length <= region.user + region.size)
        return { region, at: region.offset + user - region.user };
    return undefined;
  }
}
