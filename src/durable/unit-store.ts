/**
 * The state of a logical unit that survives a power loss: a file for each unit serial number, replaced as a whole before the command is
 * answered. It has persistent reservations with APTPL, and a FORMAT UNIT or SANITIZE that is not over.
 */

import { basename, dirname, join } from 'node:path';
import { reasonOf, systemErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { type KeptSubject, keptSubjects } from '../scsi/unit-state.ts';
import { type Files, freePath, makePrivateDirectory, realFiles, replaceFile, syncDirectory } from './atomic-file.ts';

/** The stores of all subjects that keep state (`Subject.keep`). */
export class UnitStores {
  readonly #subjects: readonly { readonly subject: KeptSubject; readonly store: UnitStore }[];

  /** Made when every subject is declared. @param files the files of this machine, or those of a test with faults between */
  constructor(stateDirectory: string, log: Log, files = realFiles) {
    this.#subjects = keptSubjects().map((subject) => ({
      subject,
      store: new UnitStore(join(stateDirectory, subject.keep.folder), subject.keep, log, files),
    }));
  }

  /** Gives logical units the state that an earlier process stored, and stores from now on the state that they ask to be kept. */
  async adopt(units: readonly StorageObject[]): Promise<void> {
    for (const { subject, store } of this.#subjects) {
      // One listing serves all units: hardly any of ten thousand has a file.
      const isThere = await store.listing();
      for (const lu of units.filter(({ wwn }) => isThere(wwn))) {
        const kept = await store.load(lu.wwn);
        if (kept) subject.restore(lu, kept);
      }
    }
    for (const lu of units) lu.keep = (name, kept) => this.of(name).save(lu.wwn, kept);
  }

  /** The store of a subject. */
  of(name: string): UnitStore {
    const found = this.#subjects.find(({ subject }) => subject.name === name);
    if (!found) throw new Error(`nothing is kept of ${name}`);
    return found.store;
  }
}

class UnitStore {
  readonly #directory: string;
  readonly #keep: KeptSubject['keep'];
  readonly #log: Log;
  readonly #files: Files;
  /** The writes of each serial number, which come one after the other. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(directory: string, keep: KeptSubject['keep'], log: Log, files: Files) {
    this.#directory = directory;
    this.#keep = keep;
    this.#log = log;
    this.#files = files;
  }

  /** A function that says whether a serial number has a file now. If the directory cannot be listed, every file is tried, and reported. */
  async listing(): Promise<(serial: string) => boolean> {
    try {
      const names = new Set(await this.#files.readdir(this.#directory));
      return (serial) => names.has(basename(this.#path(serial)));
    } catch (error) {
      const isEmpty = systemErrorCode(error) === 'ENOENT';
      return () => !isEmpty;
    }
  }

  /** The stored state, or undefined. A damaged file is reported and set aside. */
  async load(serial: string): Promise<object | undefined> {
    const path = this.#path(serial);
    try {
      const kept = JSON.parse(await this.#files.readFile(path, 'utf8')) as { serial?: unknown } | null;
      // Another serial number may have the same file name.
      if (kept?.serial !== serial) throw new Error('it belongs to another unit serial number');
      return this.#keep.parse(kept);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      // A file that cannot be read now may be read by the next process.
      const keptIn = systemErrorCode(error) ? path : await freePath(`${path}.damaged`, this.#files).catch(() => path);
      if (keptIn !== path) await this.#files.rename(path, keptIn).catch(() => {});
      this.#log({ level: 'error', event: this.#keep.lostEvent, detail: { serial, reason: reasonOf(error), keptIn } });
      return undefined;
    }
  }

  /**
   * Stores `state`, or removes the file when `state` is undefined; either is on stable storage when the call resolves. System errors pass
   * through.
   */
  save(serial: string, state: object | undefined): Promise<void> {
    const turn = (this.#writing.get(serial) ?? Promise.resolve()).then(() => this.#save(serial, state));
    const settled = turn.catch(() => {});
    this.#writing.set(serial, settled);
    settled.then(() => this.#writing.get(serial) === settled && this.#writing.delete(serial));
    return turn;
  }

  async #save(serial: string, state: object | undefined): Promise<void> {
    const path = this.#path(serial);
    if (state) {
      await makePrivateDirectory(this.#directory, this.#files);
      await replaceFile(path, `${JSON.stringify({ serial, ...state })}\n`, this.#files);
      return;
    }
    await this.#files.rm(path, { force: true });
    await syncDirectory(dirname(path), this.#files).catch((error) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    });
  }

  /**
   * The path of a serial number's file. A serial number is an operator's text: where it is no plain name it is spelled in hexadecimal
   * digits.
   */
  #path(serial: string): string {
    const plain = /^[\w-]{1,100}$/.test(serial);
    return join(
      this.#directory,
      plain ? `${serial}.json` : `${Buffer.from(serial).toString('hex').slice(0, 200)}.hex.json`,
    );
  }
}
