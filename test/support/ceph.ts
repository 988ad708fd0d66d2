/**
 * A Ceph cluster in a folder, of real daemons: one monitor, one manager and one OSD on a sparse file, on 127.0.0.1. Everything in it
 * may be killed, paused and started again.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { type ProcessPlace, thisMachine } from './process-place.ts';
import { makeFolder, removeFolder } from './scratch.ts';
import { run } from './tcli.ts';

/** The programs that tests need for a cluster. */
export const cephPrograms = ['ceph', 'ceph-mgr', 'ceph-mon', 'ceph-osd', 'rbd'] as const;

/** Bytes of the file that the OSD has, which stays sparse. */
const storeBytes = 4 * 1024 ** 3;
const upMs = 60_000;

export interface CephOptions {
  /** Seconds after which the cluster takes a client for dead that has not been heard; Ceph's own default is 30. */
  readonly watchTimeout?: number;
  /** Where its daemons are, instead of 127.0.0.1. */
  readonly place?: ProcessPlace;
}

/** A cluster that runs. */
export class TestCluster {
  readonly folder: string;
  readonly conf: string;
  readonly #daemons = new Map<string, ChildProcess>();
  readonly #place: ProcessPlace;

  private constructor(folder: string, place: ProcessPlace) {
    this.folder = folder;
    this.#place = place;
    this.conf = join(folder, 'ceph.conf');
  }

  /** Ready to make images in the pool `rbd`. */
  static async start({ watchTimeout = 30, place = thisMachine }: CephOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(makeFolder(), place);
    try {
      await cluster.#make(watchTimeout);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #make(watchTimeout: number): Promise<void> {
    const { folder, conf } = this;
    const keyring = join(folder, 'keyring');
    const map = join(folder, 'monmap');
    const id = randomUUID();
    const address = `[v2:${this.#place.address}:${await freePort()}]`;
    for (const name of ['mgr', 'mon', 'osd', 'run']) mkdirSync(join(folder, name));
    writeFileSync(conf, configuration(folder, id, address, this.#place.address, watchTimeout));
    const key = (name: string, ...caps: string[]) =>
      this.#run(
        'ceph-authtool',
        keyring,
        '--gen-key',
        '-n',
        name,
        ...caps.flatMap((cap) => ['--cap', ...cap.split('=')]),
      );
    await this.#run('ceph-authtool', '--create-keyring', keyring);
    await key('mon.', 'mon=allow *');
    await key('client.admin', 'mon=allow *', 'osd=allow *', 'mgr=allow *');
    await key('mgr.x', 'mon=allow profile mgr', 'osd=allow *', 'mds=allow *');
    await key('osd.0', 'mon=allow profile osd', 'osd=allow *');
    await this.#run('monmaptool', '--create', '--fsid', id, '--addv', 'a', address, map);
    await this.#run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring, '-c', conf);
    this.startMonitor();
    const osd = randomUUID();
    await this.ceph('osd', 'new', osd, '0');
    await this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd, '-c', conf, '--keyring', keyring);
    this.startOsd();
    // The manager counts the space that pools take.
    this.#daemon('ceph-mgr', 'x');
    await this.ceph('osd', 'pool', 'create', 'rbd', '8');
    await this.up();
    await this.rbd('pool', 'init', 'rbd');
  }

  /** Resolves when the OSD serves. */
  async up(): Promise<void> {
    for (let waited = 0; ; waited += 100) {
      if ((await this.ceph('osd', 'stat')).includes('1 up')) return;
      if (waited > upMs) throw new Error('the OSD does not serve');
      await sleep(100);
    }
  }

  startMonitor(): void {
    this.#daemon('ceph-mon', 'a');
  }

  startOsd(): void {
    this.#daemon('ceph-osd', '0');
  }

  #daemon(program: string, id: string): void {
    const [command = '', ...words] = [...this.#place.within, program, '-f', '-i', id, '-c', this.conf];
    const child = spawn(command, words, { stdio: 'ignore' });
    this.#daemons.set(program, child);
  }

  /** Sends a signal to the OSD: it is killed, or held and let go of. */
  async signalOsd(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    await signalled(this.#daemons.get('ceph-osd')!, signal);
  }

  /** Sends a signal to the monitor. */
  async signalMonitor(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    await signalled(this.#daemons.get('ceph-mon')!, signal);
  }

  /** The output of `ceph`. */
  ceph(...words: string[]): Promise<string> {
    return this.#run('ceph', '-c', this.conf, ...words);
  }

  /** The output of `rbd`. */
  rbd(...words: string[]): Promise<string> {
    return this.#run('rbd', '-c', this.conf, ...words);
  }

  async #run(program: string, ...words: string[]): Promise<string> {
    const [command = '', ...all] = [...this.#place.within, program, ...words];
    const { status, stdout, stderr } = await run(command, all);
    if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Makes an image in the pool `rbd`. */
  async makeImage(name: string, bytes: number, ...options: string[]): Promise<void> {
    await this.rbd('create', '--size', `${bytes}B`, ...options, `rbd/${name}`);
  }

  /** The client that holds the lock of an image. */
  async holderOf(image: string): Promise<string | undefined> {
    return /(\d+\.\d+\.\d+\.\d+:\d+\/\d+)/.exec(await this.rbd('lock', 'ls', `rbd/${image}`))?.[1];
  }

  /** The word of user:rbd for an image. */
  cfgstring(image: string): string {
    return `rbd/${image};conf=${this.conf}`;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#daemons.values()].map((daemon) => signalled(daemon, 'SIGKILL')));
    removeFolder(this.folder);
  }
}

async function signalled(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = signal === 'SIGKILL' ? new Promise((resolve) => child.once('exit', resolve)) : undefined;
  child.kill(signal);
  await ended;
}

/**
 * One copy of everything, no keys over the wire that are worth hiding, and no complaint about either; and a time for shutting out with
 * which librados of Ceph 16 shuts out nobody.
 */
const configuration = (folder: string, id: string, monitor: string, address: string, watchTimeout: number) => `[global]
fsid = ${id}
mon host = ${monitor}
mon initial members = a
public addr = ${address}
keyring = ${folder}/keyring
run dir = ${folder}/run
log file = ${folder}/run/$name.log
admin socket =
pid file =
crash dir = ${folder}/run
osd pool default size = 1
osd pool default min size = 1
mon warn on pool no redundancy = false
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
osd crush chooseleaf type = 0
osd objectstore = bluestore
bluestore block size = ${storeBytes}
bluestore fsck on mount = false
osd memory target = 939524096
osd memory base = 268435456
osd memory cache min = 134217728
osd scrub load threshold = 100
auth allow insecure global id reclaim = false
osd client watch timeout = ${watchTimeout}
rbd blocklist expire seconds = 600
[mon.a]
mon data = ${folder}/mon
[mgr]
mgr data = ${folder}/mgr
mgr initial modules =
[osd]
osd data = ${folder}/osd
`;
