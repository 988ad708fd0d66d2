/** A volume as an export: its bytes, and no SCSI. */

import type { Volume } from '../backstore/backstore.ts';
import { systemErrorCode } from '../errors.ts';
import { errors } from '../wire/nbd.ts';
import { type Export, type Geometry, NbdError, type Range, type StatusExtent } from './export.ts';

/** A volume as an export, without SCSI. */
export class VolumeExport implements Export {
  readonly name: string;
  readonly description = '';
  readonly #volume: Volume;

  constructor(name: string, volume: Volume) {
    this.name = name;
    this.#volume = volume;
  }

  get medium(): object {
    return this.#volume;
  }

  geometry(): Geometry {
    const { size, logicalBlockSize, readOnly, rotational, discard, writeZeroes } = this.#volume;
    return {
      size,
      minimumBlock: logicalBlockSize,
      preferredBlock: Math.max(4096, logicalBlockSize),
      readOnly,
      rotational,
      trims: discard !== undefined,
      zeroes: writeZeroes !== undefined,
      zeroesFast: false,
    };
  }

  read({ offset }: Range, into: Uint8Array): Promise<void> {
    return passed(this.#volume.read(into, offset));
  }

  write({ offset }: Range, from: Uint8Array, fua: boolean): Promise<void> {
    return passed(this.#volume.write(from, offset, fua));
  }

  flush(): Promise<void> {
    return passed(this.#volume.flush());
  }

  async trim({ offset, length }: Range, fua: boolean): Promise<void> {
    await passed(this.#volume.discard!(offset, length));
    if (fua) await this.flush();
  }

  async writeZeroes({ offset, length }: Range, mayTrim: boolean, fua: boolean): Promise<void> {
    await passed(this.#volume.writeZeroes!(offset, length, mayTrim));
    if (fua) await this.flush();
  }

  /** CACHE is a hint, which a volume does not need. */
  async cache(): Promise<void> {}

  async status({ offset, length }: Range): Promise<StatusExtent[]> {
    const extent = await passed(this.#volume.extentAt?.(offset, offset + length) ?? Promise.resolve(undefined));
    if (!extent) return [{ length, hole: false, zero: false }];
    const hole = !extent.allocated;
    return [{ length: extent.end - offset, hole, zero: hole }];
  }
}

async function passed<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const code = systemErrorCode(error) ?? 'EIO';
    throw new NbdError(Object.hasOwn(errors, code) ? (code as NbdError['code']) : 'EIO', code);
  }
}
