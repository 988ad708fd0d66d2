// Two tcli of one cluster, over a real etcd and an image of a real Ceph cluster, with QEMU as the initiator: the owner is killed, or
// stands still with writes under way, and the other one takes the image by itself. Not tested here: one process by itself
// (rbd-target.test.ts), and who owns a unit under all other faults (test/cluster).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { cephPrograms, TestCluster } from '../support/ceph.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { needs } from '../support/needs.ts';
import { io } from '../support/qemu-io.ts';
import {
  configure,
  freePort,
  iqn,
  openTarget,
  type Served,
  serve,
  targetUrl,
  tcli,
  temporaryDirectory,
} from '../support/tcli.ts';

const withPair = needs(...cephPrograms, 'librbd', 'qemu-io', 'etcd');
const bytes = 32 << 20;
const disk = '/backstores/user:rbd/disk';

let ceph: TestCluster;
let etcd: EtcdCluster;
beforeAll(async () => {
  if (withPair.skip) return;
  ceph = await TestCluster.start();
  etcd = await EtcdCluster.start({ folder: join(ceph.folder, 'etcd') });
});
afterAll(async () => {
  await etcd?.stop();
  await ceph?.stop();
});

interface Gateway {
  readonly name: string;
  readonly home: string;
  readonly url: string;
  readonly portal: number;
  served: Served;
}

async function gateway(cluster: string, name: string): Promise<Gateway> {
  const home = temporaryDirectory();
  const portal = await freePort();
  const words = ['cluster', 'join', etcd.endpoints.join(), '--cluster', cluster, '--name', name];
  expect(await tcli(home, words)).toMatchObject({ status: 0 });
  return { name, home, portal, url: targetUrl(portal), served: await serve(home) };
}

/** A cluster with one image, and its owner first. Each of the two has a portal that the other one cannot open. */
async function pair(image: string): Promise<[owner: Gateway, other: Gateway]> {
  await ceph.makeImage(image, bytes);
  const [a, b] = [await gateway(image, 'a'), await gateway(image, 'b')];
  const create = `/backstores/user:rbd create disk ${bytes} ${ceph.cfgstring(image)}`;
  await configure(a.home, create, ...openTarget(a.portal, disk));
  await configure(b.home, `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${b.portal}`);
  const has = ({ served }: Gateway) => served.log().includes('unit taken');
  await expect.poll(() => has(a) || has(b)).toBe(true);
  return has(a) ? [a, b] : [b, a];
}

/** How long the cluster still hears nothing of a client; the monitors' own time is an hour, and nobody can make it longer later. */
async function daysShutOut(client: string | undefined): Promise<number> {
  const lines = (await ceph.ceph('osd', 'blocklist', 'ls')).split('\n').map((line) => line.split(' '));
  const [, until = ''] = lines.find(([address]) => address === client) ?? [];
  return (Date.parse(until) - Date.now()) / 86_400_000;
}
const written = `wrote ${bytes}/${bytes}`;
const read = `read ${bytes}/${bytes}`;
const halfASecond = { interval: 500 };

describe('two gateways on one image', withPair, () => {
  test('the owner is killed: the other takes over by itself, with all that was acknowledged, and has shut the first one out', async () => {
    const [owner, other] = await pair('killed');
    await expect.poll(() => io(owner.url, `write -P 0x11 0 ${bytes}`, 'flush'), halfASecond).toContain(written);
    expect(await io(other.url, `write -P 0x44 0 ${bytes}`)).not.toContain(written);
    const before = await ceph.holderOf('killed');
    await owner.served.kill();
    await expect.poll(() => io(other.url, `read -P 0x11 0 ${bytes}`), halfASecond).toContain(read);
    expect(await io(other.url, `read -P 0x11 0 ${bytes}`)).not.toContain('Pattern verification failed');
    expect(await daysShutOut(before)).toBeGreaterThan(360);
    // The first one comes back as one that stands by.
    owner.served = await serve(owner.home);
    expect(await io(other.url, `write -P 0x22 0 ${bytes}`, 'flush')).toContain(written);
    // A gateway that stops gives what it has.
    expect(await other.served.stop()).toBe(0);
    await expect.poll(() => owner.served.log(), halfASecond).toContain('unit taken');
    expect(await ceph.holderOf('killed')).toBeDefined();
  });

  test('the owner stands still with writes under way: nothing of them reaches the image after the other has taken it', async () => {
    const [owner, other] = await pair('stopped');
    await expect.poll(() => io(owner.url, `write -P 0x11 0 ${bytes}`, 'flush'), halfASecond).toContain(written);
    const before = await ceph.holderOf('stopped');
    // More than sockets hold waits in the owner when it stops.
    await ceph.signalOsd('SIGSTOP');
    const writes = Array.from({ length: 32 }, (_, at) => ['-c', `aio_write -P 0x33 ${at}M 1M`]).flat();
    const late = spawn('qemu-io', ['-t', 'none', '-f', 'raw', ...writes, owner.url]);
    let said = '';
    late.stderr.on('data', (data) => {
      said += String(data);
    });
    const lateEnd = once(late, 'close');
    onTestFinished(() => void late.kill('SIGKILL'));
    const statusOf = async ({ home }: Gateway) => (await tcli(home, ['daemon', 'status'])).stdout;
    await expect.poll(() => statusOf(owner)).toContain('the Ceph cluster does not answer');
    owner.served.process.kill('SIGSTOP');
    await ceph.signalOsd('SIGCONT');
    await expect.poll(() => io(other.url, `write -P 0x22 0 ${bytes}`, 'flush'), halfASecond).toContain(written);
    expect(await daysShutOut(before)).toBeGreaterThan(360);
    owner.served.process.kill('SIGCONT');
    await expect.poll(() => owner.served.log(), halfASecond).toContain('unit given');
    // Writes that Ceph had taken before may be acknowledged still; others are not.
    await expect.poll(() => said, halfASecond).toContain('iSCSI WRITE10/16 failed');
    late.kill('SIGKILL');
    await lateEnd;
    expect(await io(owner.url, `write -P 0x44 0 ${bytes}`)).not.toContain(written);
    const back = await io(other.url, `read -P 0x22 0 ${bytes}`);
    expect(back).toContain(read);
    expect(back).not.toContain('Pattern verification failed');
  });

  test('an operator sees the owners, moves an image, and drains a gateway', async () => {
    const [owner, other] = await pair('moved');
    const say = (...words: string[]) => tcli(other.home, ['cluster', ...words]);
    const status = async () => (await say('status')).stdout;
    expect(await status()).toContain(`${disk}: served by ${owner.name}, epoch 1`);
    expect((await say('move', disk, 'c')).stderr).toContain('There is no gateway c in this cluster.');
    expect((await say('move', disk)).stderr).toContain('It is: tcli cluster move STORAGE-OBJECT GATEWAY');
    expect(await say('move', disk, other.name)).toMatchObject({ status: 0 });
    expect(await status()).toContain(`${disk}: served by ${other.name}, epoch 2`);
    await expect.poll(() => io(other.url, `write -P 0x11 0 ${bytes}`, 'flush'), halfASecond).toContain(written);
    expect(await say('drain', other.name)).toMatchObject({ status: 0 });
    await expect.poll(status, halfASecond).toContain(`${disk}: served by ${owner.name}, epoch 3`);
    // The volume is closed and opened once more, as an epoch of its own; the other gateway is to own nothing.
    expect(await tcli(owner.home, [disk, 'reopen'])).toMatchObject({ status: 0 });
    await expect.poll(status, halfASecond).toContain(`${disk}: served by ${owner.name}, epoch 4`);
    expect(await status()).toContain('drained');
    expect(await say('undrain', other.name)).toMatchObject({ status: 0 });
    expect(await say('prefer', disk, other.name)).toMatchObject({ status: 0 });
    await expect.poll(status, halfASecond).toContain(`prefers ${other.name}`);
    await expect.poll(() => io(owner.url, `read -P 0x11 0 ${bytes}`), halfASecond).toContain(read);
    await other.served.stop();
    expect((await say('move', disk, owner.name)).stderr).toContain('To serve: tcli daemon start');
  });

  test('a gateway that cannot ask etcd does not start, and says why', async () => {
    const home = temporaryDirectory();
    const alone = await EtcdCluster.start({ folder: join(ceph.folder, 'alone') });
    onTestFinished(() => alone.stop());
    expect(await tcli(home, ['cluster', 'join', alone.endpoints.join(), '--name', 'a'])).toMatchObject({ status: 0 });
    await alone.stop();
    const { status, stderr } = await tcli(home, ['serve']);
    expect(status).not.toBe(0);
    expect(stderr).toContain('It serves nothing on its own.');
  });
});
