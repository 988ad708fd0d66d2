// user:nbd over servers that we did not write: the common suite, errors, and servers that come and go. The words of all user: kinds.
// Not tested here: a Ceph cluster; iSCSI over them (test/e2e/user-backstores.test.ts).

import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Backstore } from '../../src/backstore/backstore.ts';
import { recorded } from '../../src/backstore/recorded-volume.ts';
import { userNbd } from '../../src/backstore/user-nbd.ts';
import { userQcow } from '../../src/backstore/user-qcow.ts';
import { userRbd } from '../../src/backstore/user-rbd.ts';
import { WriteRecord } from '../../src/backstore/write-record.ts';
import { OperatorError } from '../../src/errors.ts';
import { pattern } from '../support/logical-unit.ts';
import { startNbdkit } from '../support/nbdkit.ts';
import { needs } from '../support/needs.ts';
import { makeFile, makeFolder, removeFolder } from '../support/scratch.ts';
import { freePort, run } from '../support/tcli.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));

const withNbdkit = needs('nbdkit', 'openssl');
const withQemu = needs('qemu-nbd');

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

async function start(words: readonly string[]): Promise<ChildProcess> {
  const child = await startNbdkit(newSocket(), ...words);
  children.add(child);
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

describeVolume('user:nbd over nbdkit, of any alignment', withNbdkit, async () =>
  open(userNbd, await nbdkit('memory', String(suiteBytes))),
);
describeVolume('user:nbd over nbdkit by simple replies, without extents, zeroes and trim', withNbdkit, async () =>
  open(userNbd, await nbdkit('--no-sr', '--filter=nozero', '--filter=noextents', 'memory', String(suiteBytes))),
);

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

  test('abilities that a server lacks are absent from the volume', async () => {
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

  test('a server that is killed and comes back: reads are answered, and what was not answered is not written behind anybody’s back', async () => {
    const disk = makeFile(join(folder, 'restarted'), 1 << 20);
    const socket = newSocket();
    const words = ['--unix', socket, '--filter=delay', 'file', disk, 'wdelay=2ms', 'rdelay=2ms'];
    let server = await start(words);
    const volume = await open(userNbd, uri(socket), 1 << 20);
    let [written, repeated] = [0, 0];
    const writer = async (from: number) => {
      for (let i = from; i < 512; i += 8) {
        const write = () => volume.write(pattern(2048, i), i * 2048, true);
        for (;;) {
          const outcome = await write().catch((error: NodeJS.ErrnoException) => error.code);
          if (outcome === undefined) break;
          expect(outcome).toBe('ECONNRESET');
          repeated += 1;
        }
        await volume.read(Buffer.alloc(512), i * 2048);
        written += 1;
      }
    };
    const writing = Promise.all(Array.from({ length: 8 }, (_, i) => writer(i)));
    for (const share of [0.25, 0.5]) {
      await expect.poll(() => written, { interval: 5 }).toBeGreaterThan(512 * share);
      await kill(server);
      removeFolder(socket);
      server = await start(words);
    }
    await writing;
    expect(repeated).toBeGreaterThan(0);
    const all = Buffer.alloc(1 << 20);
    await volume.read(all, 0);
    for (let i = 0; i < 512; i += 1)
      expect(all.subarray(i * 2048, (i + 1) * 2048).equals(pattern(2048, i)), `block ${i}`).toBe(true);
    await volume.close();
  });

  test.each([
    ['on', false],
    ['off', true],
  ])(
    'write cache %s: a server that was given to another writer meanwhile keeps what he wrote; what may be lost is said',
    async (_, durable) => {
      const disk = makeFile(join(folder, `given-${durable}`), 1 << 20);
      const [ours, theirs] = [newSocket(), newSocket()];
      const words = ['--unix', ours, '--filter=fua', 'file', disk, 'fuamode=native'];
      const server = await start(words);
      const record = new WriteRecord();
      const volume = recorded(await open(userNbd, uri(ours), 1 << 20), record);
      await volume.write(Buffer.alloc(4096, 0x11), 0, durable);
      await kill(server);
      removeFolder(ours);
      await start(['--unix', theirs, 'file', disk]);
      const other = await open(userNbd, uri(theirs), 1 << 20);
      await other.write(Buffer.alloc(4096, 0x22), 0, false);
      await other.flush();
      await start(words);
      const into = Buffer.alloc(4096);
      await volume.read(into, 0);
      expect(into.equals(Buffer.alloc(4096, 0x22))).toBe(true);
      if (durable) {
        expect(record.lost).toBeUndefined();
        await volume.flush();
      } else {
        expect(record.lost).toMatchObject({
          ranges: [[0, 4096]],
          reason: expect.stringContaining('before it had flushed'),
        });
        await expect(volume.flush()).rejects.toMatchObject({ code: 'EIO' });
        // Written again and flushed, nothing is missed any more.
        await volume.write(Buffer.alloc(4096, 0x33), 0, false);
        await volume.flush();
        expect(record.lost).toBeUndefined();
      }
      await Promise.all([volume.close(), other.close()]);
    },
  );

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
