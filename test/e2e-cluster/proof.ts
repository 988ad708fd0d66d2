/** A host at its work on the disk of a pair, and what it must not notice. */

import { join } from 'node:path';
import { reasonOf } from '../../src/errors.ts';
import type { Mishap } from './faults.ts';
import type { HostMachine } from './guest.ts';
import { LinuxHost, until } from './initiator.ts';
import type { GatewayPair } from './stage.ts';
import { Writer } from './written.ts';

/** 4 MiB from the start of the disk are the writer's, what comes from 16 MiB on is fio's. */
const writerBlocks = 1024;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** A host at its work. */
export class Proof {
  readonly #pair: GatewayPair;
  readonly #initiator: LinuxHost;
  readonly #writer: Writer;
  readonly #late: string[] = [];
  #longestMs = 0;
  #steps = 0;

  private constructor(pair: GatewayPair, initiator: LinuxHost, writer: Writer) {
    this.#pair = pair;
    this.#initiator = initiator;
    this.#writer = writer;
  }

  static async begin(pair: GatewayPair, guest: HostMachine, seed: number): Promise<Proof> {
    const initiator = new LinuxHost(guest, pair.portals);
    await initiator.login();
    await initiator.reserve();
    const { device } = initiator;
    await guest.tell(`verifies ${device} </dev/null >/dev/null 2>&1 &`);
    const writer = await Writer.start(guest, { device, blocks: writerBlocks, seed });
    const proof = new Proof(pair, initiator, writer);
    await proof.#works();
    return proof;
  }

  /** Writes are acknowledged, and every path is there. */
  async #works(): Promise<void> {
    const { acknowledged } = await this.#writer.pace();
    await until('writes are acknowledged', async () => (await this.#writer.pace()).acknowledged > acknowledged + 20);
    await until('every path is up', () => this.#initiator.areAllPathsUp());
    for (const gateway of this.#pair.gateways) gateway.check();
    const failed = await this.#initiator.guest.ask('cat /tmp/fio.failed');
    if (failed.status === 0) throw new Error(`fio found what it did not write, or had an error: ${failed.text}`);
  }

  /** One fault, what the host noticed of it, and the reservations after it. */
  async suffer({ name, happen, limitMs }: Mishap): Promise<void> {
    await this.#writer.forget();
    const begun = new Date();
    const outcome = await this.#told(begun, name, async () => {
      const came = await happen({ pair: this.#pair, initiator: this.#initiator });
      await this.#works();
      return came;
    });
    const { longestGapMs, longestWriteMs } = await this.#writer.pace();
    this.#longestMs = Math.max(this.#longestMs, longestWriteMs);
    const came = typeof outcome === 'string' ? `, ${outcome}` : '';
    const said = `${name}${came}: no answer for ${seconds(longestGapMs)}, the slowest write ${seconds(longestWriteMs)}`;
    console.log(said);
    if (limitMs !== undefined && longestGapMs > limitMs) {
      this.#late.push(`${said}; ${seconds(limitMs)} are wanted`);
      console.log(await this.#meanwhile(begun));
    }
    this.#steps += 1;
    await this.#told(begun, name, () => this.#initiator.checkReservations(this.#steps));
  }

  /** Does something; where it fails, everybody's logs say what happened since a time. */
  async #told<T>(since: Date, name: string, what: () => Promise<T>): Promise<T> {
    try {
      return await what();
    } catch (error) {
      console.log(`${name}: failed, ${reasonOf(error)}`);
      console.log(await this.#meanwhile(since).catch((silent) => `nobody says why: ${silent}`));
      throw error;
    }
  }

  /** The lines of everybody's logs since a time. */
  async #meanwhile(since: Date): Promise<string> {
    const age = Math.ceil((Date.now() - since.getTime()) / 1000);
    const { text } = await this.#initiator.guest.ask(
      `now=$(cut -d. -f1 /proc/uptime); { dmesg; cat /tmp/multipathd.log; } | awk -v from=$((now - ${age})) '{ at = $0; gsub(/^[^0-9]*/, "", at); if (at + 0 >= from) print }' | tail -60`,
    );
    const ours = this.#pair.gateways.map(async (gateway) => {
      const lines = gateway.log.split('\n').filter((line) => line >= since.toISOString());
      const told = gateway.tcli('cluster', 'status').then((status) => `${status}\n${gateway.threads()}`);
      const begin = `gateway ${gateway.party}, since ${since.toISOString()}:`;
      return [begin, ...lines, await told.catch(reasonOf)].join('\n');
    });
    const gateways = await Promise.all(ours);
    return [...gateways, `the host, ${age} s:`, text, await this.#initiator.paths()].join('\n');
  }

  /** Stops what writes, and compares. @param isTimed what took longer than is wanted is a failure */
  async end(folder: string, isTimed: boolean): Promise<void> {
    const { guest } = this.#initiator;
    await guest.tell('touch /tmp/enough');
    await until('fio has ended', async () => (await guest.ask('[ -e /tmp/fio.ended ]')).status === 0);
    await this.#works();
    const { acknowledged, reads } = await this.#writer.pace();
    const record = await this.#writer.record();
    const passes = await guest.tell('cat /tmp/fio.passes');
    const { text: complaints } = await guest.ask("dmesg | grep -E 'I/O error, dev dm-|Buffer I/O error|Call Trace'");
    if (complaints) throw new Error(`the guest's kernel complained:\n${complaints}`);
    const image = join(folder, 'image');
    await this.#pair.copy(image);
    const found = this.#writer.compare(record, image);
    console.log(
      `${this.#steps} faults: ${acknowledged} writes acknowledged, ${reads} reads right, ${found} blocks as acknowledged in the image, ` +
        `${passes} passes of fio; the longest pause ${seconds(this.#longestMs)}`,
    );
    if (isTimed && this.#late.length > 0) throw new Error(`Some took longer than is wanted:\n${this.#late.join('\n')}`);
  }
}
