// user:nbd, user:qcow and user:rbd over servers that we did not write: the common suite, errors, and servers that come and go.
// Not tested here: a Ceph cluster; iSCSI over them (test/e2e/user-backstores.test.ts).

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import type { Backstore } from '../../src/backstore/backstore.ts';
import { userNbd } from '../../src/backstore/user-nbd.ts';
import { userQcow } from '../../src/backstore/user-qcow.ts';
import { userRbd } from '../../src/backstore/user-rbd.ts';
import { OperatorError } from '../../src/errors.ts';
import { pattern } from '../support/logical-unit.ts';
import { needs } from '../support/needs.ts';
import { makeFile, makeFolder, removeFolder } from '../support/scratch.ts';
import { freePort, run } from '../support/tcli.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));

const withNbdkit = needs('nbdkit', 'openssl');
const withQemu = needs('qemu-nbd', 'qemu-img', 'qemu-io', 'pgrep');

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts nbdkit, and waits until it accepts connections: then, and not when its socket is there, it writes its number down. */
async function start(words: readonly string[]): Promise<ChildProcess> {
  const ready = newSocket();
  const child = spawn('nbdkit', ['--foreground', `--pidfile=${ready}`, ...words], { stdio: 'ignore' });
  children.add(child);
  for (let waited = 0; !existsSync(ready); waited += 10) {
    if (waited > 10_000) throw new Error(`nbdkit ${words.join(' ')} does not serve`);
    await sleep(10);
  }
  return child;
}

const kill = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });

let sockets = 0;
const newSocket = () => {
  sockets += 1;
  return join(folder, `s${sockets}`);
};
const uri = (socket: string, name = '') => `nbd+unix:///${name}?socket=${socket}`;
const open = (kind: Backstore, text: string, size = suiteBytes) =>
  kind.open({ config: `${kind.handler}/${text}`, size });

async function nbdkit(...words: string[]): Promise<string> {
  const socket = newSocket();
  await start(['--unix', socket, ...words]);
  return uri(socket);
}

async function image(size = suiteBytes): Promise<string> {
  sockets += 1;
  const path = join(folder, `i${sockets}.qcow2`);
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(size)]);
  return path;
}

describeVolume('user:nbd over nbdkit, of any alignment', withNbdkit, async () =>
  open(userNbd, await nbdkit('memory', String(suiteBytes))),
);
describeVolume('user:nbd over nbdkit by simple replies, without extents, zeroes and trim', withNbdkit, async () =>
  open(userNbd, await nbdkit('--no-sr', '--filter=nozero', '--filter=noextents', 'memory', String(suiteBytes))),
);
describeVolume('user:qcow', withQemu, async () => open(userQcow, await image()), 512);

describe('user:nbd', withNbdkit, () => {
  const block = new Uint8Array(512).fill(7);

  test('an error of the server is the error of the call, and the next call is served', async () => {
    const volume = await open(
      userNbd,
      await nbdkit('--filter=error', 'memory', '1M', 'error-pwrite=ENOSPC', 'error-pread=EIO', 'error-rate=100%'),
      1 << 20,
    );
    await expect(volume.write(block, 0, false)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(volume.read(new Uint8Array(512), 0)).rejects.toMatchObject({ code: 'EIO' });
    await volume.flush();
    await volume.close();
  });

  test('what a server cannot do is absent from the volume', async () => {
    const volume = await open(
      userNbd,
      await nbdkit('--filter=noextents', '--filter=nozero', 'memory', '1M', 'zeromode=none'),
      1 << 20,
    );
    expect([volume.writeZeroes, volume.readOnly]).toEqual([undefined, false]);
    await volume.close();
    const readOnly = await open(userNbd, await nbdkit('--readonly', 'memory', '1M'), 1 << 20);
    expect([readOnly.discard, readOnly.readOnly]).toEqual([undefined, true]);
    await readOnly.close();
  });

  test('a partition of a disk, answers that are late', async () => {
    const disk = makeFile(join(folder, 'disk'), 4 << 20);
    writeFileSync(disk, bootRecord(2048, 2048), { flag: 'r+' });
    const volume = await open(
      userNbd,
      await nbdkit('--filter=partition', '--filter=delay', 'file', disk, 'partition=1', 'rdelay=20ms', 'wdelay=20ms'),
      1 << 20,
    );
    await Promise.all(Array.from({ length: 32 }, (_, i) => volume.write(pattern(512, i), i * 512, false)));
    const into = Buffer.alloc(512);
    await volume.read(into, 31 * 512);
    expect(into.equals(pattern(512, 31))).toBe(true);
    await volume.close();
  });

  test('a size that the export does not have, an export that is not there, a server that is not: refused', async () => {
    const there = await nbdkit('--exportname', 'disk', 'memory', '1M');
    await expect(open(userNbd, there, 2 << 20)).rejects.toThrow('The export has 1048576 bytes, 2097152 are wanted');
    const nobody = uri(newSocket());
    await expect(open(userNbd, nobody)).rejects.toThrow(/^Cannot open the NBD export at .*\/s\d+$/);
    const named = await nbdkit('--filter=exportname', 'memory', '1M', 'exportname=disk', 'exportname-strict=true');
    await expect(open(userNbd, named.replace('///', '///other'))).rejects.toThrow(
      "The NBD server has no export 'other'",
    );
  });

  test('a server that is killed and comes back: what was asked is answered, what was written is there', async () => {
    const disk = makeFile(join(folder, 'restarted'), 1 << 20);
    const socket = newSocket();
    const words = ['--unix', socket, '--filter=delay', 'file', disk, 'wdelay=2ms'];
    let server = await start(words);
    const volume = await open(userNbd, uri(socket), 1 << 20);
    const blocks = 512;
    let written = 0;
    const writer = async (from: number) => {
      for (let i = from; i < blocks; i += 8) {
        await volume.write(pattern(2048, i), i * 2048, false);
        written += 1;
      }
    };
    const writing = Promise.all(Array.from({ length: 8 }, (_, i) => writer(i)));
    for (const share of [0.25, 0.5]) {
      await expect.poll(() => written, { interval: 5 }).toBeGreaterThan(blocks * share);
      await kill(server);
      removeFolder(socket);
      server = await start(words);
    }
    await writing;
    const all = Buffer.alloc(1 << 20);
    await volume.read(all, 0);
    for (let i = 0; i < blocks; i += 1)
      expect(all.subarray(i * 2048, (i + 1) * 2048).equals(pattern(2048, i)), `block ${i}`).toBe(true);
    await volume.close();
  });

  test('a server that forgets what it had not flushed is told again', async () => {
    const socket = newSocket();
    const words = ['--unix', socket, 'memory', '1M'];
    const server = await start(words);
    const volume = await open(userNbd, uri(socket), 1 << 20);
    await volume.write(pattern(4096, 1), 0, false);
    await volume.write(pattern(4096, 2), 2048, true);
    await volume.writeZeroes?.(512, 512, false);
    await kill(server);
    removeFolder(socket);
    await start(words);
    const into = Buffer.alloc(6144);
    await volume.read(into, 0);
    const wanted = Buffer.concat([pattern(2048, 1), pattern(4096, 2)]).fill(0, 512, 1024);
    pattern(4096, 1).copy(wanted, 0, 0, 512);
    expect(into.equals(wanted)).toBe(true);
    await volume.close();
  });

  test('TLS: required by nbds, or because the server insists; nobody else is believed', async () => {
    const certificates = await makeCertificates();
    const port = await freePort();
    const tls = [`--tls-certificates=${certificates}`, '--tls=require', `--port=${port}`, '--ipaddr=127.0.0.1'];
    await start([...tls, 'memory', '1M']);
    for (const scheme of ['nbds', 'nbd']) {
      const volume = await open(userNbd, `${scheme}://localhost:${port}/?tls-certificates=${certificates}`, 1 << 20);
      await volume.write(block, 512, true);
      await volume.close();
    }
    await expect(open(userNbd, `nbds://localhost:${port}/`, 1 << 20)).rejects.toBeInstanceOf(OperatorError);
    const plain = await nbdkit('memory', '1M');
    await expect(open(userNbd, plain.replace('nbd+', 'nbds+'), 1 << 20)).rejects.toThrow(
      'The server does not offer TLS',
    );
  });
});

/** A master boot record with one partition. @param start, blocks of 512 bytes */
function bootRecord(start: number, blocks: number): Buffer {
  const record = Buffer.alloc(512);
  record[446 + 4] = 0x83;
  record.writeUInt32LE(start, 446 + 8);
  record.writeUInt32LE(blocks, 446 + 12);
  record.writeUInt16BE(0x55aa, 510);
  return record;
}

/** A certificate authority, and a server on localhost that it knows. */
async function makeCertificates(): Promise<string> {
  const at = (name: string) => join(folder, name);
  const subject = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const openssl = async (...words: string[]) => {
    const { status, stderr } = await run('openssl', words);
    if (status !== 0) throw new Error(stderr);
  };
  const ca = ['-keyout', at('ca-key.pem'), '-out', at('ca-cert.pem'), '-days', '2', '-subj', '/CN=test CA'];
  await openssl('req', '-x509', ...subject, ...ca);
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-subj', '/CN=localhost', '-days', '2'];
  const keys = ['-keyout', at('server-key.pem'), '-out', at('server-cert.pem')];
  await openssl('req', '-x509', '-CA', at('ca-cert.pem'), '-CAkey', at('ca-key.pem'), ...subject, ...keys, ...names);
  return folder;
}

describe('user:qcow', withQemu, () => {
  test('an image is sparse, is QEMU’s own, and its server goes with the volume', async () => {
    const path = await image(64 << 20);
    const volume = await open(userQcow, path, 64 << 20);
    await volume.write(pattern(65_536, 3), 1 << 20, false);
    expect(await volume.extentAt?.(0, 64 << 20)).toEqual({ allocated: false, end: 1 << 20 });
    await volume.close();
    expect(statSync(path).size).toBeLessThan(1 << 20);
    const { stdout } = await run('qemu-io', ['-r', '-c', 'read -v 1048576 16', path]);
    expect(stdout.replaceAll(' ', '')).toContain(pattern(65_536, 3).toString('hex', 0, 16));
  });

  test('a qemu-nbd that is killed is started again, and nothing is lost', async () => {
    const path = await image(16 << 20);
    const volume = await open(userQcow, path, 16 << 20);
    const data = pattern(1 << 20, 4);
    for (let i = 0; i < 8; i += 1) await volume.write(data, i << 20, false);
    const { stdout } = await run('pgrep', ['-f', `qemu-nbd.*${path}`]);
    process.kill(Number(stdout.trim().split('\n')[0]), 'SIGKILL');
    for (let i = 8; i < 16; i += 1) await volume.write(data, i << 20, false);
    await volume.flush();
    const into = Buffer.alloc(16 << 20);
    await volume.read(into, 0);
    for (let i = 0; i < 16; i += 1) expect(into.subarray(i << 20, (i + 1) << 20).equals(data), `MiB ${i}`).toBe(true);
    await volume.close();
    expect((await run('qemu-img', ['check', path])).status).toBe(0);
  });

  test('an image that stands on another file is refused until the operator says that it may', async () => {
    const secret = makeFile(join(folder, 'secret.raw'), 1 << 20);
    writeFileSync(secret, 'TOPSECRET');
    const path = join(folder, 'standing.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', secret, '-F', 'raw', path, '1M']);
    await expect(open(userQcow, path, 1 << 20)).rejects.toMatchObject({
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
    await expect(open(userQcow, data, 1 << 20)).rejects.toThrow('has its data in another file');
    const volume = await open(userQcow, `${path};backing=follow`, 512);
    const into = Buffer.alloc(512);
    await volume.read(into, 0);
    expect(into.toString('latin1', 0, 9)).toBe('TOPSECRET');
    await volume.close();
  });

  test('an image that cannot be served is refused with QEMU’s reason', async () => {
    await expect(open(userQcow, join(folder, 'missing.qcow2'))).rejects.toMatchObject({
      message: 'qemu-nbd cannot serve the image',
      hint: expect.stringMatching(/no such file or directory/i),
    });
    expect((await run('pgrep', ['-f', `qemu-nbd.*${folder}`])).stdout).toBe('');
  });
});

describe('the words of create', () => {
  const settle = (kind: Backstore, cfgstring: string, more = {}) =>
    kind.settle({ size: 1_000_000, cfgstring, ...more }, new Map());

  test('become LIO’s keys', async () => {
    const { config } = await settle(userNbd, 'nbd://host/x', { hw_max_sectors: 128, control: 'a=1' });
    expect(config).toEqual({ config: 'nbd/nbd://host/x', size: 999_936, hw_max_sectors: 128, control: 'a=1' });
    expect(userNbd.summary(config, undefined, false)).toBe('nbd://host/x (976.5KiB)');
    expect(userNbd.created('u0', config, {})).toBe('Created user-backed storage object u0 size 999936.');
    expect(userNbd.attributeDefaults(config, undefined)).toEqual({ hw_max_sectors: 128 });
  });

  test.each([
    [userNbd, 'host:10809'],
    [userNbd, 'nbd+unix:///x'],
    [userNbd, 'nbd://host/?socket=/x'],
    [userNbd, 'nbd://host/?other=1'],
    [userNbd, 'nbd:///x'],
    [userQcow, 'relative.qcow2'],
    [userRbd, 'justone'],
    [userRbd, 'pool/image;secret=1'],
  ])('%s refuses %s', async (kind, text) => {
    await expect(settle(kind, text)).rejects.toBeInstanceOf(OperatorError);
  });

  test('user:rbd takes what tcmu-runner takes, and says when there is no cluster', withQemu, async () => {
    await settle(userRbd, 'pool/image;osd_op_timeout=30;conf=/nowhere.conf;id=admin');
    await expect(open(userRbd, 'pool/image;conf=/nowhere.conf')).rejects.toBeInstanceOf(OperatorError);
  });
});
