// LUNs of a loopback target, as other programs of this machine use them: libnbd's tools, QEMU's, fio, and the kernel.
// Not tested here: the protocol byte by byte (test/nbd), speed. The kernel's own nbd is used where it is there.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { configure, run, serve, tcli, temporaryDirectory } from '../support/tcli.ts';

const wwn = 'naa.5001405c81b9d906';
const luns = `/loopback/${wwn}/luns`;

/** A served target with a ramdisk and a thin file. @returns the URIs of its LUNs */
async function served(home: string) {
  await configure(
    home,
    '/backstores/ramdisk create rd0 64M',
    `/backstores/fileio create thin ${join(home, 'thin.img')} 64M`,
    '/backstores/fileio/thin set attribute emulate_tpu=1 emulate_tpws=1',
    `/loopback create ${wwn}`,
    `${luns} create /backstores/ramdisk/rd0`,
    `${luns} create /backstores/fileio/thin`,
  );
  const program = await serve(home);
  const uris = await Promise.all(
    [0, 1].map(async (lun) => /^uri: (.*)$/m.exec((await tcli(home, [`${luns}/lun${lun}`, 'info'])).stdout)?.[1] ?? ''),
  );
  return { program, ramdisk: uris[0]!, thin: uris[1]! };
}

/** Runs a program that has to succeed. */
async function ok(command: string, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(command, words);
  expect(stderr + stdout, `${command} ${words.join(' ')}`).toSatisfy(() => status === 0);
  return stdout;
}

describe('libnbd', needs('nbdinfo', 'nbdcopy'), () => {
  it('nbdinfo lists the LUNs by name, with what they can', async () => {
    const { thin } = await served(temporaryDirectory());
    const list = JSON.parse(await ok('nbdinfo', '--list', '--json', thin.replace('lun1', '')));
    expect(list).toMatchObject({ protocol: 'newstyle-fixed', structured: true });
    expect(list.exports).toMatchObject([
      { 'export-name': 'lun0', description: '/backstores/ramdisk/rd0', 'export-size': 64 << 20 },
      {
        'export-name': 'lun1',
        is_read_only: false,
        can_cache: true,
        can_df: true,
        can_fast_zero: true,
        can_flush: true,
        can_fua: true,
        can_multi_conn: true,
        can_trim: true,
        can_zero: true,
        contexts: ['base:allocation'],
      },
    ]);
  });

  it('nbdcopy brings an image there and back over several connections; holes stay holes', async () => {
    const home = temporaryDirectory();
    const { thin } = await served(home);
    const image = Buffer.alloc(64 << 20);
    randomBytes(8 << 20).copy(image, 16 << 20);
    const [there, back] = [join(home, 'there'), join(home, 'back')];
    writeFileSync(there, image);
    await ok('nbdcopy', '--connections=4', there, thin);
    await ok('nbdcopy', thin, back);
    expect(readFileSync(back).equals(image)).toBe(true);
    const map = JSON.parse(await ok('nbdinfo', '--map', '--json', thin)) as { length: number; description: string }[];
    const data = map.filter(({ description }) => description === 'data').reduce((sum, { length }) => sum + length, 0);
    expect(data).toBe(8 << 20);
  });
});

describe('QEMU', needs('qemu-img', 'qemu-io'), () => {
  it('qemu-io writes, reads, zeroes and discards, aligned or not', async () => {
    const { thin } = await served(temporaryDirectory());
    const commands = [
      'write -P 7 3 1000',
      'read -P 7 3 1000',
      'write -P 8 0 1M',
      'write -z 513 70000',
      'read -P 0 513 70000',
      'read -P 8 70513 900000',
      'write -f -P 9 512k 4k',
      'discard 512k 64k',
      'read -P 0 512k 64k',
      'flush',
    ];
    const out = await ok('qemu-io', '-f', 'raw', ...commands.flatMap((one) => ['-c', one]), thin);
    expect(out).not.toMatch(/fail|error/i);
  });

  it('qemu-img converts to a LUN and finds it the same', async () => {
    const home = temporaryDirectory();
    const { ramdisk } = await served(home);
    const image = join(home, 'image');
    writeFileSync(image, randomBytes(64 << 20));
    await ok('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', image, ramdisk);
    await ok('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, ramdisk);
  });
});

describe('fio', needs('fio'), () => {
  it('verifies what it wrote at random, 32 requests at a time', async () => {
    const { thin } = await served(temporaryDirectory());
    const job = ['--rw=randrw', '--bsrange=512-64k', '--iodepth=32', '--size=8M', '--verify=crc32c'];
    const { status, stdout, stderr } = await run('fio', [
      '--name=v',
      '--verify_state_save=0',
      '--ioengine=nbd',
      `--uri=${thin}`,
      ...job,
    ]);
    expect(stdout + stderr).toMatch(/err= 0/);
    expect(status).toBe(0);
  });
});

describe('attach', needs('block devices of LUNs', 'mounts', 'mkfs.ext4'), () => {
  it('a file system is made, filled, checked; the device is back after a restart and after a kill, and goes', async () => {
    const home = temporaryDirectory();
    const link = join(home, 'run', `${wwn}-lun1`);
    const attached = () => readLink(link);
    const { program } = await served(home);
    await program.stop();
    await configure(home, `${luns}/lun1 attach`);
    const second = await serve(home);
    let device = attached();
    expect(device).toMatch(/^\/dev\/(nbd|loop)\d+$/);
    onTestFinished(async () => {
      await run('umount', ['-l', join(home, 'mnt')]);
      await run('losetup', ['-d', device]);
      await run('umount', ['-l', `${link}.fuse`]);
    });
    await ok('mkfs.ext4', '-q', device);
    const mnt = join(home, 'mnt');
    mkdirSync(mnt);
    await ok('mount', device, mnt);
    await ok('cp', '-r', 'src', mnt);
    await ok('diff', '-r', 'src', join(mnt, 'src'));
    await ok('umount', mnt);
    await ok('e2fsck', '-fn', device);
    expect((await tcli(home, [`${luns}`, 'ls'])).stdout).toContain(device);

    await second.stop();
    expect(existsSync(link)).toBe(false);
    const third = await serve(home);
    await ok('e2fsck', '-fn', attached());
    await third.kill();

    const fourth = await serve(home);
    device = attached();
    await ok('mount', device, mnt);
    await ok('diff', '-r', 'src', join(mnt, 'src'));
    await ok('umount', mnt);
    await fourth.stop();
    await configure(home, `${luns}/lun1 detach`);
    await serve(home);
    expect(attached()).toBe('');
  });

  /** lun1, attached and mounted. */
  async function mounted() {
    const home = temporaryDirectory();
    const { program } = await served(home);
    await configure(home, `${luns}/lun1 attach`);
    const link = join(home, 'run', `${wwn}-lun1`);
    const device = readLink(link);
    const mnt = join(home, 'mnt');
    mkdirSync(mnt);
    onTestFinished(async () => {
      await run('umount', ['-l', mnt]);
      const { pid } = existsSync(`${link}.json`) ? JSON.parse(readFileSync(`${link}.json`, 'utf8')) : { pid: 0 };
      if (pid > 0) await run('kill', [String(pid)]);
      await run('losetup', ['-d', device]);
      await run('umount', ['-l', `${link}.fuse`]);
    });
    await ok('mkfs.ext4', '-q', device);
    await ok('mount', device, mnt);
    let files = 0;
    const write = async () => {
      files += 1;
      const data = randomBytes(1 << 20);
      writeFileSync(join(mnt, `f${files}`), data);
      return { name: `f${files}`, data };
    };
    return { home, program, link, device, mnt, write };
  }

  it('a mounted device outlives settings, a restart and a kill; what would take it away is refused', async () => {
    const { home, program, link, device, mnt, write } = await mounted();
    const written = [await write()];
    await configure(home, '/backstores/fileio/thin set attribute is_nonrot=1 emulate_caw=0 emulate_tpu=0');
    await ok('sync', '-f', mnt);
    const use = `${luns}/lun1 is ${device}, mounted at ${mnt}`;
    for (const line of [
      `${luns}/lun1 detach`,
      '/backstores/fileio delete thin',
      `/loopback delete ${wwn}`,
      'clearconfig confirm=true',
    ])
      expect(await tcli(home, ['-c', line]), line).toMatchObject({ status: 1, stderr: expect.stringContaining(use) });
    expect(await tcli(home, ['daemon', 'stop'])).toMatchObject({ status: 1, stderr: expect.stringContaining(use) });

    written.push(await write());
    await program.stop();
    written.push(await write());
    const second = await serve(home);
    await ok('sync', '-f', mnt);
    written.push(await write());
    await second.kill();
    const syncing = ok('sync', '-f', mnt);
    await serve(home);
    await syncing;
    expect(readLink(link)).toBe(device);
    await ok('umount', mnt);
    await ok('e2fsck', '-fn', device);
    await ok('mount', device, mnt);
    for (const { name, data } of written) expect(readFileSync(join(mnt, name)).equals(data), name).toBe(true);

    const last = await write();
    await configure(home, `${luns}/lun1 detach force=true`, '/backstores/fileio delete thin');
    await ok('umount', mnt);
    await ok('mount', '-o', 'loop', join(home, 'thin.img'), mnt);
    expect(readFileSync(join(mnt, last.name)).equals(last.data)).toBe(true);
  });

  it('a device whose other end has gone is told with who has it, and attached again once nobody has', async () => {
    const { home, link, device, mnt } = await mounted();
    process.kill((JSON.parse(readFileSync(`${link}.json`, 'utf8')) as { pid: number }).pid, 'SIGKILL');
    const status = async () => (await tcli(home, ['daemon', 'status'])).stdout;
    const problem = `lun1: ${device} has lost its other end, and what is written to it now is lost; it is mounted at ${mnt}`;
    await expect.poll(status, { interval: 500 }).toContain(problem);
    await ok('umount', mnt);
    await expect.poll(status, { interval: 500 }).not.toContain('lost its other end');
    await ok('dd', `if=${readLink(link)}`, 'of=/dev/null', 'count=1');
  });
});

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
