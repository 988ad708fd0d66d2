// Two vhost targets that come to share a disk: the state of their units in worker threads. Not tested: a guest.

import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { buildLoopThread } from '../support/build-programs.ts';
import { needs } from '../support/needs.ts';
import { temporaryDirectory } from '../support/tcli.ts';
import { TestFrontEnd } from '../support/vhost-front-end.ts';

const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const block = Buffer.alloc(512, 0x5a);

it(
  'two vhost targets that come to share a disk: refused while both have a machine, for one of them could not come back; else what a unit keeps goes along',
  needs('koffi'),
  async () => {
    const directory = temporaryDirectory();
    const workers = { entry: await buildLoopThread('tied-vhost'), count: 2 };
    const host = await openHost({ home: homeOf(directory, {}, undefined), role: 'serve', workers });
    onTestFinished(() => host.close());
    await host.root.start();
    const apply = (path: string, verb: string, params: Record<string, string | number> = {}) =>
      host.root.apply({ path, verb, params });
    const loopsOf = async () => {
      await host.root.observe();
      return [...host.root.tree.targets()].map((target) => host.root.loopOf(target)?.number);
    };
    const targets = ['naa.5001405000000001', 'naa.5001405000000002'];
    for (const [i, wwn] of targets.entries()) {
      await apply('/backstores/ramdisk', 'create', { name: `rd${i}`, size: '1M' });
      await apply('/vhost', 'create', { wwn });
      await apply(`/vhost/${wwn}`, 'create', { tag: 1 });
      await apply(`/vhost/${wwn}/tpg1/luns`, 'create', { storage_object: `/backstores/ramdisk/rd${i}`, lun: 0 });
      await apply(`/vhost/${wwn}/tpg1`, 'enable');
    }
    expect((await loopsOf()).sort()).toEqual([1, 2]);
    const come = async (wwn: string) => {
      const machine = await (await TestFrontEnd.connect(join(directory, 'run', `${wwn}.vhost`))).start();
      onTestFinished(() => machine.close());
      while ((await machine.command([0])).status !== 0);
      return machine;
    };
    const machines = await Promise.all(targets.map(come));
    const register = Buffer.from([...new Uint8Array(15), 7, ...new Uint8Array(8)]);
    for (const machine of machines) {
      expect(await machine.command(write, { dataOut: block })).toMatchObject({ status: 0 });
      expect(await machine.command([0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0], { dataOut: register })).toMatchObject({
        status: 0,
      });
    }
    const [first, second] = targets;
    const tie = () =>
      apply(`/vhost/${first}/tpg1/luns`, 'create', { storage_object: '/backstores/ramdisk/rd1', lun: 1 });
    const refused = await tie().catch((error: Error) => error.message);
    expect(refused).toMatch(/^\/vhost\/naa\.500140500000000\d has a client that could not come back/);
    for (const machine of machines) expect(await machine.command([0])).toMatchObject({ status: 0 });
    const leaving = targets.findIndex((wwn) => String(refused).includes(wwn));
    machines[leaving]!.close();
    await expect
      .poll(() =>
        tie().then(
          () => 'tied',
          (error: Error) => error.message,
        ),
      )
      .toBe('tied');
    expect(new Set(await loopsOf()).size).toBe(1);
    for (const [i, wwn] of [first!, second!].entries()) {
      const machine = i === leaving ? await come(wwn) : machines[i]!;
      while ((await machine.command([0])).status !== 0);
      expect((await machine.command(read, { dataIn: 512 })).data.equals(block)).toBe(true);
      const keys = await machine.command([0x5e, 0, 0, 0, 0, 0, 0, 0, 255, 0], { dataIn: 255 });
      expect(keys.data.subarray(8, 16).toString('hex')).toBe('0000000000000007');
    }
  },
);
