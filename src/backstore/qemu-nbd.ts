/** Volumes that qemu-nbd serves for us: it is started, and started again when it ends, until the volume is closed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { ownFolder } from '../system/own-folder.ts';
import { endingWithUs, findProgram } from '../system/program.ts';
import { whenLate } from '../system/running-time.ts';
import type { Volume } from './backstore.ts';
import { type NbdConnection, openNbdConnection } from './nbd-connection.ts';
import type { NbdAddress } from './nbd-uri.ts';
import { openNbdVolume } from './nbd-volume.ts';
import { within } from './patience.ts';

/** The time that opening an image, and the end, may take. */
const startMs = 10_000;
const endMs = 10_000;
const killMs = 1_000;
/** The pause before qemu-nbd is started again. */
const restartMs = 200;

/** A node of QEMU's block layer: a driver, its options, and the nodes below it. */
export interface BlockNode {
  readonly driver: string;
  readonly [option: string]: string | BlockNode;
}

/** Opens a volume. @throws OperatorError with qemu-nbd's words when it cannot serve the image */
export async function openQemuVolume(image: BlockNode, size: number): Promise<Volume> {
  const server = new QemuNbd(imageOptions(image));
  try {
    const volume = await openNbdVolume({ connect: () => server.connect() }, size);
    const close = volume.close.bind(volume);
    volume.close = () => close().finally(() => server.end());
    return volume;
  } catch (error) {
    await server.end();
    throw error;
  }
}

/** Writes a node in qemu's `a=b,c.d=e` form, in which no path is taken for an option or a protocol; a comma in a value is doubled. */
function imageOptions(node: BlockNode, prefix = ''): string {
  const words = Object.entries(node).map(([key, value]) =>
    typeof value === 'string'
      ? `${prefix}${key}=${value.replaceAll(',', ',,')}`
      : imageOptions(value, `${prefix}${key}.`),
  );
  return words.join(',');
}

function refusal(said: string): OperatorError {
  const missing = /Unknown driver '(\w+)'/.exec(said)?.[1];
  const what = (said.trim().split('\n').at(-1) ?? '').replace(/^qemu-nbd: /, '');
  return new OperatorError(
    'qemu-nbd cannot serve the image',
    missing === undefined ? what : `Its driver for ${missing} is not installed: apt install qemu-block-extra`,
  );
}

class QemuNbd {
  readonly #folder = ownFolder('qemu');
  readonly #socket = join(this.#folder.path, 'socket');
  /** The file into which qemu-nbd writes its process number once it listens. */
  readonly #pidFile = join(this.#folder.path, 'pid');
  readonly #address: NbdAddress = {
    socket: { path: this.#socket },
    exportName: '',
    tls: 'allow',
    certificates: undefined,
    verifyPeer: true,
  };
  readonly #image: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Resolves when the running qemu-nbd, or the next one, listens or has ended without. */
  #ready: Promise<unknown> = Promise.resolve();
  #said = '';
  #wanted = true;
  /** Whether qemu-nbd has accepted the image: only then is it started again when it ends. */
  #served = false;

  /** @param image as `imageOptions` writes it */
  constructor(image: string) {
    this.#image = image;
  }

  /** Connects. @throws OperatorError when qemu-nbd does not run, or ends instead of serving */
  async connect(): Promise<NbdConnection> {
    if (!this.#served) this.#run();
    await within(startMs, this.#ready);
    try {
      const connection = await openNbdConnection(this.#address);
      this.#served = true;
      return connection;
    } catch (error) {
      throw this.#said === '' ? error : refusal(this.#said);
    }
  }

  /** Starts qemu-nbd, which ends by itself when its last client has gone, also when this process was killed. */
  #run(): void {
    const program = findProgram('qemu-nbd');
    if (!program) throw new OperatorError('qemu-nbd is not installed', 'Install it: apt install qemu-utils');
    for (const path of [this.#socket, this.#pidFile]) rmSync(path, { force: true });
    const places = ['--socket', this.#socket, '--pid-file', this.#pidFile];
    const options = [...places, '--shared=8', '--discard=unmap', '--cache=writeback'];
    const listens = appeared(this.#folder.path, this.#pidFile);
    const [command, words] = endingWithUs(program, [...options, '--image-opts', this.#image]);
    const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr.on('data', (data) => {
      this.#said = `${this.#said}${data}`.slice(-4096);
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#said += error.message;
        resolve();
      });
      child.once('exit', () => resolve());
    });
    this.#ready = Promise.race([listens.promise, this.#exited]).finally(listens.end);
    void this.#exited.then(() => {
      this.#child = undefined;
      if (this.#wanted && this.#served) this.#restart();
    });
  }

  #restart(): void {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#ready = promise;
    whenLate(restartMs, () => {
      if (this.#wanted) this.#run();
      resolve(this.#wanted && this.#ready);
    });
  }

  async end(): Promise<void> {
    this.#wanted = false;
    const child = this.#child;
    if (child) {
      child.kill('SIGTERM');
      if (await within(endMs, this.#exited)) {
        child.kill('SIGKILL');
        // A process that hangs in the kernel does not end by a signal either.
        await within(killMs, this.#exited);
      }
    }
    this.#folder.remove();
  }
}

/** Waits for a file in a folder that exists. */
function appeared(folder: string, path: string): { promise: Promise<void>; end(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(folder, () => {
    if (existsSync(path)) resolve();
  });
  return { promise, end: () => watcher.close() };
}
