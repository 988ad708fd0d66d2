/**
 * The machine that uses the pair: Debian in QEMU with open-iscsi, multipath-tools and scsi_dh_alua, on a network card of its own
 * (test/e2e-linux/build-guest.sh makes it). The runner says what it does, a line of shell at a time (guest.sh).
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { addressOf, type Network, type NetworkParty, tapOf } from './network.ts';

const run = promisify(execFile);
const here = import.meta.dirname;

export const guestDirectory = process.env['GUEST_DIR'] ?? join(homedir(), '.cache/tcli-guest');
const bootMs = 420_000;
const answerMs = 240_000;

export interface GuestAnswer {
  readonly status: number;
  readonly text: string;
}

/** A machine that runs. */
export class HostMachine {
  readonly #process: ChildProcess;
  readonly #server: Server;
  #line: Socket | undefined;
  #waiting: ((answer: GuestAnswer) => void)[] = [];
  #console = '';

  private constructor(qemu: ChildProcess, server: Server) {
    this.#process = qemu;
    this.#server = server;
    qemu.stdout?.on('data', (data) => {
      this.#console += data;
    });
    qemu.stderr?.on('data', (data) => {
      this.#console += data;
    });
    server.on('connection', (socket) => {
      this.#line = socket;
      createInterface({ input: socket }).on('line', (line) => {
        const [status, data = ''] = line.split(' ');
        this.#waiting.shift()?.({ status: Number(status), text: Buffer.from(data, 'base64').toString('utf8').trim() });
      });
    });
  }

  /** @param initrd as `initrd` makes it */
  static async boot(folder: string, initrd: string, network: Network, party: NetworkParty): Promise<HostMachine> {
    const serial = join(folder, `${party}.serial`);
    const server = createServer();
    await new Promise<void>((listening) => server.listen(serial, listening));
    const words = [
      ...['console=ttyS0', 'quiet', 'mitigations=off', 'panic=-1', 'no_timer_check', 'tsc=reliable'],
      `guest.now=${Math.floor(Date.now() / 1000)}`,
      `guest.address=${addressOf(party)}`,
      `guest.initiator=${initiatorOf(party)}`,
    ];
    const [command = '', ...before] = network.within(party);
    const mac = `52:54:00:14:00:${party.slice(-1).padStart(2, '0')}`;
    const qemu = spawn(command, [
      ...before,
      '/usr/bin/qemu-system-x86_64',
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '1', '-m', '512M', '-machine', 'q35', '-nodefaults'],
      ...['-display', 'none', '-no-reboot', '-device', 'virtio-scsi-pci,id=disks'],
      ...['-drive', `file=${join(guestDirectory, 'root.img')},format=raw,if=none,id=root,snapshot=on`],
      ...['-device', 'scsi-hd,drive=root,bus=disks.0,scsi-id=1,lun=0'],
      ...['-netdev', `tap,id=net0,ifname=${tapOf(party)},script=no,downscript=no`],
      ...['-device', `virtio-net-pci,netdev=net0,mac=${mac},romfile=`],
      ...['-kernel', join(guestDirectory, 'vm/vmlinuz'), '-initrd', initrd, '-append', words.join(' ')],
      ...['-serial', 'stdio', '-serial', `unix:${serial}`],
    ]);
    const guest = new HostMachine(qemu, server);
    try {
      await guest.#says('the guest is up');
    } catch (error) {
      await guest.stop();
      throw error;
    }
    return guest;
  }

  #says(wanted: string): Promise<void> {
    return new Promise((done, fail) => {
      const late = setTimeout(() => end('is silent'), bootMs);
      const end = (why: string) => {
        clearTimeout(late);
        fail(new Error(`the guest ${why}:\n${this.#console.slice(-2000)}`));
      };
      const ended = () => end('ended');
      this.#process.once('exit', ended);
      this.#process.stdout?.on('data', () => {
        if (!this.#console.includes(wanted)) return;
        clearTimeout(late);
        this.#process.off('exit', ended);
        done();
      });
    });
  }

  /** Runs a line of shell; one after the other. */
  ask(line: string): Promise<GuestAnswer> {
    if (line.includes('\n')) throw new Error('one line');
    return new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error(`the guest does not answer: ${line}`)), answerMs);
      this.#waiting.push((answer) => {
        clearTimeout(late);
        done(answer);
      });
      this.#line?.write(`${line}\n`);
    });
  }

  /** Runs a line of shell that must not fail. @returns what the line prints */
  async tell(line: string): Promise<string> {
    const { status, text } = await this.ask(line);
    if (status !== 0) throw new Error(`in the guest, ${line}: ${text.slice(-2000)}`);
    return text;
  }

  async stop(): Promise<void> {
    this.#server.close();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
    this.#line?.destroy();
  }
}

const initiatorOf = (party: NetworkParty): string => `iqn.1993-08.org.debian:01:${party}`;

/** The initial RAM disk of the guest with our files in it: a second archive behind the first, as Linux takes them. @returns its path */
export async function makeInitrd(folder: string): Promise<string> {
  const files = join(folder, 'initrd.files');
  await mkdir(join(files, 'guest'), { recursive: true });
  for (const name of ['guest.sh', 'multipath.conf']) await copyFile(join(here, name), join(files, 'guest', name));
  const words = ['-O2', '-static', '-pthread', '-o', join(files, 'guest/writer'), join(here, 'writer.c')];
  await run('cc', words);
  const initrd = join(folder, 'initrd');
  const busybox = join(guestDirectory, 'vm/root/bin/busybox');
  const archive = `cd '${files}' && find . | '${busybox}' cpio -o -H newc 2>/dev/null | gzip -1`;
  await run('sh', ['-c', `cp '${guestDirectory}/vm/initrd' '${initrd}' && (${archive}) >>'${initrd}'`]);
  await rm(files, { recursive: true });
  return initrd;
}
