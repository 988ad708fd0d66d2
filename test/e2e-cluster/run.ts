// `npm run cluster`, as root: a Linux host (QEMU, open-iscsi, dm-multipath, scsi_dh_alua) with a path through each of two tcli to an
// image in a real Ceph cluster, which writes and verifies without an end while gateways are killed, paused and stopped, networks are
// cut, clocks are wrong, etcd loses its leader, and the disk is moved. In the end all that was acknowledged is compared with the
// image itself.
//   --short            a few faults, with seed 1; how long each takes is not judged
//   --minutes M        faults at random for so long; 10 by default
//   --seed N           the same faults again; the seed is printed
//   --only TEXT        of those, the faults whose names have TEXT
//   --rivals           instead, for 5 minutes: two hosts that see the disk through another gateway each, and both write

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { randomOf } from '../support/random.ts';
import { faults, shortFaults } from './faults.ts';
import { fakeTime } from './gateway.ts';
import { guestDirectory, HostMachine, makeInitrd } from './guest.ts';
import { Network } from './network.ts';
import { Proof } from './proof.ts';
import { contend } from './rivals.ts';
import { GatewayPair } from './stage.ts';

/** @throws Error when a fault would do nothing, or nobody could run it */
function check(): void {
  if (process.getuid?.() !== 0) throw new Error('The parties need namespaces: run this as root.');
  if (!existsSync(join(guestDirectory, 'vm/.built')))
    throw new Error(`there is no guest in ${guestDirectory}; build it: test/e2e-linux/build-guest.sh`);
  if (!existsSync(fakeTime)) throw new Error(`there is no ${fakeTime}: apt install libfaketime`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      only: { type: 'string', default: '' },
      rivals: { type: 'boolean', default: false },
    },
  });
  check();
  const seed = Number(values.seed ?? (values.short ? 1 : Date.now() % 1_000_000));
  console.log(`seed ${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'tcli-cluster-'));
  const network = await Network.start();
  const hosts = values.rivals ? (['host1', 'host2'] as const) : (['host1'] as const);
  const booting = makeInitrd(folder).then((initrd) =>
    Promise.all(hosts.map((host) => HostMachine.boot(folder, initrd, network, host))),
  );
  // Told where it is awaited.
  booting.catch(() => {});
  let pair: GatewayPair | undefined;
  const prove = async () => {
    pair = await GatewayPair.start(folder, network);
    const guests = await booting;
    console.log('the disk is served, and the host is up');
    if (values.rivals) return contend(pair, guests);
    const proof = await Proof.begin(pair, guests[0]!, seed);
    console.log('the host writes');
    if (values.short) for (const fault of shortFaults) await proof.suffer(fault);
    else {
      const end = performance.now() + Number(values.minutes) * 60_000;
      for (const fault of faults(randomOf(seed))) {
        if (performance.now() > end) break;
        if (fault.name.includes(values.only)) await proof.suffer(fault);
      }
    }
    return proof.end(folder, !values.short);
  };
  const ended = new Promise<never>((_, fail) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => fail(new Error(signal)));
  });
  try {
    await Promise.race([prove(), ended]);
  } catch (error) {
    console.error(pair?.logs());
    throw error;
  } finally {
    await pair?.stop();
    await booting.then((guests) => Promise.all(guests.map((guest) => guest.stop()))).catch(() => {});
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
