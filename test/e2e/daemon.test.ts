// The built program beside a running one: attached shells and one-shots, `tcli daemon`. Not here: the protocol itself
// (test/daemon/control.test.ts).

import { spawn } from 'node:child_process';
import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { servingOptions } from '../../shell/process/program.ts';
import { toldOptionNames } from '../../shell/process/program-words.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { configure, freePort, iqn, openTarget, run, serve, tcli, temporaryDirectory } from '../support/tcli.ts';
import { TestTerminal } from '../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');

/** A home whose background process ends with the test. */
function daemonHome(): string {
  const home = temporaryDirectory();
  onTestFinished(async () => void (await tcli(home, ['daemon', 'stop', '--force'])));
  return home;
}

const shellAt = (home: string, ...words: string[]) =>
  new TestTerminal(process.execPath, [program, '--home', home, ...words]);

it('a one-shot changes what the running process serves; output, errors and statuses are as without it', async () => {
  const home = temporaryDirectory();
  await serve(home);
  expect(await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '16M'])).toEqual({
    status: 0,
    stdout: 'Created ramdisk rd0 with size 16M.\n',
    stderr: '',
  });
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toContain('o- rd0 ');
  const wrong = await tcli(home, ['/nosuch', 'ls']);
  expect(wrong).toMatchObject({ status: 1, stdout: '' });
  expect(wrong.stderr).toMatch(/^No such path \/nosuch\n/);
  const script = await tcli(home, [], 'cd /backstores/ramdisk\nnosuch\ncreate rd1 1M');
  expect(script).toMatchObject({ status: 1, stderr: expect.stringContaining('Command not found nosuch') });
  expect(script.stdout).toContain(`Configuration saved to ${home}/saveconfig.json\n`);
});

it('relative file names start where the client stands, not where the process does', async () => {
  const home = daemonHome();
  const place = join(temporaryDirectory(), 'client');
  await mkdir(place);
  expect((await tcli(home, ['daemon', 'start'])).status).toBe(0);
  const here = (...words: string[]) =>
    run('sh', ['-c', `cd '${place}' && exec "$0" "$@"`, process.execPath, program, '--home', home, ...words]);
  expect(await here('/backstores/fileio create disk0 disk0.img 1M')).toMatchObject({ status: 0, stderr: '' });
  expect((await stat(join(place, 'disk0.img'))).size).toBe(1 << 20);
  expect(await here('save', 'copy.json')).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(await readFile(join(place, 'copy.json'), 'utf8')).storage_objects).toHaveLength(1);
  expect(await here('clear')).toMatchObject({ status: 0 });
  expect(await here('restore', 'copy.json', '--wait', '1')).toMatchObject({ status: 0, stderr: '' });
  expect((await here('ls', '/backstores/fileio')).stdout).toContain('disk0.img');
});

it('two shells side by side: each stands where it went, and sees at once what the other did', async () => {
  const home = temporaryDirectory();
  await serve(home);
  const [one, two] = [shellAt(home), shellAt(home)];
  onTestFinished(() => [one, two].forEach((terminal) => void terminal.kill()));
  await one.until('/> ');
  await two.until('/> ');
  one.type('cd /backstores/ramdisk\r');
  await one.until('/backstores/ramdisk> ▏');
  one.type('create shared 1M\r');
  await one.until('Created ramdisk shared');
  two.type('ls /backstores/ramdisk\r');
  await two.until('o- shared ');
  two.type('/backstores/ramdisk delete sh\t');
  await two.until('delete shared ▏');
  two.type('\x03pwd\r');
  await two.until(/^\/\n/m);
  one.type('exit\r');
  expect(await one.exit()).toBe(0);
});

it('a shell with --no-daemon serves itself, and others are its clients', async () => {
  const home = temporaryDirectory();
  const shell = shellAt(home, '--no-daemon');
  onTestFinished(() => shell.kill());
  await shell.until('/> ▏');
  await expect.poll(() => stat(join(home, 'run/control.sock')).catch(() => null)).not.toBe(null);
  expect((await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '1M'])).status).toBe(0);
  shell.type('ls /backstores/ramdisk\r');
  await shell.until('o- rd0 ');
  expect(await tcli(home, ['daemon', 'stop'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('An interactive tcli serves this configuration.'),
  });
});

it('Ctrl-C ends the line of an attached one-shot, status 1', async () => {
  const home = temporaryDirectory();
  await serve(home);
  const child = spawn(process.execPath, [program, '--home', home], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.stdin.write('pwd\n');
  await new Promise((heard) => child.stdout.once('data', heard));
  child.kill('SIGINT');
  child.stdin.end('pwd\n');
  expect(await ended).toBe(1);
});

it('daemon start, status, start again, restart, stop', async () => {
  const home = daemonHome();
  expect(await tcli(home, ['daemon', 'status'])).toMatchObject({
    status: 3,
    stdout: expect.stringMatching(/^Not running/),
  });
  const started = await tcli(home, ['daemon', 'start']);
  expect(started).toMatchObject({ status: 0, stderr: '' });
  const pid = /process (\d+)/.exec(started.stdout)?.[1];
  await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '1M']);
  const status = await tcli(home, ['daemon', 'status']);
  expect(status.status).toBe(0);
  expect(status.stdout).toMatch(
    new RegExp(
      `^Serving 0 targets; no portals yet; process ${pid}, started by tcli daemon start \\(\\w+\\), since 20\\d\\d-`,
    ),
  );
  expect(status.stdout).toContain(`Changes that are stored but not in ${home}/saveconfig.json: 2`);
  expect(await tcli(home, ['daemon', 'start'])).toMatchObject({
    status: 0,
    stdout: `Already running: process ${pid}.\n`,
  });
  const again = await tcli(home, ['daemon', 'restart']);
  expect(again.stdout).toContain(`Stopped: process ${pid}.\n`);
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toContain('o- rd0 ');
  expect(await tcli(home, ['daemon', 'start', '--force'])).toMatchObject({ status: 0 });
  expect((await tcli(home, ['daemon', 'stop'])).stdout).toMatch(/^Stopped: process \d+\.\n$/);
  expect(await tcli(home, ['daemon', 'stop'])).toMatchObject({ status: 0, stdout: 'Not running.\n' });
});

it('daemon restart repeats every option and variable of the start, but for what it is told itself', async () => {
  const home = daemonHome();
  await writeFile(join(home, 'given.json'), JSON.stringify({ fabric_modules: [], storage_objects: [], targets: [] }));
  const said: Readonly<Record<string, string>> = {
    '--config': join(home, 'given.json'),
    '--wait': '1',
    '--group': String(process.getgid?.()),
    '--loops': '0',
    '--metrics': `127.0.0.1:${await freePort()}`,
    '--tgtadm': '7',
    '--log-format': 'json',
    '--log-level': 'debug',
  };
  expect(Object.keys(said).toSorted()).toEqual(toldOptionNames(servingOptions).toSorted());
  const env = { TGT_IPC_SOCKET: join(home, 'tgtd'), TCLI_LINGER_US: '7' };
  const words = (action: string, ...more: string[]) => [program, '--home', home, 'daemon', action, ...more];
  const holder = async () => JSON.parse((await readFile(join(home, 'lock'), 'utf8')).split('\n', 1)[0]!);
  expect(await run(process.execPath, words('start', ...Object.entries(said).flat()), { env })).toMatchObject({
    status: 0,
  });
  const before = await holder();
  expect(await run(process.execPath, words('restart', '--log-level=info'))).toMatchObject({ status: 0 });
  const after = await holder();
  expect(after.pid).not.toBe(before.pid);
  expect(after.words).toEqual(Object.entries({ ...said, '--log-level': 'info' }).flat());
  const inherited = (await readFile(`/proc/${after.pid}/environ`, 'utf8')).split('\0');
  expect(inherited).toEqual(expect.arrayContaining(Object.entries(env).map((one) => one.join('='))));
  expect((await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '1M'])).stderr).toContain('serve --config');
});

it('a start after kill -9 finds the lock and the socket of the dead, and serves', async () => {
  const home = daemonHome();
  const started = await tcli(home, ['daemon', 'start']);
  const pid = Number(/process (\d+)/.exec(started.stdout)?.[1]);
  process.kill(pid, 'SIGKILL');
  await expect.poll(async () => (await tcli(home, ['daemon', 'status'])).status).toBe(3);
  expect((await stat(join(home, 'run/control.sock'))).isSocket()).toBe(true);
  expect(await tcli(home, ['daemon', 'start'])).toMatchObject({ status: 0, stderr: '' });
});

it('a start that fails says why, status 1', async () => {
  const home = daemonHome();
  await writeFile(join(home, 'saveconfig.json'), '{');
  const { status, stderr } = await tcli(home, ['daemon', 'start']);
  expect(status).toBe(1);
  expect(stderr).toContain('saveconfig.json is not valid JSON');
});

it('a disk that is not there: reported, waited for, served as soon as it appears, and never dropped from the file', async () => {
  const home = daemonHome();
  const disk = join(home, 'disk0.img');
  await configure(home, `/backstores/fileio create disk0 ${disk} 1M`, 'saveconfig');
  await rename(disk, `${disk}.away`);
  const started = await tcli(home, ['daemon', 'start']);
  expect(started).toMatchObject({ status: 0, stderr: expect.stringContaining('/backstores/fileio/disk0: ') });
  const status = async () => (await tcli(home, ['daemon', 'status'])).stdout;
  expect(await status()).toMatch(/^Problems:\n {2}\/backstores\/fileio\/disk0: /m);
  expect((await tcli(home, ['save'])).status).toBe(0);
  expect(await readFile(join(home, 'saveconfig.json'), 'utf8')).toContain('disk0');
  await rename(`${disk}.away`, disk);
  process.kill(Number(/process (\d+)/.exec(started.stdout)?.[1]), 'SIGHUP');
  await expect.poll(status).not.toContain('Problems');
  await tcli(home, ['daemon', 'stop']);
  await rename(disk, `${disk}.away`);
  const waiting = tcli(home, ['daemon', 'start', '--wait', '30']);
  await expect.poll(status).toContain('disk0: ');
  await rename(`${disk}.away`, disk);
  expect(await waiting).toMatchObject({ status: 0, stderr: '' });
});

it('stats counts what a session reads and writes; sessions kill ends it, and its initiator may come back', async () => {
  const home = temporaryDirectory();
  const port = await freePort();
  await configure(home, '/backstores/ramdisk create rd0 1M', ...openTarget(port, '/backstores/ramdisk/rd0'));
  await serve(home);
  const { initiator, lost } = await connectInitiator(port, iqn, 'iqn.1994-05.com.redhat:one');
  const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0];
  // The first command hears of the new nexus.
  await initiator.command([0, 0, 0, 0, 0, 0]);
  expect((await initiator.command(write, { data: Buffer.alloc(4096, 1) })).status).toBe(0);
  await initiator.command([0x28, 0, 0, 0, 0, 0, 0, 0, 16, 0], { read: true, length: 8192 });
  const shown = (await tcli(home, ['stats'])).stdout;
  expect(shown).toMatch(/^\/backstores\/ramdisk\/rd0 +1 +1 +8\.0KiB +4\.0KiB$/m);
  expect(shown).toMatch(/^sid 1 iqn\.1994-05\.com\.redhat:one +3 +1 +8\.0KiB +4\.0KiB +\d+\.\d\d +\d+\.\d\d +0$/m);
  const tpg = `/iscsi/${iqn}/tpg1`;
  const below = ['luns/lun0', `portals/127.0.0.1:${port}`].map(
    (path) => `${path} +3 +1 +8\\.0KiB +4\\.0KiB [ .\\d]+\n`,
  );
  expect((await tcli(home, [tpg, 'stats'])).stdout).toMatch(
    new RegExp(`^ +commands .*\n\\. +3 +1 .*\n${below.join('')}$`),
  );
  for (const path of ['/iscsi', `/iscsi/${iqn}`, '/backstores/ramdisk/rd0', `${tpg}/luns/lun0`]) {
    const { data } = JSON.parse((await tcli(home, [path, 'stats', '--json'])).stdout);
    expect(data).toMatchObject({ commands: 3, failed: 1, readBytes: 8192, writtenBytes: 4096 });
    const bins = data.latency.bins.map(({ commands }: { commands: number }) => commands);
    expect(bins.reduce((sum: number, count: number) => sum + count)).toBe(3);
    expect(data.latency.maxMs).toBeGreaterThanOrEqual(data.latency.meanMs);
  }
  // Traffic that an ACL lets in is counted at its node, under the number that its initiator uses.
  const two = 'iqn.1994-05.com.redhat:two';
  await configure(home, `${tpg}/acls create ${two} false`, `${tpg}/acls/${two} create 7 0`);
  const other = await connectInitiator(port, iqn, two);
  await other.initiator.command([0, 0, 0, 0, 0, 0], { lun: 7 });
  other.close();
  expect((await tcli(home, [`${tpg}/acls/${two}`, 'stats'])).stdout).toMatch(/^\. +1 +1 .*\nmapped_lun7 +1 +1 /m);
  expect((await tcli(home, ['stats', 'reset'])).stdout).toBe('Statistics reset.\n');
  expect((await tcli(home, ['stats'])).stdout).toMatch(/redhat:one +0 +0 +0 bytes +0 bytes +0\.00 +0\.00 +0$/m);
  expect(await tcli(home, ['sessions', 'kill'])).toMatchObject({ status: 1 });
  expect((await tcli(home, ['sessions', 'kill', '1'])).stdout).toBe('Ended session 1.\n');
  await expect(lost).rejects.toThrow('closed');
  expect(await tcli(home, ['sessions', 'kill', '1'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('no session found with sid 1'),
  });
  (await connectInitiator(port, iqn, 'iqn.1994-05.com.redhat:one')).close();
});

it('two processes never serve one volume: the second says who has it, and serves it once the first is gone', async () => {
  const [one, two] = [temporaryDirectory(), temporaryDirectory()];
  const create = `/backstores/fileio create disk0 ${one}/disk0.img 1M`;
  await configure(one, create);
  await configure(two, create);
  const first = await serve(one);
  await serve(two);
  const status = async () => (await tcli(two, ['daemon', 'status'])).stdout;
  expect(await status()).toMatch(/^Problems:\n {2}\/backstores\/fileio\/disk0: .*in use/im);
  await first.kill();
  await expect.poll(status).not.toContain('Problems');
});

it('a file in the place of the control socket is reported at once, status 1', async () => {
  for (const inTheWay of [
    (run: string) => mkdir(join(run, 'control.sock'), { recursive: true }),
    (run: string) => symlink('/nowhere/at/all', run),
  ]) {
    const home = temporaryDirectory();
    await inTheWay(join(home, 'run'));
    expect(await tcli(home, ['daemon', 'start'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`No control socket could be made in ${join(home, 'run')}`),
    });
  }
});

it('a home whose lock file was removed is served by nobody else', async () => {
  const home = temporaryDirectory();
  const { process: first } = await serve(home);
  await rm(join(home, 'lock'));
  expect(await tcli(home, ['serve'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`is in use by tcli serve (process ${first.pid})`),
  });
});

it('SIGHUP has serve --config read its file again: it is served, or the log and the status say why it is not', async () => {
  const home = temporaryDirectory();
  const file = join(home, 'tcli.yaml');
  const describe = (size: string) =>
    writeFile(file, `storage_objects: [{plugin: ramdisk, name: rd0, size: ${size}}]\n`);
  const status = async () => (await tcli(home, ['daemon', 'status'])).stdout;
  await describe('4M');
  const served = await serve(home, '--config', file);
  expect(served.log()).toContain('info configuration taken');
  await describe('4 parsecs');
  served.process.kill('SIGHUP');
  await expect.poll(served.log).toContain('error configuration not taken');
  expect(await status()).toContain(`${file} was not taken`);
  await describe('8M');
  served.process.kill('SIGHUP');
  await expect.poll(status).not.toContain('was not taken');
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toContain('8.0MiB');
  expect(await tcli(home, ['/backstores/ramdisk', 'create', 'rd1', '1M'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`The configuration is that of ${file} (serve --config)`),
  });
});
