// iSCSI LUNs over images of a real Ceph cluster, with QEMU as the initiator: tcli and OSD killed and started again under verified
// writes, two gateways on one image, one that was paused and comes back late, a cluster that hangs.
// Not tested here: the volume by itself (rbd-volume.test.ts).

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { cephPrograms, TestCluster } from '../support/ceph.ts';
import { needs } from '../support/needs.ts';
import { io } from '../support/qemu-io.ts';
import {
  configure,
  freePort,
  iqn,
  openTarget,
  run,
  type Served,
  serve,
  targetUrl,
  tcli,
  temporaryDirectory,
} from '../support/tcli.ts';

const withCeph = needs(...cephPrograms, 'librbd', 'qemu-io', 'qemu-img');
const bytes = 32 << 20;
const disk = '/backstores/user:rbd/disk';

let cluster: TestCluster;
beforeAll(async () => {
  if (!withCeph.skip) cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

/** A tcli with an image of the cluster as LUN 0. */
interface Gateway {
  readonly home: string;
  readonly url: string;
  served: Served;
}

let images = 0;
async function image(): Promise<string> {
  images += 1;
  await cluster.makeImage(`disk${images}`, bytes);
  return `disk${images}`;
}

async function gateway(name: string, ...lines: string[]): Promise<Gateway> {
  const home = temporaryDirectory();
  const port = await freePort();
  const create = `/backstores/user:rbd create disk ${bytes} ${cluster.cfgstring(name)}`;
  const served = await serve(home);
  await configure(home, create, ...openTarget(port, disk), ...lines);
  return { home, url: targetUrl(port), served };
}

/** A second one, configured while the image is not to be had: as it comes from a saved file. */
async function standby(first: Gateway): Promise<Gateway> {
  const home = temporaryDirectory();
  const port = await freePort();
  const file = join(first.home, 'shared.json');
  await configure(first.home, `saveconfig ${file}`);
  const saved = JSON.parse(readFileSync(file, 'utf8'));
  for (const target of saved.targets)
    for (const tpg of target.tpgs) for (const portal of tpg.portals) portal.port = port;
  writeFileSync(join(home, 'saveconfig.json'), JSON.stringify(saved));
  return { home, url: targetUrl(port), served: await serve(home) };
}

const status = async ({ home }: Gateway) => (await tcli(home, ['daemon', 'status'])).stdout;
const written = 'wrote 4096/4096';
const read = 'read 4096/4096';

describe('user:rbd under a target', withCeph, () => {
  test('an image written through kills of the OSD and of tcli reads back the same; a killed tcli has its image again without waiting for the cluster', async () => {
    const name = await image();
    const one = await gateway(name);
    const [there, back] = [join(one.home, 'there'), join(one.home, 'back')];
    writeFileSync(there, randomBytes(bytes));
    const write = ['convert', '-n', '-r', '8M', '-f', 'raw', '-O', 'raw', there, one.url];
    const writing = run('qemu-img', write);
    await sleep(1000);
    const killed = await cluster.holderOf(name);
    // Writes are under way until it is back.
    await cluster.signalOsd('SIGKILL');
    await one.served.kill();
    cluster.startOsd();
    await cluster.up();
    one.served = await serve(one.home);
    expect(await status(one)).not.toContain('in use by another client');
    // QEMU takes the NOT READY of a LUN whose image is being opened for an error, where others come again.
    const again = async () => (await run('qemu-img', write)).status;
    if ((await writing).status !== 0) await expect.poll(again).toBe(0);
    expect(await cluster.ceph('osd', 'blocklist', 'ls')).toContain(killed);
    expect(await run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', one.url, back])).toMatchObject({ status: 0 });
    expect(readFileSync(back).equals(readFileSync(there))).toBe(true);
    expect(await one.served.stop()).toBe(0);
    expect(await cluster.holderOf(name)).toBeUndefined();
  });

  test('the second of two tcli on one image waits, names the first, and serves when that has stopped', async () => {
    const name = await image();
    const first = await gateway(name);
    const second = await standby(first);
    const holder = await cluster.holderOf(name);
    await expect.poll(() => status(second)).toContain(`in use by another client, ${holder}, which is alive`);
    expect(await io(second.url, 'read 0 4k')).not.toContain(read);
    expect(await io(first.url, 'write -P 1 0 4k', 'flush')).toContain(written);
    // The space is left out as long as the cluster does not say it within a second.
    const info = async () => (await tcli(first.home, [disk, 'info'])).stdout;
    expect(await info()).toContain(`client: ${await cluster.holderOf(name)}`);
    await expect.poll(info).toMatch(/space_allocated: \d+\nspace_available: \d+/);
    const { stderr } = await tcli(second.home, [disk, 'reopen']);
    expect(stderr).toContain('reopen force=true');
    expect(await first.served.stop()).toBe(0);
    await expect.poll(() => io(second.url, 'read -P 1 0 4k')).toContain(read);
    await expect.poll(() => status(second)).not.toContain('missing');
  });

  test.each([
    ['on', 1],
    ['off', 0],
  ])(
    'with the write cache %s, a tcli that was paused and is overtaken writes nothing any more: its LUN is NOT READY until an operator says so',
    async (_, cache) => {
      const name = await image();
      const first = await gateway(name, `${disk} set attribute emulate_write_cache=${cache}`);
      const second = await standby(first);
      expect(await io(first.url, 'write -P 0x11 0 4k')).toContain(written);
      first.served.process.kill('SIGSTOP');
      // A command that its initiator sends meanwhile lies in its socket.
      const late = spawn('qemu-io', ['-t', 'none', '-f', 'raw', '-c', 'write -P 0x33 0 4k', first.url], {
        stdio: 'ignore',
      });
      const lateEnd = once(late, 'exit');
      onTestFinished(() => void late.kill('SIGKILL'));
      expect(await tcli(second.home, [disk, 'reopen', 'force=true'])).toMatchObject({ status: 0 });
      expect(await io(second.url, 'read -P 0x11 0 4k', 'write -P 0x22 0 4k', 'flush')).toContain(written);
      first.served.process.kill('SIGCONT');
      await expect.poll(() => status(first)).toContain('has shut out this client');
      await lateEnd;
      expect(await io(first.url, 'write -P 0x44 0 4k')).not.toContain(written);
      expect(await io(second.url, 'read -P 0x22 0 4k')).toContain(read);
      expect(await io(second.url, 'read -P 0x22 0 4k')).not.toContain('Pattern verification failed');
      expect((await tcli(first.home, ['-c', `${disk} info`])).stdout).toContain('has shut out this client');
      // No image is taken back without an operator, nor by a reopening that is not forced.
      expect((await tcli(first.home, [disk, 'reopen'])).status).toBe(1);
      await second.served.stop();
      expect(await tcli(first.home, [disk, 'reopen'])).toMatchObject({ status: 0 });
      expect(await io(first.url, 'read -P 0x22 0 4k')).toContain(read);
    },
  );

  test('a size that the image gets in Ceph is the LUN’s, and stays it', async () => {
    const name = await image();
    const one = await gateway(name);
    await cluster.rbd('resize', '--no-progress', '--size', '64M', `rbd/${name}`);
    await expect.poll(() => io(one.url, 'length')).toContain('64 MiB');
    expect(await tcli(one.home, [disk, 'resize', '96M'])).toMatchObject({ status: 0 });
    expect(await io(one.url, 'length')).toContain('96 MiB');
    expect(await cluster.rbd('info', `rbd/${name}`)).toContain('size 96 MiB');
  });

  test('a cluster that hangs costs neither a file beside it nor the end of the process', async () => {
    const name = await image();
    const one = await gateway(name);
    await configure(
      one.home,
      `/backstores/fileio create file ${one.home}/file.img ${bytes}`,
      `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/file`,
    );
    const file = one.url.replace(/0$/, '1');
    await cluster.signalOsd('SIGSTOP');
    const hung = spawn('qemu-io', ['-t', 'none', '-f', 'raw', '-c', 'write 0 4k', one.url], { stdio: 'ignore' });
    onTestFinished(() => void hung.kill('SIGKILL'));
    await expect.poll(() => status(one)).toContain('the Ceph cluster does not answer');
    expect(await io(file, 'write -P 7 0 4k', 'flush', 'read -P 7 0 4k')).toContain(read);
    await one.served.stop();
    expect(one.served.log()).not.toContain('internal error');
    await cluster.signalOsd('SIGCONT');
  });
});
