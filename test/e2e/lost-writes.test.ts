/**
 * Writes that a real kernel loses: a loop device whose file lies on a full tmpfs takes them, and its flush fails with EIO,
 * once. Not tested here: which ranges are known to be lost (test/backstore/recorded-volume.test.ts).
 */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import { needs } from '../support/needs.ts';
import { attachLoopDevice, detachLoopDevice, makeFile, mountTinyFolder } from '../support/scratch.ts';
import { configure, freePort, iqn, openTarget, serve, tcli, temporaryDirectory } from '../support/tcli.ts';

const synchronize = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const mebibyte = 1 << 20;

/** WRITE(10) of the MiB at `index`. */
const write = (index: number) => [0x2a, 0, 0, 0, (index * 2048) >> 8, 0, 0, 0x08, 0, 0];

async function logIn(port: number, name: string) {
  const { initiator, close } = await connectInitiator(port, iqn, `iqn.1994-05.com.redhat:${name}`);
  onTestFinished(close);
  const send = async (cdb: number[], data?: Buffer) => (await initiator.command(cdb, data ? { data } : {})).sense;
  while ((await send([0])) !== '') {
    // Unit attentions come first.
  }
  return send;
}

it.each([
  ['written again', 'io_uring'],
  ['reopened', 'threads'],
])(
  'writes that a full disk lost stay lost for every initiator, over a restart after kill -9, until they are %s (by %s)',
  needs('mounts', 'loop devices', 'io_uring'),
  async (how, way) => {
    vi.stubEnv('TCLI_IO_URING', way === 'threads' ? 'off' : undefined);
    onTestFinished(() => void vi.unstubAllEnvs());
    const disk = temporaryDirectory();
    const home = temporaryDirectory();
    mountTinyFolder(disk, 4 * mebibyte);
    const device = attachLoopDevice(makeFile(join(disk, 'image'), 64 * mebibyte));
    onTestFinished(() => detachLoopDevice(device));
    const port = await freePort();
    const path = '/backstores/block/b0';
    await configure(
      home,
      `/backstores/block create b0 ${device}`,
      `${path} set attribute emulate_write_cache=1`,
      ...openTarget(port, path),
    );
    const metricsPort = await freePort();
    const serveAll = () => serve(home, '--metrics', String(metricsPort));
    /** The sample for Prometheus: 1, or 0. */
    const lost = async () => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return /^tcli_storage_object_writes_lost\{storage_object="(.*)"\} (\d)$/m.exec(text)?.slice(1);
    };
    let serving = await serveAll();
    const [a, b] = [await logIn(port, 'a'), await logIn(port, 'b')];
    for (let at = 0; at < 16; at += 1) expect(await b(write(at), Buffer.alloc(mebibyte, at + 1))).toBe('');
    // No flush answers GOOD, whether they are in flight at once or one after the other.
    expect(await Promise.all([a(synchronize), b(synchronize), a(synchronize)])).toEqual(Array(3).fill('3/0c/00'));
    expect([await a(synchronize), await b(synchronize)]).toEqual(['3/0c/00', '3/0c/00']);
    expect((await tcli(home, ['ls', path])).stdout).toContain('write-back activated, writes lost]');
    const { stdout } = await tcli(home, ['daemon', 'status']);
    expect(stdout).toMatch(`have to be waited for: by ${way}`);
    expect(stdout).toMatch(
      /\/backstores\/block\/b0: .* may not be on the medium \(.*\).* \/backstores\/block\/b0 reopen/,
    );
    expect(await lost()).toEqual([path, '1']);
    const refused = await tcli(home, [path, 'set', 'attribute', 'emulate_write_cache=0']);
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('what the cache holds cannot be written'),
    });

    await serving.kill();
    serving = await serveAll();
    const c = await logIn(port, 'c');
    expect(await c(synchronize)).toBe('3/0c/00');
    expect(await c([0x2a, 8, 0, 0, 0, 0, 0, 0, 1, 0], Buffer.alloc(512))).toBe('3/0c/00');

    // There is space again, and everything is written once more; or the operator knows what to think of it.
    execFileSync('mount', ['-o', 'remount,size=128m', disk]);
    if (how === 'reopened') {
      const reopened = await tcli(home, [path, 'reopen']);
      expect(reopened).toMatchObject({ status: 0, stdout: expect.stringContaining('Reopened block b0.') });
      // The contents of the medium need not be those that the initiator knows.
      expect(await c(synchronize)).toBe('6/28/00');
    } else for (let at = 0; at < 16; at += 1) expect(await c(write(at), Buffer.alloc(mebibyte, at + 1))).toBe('');
    expect(await c(synchronize)).toBe('');
    expect((await tcli(home, ['daemon', 'status'])).stdout).not.toContain('may not be on the medium');
    expect(await lost()).toEqual([path, '0']);
    expect(serving.log()).toContain('no writes are missing any more');
  },
);
