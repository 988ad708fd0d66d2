/** A real etcd: one member or several, in a folder of its own, on ports that are free. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../src/system/running-time.ts';
import { freePort } from './free-port.ts';
import { type ProcessPlace, thisMachine } from './process-place.ts';

/** The options of a cluster of etcd. */
export interface EtcdClusterOptions {
  readonly folder: string;
  readonly members?: number;
  /** Further words of the command line; with `https` members are asked by TLS. */
  readonly words?: readonly string[];
  readonly scheme?: 'http' | 'https';
  /** A place for each member, instead of `members` on 127.0.0.1. */
  readonly places?: readonly ProcessPlace[];
}

/** Members of etcd that know one another. */
export class EtcdCluster {
  readonly endpoints: string[] = [];
  readonly #commands: string[][] = [];
  readonly #running: (ChildProcess | undefined)[] = [];

  /** Resolves when all of them serve. */
  static async start(options: EtcdClusterOptions): Promise<EtcdCluster> {
    const { folder, members = 1, words = [], scheme = 'http', places = Array(members).fill(thisMachine) } = options;
    const cluster = new EtcdCluster();
    const peers: string[] = [];
    for (const { address } of places) {
      cluster.endpoints.push(`${scheme}://${address}:${await freePort()}`);
      peers.push(`http://${address}:${await freePort()}`);
    }
    for (const [i, endpoint] of cluster.endpoints.entries())
      cluster.#commands.push([
        ...[...places[i]!.within, 'etcd'],
        ...['--name', `m${i}`, '--data-dir', join(folder, `m${i}`), '--logger', 'zap'],
        ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
        ...['--listen-peer-urls', peers[i]!, '--initial-advertise-peer-urls', peers[i]!],
        ...['--initial-cluster', peers.map((peer, n) => `m${n}=${peer}`).join(',')],
        // The tests' machine may be busy, and its disk slow.
        ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
        ...words,
      ]);
    await Promise.all(cluster.endpoints.map((_, i) => cluster.run(i)));
    return cluster;
  }

  /** Starts a member (again). Resolves when it serves. */
  async run(member: number): Promise<void> {
    const [command = '', ...words] = this.#commands[member]!;
    const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#running[member] = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr!.on('data', (data: Buffer) => {
        said = `${said}${data}`.slice(-20_000);
        if (/serving client (traffic|requests)/.test(said)) resolve();
      });
      child.on('exit', (code) => reject(new Error(`etcd ended with ${code}: ${said.slice(-2_000)}`)));
    });
  }

  /** Stops a member in its tracks. Resolves when every thread of it stands still. */
  async pause(member: number): Promise<void> {
    const { pid } = this.#running[member]!;
    this.signal(member, 'SIGSTOP');
    const threads = () => readdirSync(`/proc/${pid}/task`);
    const stands = (thread: string) => / T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
    await until(1, 10_000, () => threads().every(stands) || undefined);
  }

  /** SIGKILL, SIGSTOP or SIGCONT for a member. */
  signal(member: number, signal: NodeJS.Signals): void {
    this.#running[member]?.kill(signal);
  }

  /** Kills a member. Resolves when it is gone; its data stays. */
  async kill(member: number): Promise<void> {
    const child = this.#running[member];
    this.#running[member] = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await Promise.all(this.endpoints.map((_, i) => this.kill(i)));
  }
}
