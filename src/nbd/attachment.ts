/**
 * A LUN as a block device of this machine, by what the machine has: the kernel's nbd, or a loop device over a file that
 * nbdfuse shows. Nothing here waits in the event loop: the device's own I/O needs it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { processesWithOpen } from '../system/process.ts';
import { findProgram, runProgram } from '../system/program.ts';

export interface Attached {
  /** `/dev/nbd0` */
  readonly device: string;
  /** @throws OperatorError while somebody uses it, unless it is to go all the same */
  detach(force: boolean): Promise<void>;
}

/** What is to be attached. */
export interface Source {
  readonly uri: string;
  readonly socket: string;
  readonly exportName: string;
  /** Bytes of a logical block. */
  readonly blockSize: number;
  readonly readOnly: boolean;
  /** A path of its own in the run directory; a link to the device stands there while it is attached. */
  readonly link: string;
}

/** How long nbdfuse may take to show its file, and how often that is looked at. */
const mountMs = 10_000;
const mountPollMs = 20;

interface Way {
  /** What it lacks here, a phrase each. */
  missing(): string[];
  attach(source: Source): Promise<Attached>;
}

const lacks = (missing: boolean, what: string): string[] => (missing ? [what] : []);
const lacksProgram = (name: string, from: string): string[] => lacks(!findProgram(name), `${name} (package ${from})`);
const isRoot = (): boolean => process.getuid?.() === 0;

/** @throws OperatorError that says what is missing */
export async function attach(source: Source): Promise<Attached> {
  await clean(source);
  const found = ways.map((way) => ({ way, missing: way.missing() }));
  const usable = found.find(({ missing }) => missing.length === 0);
  if (!usable)
    throw new OperatorError(
      'A LUN cannot become a block device on this machine',
      found.map(({ missing }) => `Missing: ${missing.join(', ')}`).join('\nor: '),
    );
  let attached: Attached;
  try {
    attached = await usable.way.attach(source);
  } catch (error) {
    throw error instanceof OperatorError ? error : new OperatorError(`Could not attach: ${reasonOf(error)}`);
  }
  symlinkSync(attached.device, source.link);
  return {
    device: attached.device,
    async detach(force) {
      await attached.detach(force);
      rmSync(source.link, { force: true });
    },
  };
}

const kernel: Way = {
  missing: () => [
    ...lacks(!isRoot(), 'root'),
    ...lacks(!existsSync('/sys/block/nbd0'), 'the kernel module nbd (modprobe nbd)'),
    ...lacksProgram('nbd-client', 'nbd-client'),
  ],
  async attach({ socket, exportName, blockSize, readOnly }) {
    const device = freeNbdDevice();
    const words = ['-unix', socket, device, '-name', exportName, '-block-size', String(blockSize)];
    await runProgram('nbd-client', readOnly ? [...words, '-readonly'] : words);
    return {
      device,
      async detach(force) {
        if (!force) await refuseInUse(device);
        await runProgram('nbd-client', ['-d', device]);
      },
    };
  },
};

function freeNbdDevice(): string {
  // The kernel shows the client's process while a device is connected.
  const free = readdirSync('/sys/block').find((name) => /^nbd\d+$/.test(name) && !existsSync(`/sys/block/${name}/pid`));
  if (!free) throw new OperatorError('Every nbd device is in use', 'More of them: modprobe nbd nbds_max=64');
  return `/dev/${free}`;
}

const fuse: Way = {
  missing: () => [
    ...lacks(!isRoot(), 'root'),
    ...lacks(!existsSync('/dev/fuse'), '/dev/fuse'),
    ...lacks(!existsSync('/dev/loop-control'), 'loop devices (modprobe loop)'),
    ...lacksProgram('nbdfuse', 'libnbd-bin'),
    ...lacksProgram('losetup', 'util-linux'),
    ...lacksProgram('umount', 'util-linux'),
  ],
  async attach(source) {
    const folder = folderOf(source);
    const file = join(folder, source.exportName);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const options = [...(source.readOnly ? ['--readonly'] : []), file, source.uri];
    const child = spawn(findProgram('nbdfuse')!, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    let device = '';
    try {
      await shown(child, folder);
      const words = ['--find', '--show', '--sector-size', String(source.blockSize)];
      device = await runProgram('losetup', [...words, ...(source.readOnly ? ['--read-only'] : []), file]);
    } catch (error) {
      await unmount(folder);
      throw error;
    }
    return {
      device,
      async detach(force) {
        if (!force) await refuseInUse(device);
        await runProgram('losetup', ['--detach', device]);
        await unmount(folder);
      },
    };
  },
};

const ways: readonly Way[] = [kernel, fuse];

const folderOf = ({ link }: Source): string => `${link}.fuse`;

/** Waits until nbdfuse has mounted `folder`. @throws Error with what it said instead */
async function shown(child: ChildProcess, folder: string): Promise<void> {
  let said = '';
  let ended = false;
  child.stderr?.on('data', (data) => {
    said = `${said}${data}`.slice(-4096);
  });
  child.on('error', (error) => {
    said += error.message;
    ended = true;
  });
  child.on('exit', () => {
    ended = true;
  });
  for (let waited = 0; !isMounted(folder); waited += mountPollMs) {
    if (ended || waited > mountMs) {
      child.kill();
      throw new Error(`nbdfuse: ${said.trim().split('\n').at(-1) || 'its file does not appear'}`);
    }
    await sleep(mountPollMs);
  }
}

/** proc(5) mountinfo: field 5 is the mount point, blanks in it octal. */
const isMounted = (folder: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === folder.replaceAll(' ', '\\040'));

async function unmount(folder: string): Promise<void> {
  if (isMounted(folder)) await runProgram('umount', ['--lazy', folder]);
  rmdirSync(folder);
}

/** What an earlier process left when it ended without a word: a device whose other end is gone. */
async function clean(source: Source): Promise<void> {
  const folder = folderOf(source);
  const file = join(folder, source.exportName);
  for (const name of readdirSync('/sys/block')) {
    if (!name.startsWith('loop') || backingFile(name) !== file) continue;
    await runProgram('losetup', ['--detach', `/dev/${basename(name)}`]).catch(() => {});
  }
  if (existsOrBroken(folder)) await unmount(folder);
  rmSync(source.link, { force: true });
}

function backingFile(loop: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${loop}/loop/backing_file`, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}

const existsOrBroken = (folder: string): boolean => isMounted(folder) || existsSync(folder);

/** @throws OperatorError while a mounted file system or a program has the device */
async function refuseInUse(device: string): Promise<void> {
  try {
    await (await open(device, constants.O_RDONLY | constants.O_EXCL)).close();
  } catch (error) {
    if (systemErrorCode(error) !== 'EBUSY') return;
    const who = processesWithOpen(device);
    throw new OperatorError(
      `${device} is in use`,
      who.length > 0 ? `${who.join(', ')} has it open.` : `See what is mounted or built on it: lsblk ${device}`,
    );
  }
}
