/** The built program, serving one disk from a home of its own: started, paused, killed, and told what its operator types. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { PromisedTarget } from './promises.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');

/** How long the operator tries to reopen a medium that has just been mended. */
const reopenMs = 5_000;

export class ServedTarget implements PromisedTarget {
  readonly wwn = 'iqn.2003-01.org.example:fragile';
  readonly port: number;
  readonly #home: string;
  #child: ChildProcess | undefined;
  #log = '';
  #path = '';

  constructor(home: string, port: number) {
    this.#home = home;
    this.port = port;
  }

  /** The last lines of its log. */
  get log(): string {
    return this.#log;
  }

  /** @param create the line that makes the storage object, of which `path` is the node */
  async configure(create: string, path: string): Promise<void> {
    const tpg = `/iscsi/${this.wwn}/tpg1`;
    await this.#type(
      '/ set global auto_add_default_portal=false',
      create,
      `${path} set attribute emulate_write_cache=1`,
      `/iscsi create ${this.wwn}`,
      `${tpg}/portals create 127.0.0.1 ${this.port}`,
      `${tpg} set attribute generate_node_acls=1 demo_mode_write_protect=0`,
      `${tpg}/luns create ${path}`,
    );
    this.#path = path;
  }

  async start(): Promise<void> {
    const words = [program, '--home', this.#home, 'serve'];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr.on('data', (data) => {
      this.#log = (this.#log + data).slice(-8192);
    });
    this.#child = child;
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`tcli serve ended: ${this.#log}`)));
    ended.catch(() => {});
    await Promise.race([once(child.stdout, 'data'), ended]);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async pause(ms: number): Promise<void> {
    this.#child?.kill('SIGSTOP');
    await sleep(ms);
    this.#child?.kill('SIGCONT');
  }

  async reopen(): Promise<void> {
    for (const end = Date.now() + reopenMs; ; await sleep(100))
      try {
        return await this.#type(`${this.#path} reopen`);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
  }

  async #type(...lines: string[]): Promise<void> {
    const words = ['--home', this.#home, ...lines.flatMap((line) => ['-c', line])];
    await promisify(execFile)(process.execPath, [program, ...words]);
  }
}
