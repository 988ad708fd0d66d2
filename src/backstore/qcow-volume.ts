/** A qcow2 image as a volume, served by a qemu-storage-daemon that this process starts, guards and commands. */

import { execFile } from 'node:child_process';
import { closeSync, constants, fsync, openSync, realpathSync, statfsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { OperatorError, reasonOf } from '../errors.ts';
import { lockImage } from '../system/image-lock.ts';
import { lockOpenFile } from '../system/lock.ts';
import { processesWithOpen } from '../system/process.ts';
import { findProgram } from '../system/program.ts';
import { type Snapshots, snapshotMissing, type Volume } from './backstore.ts';
import { type NbdVolume, openNbdVolume } from './nbd-volume.ts';
import { within } from './patience.ts';
import { snapshotsIn } from './qcow-image.ts';
import { StorageDaemon } from './storage-daemon.ts';

/** The time that a daemon may take to end when it is told to end at once. */
const killMs = 1_000;

const fsyncLater = promisify(fsync);

/**
 * File systems of this machine alone (linux/magic.h), where a lock is true: ext2 to ext4, XFS, Btrfs, tmpfs, ZFS, F2FS, bcachefs,
 * overlayfs.
 */
const localFileSystems: readonly number[] = [
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x2fc12fc1, 0xf2f52010, 0xca451a4e, 0x794c7630,
];

/** Opens an image. @param standsAlone the image names no other file, and none is followed @throws OperatorError */
export async function openQcowVolume(path: string, size: number, standsAlone: boolean): Promise<Volume> {
  const { fd, isLocked } = openImage(path);
  const daemon = new StorageDaemon({
    path,
    fd: isLocked ? fd : undefined,
    format: 'qcow2',
    standsAlone,
  });
  const end = async () => {
    await daemon.end();
    closeSync(fd);
  };
  try {
    const isProven = isLocked && standsAlone && localFileSystems.includes(statfsSync(path).type);
    const source = {
      connect: () => daemon.connect(),
      fence: () => daemon.kill(),
      ...(isProven && { isUnchanged: () => true }),
    };
    const volume = await openNbdVolume(source, size);
    const close = volume.close.bind(volume);
    const qcow = new QcowResources(volume, daemon, path, fd);
    return Object.assign(volume, {
      resize: (bytes: number) => qcow.resize(bytes),
      cut: () => qcow.cut(),
      ...(standsAlone && { snapshots: qcow }),
      close: () => close().finally(end),
    });
  } catch (error) {
    await end();
    throw error;
  }
}

/**
 * Opens an image, and locks it as QEMU does, for as long as this process or the one that serves it lives. A program that ignores such
 * locks can still write to it. @throws OperatorError when another program has it
 */
function openImage(path: string): { fd: number; isLocked: boolean } {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw new OperatorError('The image cannot be served', `${path}: ${reasonOf(error)}`);
  }
  const lock = lockImage(fd);
  if (lock !== false && lockOpenFile(fd)) return { fd, isLocked: lock === true };
  closeSync(fd);
  const who = processesWithOpen(realpathSync(path));
  throw new OperatorError(
    `The image ${path} is in use`,
    who.length > 0 ? `${who.join(', ')} has it open.` : 'Another storage object, or another machine, has it open.',
  );
}

/** The image while it is served: its size and its snapshots, changed one at a time. */
class QcowResources implements Snapshots {
  readonly #volume: NbdVolume;
  readonly #daemon: StorageDaemon;
  readonly #path: string;
  readonly #fd: number;
  #before: Promise<unknown> = Promise.resolve();
  /** The bytes of the disk in the image. */
  #size: number;
  /** The reason why the image could not be cut: data beyond the end is still there, and must not be seen. */
  #uncut: unknown;

  constructor(volume: NbdVolume, daemon: StorageDaemon, path: string, fd: number) {
    this.#volume = volume;
    this.#daemon = daemon;
    this.#path = path;
    this.#fd = fd;
    this.#size = volume.exportSize;
  }

  /** Sets the size of the volume, from the call on; the image is made larger where it is smaller. */
  async resize(size: number): Promise<void> {
    if (size <= this.#volume.size) this.#volume.size = size;
    await this.#inTurn(async () => {
      if (size > this.#size) {
        if (this.#uncut)
          throw new OperatorError(`What lies beyond the end could not be cut off: ${reasonOf(this.#uncut)}`);
        await this.#setSize(size);
      }
      this.#volume.size = size;
    });
    await this.#volume.settled();
  }

  /** Removes all data of the image beyond the end of the volume. */
  cut(): void {
    const { size } = this.#volume;
    void this.#inTurn(async () => {
      if (this.#size > size) await this.#setSize(size);
      this.#uncut = undefined;
    }).catch((error) => {
      this.#uncut = error;
    });
  }

  async #setSize(size: number): Promise<void> {
    await this.#whileAway('its size is being changed', () =>
      this.#daemon.command('block_resize', { 'node-name': this.#daemon.node, size }),
    );
    this.#size = size;
  }

  async list() {
    return snapshotsIn(this.#path);
  }

  create(name: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#daemon.command('blockdev-snapshot-internal-sync', { device: this.#daemon.node, name });
      await fsyncLater(this.#fd);
    });
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#refuseMissing(name);
      await this.#daemon.command('blockdev-snapshot-delete-internal-sync', { device: this.#daemon.node, name });
    });
  }

  rollback(name: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#refuseMissing(name);
      await this.#whileAway('it is being rolled back', async () => {
        await this.#daemon.close();
        try {
          await qemuImg(['snapshot', '-a', name, '--image-opts', this.#asOpened()]);
          await fsyncLater(this.#fd);
        } finally {
          await this.#daemon.open();
        }
      });
    });
  }

  /** Clones in turn: a snapshot that is being copied is not deleted meanwhile. */
  clone(name: string, config: Readonly<Record<string, unknown>>): Promise<void> {
    const to = String(config['config']).replace(/^qcow\//, '');
    return this.#inTurn(async () => {
      await this.#refuseMissing(name);
      if (await stat(to).catch(() => undefined))
        throw new OperatorError(`${to} exists already`, 'Remove it, or choose another name.');
      const beginning = `${to}.new`;
      try {
        const of = ['-l', `snapshot.name=${name}`, '--image-opts', '-O', 'qcow2'];
        await qemuImg(['convert', ...of, this.#asOpened(), beginning]);
        const made = openSync(beginning, constants.O_RDWR);
        await fsyncLater(made).finally(() => closeSync(made));
        await rename(beginning, to);
      } catch (error) {
        await rm(beginning, { force: true });
        throw error;
      }
    });
  }

  async #refuseMissing(name: string): Promise<void> {
    if (!(await this.list()).some((one) => one.name === name)) throw snapshotMissing(name);
  }

  /** The image as another program of QEMU opens it, which our lock does not concern. */
  #asOpened(): string {
    return `driver=qcow2,file.driver=file,file.locking=off,file.filename=${this.#path.replaceAll(',', ',,')}`;
  }

  #whileAway(reason: string, work: () => Promise<unknown>): Promise<void> {
    return this.#volume.whileAway(reason, async () => {
      try {
        await this.#daemon.withdraw();
        try {
          await work();
        } finally {
          await this.#daemon.offer();
        }
      } catch (error) {
        // A new daemon begins with the image as it is.
        await within(killMs, this.#daemon.kill());
        throw error;
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#before.then(work);
    this.#before = turn.catch(() => {});
    return turn;
  }
}

/** Runs qemu-img, however long that takes. @throws OperatorError with its output */
export function qemuImg(words: readonly string[]): Promise<void> {
  const program = findProgram('qemu-img');
  if (!program)
    return Promise.reject(new OperatorError('qemu-img is not installed', 'Install it: apt install qemu-utils'));
  return new Promise((resolve, reject) => {
    execFile(program, words, (error, _said, complaint) => {
      const line = (complaint.trim().split('\n').at(-1) ?? '').replace(/^qemu-img: /, '');
      if (error) reject(new OperatorError(`qemu-img ${words[0]} failed: ${line || error.message}`));
      else resolve();
    });
  });
}
