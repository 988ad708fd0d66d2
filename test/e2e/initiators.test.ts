// Programs that we did not write, against `tcli serve`: libiscsi's tools and QEMU's. Not tested here: conformance, speed.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { configure, freePort, iqn, openTarget, run, serve, targetUrl, temporaryDirectory } from '../support/tcli.ts';

const libiscsi = needs('iscsi-ls', 'iscsi-inq', 'iscsi-readcapacity16', 'iscsi-perf');

async function served(create: string, storageObject: string): Promise<{ port: number; url: string }> {
  const home = temporaryDirectory();
  const port = await freePort();
  await configure(home, create.replace('HOME', home), ...openTarget(port, storageObject));
  await serve(home);
  return { port, url: targetUrl(port) };
}

describe('libiscsi', libiscsi, () => {
  it('iscsi-ls -s lists the target, its portal and its LUN', async () => {
    const { port } = await served('/backstores/ramdisk create rd0 16M', '/backstores/ramdisk/rd0');
    const { status, stdout } = await run('iscsi-ls', ['-s', `iscsi://127.0.0.1:${port}/`]);
    expect(stdout).toContain(`Target:${iqn} Portal:127.0.0.1:${port},1`);
    expect(stdout).toMatch(/Lun:0 +Type:DIRECT_ACCESS/);
    expect(status).toBe(0);
  });

  it('iscsi-inq shows a LIO disk with the name of its backstore', async () => {
    const { url } = await served('/backstores/ramdisk create rd0 16M', '/backstores/ramdisk/rd0');
    const { stdout } = await run('iscsi-inq', [url]);
    expect(stdout).toContain('Vendor:LIO-ORG');
    expect(stdout).toMatch(/Product:rd0/);
  });

  it('iscsi-readcapacity16 sees every block of a fileio LUN', async () => {
    const { url } = await served('/backstores/fileio create disk0 HOME/disk0.img 10M', '/backstores/fileio/disk0');
    const { stdout } = await run('iscsi-readcapacity16', [url]);
    expect(stdout).toContain('RETURNED LOGICAL BLOCK ADDRESS:20479');
    expect(stdout).toContain('LOGICAL BLOCK LENGTH IN BYTES:512');
    expect(stdout).toContain('Total size:10485760');
  });

  it('RFC 7143 11.13.5: iscsi-inq follows a redirection to another portal', async () => {
    const home = temporaryDirectory();
    const [first, second] = [await freePort(), await freePort()];
    const lines = openTarget(first, '/backstores/ramdisk/rd0');
    const tpg = `/iscsi/${iqn}/tpg1`;
    const elsewhere = [
      `${tpg}/portals create 127.0.0.1 ${second}`,
      `${tpg} set attribute redirect=127.0.0.1:${second}`,
    ];
    await configure(home, '/backstores/ramdisk create rd0 16M', ...lines, ...elsewhere);
    await serve(home);
    const { status, stdout } = await run('iscsi-inq', [targetUrl(first)]);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/Product:rd0/)]);
  });

  it('credentials at a target and a discovery that want none do no harm', async () => {
    const { port } = await served('/backstores/ramdisk create rd0 16M', '/backstores/ramdisk/rd0');
    const host = `iscsi://user%secret@127.0.0.1:${port}`;
    const listed = await run('iscsi-ls', ['-s', `${host}/`]);
    expect([listed.status, listed.stdout]).toEqual([0, expect.stringMatching(/Lun:0 +Type:DIRECT_ACCESS/)]);
    const inquiry = await run('iscsi-inq', [`${host}/${iqn}/0`]);
    expect([inquiry.status, inquiry.stdout]).toEqual([0, expect.stringMatching(/Product:rd0/)]);
  });

  it('iscsi-perf reads at depth', async () => {
    const { url } = await served('/backstores/ramdisk create rd0 16M', '/backstores/ramdisk/rd0');
    const { status, stdout } = await run('iscsi-perf', ['-t', '1', '-b', '8', '-m', '32', url]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/iops average [1-9]/);
  });
});

describe('qemu-img', needs('qemu-img'), () => {
  it('credentials at a target that wants none do no harm', async () => {
    const { port } = await served('/backstores/ramdisk create rd0 16M', '/backstores/ramdisk/rd0');
    const info = await run('qemu-img', ['info', `iscsi://user%secret@127.0.0.1:${port}/${iqn}/0`]);
    expect([info.status, info.stdout]).toEqual([0, expect.stringContaining('16 MiB')]);
  });

  it('a random 256 MiB image goes to the LUN and comes back the same', async () => {
    const directory = temporaryDirectory();
    const image = join(directory, 'image.raw');
    await randomFile(image, 256 << 20);
    const { url } = await served('/backstores/fileio create disk0 HOME/disk0.img 256M', '/backstores/fileio/disk0');
    const there = await run('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', image, url]);
    expect(there).toMatchObject({ status: 0, stderr: '' });
    const back = await run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', url, join(directory, 'back.raw')]);
    expect(back).toMatchObject({ status: 0, stderr: '' });
    expect(await sha256(join(directory, 'back.raw'))).toBe(await sha256(image));
  });
});

async function randomFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  for (let at = 0; at < bytes; at += 8 << 20) await file.write(randomBytes(Math.min(8 << 20, bytes - at)));
  await file.close();
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}
