/**
 * Persistent reservations that survive a power loss (APTPL): a file for each unit serial number, replaced as a whole
 * before the PERSISTENT RESERVE OUT is answered.
 */

import { readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf, systemErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { type PersistentReservations, parseReservations, type Registration } from '../scsi/persistent-reservation.ts';
import { makePrivateDirectory, replaceFile, syncDirectory } from './atomic-file.ts';

/** What stands in a file: the serial number as it is, for its name is only made of it. */
interface KeptReservations extends PersistentReservations {
  readonly serial: string;
  readonly registrations: readonly Registration[];
}

export class ReservationStore {
  readonly #directory: string;
  readonly #log: Log;
  /** Writes of one serial number come one after the other. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** What was kept, or undefined. A file that is damaged is reported and set aside. */
  async load(serial: string): Promise<PersistentReservations | undefined> {
    const path = this.#path(serial);
    try {
      const kept = JSON.parse(await readFile(path, 'utf8')) as KeptReservations;
      if (kept.serial !== serial) throw new Error('it belongs to another unit serial number');
      return parseReservations(kept);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      const aside = `${path}.damaged`;
      await rename(path, aside).catch(() => {});
      this.#log({
        level: 'error',
        event: 'reservations lost',
        detail: { serial, reason: reasonOf(error), keptIn: aside },
      });
      return undefined;
    }
  }

  /** Keeps `state`, or forgets when it is undefined; done means on stable storage. System errors pass through. */
  save(serial: string, state: PersistentReservations | undefined): Promise<void> {
    const turn = (this.#writing.get(serial) ?? Promise.resolve()).then(() => this.#save(serial, state));
    const settled = turn.catch(() => {});
    this.#writing.set(serial, settled);
    settled.then(() => this.#writing.get(serial) === settled && this.#writing.delete(serial));
    return turn;
  }

  async #save(serial: string, state: PersistentReservations | undefined): Promise<void> {
    const path = this.#path(serial);
    if (state) {
      await makePrivateDirectory(this.#directory);
      await replaceFile(path, `${JSON.stringify({ serial, ...state } satisfies KeptReservations)}\n`);
      return;
    }
    await rm(path, { force: true });
    await syncDirectory(dirname(path)).catch((error) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    });
  }

  /** A serial number is an operator's text: what is no plain name is spelled in hexadecimal digits. */
  #path(serial: string): string {
    const plain = /^[\w-]{1,100}$/.test(serial);
    return join(
      this.#directory,
      plain ? `${serial}.json` : `${Buffer.from(serial).toString('hex').slice(0, 200)}.hex.json`,
    );
  }
}
