// Volumes of user:rbd by librbd, over a real cluster: the common suite, the lock and who is shut out, sizes, a cluster that hangs.
// Not tested here: iSCSI over them (rbd-target.test.ts).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Claim, unclaimed, type Volume } from '../../src/backstore/backstore.ts';
import { userRbd } from '../../src/backstore/user-rbd.ts';
import { describeVolume, suiteBytes } from '../backstore/volume.suite.ts';
import { cephPrograms, TestCluster } from '../support/ceph.ts';
import { pattern } from '../support/logical-unit.ts';
import { needs } from '../support/needs.ts';

const withCeph = needs(...cephPrograms, 'librbd');
const mib = 1024 ** 2;

let cluster: TestCluster;
beforeAll(async () => {
  if (!withCeph.skip) cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

let images = 0;
async function image(bytes = 8 * mib, ...options: string[]): Promise<string> {
  images += 1;
  const name = `image${images}`;
  await cluster.makeImage(name, bytes, ...options);
  return name;
}

const config = (name: string, size: number) => ({ config: `rbd/${cluster.cfgstring(name)}`, size });
const open = (name: string, size = 8 * mib, claim?: Claim): Promise<Volume> =>
  userRbd.open(config(name, size), undefined, claim);

describeVolume('user:rbd', withCeph, async () => open(await image(suiteBytes), suiteBytes), 512);
describeVolume(
  'user:rbd of small objects',
  withCeph,
  async () => open(await image(suiteBytes, '--object-size', '8K'), suiteBytes),
  512,
);

/** The same cluster, reached by another connection: another client. */
const elsewhere = (name: string, size = 8 * mib, claim?: Claim): Promise<Volume> =>
  userRbd.open({ config: `rbd/rbd/${name};conf=${cluster.folder}/./ceph.conf`, size }, undefined, claim);

/** Resolves when the volume tells of trouble, or that it is over. */
const told = (volume: Volume): Promise<void> => new Promise((resolve) => volume.watch!(resolve));
const code = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** A process that opens an image, says as whom, and is killed. @returns the client that is left in the cluster */
async function killedHolder(name: string): Promise<string> {
  const script = join(import.meta.dirname, '../support/rbd-holder.ts');
  const child = spawn(process.execPath, [script, cluster.cfgstring(name), String(8 * mib)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return String(line);
}

describe('the exclusive lock of an image', withCeph, () => {
  test('is held while it is open, and free afterwards', async () => {
    const name = await image();
    const volume = await open(name);
    expect(await cluster.rbd('lock', 'ls', `rbd/${name}`)).toContain(volume.client);
    await volume.close();
    expect(await cluster.rbd('lock', 'ls', `rbd/${name}`)).toBe('');
  });

  test('a holder that lives is left alone, and named; a second storage object here is refused, too', async () => {
    const name = await image();
    const volume = await open(name);
    await expect(elsewhere(name)).rejects.toThrow(
      `The image rbd/${name} is in use by another client, ${volume.client}`,
    );
    await expect(open(name)).rejects.toThrow('is open here already');
    await volume.write(pattern(4096), 0, true);
    await volume.close();
  });

  test('by an operator’s word a holder that lives is shut out: nothing of it lands later, it says so, and what is asked of it is ENODEV', async () => {
    const name = await image();
    const first = await open(name);
    const toldFirst = told(first);
    await first.write(pattern(4096, 1), 0, false);
    const second = await elsewhere(name, 8 * mib, { ...unclaimed, over: 'anybody' });
    const late = await first.write(pattern(4096, 2), 0, true).catch(code);
    expect(late).toBe('ENODEV');
    await toldFirst;
    expect(first.trouble).toMatchObject({ isOver: true, reason: expect.stringContaining('has shut out this client') });
    expect(await first.read(new Uint8Array(512), 0).catch(code)).toBe('ENODEV');
    expect(await first.flush().catch(code)).toBe('ENODEV');
    const held = new Uint8Array(4096);
    await second.read(held, 0);
    expect(Buffer.compare(held, pattern(4096, 1))).toBe(0);
    await first.close();
    await second.close();
  });

  test('a client that is idle hears of it, too, and one that is not the holder named is left alone', async () => {
    const name = await image();
    const first = await open(name);
    const toldFirst = told(first);
    await expect(elsewhere(name, 8 * mib, { ...unclaimed, over: '192.0.2.1:0/1' })).rejects.toThrow('is in use');
    const second = await elsewhere(name, 8 * mib, { ...unclaimed, over: first.client! });
    await toldFirst;
    expect(first.trouble?.isOver).toBe(true);
    await first.close();
    // The next opening comes as another client.
    const third = await open(name, 8 * mib, { ...unclaimed, over: 'anybody' });
    expect(third.client).not.toBe(first.client);
    await second.close();
    await third.close();
  });

  test('a killed process of ours is shut out at once; that of another is waited for until the cluster takes it for dead', async () => {
    const name = await image();
    const client = await killedHolder(name);
    await expect(open(name)).rejects.toThrow(`${client}, which is alive`);
    const kept: (string | undefined)[] = [];
    const keep = async (mine: string | undefined) => void kept.push(mine);
    const volume = await open(name, 8 * mib, { earlier: [client], keep });
    expect(await cluster.ceph('osd', 'blocklist', 'ls')).toContain(client);
    expect(kept).toEqual([volume.client]);
    await volume.close();
    expect(kept).toEqual([volume.client, undefined]);
  });

  test('earlier owners are shut out for a year, and one that is shut out already costs the monitors no change', async () => {
    const name = await image();
    const earlier = ['192.0.2.1:0/1', '192.0.2.1:0/2'];
    const claim = { ...unclaimed, shutOut: earlier };
    const shutOut = async () => (await cluster.ceph('osd', 'blocklist', 'ls')).split('\n').sort();
    const mapOf = async () => /^epoch (\d+)/m.exec(await cluster.ceph('osd', 'dump'))?.[1];
    await (await open(name, 8 * mib, claim)).close();
    const [entries, map] = [await shutOut(), await mapOf()];
    for (const one of earlier) {
      const until = entries.find((entry) => entry.startsWith(`${one} `))!.split(' ')[1]!;
      expect((Date.parse(until) - Date.now()) / 86_400_000).toBeGreaterThan(360);
    }
    await (await open(name, 8 * mib, claim)).close();
    expect([await shutOut(), await mapOf()]).toEqual([entries, map]);
  });

  test('an image without one is refused, with what gives it one', async () => {
    const name = await image(8 * mib, '--image-feature', 'layering');
    await expect(open(name)).rejects.toMatchObject({
      message: `The image rbd/${name} has no exclusive lock: two gateways could write to it at once`,
      hint: `To give it one: rbd feature enable rbd/${name} exclusive-lock`,
    });
  });
});

describe('an image', withCeph, () => {
  test('that is not there, or too small, or in no pool, is refused with what to look at', async () => {
    const name = await image();
    await expect(open('nothing')).rejects.toThrow('There is no image rbd/nothing');
    await expect(open(name, 16 * mib)).rejects.toThrow(`has ${8 * mib} bytes, ${16 * mib} are wanted`);
    const config = `rbd/nowhere/disk;conf=${cluster.conf}`;
    await expect(userRbd.open({ config, size: mib })).rejects.toThrow('There is no pool nowhere');
  });

  test('COMPARE AND WRITE of one block is one request to the cluster', async () => {
    const volume = await open(await image());
    const [old, now] = [pattern(512, 3), pattern(512, 4)];
    await volume.write(old, 4096, true);
    const other = Uint8Array.from(old);
    other[300]! ^= 1;
    expect(await volume.compareAndWrite!(other, now, 4096)).toBe(false);
    expect(await volume.compareAndWrite!(old, now, 4096)).toBe(true);
    const held = new Uint8Array(512);
    await volume.read(held, 4096);
    expect(Buffer.compare(held, now)).toBe(0);
    expect(volume.canCompareAndWrite!(4096, 512)).toBe(true);
    expect(volume.canCompareAndWrite!(4096, 1024)).toBe(false);
    await volume.close();
  });

  test('that is made smaller in Ceph fails what lies behind its end, and is not waited for', async () => {
    const name = await image();
    const volume = await open(name);
    await cluster.rbd('resize', '--allow-shrink', '--no-progress', '--size', '4M', `rbd/${name}`);
    expect(await volume.write(pattern(4096), 6 * mib, true).catch(code)).toBe('ERANGE');
    expect(await volume.read(new Uint8Array(4096), 6 * mib).catch(code)).toBe('ERANGE');
    await volume.close();
  });

  test('says what it takes of its pool, in whole objects, and what the pool has left', async () => {
    const volume = await open(await image(64 * mib), 64 * mib);
    expect(await volume.space!()).toMatchObject({ allocated: 0 });
    await volume.write(pattern(4096), 0, true);
    await volume.write(pattern(4096), 32 * mib, true);
    const { allocated, available } = await volume.space!();
    expect(allocated).toBe(8 * mib);
    expect(available).toBeGreaterThan(1024 * mib);
    await volume.discard!(0, 64 * mib);
    expect(await volume.space!()).toMatchObject({ allocated: 0 });
    await volume.close();
  });

  test('that gets another size in Ceph says so by itself', async () => {
    const name = await image();
    const volume = await open(name);
    const toldSize = told(volume);
    await cluster.rbd('resize', '--size', '16M', `rbd/${name}`);
    await toldSize;
    expect(volume).toMatchObject({ size: 8 * mib, found: 16 * mib, trouble: undefined });
    await volume.resize!(16 * mib);
    await volume.write(pattern(4096), 16 * mib - 4096, true);
    await volume.close();
  });

  test('is resized while it is served; of one that is used in part, nothing is cut off', async () => {
    const name = await image();
    const volume = await open(name);
    const resize = async (served: number, size: number) => {
      const { finish, undo, ...rest } = await userRbd.resize(config(name, served), size, true, true);
      return { ...rest, finish, undo };
    };
    expect(await resize(8 * mib, 12 * mib)).toMatchObject({ size: 12 * mib });
    await volume.resize!(12 * mib);
    const smaller = await resize(12 * mib, 4 * mib);
    await volume.resize!(4 * mib);
    await smaller.finish!();
    expect(await cluster.rbd('info', `rbd/${name}`)).toContain('size 4 MiB');
    expect(await resize(2 * mib, mib)).toMatchObject({ size: mib, finish: undefined });
    const larger = await resize(4 * mib, 8 * mib);
    await larger.undo!();
    expect(await cluster.rbd('info', `rbd/${name}`)).toContain('size 4 MiB');
    await volume.close();
  });
});

describe('snapshots of an image', withCeph, () => {
  const holds = async (volume: Volume, seed: number) => {
    const held = new Uint8Array(4096);
    await volume.read(held, 0);
    return Buffer.compare(held, pattern(4096, seed)) === 0;
  };

  test('are made while it is open, listed as the cluster has them, rolled back, cloned and deleted', async () => {
    const name = await image();
    const volume = await open(name);
    const snapshots = volume.snapshots!;
    await volume.write(pattern(4096, 1), 0, true);
    const before = Date.now();
    await snapshots.create('one');
    await volume.write(pattern(4096, 2), 0, true);
    await cluster.rbd('snap', 'create', '--no-progress', `rbd/${name}@two`);
    const listed = await snapshots.list();
    expect(listed).toMatchObject([
      { name: 'one', size: 8 * mib },
      { name: 'two', size: 8 * mib },
    ]);
    expect(Math.abs(listed[0]!.madeAt - before)).toBeLessThan(60_000);
    const cloned = userRbd.snapshots!.cloned(config(name, 8 * mib), `${name}-copy`, undefined);
    expect(cloned).toEqual(config(`${name}-copy`, 8 * mib));
    await snapshots.clone('one', cloned);
    await expect(snapshots.clone('one', cloned)).rejects.toThrow(`There is an image rbd/${name}-copy already.`);
    const clone = await userRbd.open(cloned);
    expect(await holds(clone, 1)).toBe(true);
    await clone.write(pattern(4096, 3), 0, true);
    expect(await holds(volume, 2)).toBe(true);
    await snapshots.rollback('one');
    expect(await holds(volume, 1)).toBe(true);
    expect(await holds(clone, 3)).toBe(true);
    await snapshots.remove('two');
    await expect(snapshots.remove('two')).rejects.toThrow('There is no snapshot two.');
    await expect(snapshots.rollback('two')).rejects.toThrow('There is no snapshot two.');
    await clone.close();
    await volume.close();
  });
});

describe('a cluster that hangs', withCeph, () => {
  test('requests wait, the volume says so, and all goes on when the cluster is back', async () => {
    const volume = await open(await image());
    const toldHung = told(volume);
    await cluster.signalOsd('SIGSTOP');
    const written = volume.write(pattern(4096, 5), 0, true);
    await toldHung;
    expect(volume.trouble).toMatchObject({ reason: expect.stringContaining('does not answer') });
    expect(volume.trouble!.isOver).toBeUndefined();
    const toldBack = told(volume);
    await cluster.signalOsd('SIGCONT');
    await written;
    await toldBack;
    expect(volume.trouble).toBeUndefined();
    await volume.close();
  });

  test('a write is handed over at once, however many the cluster has not answered; closing gives up, and opening says that it does not answer', async () => {
    const name = await image();
    const volume = await open(name);
    await cluster.signalOsd('SIGSTOP');
    const all = Array.from({ length: 300 }, (_, at) =>
      volume.write(pattern(64 * 1024, at), (at % 64) * 64 * 1024, true),
    );
    await volume.close();
    await expect(open(name)).rejects.toThrow('has not answered');
    await cluster.signalOsd('SIGCONT');
    await Promise.all(all);
    await expect
      .poll(() =>
        open(name)
          .then((again) => again.close())
          .then(() => 'opened', String),
      )
      .toBe('opened');
  });
});
