// Another medium for a storage object whose medium is no plain file: the unit stays the same to an initiator that stays logged in.
// A file: everyday.test.ts.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { ParameterValues } from '../../src/operations/operation.ts';
import { openHost } from '../../src/root/host.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { freePort } from '../support/free-port.ts';
import { nbdkitOn } from '../support/nbdkit.ts';
import { type Need, needs } from '../support/needs.ts';
import { attachLoopDevice, detachLoopDevice } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const wwn = 'iqn.2003-01.org.example:disk';
const tpg = `/iscsi/${wwn}/tpg1`;
const bytes = 1 << 20;
const block = (fill: number) => Buffer.alloc(512, fill);
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const testUnitReady = [0, 0, 0, 0, 0, 0];

interface Kind {
  readonly needs: readonly Need[];
  /** Words of `create` beside the medium, and what they are in the configuration. */
  readonly words: ParameterValues;
  readonly kept: ParameterValues;
  /** A medium over a file. @returns the words that name it */
  medium(file: string): Promise<ParameterValues>;
  /** The first block of the medium over a file. */
  first(file: string): Buffer;
}

const plainFirst = (file: string) => readFileSync(file).subarray(0, 512);

const kinds: Readonly<Record<string, Kind>> = {
  block: {
    needs: ['loop devices'],
    words: { direct: true },
    kept: { direct: true },
    async medium(file) {
      const dev = attachLoopDevice(file);
      onTestFinished(() => detachLoopDevice(dev));
      return { dev };
    },
    first: plainFirst,
  },
  'user:nbd': {
    needs: ['nbdkit'],
    words: { hw_max_sectors: 64 },
    kept: { hw_max_sectors: 64 },
    async medium(file) {
      const child = await nbdkitOn(`${file}.socket`, 'file', file);
      onTestFinished(() => void child.kill('SIGKILL'));
      return { size: bytes, cfgstring: `nbd+unix:///?socket=${file}.socket` };
    },
    first: plainFirst,
  },
  'user:qcow': {
    needs: ['qemu-storage-daemon', 'qemu-img'],
    words: {},
    kept: {},
    async medium(file) {
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', file, `${file}.qcow2`]);
      return { size: bytes, cfgstring: `${file}.qcow2` };
    },
    first(file) {
      execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', `${file}.qcow2`, `${file}.raw`]);
      return plainFirst(`${file}.raw`);
    },
  },
};

/** A served target whose LUN 0 is of a kind, on a medium over the file `old.img`, and an initiator of it. */
async function served(kind: string, { words, medium }: Kind) {
  const directory = temporaryDirectory();
  const files = {
    old: join(directory, 'old.img'),
    next: join(directory, 'next.img'),
    small: join(directory, 'small.img'),
  };
  for (const [file, size, fill] of [
    [files.old, bytes, 1],
    [files.next, bytes, 9],
    [files.small, bytes / 2, 0],
  ] as const)
    writeFileSync(file, Buffer.alloc(size, fill));
  // The old medium has to be there until the host is closed.
  const old = await medium(files.old);
  const host = await openHost({ home: homeOf(directory, {}, undefined), role: 'serve' });
  onTestFinished(() => host.close());
  await host.root.start();
  const apply = (path: string, verb: string, params: ParameterValues = {}) => host.root.apply({ path, verb, params });
  await apply(`/backstores/${kind}`, 'create', { name: 'disk', ...words, ...old });
  await apply('/iscsi', 'create', { wwn });
  await apply(`/iscsi/${wwn}`, 'create', { tag: 1 });
  await apply(`${tpg}/luns`, 'create', { storage_object: `/backstores/${kind}/disk`, lun: 0 });
  const port = await freePort();
  await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port: port });
  for (const [name, value] of Object.entries({
    authentication: '0',
    generate_node_acls: '1',
    demo_mode_write_protect: '0',
  }))
    await apply(tpg, 'set', { group: 'attribute', name, value });
  await apply(tpg, 'enable');
  const { initiator, close } = await connectInitiator(port, wwn, 'iqn.1994-05.com.redhat:client');
  onTestFinished(close);
  while ((await initiator.command(testUnitReady)).status !== 0);
  return { host, apply, initiator, files };
}

describe.each(Object.entries(kinds))('%s', (kind, what) => {
  it(
    'goes on with another medium: what was written is on the old one, identity and settings stay, and undo puts the old one back',
    needs(...what.needs),
    async () => {
      const { host, apply, initiator, files } = await served(kind, what);
      const replace = async (file: string) =>
        apply(`/backstores/${kind}`, 'replace', { name: 'disk', ...(await what.medium(file)) });
      const first = async () => (await initiator.command(read, { read: true, length: 512 })).data;
      const serial = async () => (await initiator.command([0x12, 1, 0x80, 1, 0, 0], { read: true, length: 256 })).data;
      const before = await serial();
      expect(await first()).toEqual(block(1));
      await initiator.command(write, { data: block(4) });
      await expect(replace(files.small)).rejects.toThrow();
      expect([await first(), await serial()]).toEqual([block(4), before]);
      await replace(files.next);
      expect((await initiator.command(testUnitReady)).sense).toBe('6/28/00');
      expect([await first(), await serial()]).toEqual([block(9), before]);
      expect(what.first(files.old)).toEqual(block(4));
      expect(host.root.tree.storageObject(`/backstores/${kind}/disk`)?.config).toMatchObject(what.kept);
      await initiator.command(write, { data: block(5) });
      await host.history.take((await host.history.last())!);
      expect((await initiator.command(testUnitReady)).sense).toBe('6/28/00');
      expect([await first(), await serial()]).toEqual([block(4), before]);
      expect(what.first(files.next)).toEqual(block(5));
    },
  );
});
