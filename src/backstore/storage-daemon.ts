/**
 * A qemu-storage-daemon that serves one image to this process: commanded by QMP, on its standard input and output, and asked for data by
 * NBD, on a socket of its own. Each volume has its own daemon: one that hangs or dies is ended without the others.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { OperatorError, reasonOf } from '../errors.ts';
import { ownFolder } from '../system/own-folder.ts';
import { endingWithUs, findProgram } from '../system/program.ts';
import { type NbdConnection, openNbdConnection } from './nbd-connection.ts';
import { within } from './patience.ts';
import { Qmp } from './qmp.ts';

/** The time that a command, and the end, may take. */
const commandMs = 10_000;
const endMs = 10_000;
const killMs = 1_000;
/** The pause before the daemon is started again. */
const restartMs = 200;

/** The connections of this process, and one that comes while another goes. */
const connectionsMax = 8;
/** The descriptor at which the daemon finds the image. */
const imageFd = 3;
const [node, exported] = ['image', 'export'];

/** The image that the daemon opens. */
export interface DaemonImage {
  readonly path: string;
  /** The image, open and locked: the daemon inherits it, so that the lock lasts as long as either lives. Absent: the daemon locks it. */
  readonly fd: number | undefined;
  /** The format of the image: qcow2. */
  readonly format: string;
  /** Whether the image's backing file is ignored. */
  readonly standsAlone: boolean;
}

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly qmp: Qmp;
  readonly exited: Promise<void>;
  said: string;
}

/** A qemu-storage-daemon, started when it is wanted, and again when it has ended. */
export class StorageDaemon {
  readonly #image: DaemonImage;
  readonly #folder = ownFolder('qemu');
  readonly #socket = join(this.#folder.path, 'socket');
  #running: Running | undefined;
  /** The start under way. */
  #starting: Promise<void> | undefined;
  #lastEnd = Number.NEGATIVE_INFINITY;

  constructor(image: DaemonImage) {
    this.#image = image;
  }

  /** Connects. @throws OperatorError with the daemon's words when it cannot serve the image */
  async connect(): Promise<NbdConnection> {
    if (!this.#running)
      this.#starting ??= this.#start().finally(() => {
        this.#starting = undefined;
      });
    await this.#starting;
    return openNbdConnection({
      socket: { path: this.#socket },
      exportName: exported,
      tls: 'allow',
      certificates: undefined,
      verifyPeer: true,
    });
  }

  /** Sends a command. @throws OperatorError with QEMU's words, or that it does not answer */
  async command(name: string, words: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const { qmp } = this.#running ?? {};
    if (!qmp) throw new OperatorError('qemu-storage-daemon does not run');
    let answer: unknown;
    const late = await within(
      commandMs,
      qmp.command(name, words).then((value) => {
        answer = value;
      }),
    );
    if (late) throw new OperatorError(`qemu-storage-daemon does not answer: ${name}`);
    return answer;
  }

  /** The node that is the image, for commands. */
  get node(): string {
    return node;
  }

  /** Opens the image. */
  async open(): Promise<void> {
    const { path, fd, format, standsAlone } = this.#image;
    const backing = standsAlone ? { backing: null } : {};
    const file =
      fd === undefined
        ? { driver: 'file', filename: path }
        : { driver: 'file', filename: standsAlone ? `/proc/self/fd/${imageFd}` : path, locking: 'off' };
    await this.command('blockdev-add', { driver: format, 'node-name': node, discard: 'unmap', file, ...backing });
  }

  async close(): Promise<void> {
    await this.command('blockdev-del', { 'node-name': node });
  }

  /** Offers the image to clients. */
  async offer(): Promise<void> {
    const words = { type: 'nbd', id: exported, 'node-name': node, name: exported, writable: true };
    await this.command('block-export-add', words);
  }

  /** Withdraws the image. Nobody is connected any more when this resolves. */
  async withdraw(): Promise<void> {
    await this.command('block-export-del', { id: exported, mode: 'hard' });
    for (let tries = 0; tries < commandMs / 10; tries += 1) {
      const exports = await this.command('query-block-exports');
      if (Array.isArray(exports) && exports.length === 0) return;
      await within(10, new Promise(() => {}));
    }
    throw new OperatorError('qemu-storage-daemon does not let go of the image');
  }

  /** Ends the daemon at once. Resolves when nothing of it is left that could write; for a daemon that hangs in the kernel that may be never. */
  async kill(): Promise<void> {
    const running = this.#running;
    running?.child.kill('SIGKILL');
    await running?.exited;
  }

  /** Ends the daemon, and removes its files. */
  async end(): Promise<void> {
    const running = this.#running;
    if (running) {
      void running.qmp.command('quit').catch(() => {});
      if (await within(endMs, running.exited)) {
        running.child.kill('SIGKILL');
        await within(killMs, running.exited);
      }
    }
    this.#folder.remove();
  }

  async #start(): Promise<void> {
    const rest = this.#lastEnd + restartMs - performance.now();
    if (rest > 0) await within(rest, new Promise(() => {}));
    const running = this.#spawn();
    this.#running = running;
    try {
      await this.open();
      rmSync(this.#socket, { force: true });
      const addr = { type: 'unix', data: { path: this.#socket } };
      await this.command('nbd-server-start', { addr, 'max-connections': connectionsMax });
      await this.offer();
    } catch (error) {
      await this.kill();
      throw this.#refusal(running.said || reasonOf(error));
    }
  }

  /** Starts the daemon, which does not outlive the thread that has started it, however that ends. */
  #spawn(): Running {
    const program = findProgram('qemu-storage-daemon');
    if (!program) throw new OperatorError('qemu-storage-daemon is not installed', 'Install it: apt install qemu-utils');
    const words = ['--chardev', 'stdio,id=qmp,signal=off', '--monitor', 'chardev=qmp'];
    const [command, more] = endingWithUs(program, words);
    const { fd } = this.#image;
    const child = spawn(command, more, {
      stdio: ['pipe', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])],
    }) as unknown as Running['child'];
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    const running: Running = { child, qmp: new Qmp(child.stdout, child.stdin), exited, said: '' };
    child.stderr.on('data', (data) => {
      running.said = `${running.said}${data}`.slice(-4096);
    });
    const ended = (): void => {
      if (this.#running === running) this.#running = undefined;
      this.#lastEnd = performance.now();
      running.qmp.end('qemu-storage-daemon has ended');
      resolve();
    };
    child.once('error', (error) => {
      running.said += error.message;
      ended();
    });
    child.once('exit', ended);
    return running;
  }

  #refusal(said: string): OperatorError {
    const line = (said.trim().split('\n').at(-1) ?? '').replace(/^qemu-storage-daemon: /, '');
    return new OperatorError(
      'qemu-storage-daemon cannot serve the image',
      line.replaceAll(`/proc/self/fd/${imageFd}`, this.#image.path),
    );
  }
}
