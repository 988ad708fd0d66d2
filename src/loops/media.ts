/** Follows what media outside of this process tell by themselves: that they are in trouble, or have another size. */

import { wholeReasonOf } from '../errors.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { LoopHost } from './loop.ts';

function troubleOf({ volume }: StorageObject): string | undefined {
  const trouble = volume?.trouble;
  return trouble && `since ${trouble.since.toISOString().replace(/\.\d+/, '')}: ${trouble.reason}`;
}

/** Turns what media tell into changes of the tree. */
export class Media {
  readonly #host: LoopHost;
  /** Sizes that an operation was asked for, by path. */
  readonly #asked = new Map<string, number>();

  constructor(host: LoopHost) {
    this.#host = host;
  }

  /** The storage objects whose volume is open and whose medium has gone or come back since the last look; `missing` has the reason. */
  changed(storageObjects: Iterable<StorageObject>): StorageObject[] {
    const open = [...storageObjects].filter(({ volume }) => volume?.watch);
    const changed = open.filter((one) => one.missing !== troubleOf(one));
    for (const one of changed) one.missing = troubleOf(one);
    return changed;
  }

  /** Asks for a change where a medium has another size than is served, once for each size: that change tells initiators. */
  followSizes(storageObjects: Iterable<StorageObject>): void {
    for (const { path, volume } of storageObjects) {
      const found = volume?.found;
      if (found === undefined) continue;
      if (found === volume?.size) this.#asked.delete(path);
      else if (this.#asked.get(path) !== found) this.#ask(path, found);
    }
  }

  /** Asks for the change of size. The medium decides its size; data beyond it is gone already. */
  #ask(path: string, found: number): void {
    this.#asked.set(path, found);
    this.#host.apply({ path, verb: 'resize', params: { force: true } }).catch((error: unknown) => {
      const detail = { path, size: found, reason: wholeReasonOf(error) };
      this.#host.log({ level: 'error', event: 'size not followed', detail });
    });
  }
}
