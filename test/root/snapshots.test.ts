// Snapshots of storage objects while initiators write to them. Media are files on an XFS of the test's own; what other engines
// do is tested with them. Not tested: that a snapshot outlives a power failure.

import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { ScsiInitiator } from '../support/logical-unit.ts';
import { needs } from '../support/needs.ts';
import { makeFolder, memoryFolder, mountSharingFolder, removeFolder } from '../support/scratch.ts';
import { openShell, type TestShell } from '../support/shell.ts';
import { freePort, iqn } from '../support/tcli.ts';

const sharing = needs('mounts', 'loop devices', 'mkfs.xfs', 'koffi');
const mebibyte = 2 ** 20;
const blocks = 2048;
const read = (lba: number, count = 1) => [
  0x88,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  lba >> 8,
  lba & 255,
  0,
  0,
  count >> 8,
  count & 255,
];
const write = (lba: number, count = 1) => [0x8a, ...read(lba, count).slice(1)];

/** A serving shell, and a folder beside it whose files can share blocks. */
async function opened(): Promise<{ shell: TestShell; folder: string }> {
  const place = makeFolder();
  onTestFinished(() => removeFolder(place));
  const folder = join(place, 'disks');
  mkdirSync(folder);
  mountSharingFolder(folder, join(place, 'xfs.img'));
  const shell = await openShell({ directory: join(place, 'home') });
  onTestFinished(() => shell.close());
  await shell.host.root.start();
  return { shell, folder };
}

const unit = (shell: TestShell, name: string) => {
  const object = shell.host.root.tree.storageObject(`/backstores/fileio/${name}`)!;
  return { object, initiator: new ScsiInitiator(object).login() };
};

/** Writes numbers, each to one block of each unit in turn, until it is stopped: a number is answered by one before the other gets it. */
function writing(units: readonly ScsiInitiator[]) {
  let number = 0;
  let goes = true;
  const over = (async () => {
    while (goes) {
      number += 1;
      const data = Buffer.alloc(512);
      data.writeUInt32BE(number);
      for (const one of units) {
        const { status, sense } = await one.send(write(number % blocks), data);
        if (status !== 0) throw new Error(`write ${number}: ${sense}`);
      }
    }
  })();
  return {
    get number() {
      return number;
    },
    async reached(wanted: number) {
      while (number < wanted) await new Promise(setImmediate);
    },
    stop: async () => {
      goes = false;
      await over;
    },
  };
}

async function numbersOf(initiator: ScsiInitiator): Promise<number[]> {
  const all: number[] = [];
  for (let lba = 0; lba < blocks; lba += 1024) {
    const { data } = await initiator.send(read(lba, 1024));
    for (let at = 0; at < data.length; at += 512) all.push(data.readUInt32BE(at));
  }
  return all;
}

it('under load: one instant for two disks, and after a rollback every block is what it was then', sharing, async () => {
  const { shell, folder } = await opened();
  await shell.run(
    `/backstores/fileio create data ${folder}/data.img 1M`,
    `/backstores/fileio create log ${folder}/log.img 1M`,
  );
  const [data, log] = [unit(shell, 'data'), unit(shell, 'log')];
  const load = writing([data.initiator, log.initiator]);
  await load.reached(3000);
  expect(await shell.run('/backstores/fileio/data/snapshots create noon /backstores/fileio/log')).toBe(
    'Created snapshot noon of fileio data.\nCreated snapshot noon of fileio log.\n',
  );
  const made = load.number;
  await load.reached(made + 3000);
  await load.stop();
  for (const name of ['data', 'log'])
    expect(await shell.run(`/backstores/fileio/${name}/snapshots rollback noon`)).toBe(
      `Rolled fileio ${name} back to noon.\n`,
    );
  for (const { initiator } of [data, log]) {
    expect((await initiator.send([0x00])).sense).toBe('6/28/00');
    expect((await initiator.send([0x00])).status).toBe(0);
  }
  const [inData, inLog] = [await numbersOf(data.initiator), await numbersOf(log.initiator)];
  const last = Math.max(...inData);
  // Each block has the last number that was answered for it by then: no hole, and nothing newer.
  expect(last).toBeGreaterThanOrEqual(3000);
  expect(last).toBeLessThanOrEqual(made);
  expect(inData).toEqual(
    Array.from({ length: blocks }, (_, lba) => last - ((((last - lba) % blocks) + blocks) % blocks)),
  );
  // The log got each number after the data did: at one instant it is at most one behind, and never ahead.
  expect([last - 1, last]).toContain(Math.max(...inLog));
});

it('a clone is another disk: its serial number, its file, its writes; both are served', sharing, async () => {
  const { shell, folder } = await opened();
  await shell.run(`/backstores/fileio create disk ${folder}/disk.img 1M`);
  const { object, initiator } = unit(shell, 'disk');
  await initiator.send(write(5), Buffer.alloc(512, 1));
  await shell.run('/backstores/fileio/disk/snapshots create s1');
  await initiator.send(write(5), Buffer.alloc(512, 2));
  expect(await shell.run('/backstores/fileio/disk/snapshots clone s1 copy')).toBe(
    'Created fileio copy, a clone of disk as of s1.\n',
  );
  const copy = unit(shell, 'copy');
  expect(copy.object.config).toMatchObject({ dev: join(folder, 'copy.img'), size: mebibyte });
  expect(copy.object.naa).not.toBe(object.naa);
  expect((await copy.initiator.send(read(5))).data).toEqual(Buffer.alloc(512, 1));
  await copy.initiator.send(write(5), Buffer.alloc(512, 3));
  expect((await initiator.send(read(5))).data).toEqual(Buffer.alloc(512, 2));
  await shell.run('/backstores/fileio/copy/snapshots create own', '/backstores/fileio/disk/snapshots rollback s1');
  await initiator.send([0x00]);
  expect((await initiator.send(read(5))).data).toEqual(Buffer.alloc(512, 1));
  expect((await copy.initiator.send(read(5))).data).toEqual(Buffer.alloc(512, 3));
  expect(await shell.run('/backstores/fileio/disk/snapshots clone s1 copy')).toContain(
    'Storage object fileio/copy exists',
  );
});

it('ls and info show what the engine has, also what was made and removed beside this program', sharing, async () => {
  const { shell, folder } = await opened();
  await shell.run(
    `/backstores/fileio create disk ${folder}/disk.img 1M`,
    '/backstores/fileio/disk/snapshots create s1',
  );
  const path = '/backstores/fileio/disk/snapshots';
  const { madeAt } = (await shell.host.root.snapshots.list(unit(shell, 'disk').object))[0]!;
  const time = new Date(madeAt).toISOString().replace(/\.\d+/, '');
  expect(await shell.run(`ls ${path}`)).toMatch(
    new RegExp(`^o- snapshots \\.+ \\[Snapshots: 1\\]\n  o- s1 \\.+ \\[${time}, 1\\.0MiB\\]\n$`),
  );
  expect(await shell.run(`${path}/s1 info`)).toBe(`made: ${time}\nname: s1\nsize: 1048576\n`);
  expect(await shell.run('ls /')).not.toContain('snapshots');
  expect(await shell.complete(`${path} rollback `)).toContain('s1');
  expect(statSync(join(folder, 'disk.img.snap-s1')).mode & 0o777).toBe(0o400);
  await shell.run(`${path} delete s1`);
  expect(readdirSync(folder)).toEqual(['disk.img']);
  expect(await shell.run(`${path} delete s1`)).toContain('disk has no snapshot s1');
  expect(await shell.run(`${path}/s1 info`)).toContain('No such path');
});

it(
  'refused before anybody is held: a medium that cannot, a name that is there, a size that is another',
  sharing,
  async () => {
    const { shell, folder } = await opened();
    const elsewhere = makeFolder(memoryFolder);
    onTestFinished(() => removeFolder(elsewhere));
    await shell.run(
      `/backstores/fileio create disk ${folder}/disk.img 1M`,
      `/backstores/fileio create other ${elsewhere}/other.img 1M`,
    );
    const path = '/backstores/fileio/disk/snapshots';
    const { object } = unit(shell, 'disk');
    let flushes = 0;
    const flush = object.volume!.flush.bind(object.volume);
    object.volume!.flush = () => {
      flushes += 1;
      return flush();
    };
    expect(await shell.run(`${path} create s1 /backstores/fileio/other`)).toContain(
      'The medium of other cannot have snapshots.\nE| A file has snapshots where its file system lets files share blocks: XFS, Btrfs, bcachefs.',
    );
    expect(flushes).toBe(0);
    expect(readdirSync(folder)).toEqual(['disk.img']);
    await shell.run(`${path} create s1`);
    expect(await shell.run(`${path} create s1`)).toContain('disk has a snapshot s1 already');
    for (const verb of ['rollback', 'delete', 'clone'])
      expect(await shell.run(`${path} ${verb} s9${verb === 'clone' ? ' new' : ''}`)).toBe(
        'E| disk has no snapshot s9\nE| Snapshots that it has: s1\n',
      );
    expect(await shell.run(`${path} create ../s2`)).toContain("'../s2' cannot be the name of a snapshot");
    await shell.run('/backstores/fileio/disk resize 2M');
    expect(await shell.run(`${path} rollback s1`)).toContain(
      'disk has 2097152 bytes, and had 1048576 when the snapshot s1 was made',
    );
  },
);

it('a medium that does not flush has no snapshot made of it, and its commands go on', sharing, async () => {
  const { shell, folder } = await opened();
  await shell.run(`/backstores/fileio create disk ${folder}/disk.img 1M`);
  const { object, initiator } = unit(shell, 'disk');
  object.volume!.flush = () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
  expect(await shell.run('/backstores/fileio/disk/snapshots create s1')).toContain(
    'What was written to disk could not be brought to its medium: i/o error',
  );
  expect(readdirSync(folder)).toEqual(['disk.img']);
  expect((await initiator.send(write(0), Buffer.alloc(512, 1))).status).toBe(0);
});

it('while nothing is served: made of the medium itself', sharing, async () => {
  const { shell, folder } = await opened();
  const directory = join(folder, '..', 'second');
  const host = await openHost({ home: homeOf(directory, {}, 0), role: 'serve' });
  onTestFinished(() => host.close());
  await host.root.apply({
    path: '/backstores/fileio',
    verb: 'create',
    params: { name: 'disk', file_or_dev: `${folder}/closed.img`, size: mebibyte },
  });
  const object = host.root.tree.storageObject('/backstores/fileio/disk')!;
  await host.root.snapshots.create([object], 's1');
  expect(host.root.snapshots.seen(object)).toMatchObject([{ name: 's1', size: mebibyte }]);
  expect(object.volume).toBeUndefined();
  expect(shell.host.root.serving).toBe(true);
});

it(
  'a rollback is refused while initiators that reach the disk are logged in; forced, they are told',
  sharing,
  async () => {
    const { shell, folder } = await opened();
    const port = await freePort();
    await shell.run(
      `/backstores/fileio create disk ${folder}/disk.img 1M`,
      `/backstores/fileio create other ${folder}/other.img 1M`,
      '/ set global auto_add_default_portal=false',
      `/iscsi create ${iqn}`,
      `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${port}`,
      `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/disk`,
      `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
      '/backstores/fileio/disk/snapshots create s1',
      '/backstores/fileio/other/snapshots create s1',
    );
    const name = 'iqn.1994-05.com.redhat:client1';
    const { initiator, close } = await connectInitiator(port, iqn, name);
    onTestFinished(close);
    while ((await initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
    const data = Buffer.alloc(512, 7);
    expect(await initiator.command([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0], { data, immediateData: 512 })).toMatchObject({
      status: 0,
    });
    const first = async () => (await initiator.command(read(0), { read: true, length: 512 })).data[0];
    const rollback = (disk: string, words = '') =>
      shell.run(`/backstores/fileio/${disk}/snapshots rollback s1${words}`);
    expect(await rollback('disk')).toContain(`E| disk is in use: ${name} is logged in`);
    expect(await rollback('other')).toBe('Rolled fileio other back to s1.\n');
    expect(await first()).toBe(7);
    expect(await rollback('disk', ' force=true')).toBe('Rolled fileio disk back to s1.\n');
    // NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED
    expect(await initiator.command([0, 0, 0, 0, 0, 0])).toMatchObject({ status: 2, sense: '6/28/00' });
    expect(await first()).toBe(0);
    close();
    await expect.poll(() => rollback('disk')).toBe('Rolled fileio disk back to s1.\n');
  },
);
