/**
 * The promises of a flush, on media that fail: two initiators write and flush, the medium's writeback is broken and mended, the target is
 * paused, killed with -9 and started again. At each GOOD of a flush or of a write with FUA, the medium itself is looked at: no
 * acknowledged data may be missing there, nor still be in a cache below the target.
 */

import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connected, connectInitiator } from '../support/connect-initiator.ts';
import { loggingMedium, type MediumKind } from '../support/logging-medium.ts';
import { oneOf, type Random } from '../support/random.ts';
import { attachLoopDevice, detachLoopDevice, makeFile } from '../support/scratch.ts';

const mediumBytes = 8 << 20;
const blockBytes = 4096;
const blockCount = mediumBytes / blockBytes;
const sectors = blockBytes / 512;

/** A medium whose writes can be made to fail. */
export interface FragileMedium {
  /** The storage object: what `create` of its kind wants after the name. */
  readonly create: string;
  /** The image with the real contents of the medium. */
  readonly image: string;
  breaks(): void;
  mends(): void;
  /** Whether something that it got is in no flush yet; false where it does not say. */
  hasUnstable(): boolean;
  close(): Promise<void>;
}

export type FragileKind = MediumKind | 'full disk';

export async function fragileMedium(kind: FragileKind, folder: string): Promise<FragileMedium> {
  if (kind === 'full disk') return fullDisk(folder);
  const switchFile = join(folder, 'broken');
  const filters = ['--filter=error'];
  const errors = ['error-pwrite=EIO', 'error-pwrite-rate=60%', `error-pwrite-file=${switchFile}`];
  const own = join(folder, 'medium');
  mkdirSync(own);
  const medium = await loggingMedium(kind, own, mediumBytes, filters, errors);
  const creations: Record<MediumKind, string> = {
    'NBD export': `/backstores/user:nbd create disk ${mediumBytes} "${medium.name}"`,
    file: `/backstores/fileio create disk ${medium.name}`,
    'block device': `/backstores/block create disk ${medium.name}`,
  };
  return {
    create: creations[kind],
    image: join(own, 'image'),
    breaks: () => writeFileSync(switchFile, ''),
    mends: () => rmSync(switchFile, { force: true }),
    hasUnstable: () => medium.events().unstable().length > 0,
    close: () => medium.close(),
  };
}

/** A loop device whose file finds no space on its tmpfs, until there is more. */
async function fullDisk(folder: string): Promise<FragileMedium> {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const small = mediumBytes / 4;
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${small}`, 'tmpfs', disk]);
  const image = makeFile(join(disk, 'image'), mediumBytes);
  const device = attachLoopDevice(image);
  const mends = () => void execFileSync('mount', ['-o', `remount,size=${2 * mediumBytes}`, disk]);
  return {
    create: `/backstores/block create disk ${device}`,
    image,
    // The medium is full by itself, as long as it was never mended.
    breaks: () => {},
    mends,
    hasUnstable: () => false,
    async close() {
      detachLoopDevice(device);
      // The device lets go of its file a moment later.
      for (let attempt = 0; ; attempt += 1)
        try {
          return void execFileSync('umount', [disk], { stdio: 'ignore' });
        } catch (error) {
          if (attempt > 50) throw error;
          await sleep(100);
        }
    },
  };
}

/** The target under torture. */
export interface PromisedTarget {
  readonly port: number;
  readonly wwn: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  pause(ms: number): Promise<void>;
  /** The operator's command. */
  reopen(): Promise<void>;
}

export interface PromiseCounts {
  writes: number;
  flushes: number;
  refusedFlushes: number;
  breaks: number;
  pauses: number;
  kills: number;
  reopens: number;
  /** Deferred errors. */
  told: number;
}

/** The contents of one block, as far as they are known. */
interface Block {
  /** The stamp of the last write that was acknowledged; undefined when one failed after it. */
  acknowledged: number | undefined;
  /** Whether the block was acknowledged after the last good flush. */
  dirty: boolean;
  /** A flush failed while it was dirty, and it was not written since. */
  suspect: boolean;
}

export class Promises {
  readonly counts: PromiseCounts = {
    ...{ writes: 0, flushes: 0, refusedFlushes: 0, breaks: 0, pauses: 0, kills: 0, reopens: 0, told: 0 },
  };
  readonly violations: string[] = [];
  readonly #medium: FragileMedium;
  readonly #target: PromisedTarget;
  readonly #random: Random;
  readonly #blocks: Block[] = Array.from({ length: blockCount }, () => ({
    ...{ acknowledged: 0, dirty: false, suspect: false },
  }));
  #connections: Connected[] = [];
  #stamp = 0;
  #isBroken = false;

  constructor(medium: FragileMedium, target: PromisedTarget, random: Random) {
    this.#medium = medium;
    this.#target = target;
    this.#random = random;
  }

  async run(end: number): Promise<void> {
    try {
      await this.#logIn();
      while (Date.now() < end && this.violations.length === 0) await this.#step();
      await this.#recover();
    } finally {
      for (const { close } of this.#connections) close();
    }
  }

  async #step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.55) return this.#write(false);
    if (chance < 0.65) return this.#write(true);
    if (chance < 0.85) return void (await this.#flush());
    if (chance < 0.9) return this.#break();
    if (chance < 0.94) return this.#recover();
    if (chance < 0.97) {
      this.counts.pauses += 1;
      return this.#target.pause(this.#random() * 400);
    }
    await this.#kill();
  }

  #break(): void {
    this.counts.breaks += 1;
    this.#isBroken = true;
    this.#medium.breaks();
  }

  async #kill(): Promise<void> {
    for (const { close } of this.#connections) close();
    await this.#target.kill();
    this.counts.kills += 1;
    // A write without a flush is in the kernel's cache, or lost with a medium that fails just now: then nobody can say.
    if (this.#isBroken) for (const block of this.#blocks) if (block.dirty) block.acknowledged = undefined;
    // The next process flushes the medium when it opens it, and knows by that whether something is missing.
    for (const block of this.#blocks) block.dirty = false;
    await this.#target.start();
    await this.#logIn();
  }

  /** The medium is mended; everything that may be lost is written again; and if that is not enough, the operator reopens it. */
  async #recover(): Promise<void> {
    this.#medium.mends();
    this.#isBroken = false;
    for (const [at, block] of this.#blocks.entries()) if (block.suspect) await this.#writeBlock(at, false);
    if (await this.#flush()) return;
    this.counts.reopens += 1;
    await this.#target.reopen();
    // From now on the operator knows that they may hold anything.
    for (const block of this.#blocks) if (block.suspect || block.dirty) Object.assign(block, unknown);
    if (!(await this.#flush())) this.violations.push('a flush fails although the medium is well and was reopened');
  }

  async #write(fua: boolean): Promise<void> {
    await this.#writeBlock(Math.floor(this.#random() * blockCount), fua);
  }

  async #writeBlock(at: number, fua: boolean): Promise<void> {
    this.#stamp += 1;
    const stamp = this.#stamp;
    const lba = at * sectors;
    const block = this.#blocks[at]!;
    const data = Buffer.from(new Uint32Array(blockBytes / 4).fill(stamp).buffer);
    const isGood = await this.#send([0x2a, fua ? 8 : 0, 0, 0, lba >> 8, lba & 0xff, 0, 0, sectors, 0], data);
    this.counts.writes += 1;
    if (!isGood) {
      block.acknowledged = undefined;
      // A write with FUA that failed may be the medium's failure.
      if (fua) this.#suspectAll();
      return;
    }
    Object.assign(block, { acknowledged: stamp, suspect: false, dirty: !fua });
    if (!fua) return;
    this.#checkPromise('a write with FUA');
    this.#compare([at], 'a write with FUA');
  }

  /** @returns whether it was GOOD */
  async #flush(): Promise<boolean> {
    if (!(await this.#send([0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0]))) {
      this.counts.refusedFlushes += 1;
      this.#suspectAll();
      return false;
    }
    this.counts.flushes += 1;
    this.#checkPromise('a flush');
    if (this.#medium.hasUnstable()) this.violations.push('a flush was GOOD, and the medium had been told of none');
    for (const block of this.#blocks) block.dirty = false;
    this.#compare([...this.#blocks.keys()], 'a flush');
    return true;
  }

  #suspectAll(): void {
    // While something is missing every flush is refused, also one that the medium carried out: what was written since may
    // be there. Whether it is, `#compare` sees.
    if (this.#blocks.some(({ suspect }) => suspect)) return;
    for (const block of this.#blocks) block.suspect ||= block.dirty;
  }

  #checkPromise(what: string): void {
    const lost = this.#blocks.filter(({ suspect }) => suspect).length;
    if (lost > 0)
      this.violations.push(`${what} was GOOD, and ${lost} blocks that a failed flush lost were not written again`);
  }

  /** Looks at the medium itself. */
  #compare(which: readonly number[], what: string): void {
    const fd = openSync(this.#medium.image, 'r');
    const found = Buffer.alloc(4);
    for (const at of which) {
      const { acknowledged } = this.#blocks[at]!;
      readSync(fd, found, 0, 4, at * blockBytes);
      if (acknowledged !== undefined && found.readUInt32LE(0) !== acknowledged)
        this.violations.push(`${what} was GOOD, and block ${at} holds ${found.readUInt32LE(0)}, not ${acknowledged}`);
    }
    closeSync(fd);
  }

  async #logIn(): Promise<void> {
    const { port, wwn } = this.#target;
    const names = ['one', 'two'].map((name) => `iqn.1994-05.com.redhat:${name}`);
    this.#connections = await Promise.all(names.map((name) => connectInitiator(port, wwn, name)));
  }

  /** By one or the other, again where it was told something else and the command was not carried out. */
  async #send(cdb: number[], data?: Buffer): Promise<boolean> {
    const { initiator, lost } = oneOf(this.#random, this.#connections)!;
    for (;;) {
      const { status, sense, pdus } = await Promise.race([initiator.command(cdb, data ? { data } : {}), lost]);
      // Behind the length of the sense data: a deferred error is about commands before this one (SPC-4 4.5.5).
      const isDeferred = sense !== '' && pdus.at(-1)?.data[2] === 0x71;
      if (isDeferred) this.counts.told += 1;
      else if (!sense.startsWith('6/')) return status === 0;
    }
  }
}

const unknown: Block = { acknowledged: undefined, dirty: false, suspect: false };
