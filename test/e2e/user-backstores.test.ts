// iSCSI LUNs over NBD servers that we did not write, with QEMU as the initiator, while the servers fail, are late, and are
// killed. Not tested here: the volume by itself (test/backstore/user.test.ts).

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { taskManagementRequest } from '../../src/iscsi/pdu.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { nbdkitOn } from '../support/nbdkit.ts';
import { needs } from '../support/needs.ts';
import { io } from '../support/qemu-io.ts';
import {
  configure,
  freePort,
  iqn,
  openTarget,
  run,
  type Served,
  serve,
  targetUrl,
  tcli,
  temporaryDirectory,
} from '../support/tcli.ts';

const bytes = 32 << 20;

/** nbdkit on `socket`, ended after the test. */
async function nbdkit(socket: string, ...words: string[]): Promise<ChildProcess> {
  const child = await nbdkitOn(socket, ...words);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** A target whose LUN 0 is what `create` makes, and who serves it. @returns its URL for QEMU */
async function served(home: string, kind: string, cfgstring: string): Promise<{ url: string; tcli: Served }> {
  const port = await freePort();
  const create = `/backstores/${kind} create disk ${bytes} ${cfgstring}`;
  await configure(home, create, ...openTarget(port, `/backstores/${kind}/disk`));
  return { tcli: await serve(home), url: targetUrl(port) };
}

const exported = async (...words: Parameters<typeof served>): Promise<string> => (await served(...words)).url;

/** The processes that a target has started. */
async function enginesOf({ process }: Served): Promise<number[]> {
  const { stdout } = await run('pgrep', ['-P', String(process.pid), 'qemu-storage']);
  return stdout.split('\n').filter(Boolean).map(Number);
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

/** Bytes a second: the writing has to last until the trouble is over. */
const writeRate = '16M';

/** Writes a random image to the LUN and reads it back, while `trouble` goes on. */
async function thereAndBack(home: string, url: string, trouble: () => Promise<void>): Promise<void> {
  const [there, back] = [join(home, 'there'), join(home, 'back')];
  writeFileSync(there, randomBytes(bytes));
  let written = false;
  const writing = run('qemu-img', ['convert', '-n', '-r', writeRate, '-f', 'raw', '-O', 'raw', there, url]).finally(
    () => {
      written = true;
    },
  );
  expect(written).toBe(false);
  await trouble();
  // A write whose answer was lost ends with BUSY, and the initiator sends it again.
  expect(await writing).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^(?:qemu-img: iSCSI Busy\S* \(retry.*: BUSY\n)*$/),
  });
  expect(await run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', url, back])).toMatchObject({ status: 0 });
  expect(readFileSync(back).subarray(0, bytes).equals(readFileSync(there))).toBe(true);
}

describe('user backstores', needs('nbdkit', 'qemu-storage-daemon', 'qemu-img', 'qemu-io', 'pgrep', 'setpriv'), () => {
  it('user:nbd over memory: an image goes there and comes back the same', async () => {
    const home = temporaryDirectory();
    const socket = join(home, 'nbdkit');
    await nbdkit(socket, 'memory', String(bytes));
    const url = await exported(home, 'user:nbd', `nbd+unix:///?socket=${socket}`);
    await thereAndBack(home, url, () => sleep(1));
  });

  it('changemedium: the LUN goes on with another export, larger, while it is served; one that cannot be opened changes nothing', async () => {
    const home = temporaryDirectory();
    const [first, second] = [join(home, 'first'), join(home, 'second')];
    await nbdkit(first, 'memory', String(bytes));
    await nbdkit(second, 'memory', String(2 * bytes));
    const url = await exported(home, 'user:nbd', `nbd+unix:///?socket=${first}`);
    await io(url, 'write -P 1 0 64k');
    const change = (socket: string) =>
      tcli(home, ['/backstores/user:nbd', 'changemedium', 'disk', '64M', `nbd+unix:///?socket=${socket}`]);
    expect(await change(join(home, 'none'))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^ChangeMedium failed: /),
    });
    expect(await io(url, 'read -P 1 0 64k')).toContain('read 65536/65536');
    expect(await change(second)).toMatchObject({ status: 0, stdout: 'Medium Changed.\n' });
    const after = await io(url, 'read -P 0 0 64k', 'write -P 2 48M 64k', 'read -P 2 48M 64k');
    expect(after).not.toMatch(/failed/i);
    await tcli(home, ['undo']);
    expect(await io(url, 'read -P 1 0 64k')).toContain('read 65536/65536');
  });

  it('an error of the server is an error of the command; the session goes on', async () => {
    const home = temporaryDirectory();
    const socket = join(home, 'nbdkit');
    const trigger = join(home, 'fail');
    await nbdkit(
      socket,
      '--filter=error',
      'memory',
      String(bytes),
      'error=EIO',
      'error-rate=1',
      `error-file=${trigger}`,
    );
    const url = await exported(home, 'user:nbd', `nbd+unix:///?socket=${socket}`);
    expect(await io(url, 'write -P 1 0 64k')).toContain('wrote 65536/65536');
    writeFileSync(trigger, '');
    const failed = await io(url, 'write -P 2 0 64k', 'read 0 64k');
    expect(failed).toMatch(/write failed: Input\/output error\s+read failed: Input\/output error/);
    rmSync(trigger);
    expect(await io(url, 'write -P 3 0 64k', 'read -P 3 0 64k')).toContain('read 65536/65536');
  });

  it('a full server is SPACE ALLOCATION FAILED to the initiator', async () => {
    const home = temporaryDirectory();
    const socket = join(home, 'nbdkit');
    await nbdkit(socket, '--filter=error', 'memory', String(bytes), 'error-pwrite=ENOSPC', 'error-pwrite-rate=1');
    const url = await exported(home, 'user:nbd', `nbd+unix:///?socket=${socket}`);
    expect(await io(url, 'write -P 1 0 64k')).toContain('No space left on device');
  });

  it('user:nbd: a server that is killed and comes back in the middle of writing: nothing is lost', async () => {
    const home = temporaryDirectory();
    const socket = join(home, 'nbdkit');
    const disk = join(home, 'disk');
    writeFileSync(disk, Buffer.alloc(bytes));
    const words = ['--filter=delay', 'file', disk, 'wdelay=5ms'];
    let server = await nbdkit(socket, ...words);
    const url = await exported(home, 'user:nbd', `nbd+unix:///?socket=${socket}`);
    await thereAndBack(home, url, async () => {
      for (let time = 0; time < 3; time += 1) {
        await sleep(100);
        server.kill('SIGKILL');
        await sleep(100);
        server = await nbdkit(socket, ...words);
      }
    });
  });

  it('user:qcow: a qemu-storage-daemon that is killed in the middle of writing: nothing is lost, the image is sound', async () => {
    const home = temporaryDirectory();
    const image = join(home, 'disk.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(bytes)]);
    const { url, tcli: target } = await served(home, 'user:qcow', image);
    await thereAndBack(home, url, async () => {
      for (let time = 0; time < 2; time += 1) {
        await sleep(150);
        for (const pid of await enginesOf(target)) process.kill(pid, 'SIGKILL');
      }
    });
    expect((await run('qemu-img', ['check', '-U', image])).stdout).not.toMatch(/corruptions/);
  });

  it('kill -9 of tcli ends its engines, and the next tcli goes on with the image', async () => {
    const home = temporaryDirectory();
    const image = join(home, 'disk.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(bytes)]);
    const { url, tcli: target } = await served(home, 'user:qcow', image);
    expect(await io(url, 'write -P 1 0 64k', 'flush')).toContain('wrote 65536/65536');
    const engines = await enginesOf(target);
    expect(engines).toHaveLength(1);
    await target.kill();
    await expect.poll(() => engines.filter(isAlive)).toEqual([]);
    await serve(home);
    expect(await io(url, 'read -P 1 0 64k')).toContain('read 65536/65536');
  });

  it('user:qcow: resized, kept in snapshots and rolled back while an initiator uses it', async () => {
    const home = temporaryDirectory();
    const image = join(home, 'disk.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(bytes)]);
    const url = await exported(home, 'user:qcow', image);
    const disk = '/backstores/user:qcow/disk';
    await thereAndBack(home, url, async () => {
      for (const name of ['one', 'two']) {
        expect(await tcli(home, [`${disk}/snapshots`, 'create', name])).toMatchObject({ status: 0 });
        expect(await tcli(home, [disk, 'resize', '+16M'])).toMatchObject({ status: 0 });
      }
    });
    expect((await run('qemu-img', ['info', '-U', '--output=json', image])).stdout).toContain(
      `"virtual-size": ${bytes + (32 << 20)}`,
    );
    expect(await tcli(home, [`${disk}/snapshots`, 'create', 'three'])).toMatchObject({ status: 0 });
    expect(await io(url, 'write -P 9 0 64k', 'flush')).toContain('wrote 65536/65536');
    expect(await tcli(home, [`${disk}/snapshots`, 'rollback', 'three'])).toMatchObject({ status: 0, stderr: '' });
    expect(await io(url, 'read -P 9 0 64k')).toContain('Pattern verification failed');
    expect((await run('qemu-img', ['check', '-U', image])).stdout).not.toMatch(/corruptions/);
  });

  it('an engine is held, its write aborted, the block written anew, the engine let go: the newer data stays', async () => {
    const home = temporaryDirectory();
    const socket = join(home, 'nbdkit');
    const server = await nbdkit(socket, 'memory', String(bytes));
    const { url } = await served(home, 'user:nbd', `nbd+unix:///?socket=${socket}`);
    const port = Number(new URL(url.replace('iscsi:', 'http:')).port);
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) =>
        connectInitiator(port, iqn, `iqn.2026-01.com.example:${name}`, { ImmediateData: 'Yes' }),
      ),
    );
    for (const one of [a, b]) while ((await one!.initiator.command([0])).status !== 0);
    const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    const put = (fill: number) => ({ write: true, data: Buffer.alloc(512, fill), immediateData: 512 });
    server.kill('SIGSTOP');
    const tag = a!.initiator.sendCommand(write, put(1));
    a!.initiator.send(taskManagementRequest, {
      ...a!.initiator.number(true),
      final: true,
      function: 1,
      referencedTaskTag: tag,
      refCmdSn: a!.initiator.cmdSn - 1,
      initiatorTaskTag: a!.initiator.tag(),
    });
    // Commands behind the abort are answered, and the abort is not: its write may land yet.
    expect((await a!.initiator.command([0])).status).toBe(0);
    const answered = a!.initiator.next();
    expect((await b!.initiator.command(write, put(2))).status).toBe(0x08);
    expect(await Promise.race([answered, Promise.resolve('not yet')])).toBe('not yet');
    server.kill('SIGCONT');
    expect(await answered).toMatchObject({ name: 'Task Management Function Response' });
    expect((await b!.initiator.command(write, put(2))).status).toBe(0);
    const { data } = await a!.initiator.command([0x28, ...write.slice(1)], { read: true, length: 512 });
    expect(data).toEqual(Buffer.alloc(512, 2));
    for (const one of [a, b]) one!.close();
  });
});
