/**
 * Ways to make a block device of an NBD socket, by what the machine has: the kernel's nbd, or a loop device over a file that nbdfuse
 * shows. Nothing here waits in the event loop: the device's own I/O needs it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { findProgram, runProgram } from '../system/program.ts';
import { until } from '../system/running-time.ts';

/** The export that is to be a device. */
export interface DeviceSource {
  /** The socket of an NBD server with one export. */
  readonly socket: string;
  readonly exportName: string;
  /** The bytes of a logical block. */
  readonly blockSize: number;
  readonly readOnly: boolean;
  /** A folder for this device alone, which need not exist. */
  readonly folder: string;
}

interface NbdDevice {
  /** The device's file: `/dev/nbd0`. */
  readonly path: string;
  /** Resolves when the device has ended by itself, with the reason. */
  readonly ended: Promise<string>;
  end(): Promise<void>;
}

/** The time that nbdfuse may take to show its file, and the interval of looking. */
const mountMs = 10_000;
const mountPollMs = 20;

/** A way to make a block device of an export. */
export interface DeviceWay {
  /** The things that the way lacks on this machine, a phrase each. */
  missing(): string[];
  make(source: DeviceSource): Promise<NbdDevice>;
}

const lacks = (missing: boolean, what: string): string[] => (missing ? [what] : []);
const lacksProgram = (name: string, from: string): string[] => lacks(!findProgram(name), `${name} (package ${from})`);
const isRoot = (): boolean => process.getuid?.() === 0;

/** The first way that this machine has. @throws OperatorError that says what is missing */
export function usableWay(): DeviceWay {
  const found = ways.map((way) => ({ way, missing: way.missing() }));
  const usable = found.find(({ missing }) => missing.length === 0);
  if (usable) return usable.way;
  throw new OperatorError(
    'A LUN cannot become a block device on this machine',
    found.map(({ missing }) => `Missing: ${missing.join(', ')}`).join('\nor: '),
  );
}

const kernel: DeviceWay = {
  missing: () => [
    ...lacks(!isRoot(), 'root'),
    ...lacks(!existsSync('/sys/block/nbd0'), 'the kernel module nbd (modprobe nbd)'),
    ...lacksProgram('nbd-client', 'nbd-client'),
  ],
  async make({ socket, exportName, blockSize, readOnly }) {
    const path = freeNbdDevice();
    const words = ['-unix', socket, path, '-name', exportName, '-block-size', String(blockSize)];
    await runProgram('nbd-client', readOnly ? [...words, '-readonly'] : words);
    return {
      path,
      // The kernel itself serves the device, so it does not end by itself.
      ended: new Promise(() => {}),
      end: async () => void (await runProgram('nbd-client', ['-d', path])),
    };
  },
};

function freeNbdDevice(): string {
  // The kernel shows the client's process while a device is connected.
  const free = readdirSync('/sys/block').find((name) => /^nbd\d+$/.test(name) && !existsSync(`/sys/block/${name}/pid`));
  if (!free) throw new OperatorError('Every nbd device is in use', 'More of them: modprobe nbd nbds_max=64');
  return `/dev/${free}`;
}

const fuse: DeviceWay = {
  missing: () => [
    ...lacks(!isRoot(), 'root'),
    ...lacks(!existsSync('/dev/fuse'), '/dev/fuse'),
    ...lacks(!existsSync('/dev/loop-control'), 'loop devices (modprobe loop)'),
    ...lacksProgram('nbdfuse', 'libnbd-bin'),
    ...lacksProgram('losetup', 'util-linux'),
    ...lacksProgram('umount', 'util-linux'),
  ],
  async make({ socket, exportName, blockSize, readOnly, folder }) {
    const file = join(folder, exportName);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const options = [...(readOnly ? ['--readonly'] : []), file, '--unix', socket];
    const child = spawn(findProgram('nbdfuse')!, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise<string>((resolve) =>
      child.once('exit', (status, signal) => resolve(`nbdfuse has ended (${signal ?? `status ${status}`})`)),
    );
    try {
      await shown(child, folder);
      const words = ['--find', '--show', '--sector-size', String(blockSize)];
      const path = await runProgram('losetup', [...words, ...(readOnly ? ['--read-only'] : []), file]);
      const end = async () => {
        await runProgram('losetup', ['--detach', path]);
        await unmount(folder);
      };
      return { path, ended, end };
    } catch (error) {
      await unmount(folder);
      throw error;
    }
  },
};

const ways: readonly DeviceWay[] = [kernel, fuse];

/** Waits until nbdfuse has mounted `folder`. @throws Error with its output when it does not */
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
  const isShown = await until(mountPollMs, mountMs, () => isMounted(folder) || (ended ? false : undefined));
  if (isShown) return;
  child.kill();
  throw new Error(`nbdfuse: ${said.trim().split('\n').at(-1) || 'its file does not appear'}`);
}

/** proc(5) mountinfo: field 5 is the mount point, blanks in it octal. */
const isMounted = (folder: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === folder.replaceAll(' ', '\\040'));

async function unmount(folder: string): Promise<void> {
  if (isMounted(folder)) await runProgram('umount', ['--lazy', folder]);
  if (existsSync(folder)) rmdirSync(folder);
}

/** The loop devices over the file that an earlier process showed in `folder`, and what ends them. */
export function leftIn({ folder, exportName }: Pick<DeviceSource, 'folder' | 'exportName'>) {
  const file = join(folder, exportName);
  const devices = readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop') && backingFile(name) === file)
    .map((name) => `/dev/${name}`);
  const end = async () => {
    for (const device of devices) await runProgram('losetup', ['--detach', device]).catch(() => {});
    await unmount(folder);
  };
  return { devices, end };
}

function backingFile(loop: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${loop}/loop/backing_file`, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}
