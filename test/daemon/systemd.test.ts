// The protocol with systemd, with its own tools and a socket of the real kind; the built program under it. Each test says why it skips.
// Not here: a whole system with systemd as its first process.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { serviceManager } from '../../src/system/systemd.ts';
import { needs } from '../support/needs.ts';
import { configure, freePort, iqn, openTarget, run, tcli, temporaryDirectory } from '../support/tcli.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const packaging = resolve(import.meta.dirname, '../../packaging');

/** A datagram socket, as systemd's is; each message is a line of the result. */
async function notifySocket(path: string): Promise<{ heard(): string[] }> {
  const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1].replace('@','\\0',1)); print('bound',flush=True)
while True: print(repr(s.recv(65536).decode()),flush=True)`;
  const child = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await expect.poll(() => output).toContain('bound\n');
  return { heard: () => output.split('\n').slice(1, -1) };
}

it('sd_notify(3): states arrive as one datagram, by path and by abstract name', needs('python3'), async () => {
  for (const path of [join(temporaryDirectory(), 'notify'), `@tcli-test-${process.pid}`]) {
    const socket = await notifySocket(path);
    serviceManager({ NOTIFY_SOCKET: path }, 1).notify('READY=1', 'STATUS=Serving 1 target');
    await expect.poll(socket.heard).toEqual(["'READY=1\\nSTATUS=Serving 1 target'"]);
  }
});

it('variables for another process, or none at all, have no effect', () => {
  const environment = { WATCHDOG_USEC: '2000000', WATCHDOG_PID: '7', LISTEN_FDS: '2', LISTEN_PID: '7', PATH: '/bin' };
  const other = serviceManager({ ...environment }, 8);
  expect([other.watchdogMs, other.sockets]).toEqual([undefined, []]);
  other.notify('READY=1');
  const mine = serviceManager({ ...environment, LISTEN_FDNAMES: 'control:portal' }, 7);
  expect([mine.watchdogMs, mine.sockets]).toEqual([
    2000,
    [
      { name: 'control', fd: 3 },
      { name: 'portal', fd: 4 },
    ],
  ]);
  const cleaned = { ...environment };
  serviceManager(cleaned, 7);
  expect(cleaned).toEqual({ PATH: '/bin' });
});

it('serve says READY, WATCHDOG, after a reload READY again, and STOPPING', needs('python3'), async () => {
  const home = temporaryDirectory();
  const path = join(home, 'notify');
  const { heard } = await notifySocket(path);
  const child = spawn(process.execPath, [program, '--home', home, 'serve', '--log-format', 'json'], {
    stdio: 'ignore',
    env: { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise((done) => child.once('exit', done));
  const all = () => heard().join('\n');
  await expect.poll(all).toMatch(/READY=1.*STATUS=Serving 0 targets/);
  await expect.poll(all).toContain("'WATCHDOG=1'");
  child.kill('SIGHUP');
  await expect.poll(all).toContain("'READY=1\\nSTATUS=Serving'");
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  await expect.poll(all).toContain("'STOPPING=1'");
});

it(
  'socket activation: the first client starts it, and its socket stays',
  needs('systemd-socket-activate'),
  async () => {
    const home = temporaryDirectory();
    spawnSync('mkdir', ['-p', join(home, 'run')]);
    const words = [
      '-l',
      join(home, 'run/control.sock'),
      '--fdname=control',
      process.execPath,
      program,
      '--home',
      home,
      'serve',
    ];
    const child = spawn('systemd-socket-activate', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((listening) => child.stderr.once('data', listening));
    const created = await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '1M']);
    expect(created).toEqual({ status: 0, stdout: 'Created ramdisk rd0 with size 1M.\n', stderr: '' });
    expect((await tcli(home, ['daemon', 'status'])).stdout).toContain(
      `process ${child.pid}, started by the service manager`,
    );
    expect((await tcli(home, ['daemon', 'stop'])).status).toBe(0);
  },
);

it(
  'socket activation of a portal: the first initiator starts it, and is answered on the socket that was passed on',
  needs('systemd-socket-activate', 'iscsi-ls'),
  async () => {
    const home = temporaryDirectory();
    const port = await freePort();
    await configure(home, '/backstores/ramdisk create rd0 1M', ...openTarget(port, '/backstores/ramdisk/rd0'));
    spawnSync('mkdir', ['-p', join(home, 'run')]);
    const sockets = ['-l', join(home, 'run/control.sock'), '-l', `127.0.0.1:${port}`, '--fdname=control:portal'];
    const words = [...sockets, process.execPath, program, '--home', home, 'serve'];
    const child = spawn('systemd-socket-activate', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let log = '';
    child.stderr.on('data', (data) => {
      log += data;
    });
    await expect.poll(() => log).toContain(String(port));
    const { stdout } = await run('iscsi-ls', ['-s', `iscsi://127.0.0.1:${port}/`]);
    expect(stdout).toMatch(new RegExp(`^Target:${iqn} Portal:127\\.0\\.0\\.1:${port},1\nLun:0 `));
    const status = (await tcli(home, ['daemon', 'status'])).stdout;
    expect(status).toContain(`process ${child.pid}, started by the service manager`);
    expect(status).not.toContain('Problems');
    expect(log).toContain(`inherited socket fd=4 address="127.0.0.1:${port}"`);
    expect((await tcli(home, ['daemon', 'stop'])).status).toBe(0);
  },
);

it('systemd-analyze verify has nothing to say about the units', needs('systemd-analyze'), async () => {
  const folder = temporaryDirectory();
  spawnSync('cp', ['-r', packaging, folder]);
  spawnSync('sed', [
    '-i',
    's|/usr/local/bin/tcli|/bin/true|',
    ...['tcli.service', 'tcli-files.service', 'user/tcli.service'].map((name) => join(folder, 'packaging', name)),
  ]);
  for (const [words, place] of [
    [[], 'packaging'],
    [['--user'], 'packaging/user'],
  ] as const) {
    const units = readdirSync(join(folder, place)).filter((name) => name.startsWith('tcli'));
    const files = units.map((name) => join(folder, place, name));
    const { stdout, stderr } = await run('systemd-analyze', [...words, 'verify', '--man=no', ...files]);
    const about = `${stdout}${stderr}`.split('\n').filter((line) => /tcli.*\.(service|socket)/.test(line));
    expect(about, place).toEqual([]);
  }
});

it('the unit that serves files only exposes at most 3.0 of 10', needs('systemd-analyze'), async () => {
  const words = ['security', '--offline=yes', '--threshold=30', join(packaging, 'tcli-files.service')];
  expect(await run('systemd-analyze', words)).toMatchObject({ status: 0 });
});

it('daemon install --user writes units that start this very program', async () => {
  const folder = temporaryDirectory();
  const words = [program, 'daemon', 'install', '--user'];
  const asked = await run(process.execPath, words, { env: { XDG_CONFIG_HOME: folder } });
  expect(asked).toMatchObject({ status: 1, stderr: expect.stringContaining('Nothing was written.') });
  const written = await run(process.execPath, [...words, '--yes'], { env: { XDG_CONFIG_HOME: folder } });
  expect(written.status).toBe(0);
  const { stdout } = await run('cat', [join(folder, 'systemd/user/tcli.service')]);
  expect(stdout).toContain(`ExecStart=${resolve(packaging, '../shell/bin/tcli')} serve --wait 30\n`);
  expect(stdout).toContain('Documentation=man:tcli(1)\n');
  // A home that the units do not serve is named.
  const elsewhere = { XDG_CONFIG_HOME: folder, TCLI_HOME: join(folder, 'home') };
  expect((await run(process.execPath, words, { env: elsewhere })).stderr).toContain(
    `These units serve your own home, and not TCLI_HOME (${elsewhere.TCLI_HOME}).`,
  );
});

it(
  'the units of a program whose path has blanks, quotes and percent signs are read by systemd as they are meant',
  needs('systemd-analyze'),
  async () => {
    const folder = temporaryDirectory();
    const root = join(folder, 'a b%h"c');
    for (const part of ['dist', 'packaging', 'shell/bin'])
      cpSync(resolve(packaging, '..', part), join(root, part), { recursive: true });
    symlinkSync(resolve(packaging, '../node_modules'), join(root, 'node_modules'));
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    const words = [join(root, 'dist/tcli.js'), 'daemon', 'install', '--user', '--yes'];
    expect(await run(process.execPath, words, { env: { XDG_CONFIG_HOME: folder } })).toMatchObject({ status: 0 });
    const unit = join(folder, 'systemd/user/tcli.service');
    expect(readFileSync(unit, 'utf8')).toContain(`ExecStart="${folder}/a b%%h\\"c/shell/bin/tcli" serve --wait 30\n`);
    const { stderr } = await run('systemd-analyze', ['verify', '--user', unit], { env: { XDG_RUNTIME_DIR: folder } });
    expect(stderr).not.toMatch(/not executable|quot|specifier/i);
  },
);

it('the unit lets a LUN become a device of this machine, which outlives the service', () => {
  const unit = readFileSync(join(packaging, 'tcli.service'), 'utf8').split('\n');
  for (const line of [
    'DeviceAllow=/dev/fuse rw',
    'DeviceAllow=/dev/loop-control rw',
    'DeviceAllow=block-* rw',
    'KillMode=process',
  ])
    expect(unit).toContain(line);
});
