// A home on a disk that is full, or that cannot be written to; a log that nobody reads. Not here: a fault at each single call
// (test/root/faults.test.ts).

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { mountTinyFolder } from '../support/scratch.ts';
import { configure, freePort, iqn, openTarget, run, serve, tcli, temporaryDirectory } from '../support/tcli.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');

/** A file system of its own. */
function smallDisk(): string {
  const folder = temporaryDirectory();
  mountTinyFolder(folder, 512 << 10);
  return folder;
}

it(
  'a full disk: what there is is served, what cannot be stored is refused in words',
  needs('mounts', 'iscsi-ls'),
  async () => {
    const disk = smallDisk();
    const home = join(disk, 'home');
    const port = await freePort();
    const lines = ['/backstores/ramdisk create rd0 1M', ...openTarget(port, '/backstores/ramdisk/rd0'), '/ saveconfig'];
    await configure(home, ...lines);
    const saved = readFileSync(join(home, 'saveconfig.json'));
    spawnSync('sh', ['-c', `cat /dev/zero > '${join(disk, 'fill')}'`]);
    const log = openSync(join(disk, 'log'), 'a');
    const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((ready) => child.stdout?.once('data', ready));
    expect((await run('iscsi-ls', [`iscsi://127.0.0.1:${port}/`])).stdout).toContain(iqn);
    const refused = await tcli(home, ['saveconfig']);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('no space left on device') });
    // The last page of the journal has room for some.
    const creations = Array.from({ length: 40 }, (_, at) => `/backstores/ramdisk create more${at} 1M`).join('\n');
    const { stdout, stderr } = await tcli(home, [], creations);
    expect(stderr).toMatch(/The change could not be stored in .*journal\.jsonl: no space left on device\nNothing was/);
    expect(readFileSync(join(home, 'saveconfig.json'))).toEqual(saved);
    const ended = new Promise((done) => child.once('exit', (...how) => done(how)));
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    const there = (await tcli(home, ['ls', '/backstores/ramdisk'])).stdout;
    const named = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name);
    expect(named(there, /o- (more\d+) /g)).toEqual(named(stdout, /Created ramdisk (more\d+) /g));
  },
);

it('a home that cannot be written to says so', needs('mounts'), async () => {
  const disk = smallDisk();
  await configure(disk, '/backstores/ramdisk create rd0 1M', '/ saveconfig');
  spawnSync('mount', ['-o', 'remount,ro', disk]);
  for (const words of [['ls'], ['serve'], ['daemon', 'start']]) {
    const { status, stderr } = await tcli(disk, words);
    expect([words, status, stderr]).toEqual([words, 1, expect.stringMatching(/read-only file system\n/)]);
    expect(stderr).not.toContain('internal error');
  }
});

it('a reader of the log that is gone ends nothing', needs('iscsi-ls'), async () => {
  const home = temporaryDirectory();
  const port = await freePort();
  await configure(home, '/backstores/ramdisk create rd0 1M', ...openTarget(port, '/backstores/ramdisk/rd0'));
  const { process: serving } = await serve(home);
  serving.stdout?.destroy();
  serving.stderr?.destroy();
  for (let login = 0; login < 2; login += 1)
    expect((await run('iscsi-ls', [`iscsi://127.0.0.1:${port}/`])).stdout).toContain(iqn);
  expect(serving.exitCode).toBe(null);
  expect((await tcli(home, ['daemon', 'stop'])).status).toBe(0);
});
