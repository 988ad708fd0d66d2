/**
 * LUNs as block devices of this machine. Each has a process of its own (device-process.ts), which outlives this one: a device in use
 * stays, and the next process that serves the LUN finds it.
 */

import { spawn } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { within } from '../backstore/patience.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { whoUses } from '../system/block-users.ts';
import { startTimeOf } from '../system/process.ts';
import { runProgram } from '../system/program.ts';
import { until } from '../system/running-time.ts';
import { type DeviceSource, leftIn } from './device-ways.ts';

/** A LUN that is a block device of this machine. */
export interface Attached {
  /** The device's file: `/dev/nbd0`. */
  readonly device: string;
  /** Whether its process has ended, so that the device answers nothing any more. */
  hasEnded(): boolean;
  /** Writes the kernel's cached data to the LUN, and removes the device. */
  detach(): Promise<void>;
  /** Removes the device as `detach` does, unless programs use it: then it stays for the next process that serves. @returns its users */
  leave(): Promise<string[]>;
}

/** The LUN that is to be attached. */
export interface Source {
  /** The socket of the target. */
  readonly target: string;
  /** The storage object's serial number: under that name, the target gives this disk or none. */
  readonly serial: string;
  readonly name: string;
  /** The size in bytes. */
  readonly size: number;
  readonly blockSize: number;
  readonly readOnly: boolean;
  /** A path of its own in the run directory, where a link to the device stands while it is attached. */
  readonly link: string;
}

/** The words that a device's process is started with. */
export interface DeviceWords extends Omit<DeviceSource, 'exportName'> {
  readonly target: string;
  readonly serial: string;
  readonly name: string;
  readonly size: number;
}

/** The one line that the process says. */
export type DeviceWord = { readonly device: string } | { readonly message: string; readonly hint?: string };

/** The time that the process may take to make its device, and to end. */
const startMs = 15_000;
const endMs = 35_000;
const pollMs = 20;

/** The program of the process, which build.mjs puts beside this one. */
const program = fileURLToPath(new URL('./device.js', import.meta.url));

/** The note that lies beside the link. */
interface Note extends Omit<Source, 'link' | 'target'> {
  readonly pid: number;
  readonly startTime: string;
  readonly device: string;
}

/** Attaches a LUN, or takes over the device that it is already. @throws OperatorError that says what is in the way */
export async function attachLun(source: Source): Promise<Attached> {
  const earlier = noteOf(source);
  if (earlier && isRunning(earlier)) {
    if (isOf(earlier, source)) return attachedAs(earlier, source);
    await refuseInUse(earlier.device, `${earlier.device} was attached as another disk`);
    await end(earlier, source);
  }
  await clean(source);
  return attachedAs(await begin(source), source);
}

const folderOf = ({ link }: Source): string => `${link}.fuse`;
const noteFileOf = ({ link }: Source): string => `${link}.json`;
const isRunning = ({ pid, startTime }: Note): boolean => startTimeOf(pid) === startTime;
const isOf = (note: Note, { serial, blockSize }: Source): boolean =>
  note.serial === serial && note.blockSize === blockSize;

function noteOf(source: Source): Note | undefined {
  try {
    return JSON.parse(readFileSync(noteFileOf(source), 'utf8')) as Note;
  } catch {
    return undefined;
  }
}

function attachedAs(note: Note, source: Source): Attached {
  const { device } = note;
  const sync = () => runProgram('blockdev', ['--flushbufs', device]).catch(() => {});
  const detach = async () => {
    if (isRunning(note)) await sync();
    await end(note, source);
  };
  return {
    device,
    hasEnded: () => !isRunning(note),
    detach,
    async leave() {
      const users = await whoUses(device);
      if (users.length === 0) await detach();
      else await sync();
      return users;
    },
  };
}

async function begin(source: Source): Promise<Note> {
  const { target, serial, name, size, blockSize, readOnly, link } = source;
  const folder = folderOf(source);
  const words: DeviceWords = { target, serial, name, size, blockSize, readOnly, folder, socket: `${link}.sock` };
  const child = spawn(process.execPath, [program, JSON.stringify(words)], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  const spoken = new Promise<void>((resolve) => {
    child.stdout.on('data', (data) => {
      said += data;
      if (said.includes('\n')) resolve();
    });
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  await within(startMs, spoken);
  if (!said.includes('\n')) {
    child.kill('SIGKILL');
    throw new OperatorError('Could not attach: its process does not answer');
  }
  const word = JSON.parse(said) as DeviceWord;
  if (!('device' in word)) throw new OperatorError(word.message, word.hint);
  child.unref();
  child.stdout.destroy();
  const pid = child.pid ?? 0;
  const note: Note = {
    pid,
    startTime: startTimeOf(pid) ?? '',
    device: word.device,
    serial,
    name,
    size,
    blockSize,
    readOnly,
  };
  writeFileSync(noteFileOf(source), JSON.stringify(note), { mode: 0o600 });
  symlinkSync(note.device, link);
  return note;
}

/** Ends the process of a device; the device goes with it. */
async function end(note: Note, source: Source): Promise<void> {
  if (isRunning(note)) process.kill(note.pid, 'SIGTERM');
  // The process may be the child of an earlier tcli, so that nobody tells of its end.
  if (!(await until(pollMs, endMs, () => !isRunning(note) || undefined))) process.kill(note.pid, 'SIGKILL');
  forget(source);
}

function forget(source: Source): void {
  for (const path of [source.link, noteFileOf(source), `${source.link}.sock`]) rmSync(path, { force: true });
}

/** Removes a device whose process ended without a word. */
async function clean(source: Source): Promise<void> {
  const left = leftIn({ folder: folderOf(source), exportName: source.name });
  for (const device of left.devices)
    await refuseInUse(device, `${device} has lost its other end, and what is written to it now is lost`);
  await left.end();
  forget(source);
}

/** Refuses to remove a device in use. @throws OperatorError while a mounted file system or a program has the device */
async function refuseInUse(device: string, what: string): Promise<void> {
  const users = await whoUses(device);
  if (users.length > 0)
    throw new OperatorError(`${what}; it is ${users.join(', ')}`, 'Umount it: then it is attached anew.');
}

/** The reason why a LUN is not attached, for an operator. */
export const problemOf = (error: unknown): OperatorError =>
  error instanceof OperatorError ? error : new OperatorError(reasonOf(error));
