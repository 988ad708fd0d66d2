// `npm run cluster`, as root: a Linux host (QEMU, open-iscsi, dm-multipath, scsi_dh_alua) with two paths to an image in a real Ceph
// cluster, which writes and verifies without an end while tcli is killed and paused, networks are cut, clocks are wrong, and the
// disk is moved from one port group to the other. In the end all that was acknowledged is compared with the image itself.
//   --short            one fault of each kind, with seed 1: what CI runs; how long each takes is the machine's affair there
//   --minutes M        faults at random for so long; 10 by default
//   --seed N           the same faults again; the seed is printed

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { randomOf } from '../support/random.ts';
import { type Mishap, randomFault, shortFaults } from './faults.ts';
import { guestDirectory, HostMachine, makeInitrd } from './guest.ts';
import { LinuxHost, until } from './initiator.ts';
import { Network } from './network.ts';
import { oneGateway, type ServedDisk } from './stage.ts';
import { Writer } from './written.ts';

/** 4 MiB from the start of the disk are the writer's, what comes from 16 MiB on is fio's. */
const writerBlocks = 1024;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** A host at its work. */
class Proof {
  readonly #stage: ServedDisk;
  readonly #initiator: LinuxHost;
  readonly #writer: Writer;
  #longestMs = 0;
  #steps = 0;

  private constructor(stage: ServedDisk, initiator: LinuxHost, writer: Writer) {
    this.#stage = stage;
    this.#initiator = initiator;
    this.#writer = writer;
  }

  static async begin(stage: ServedDisk, guest: HostMachine, seed: number): Promise<Proof> {
    const initiator = new LinuxHost(guest, stage.portals);
    await initiator.login();
    await initiator.reserve();
    const { device } = initiator;
    await guest.tell(`verifies ${device} </dev/null >/dev/null 2>&1 &`);
    const writer = await Writer.start(guest, { device, blocks: writerBlocks, seed });
    const proof = new Proof(stage, initiator, writer);
    await proof.#works();
    return proof;
  }

  /** Writes are acknowledged, and every path is there. */
  async #works(): Promise<void> {
    const { acknowledged } = await this.#writer.pace();
    await until('writes are acknowledged', async () => (await this.#writer.pace()).acknowledged > acknowledged + 20);
    await until('every path is up', () => this.#initiator.areAllPathsUp());
    const failed = await this.#initiator.guest.ask('cat /tmp/fio.failed');
    if (failed.status === 0) throw new Error(`fio found what it did not write, or had an error: ${failed.text}`);
  }

  /** One fault, what the host noticed of it, and the reservations after it. @param isTimed its limit is a limit */
  async suffer({ name, happen, limitMs }: Mishap, isTimed: boolean): Promise<void> {
    await this.#writer.forget();
    await happen({ stage: this.#stage, initiator: this.#initiator });
    await this.#works();
    const { longestGapMs, longestWriteMs } = await this.#writer.pace();
    this.#longestMs = Math.max(this.#longestMs, longestWriteMs);
    console.log(`${name}: no answer for ${seconds(longestGapMs)}, the slowest write ${seconds(longestWriteMs)}`);
    if (isTimed && limitMs !== undefined && longestGapMs > limitMs)
      throw new Error(`${name}: no write was answered for ${seconds(longestGapMs)}; ${seconds(limitMs)} are allowed`);
    this.#steps += 1;
    await this.#initiator.checkReservations(this.#steps);
  }

  /** Stops what writes, and compares. */
  async end(folder: string): Promise<void> {
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
    await this.#stage.copy(image);
    const found = this.#writer.compare(record, image);
    console.log(
      `${this.#steps} faults: ${acknowledged} writes acknowledged, ${reads} reads right, ${found} blocks as acknowledged in the image, ` +
        `${passes} passes of fio; the longest pause ${seconds(this.#longestMs)}`,
    );
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
    },
  });
  if (process.getuid?.() !== 0) throw new Error('The parties need namespaces: run this as root.');
  if (!existsSync(join(guestDirectory, 'vm/.built')))
    throw new Error(`there is no guest in ${guestDirectory}; build it: test/e2e-linux/build-guest.sh`);
  const seed = Number(values.seed ?? (values.short ? 1 : Date.now() % 1_000_000));
  console.log(`seed ${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'tcli-cluster-'));
  const network = await Network.start();
  const booting = makeInitrd(folder).then((initrd) => HostMachine.boot(folder, initrd, network, 'host1'));
  // Told where it is awaited.
  booting.catch(() => {});
  let stage: ServedDisk | undefined;
  const prove = async () => {
    stage = await oneGateway(folder, network);
    const guest = await booting;
    console.log('the disk is served, and the host is up');
    const proof = await Proof.begin(stage, guest, seed);
    console.log('the host writes');
    const random = randomOf(seed);
    if (values.short) for (const fault of shortFaults) await proof.suffer(fault, false);
    else {
      const end = performance.now() + Number(values.minutes) * 60_000;
      while (performance.now() < end) await proof.suffer(randomFault(random), true);
    }
    await proof.end(folder);
  };
  const ended = new Promise<never>((_, fail) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => fail(new Error(signal)));
  });
  try {
    await Promise.race([prove(), ended]);
  } catch (error) {
    console.error(stage?.logs());
    throw error;
  } finally {
    await stage?.stop();
    await booting.then((guest) => guest.stop()).catch(() => {});
    await network.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

await main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
// A promise that a failure has left alone does not hold up the end.
process.exit();
