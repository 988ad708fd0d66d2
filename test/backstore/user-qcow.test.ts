// user:qcow over qemu-storage-daemon: the common suite, locks, daemons that die and hang, other sizes, snapshots. What
// initiators notice of it is in test/e2e/user-backstores.test.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Volume } from '../../src/backstore/backstore.ts';
import { userQcow } from '../../src/backstore/user-qcow.ts';
import { pattern } from '../support/logical-unit.ts';
import { needs } from '../support/needs.ts';
import { makeFile, makeFolder, removeFolder } from '../support/scratch.ts';
import { run } from '../support/tcli.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));

const withQemu = needs('qemu-storage-daemon', 'qemu-img', 'qemu-io', 'pgrep');

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

const open = (text: string, size = suiteBytes) => userQcow.open({ config: `qcow/${text}`, size });

let images = 0;
async function image(size = suiteBytes): Promise<string> {
  images += 1;
  const path = join(folder, `i${images}.qcow2`);
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(size)]);
  return path;
}

describeVolume('user:qcow', withQemu, async () => open(await image()), 512);

/** The processes of qemu-storage-daemon that serve volumes of this test. */
const daemons = async (): Promise<number[]> => {
  const { stdout } = await run('pgrep', ['-P', String(process.pid), 'qemu-storage']);
  return stdout.split('\n').filter(Boolean).map(Number);
};

describe('user:qcow', withQemu, () => {
  test('an image is sparse, is QEMU’s own, and its server goes with the volume', async () => {
    const path = await image(64 << 20);
    const volume = await open(path, 64 << 20);
    await volume.write(pattern(65_536, 3), 1 << 20, false);
    expect(await volume.extentAt?.(0, 64 << 20)).toEqual({ allocated: false, end: 1 << 20 });
    await volume.close();
    expect(statSync(path).size).toBeLessThan(1 << 20);
    const { stdout } = await run('qemu-io', ['-r', '-c', 'read -v 1048576 16', path]);
    expect(stdout.replaceAll(' ', '')).toContain(pattern(65_536, 3).toString('hex', 0, 16));
  });

  test('a daemon that is killed is started again: nobody else can have written, so nothing is lost', async () => {
    const path = await image(16 << 20);
    const volume = await open(path, 16 << 20);
    const data = pattern(1 << 20, 4);
    for (let i = 0; i < 8; i += 1) await volume.write(data, i << 20, false);
    const before = await daemons();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    for (let i = 8; i < 16; i += 1) await volume.write(data, i << 20, false);
    await volume.flush();
    expect(await daemons()).not.toEqual(before);
    const into = Buffer.alloc(16 << 20);
    await volume.read(into, 0);
    for (let i = 0; i < 16; i += 1) expect(into.subarray(i << 20, (i + 1) << 20).equals(data), `MiB ${i}`).toBe(true);
    await volume.close();
    expect(await daemons()).toEqual([]);
    expect((await run('qemu-img', ['check', path])).status).toBe(0);
  });

  test('an image that is served is locked, also between two daemons, for QEMU and for ourselves', async () => {
    const path = await image(1 << 20);
    const volume = await open(path, 1 << 20);
    for (const pid of await daemons()) process.kill(pid, 'SIGKILL');
    const refused = await run('qemu-io', ['-c', 'write 0 4k', path]);
    expect(refused.stderr).toContain('Failed to get');
    await expect(open(path, 1 << 20)).rejects.toMatchObject({ message: `The image ${path} is in use` });
    await volume.close();
    const other = spawn(
      'qemu-storage-daemon',
      [
        '--blockdev',
        `qcow2,node-name=n,file.driver=file,file.filename=${path}`,
        '--chardev',
        'stdio,id=c',
        '--monitor',
        'chardev=c',
      ],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    children.add(other);
    await once(other.stdout!, 'data');
    await expect(open(path, 1 << 20)).rejects.toMatchObject({
      message: `The image ${path} is in use`,
      hint: expect.stringContaining(String(other.pid)),
    });
    other.kill('SIGKILL');
    await once(other, 'exit');
  });

  test('a daemon that hangs is ended when it has been silent for long, and its writes with it; the newer data stays', async () => {
    const path = await image(1 << 20);
    const volume = await open(path, 1 << 20);
    const [held] = await daemons();
    process.kill(held!, 'SIGSTOP');
    const closing = volume.write(pattern(4096, 1), 0, false).then(() => volume.flush());
    // The volume does the same by itself after 30 s of silence.
    process.kill(held!, 'SIGKILL');
    await closing;
    await volume.write(pattern(4096, 2), 0, false);
    await volume.flush();
    const into = Buffer.alloc(4096);
    await volume.read(into, 0);
    expect(into.equals(pattern(4096, 2))).toBe(true);
    await volume.close();
  });

  test('larger while it is served, smaller and larger again: what is added reads as zeros', async () => {
    const path = await image(1 << 20);
    const volume = await open(path, 1 << 20);
    await volume.write(pattern(4096, 1), (1 << 20) - 4096, false);
    const reading = Promise.all(Array.from({ length: 64 }, (_, i) => volume.read(Buffer.alloc(4096), i * 4096)));
    await volume.resize!(4 << 20);
    await reading;
    await volume.write(pattern(4096, 2), 3 << 20, false);
    await volume.resize!(1 << 19);
    await expect(volume.read(Buffer.alloc(512), 1 << 20)).rejects.toMatchObject({ code: 'ERANGE' });
    volume.cut!();
    await volume.resize!(4 << 20);
    const into = Buffer.alloc(4096, 9);
    for (const at of [(1 << 20) - 4096, 3 << 20]) {
      await volume.read(into, at);
      expect(into.equals(Buffer.alloc(4096))).toBe(true);
    }
    await volume.close();
    expect((await run('qemu-img', ['info', '--output=json', path])).stdout).toContain(`"virtual-size": ${4 << 20}`);
  });

  test('snapshots: made, listed as the image has them, rolled back, copied, deleted', async () => {
    const path = await image(4 << 20);
    const volume = await open(path, 4 << 20);
    const { snapshots } = volume;
    const fill = async (number: number) => {
      await volume.write(pattern(1 << 20, number), 1 << 20, false);
      await volume.flush();
    };
    await fill(1);
    await snapshots!.create('one');
    await fill(2);
    await snapshots!.create('two');
    await fill(3);
    const copy = join(folder, 'copy.qcow2');
    await snapshots!.clone('one', { config: `qcow/${copy}` });
    await snapshots!.rollback('two');
    const holds = async (of: Volume) => {
      const into = Buffer.alloc(1 << 20);
      await of.read(into, 1 << 20);
      return [1, 2, 3].find((number) => into.equals(pattern(1 << 20, number)));
    };
    expect(await holds(volume)).toBe(2);
    const clone = await open(copy, 4 << 20);
    expect(await holds(clone)).toBe(1);
    await clone.close();
    expect(await snapshots!.list()).toMatchObject([
      { name: 'one', size: 4 << 20 },
      { name: 'two', size: 4 << 20 },
    ]);
    await snapshots!.remove('one');
    await expect(snapshots!.rollback('one')).rejects.toThrow('There is no snapshot one.');
    await volume.close();
    const { stdout } = await run('qemu-img', ['snapshot', '-l', path]);
    expect(stdout).toMatch(/\btwo\b/);
    expect(stdout).not.toMatch(/\bone\b/);
    expect((await run('qemu-img', ['check', path])).status).toBe(0);
  });

  test('an image that stands on another file is refused until the operator says that it may', async () => {
    const secret = makeFile(join(folder, 'secret.raw'), 1 << 20);
    writeFileSync(secret, 'TOPSECRET');
    const path = join(folder, 'standing.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', secret, '-F', 'raw', path, '1M']);
    await expect(open(path, 1 << 20)).rejects.toMatchObject({
      message: `The image ${path} stands on another file, "${secret}"`,
      hint: expect.stringContaining(`"${path};backing=follow"`),
    });
    const data = join(folder, 'data.qcow2');
    await run('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `data_file=${join(folder, 'data.raw')},data_file_raw=on`,
      data,
      '1M',
    ]);
    await expect(open(data, 1 << 20)).rejects.toThrow('has its data in another file');
    const volume = await open(`${path};backing=follow`, 512);
    const into = Buffer.alloc(512);
    await volume.read(into, 0);
    expect(into.toString('latin1', 0, 9)).toBe('TOPSECRET');
    await volume.close();
  });

  test('an image that cannot be served is refused with QEMU’s reason', async () => {
    await expect(open(join(folder, 'missing.qcow2'))).rejects.toMatchObject({
      message: 'The image cannot be served',
      hint: expect.stringMatching(/no such file or directory/i),
    });
    const raw = makeFile(join(folder, 'raw.img'), 1 << 20);
    await expect(open(raw)).rejects.toMatchObject({
      message: 'qemu-storage-daemon cannot serve the image',
      hint: 'Image is not in qcow2 format',
    });
    expect(await daemons()).toEqual([]);
  });
});
