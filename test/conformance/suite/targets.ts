// The programs under test: `tcli serve` with one logical unit of a profile, and Debian's tgtd with a file.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../support/free-port.ts';
import { nbdkitOn } from '../../support/nbdkit.ts';
import { type Profile, sizeMib } from './profiles.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../../dist/tcli.js');
const iqn = 'iqn.2003-01.org.example:conformance';
const startMs = 10_000;
const logBytesMax = 4096;

/** A running target: two URLs of one logical unit. */
export interface RunningTarget {
  readonly urls: readonly [string, string];
  stop(): Promise<void>;
}

/** `tcli serve` with what the profile says. */
export async function startTcli(profile: Profile): Promise<RunningTarget> {
  const home = await mkdtemp(join(tmpdir(), 'tcli-conformance-'));
  const ports = [await freePort(), await freePort()] as const;
  const { backstore, attributes, tpg = [], credentials = '', parameters } = profile;
  const socket = join(home, 'nbd.sock');
  const nbdkit = profile.nbdkit && (await nbdkitOn(socket, ...profile.nbdkit));
  const parameterWords = {
    fileio: `${home}/disk.img ${sizeMib}M`,
    ramdisk: `${sizeMib}M`,
    'user:nbd': `${sizeMib}M nbd+unix:///?socket=${socket}`,
  };
  const lines = [
    `/backstores/${backstore} create disk ${parameterWords[backstore]}`,
    ...(attributes ? [`/backstores/${backstore}/disk set attribute ${attributes}`] : []),
    '/ set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    ...ports.map((port) => `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${port}`),
    `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
    `/iscsi/${iqn}/tpg1/luns create /backstores/${backstore}/disk`,
    ...tpg.map((line) => `/iscsi/${iqn}/tpg1${line}`),
  ];
  await run(process.execPath, [program, '--home', home, ...lines.flatMap((line) => ['-c', line])]);
  const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => {
    log = `${log}${data}`.slice(-logBytesMax);
  });
  await new Promise<void>((ready, fail) => {
    child.stdout.on('data', (data) => String(data).includes('Serving') && ready());
    child.once('exit', (status) => fail(new Error(`tcli serve ended with ${status}: ${log}`)));
    setTimeout(() => fail(new Error('tcli serve does not start')), startMs).unref();
  });
  const url = (port: number) => `iscsi://${credentials}127.0.0.1:${port}/${iqn}/0${parameters ? `?${parameters}` : ''}`;
  return { urls: [url(ports[0]), url(ports[1])], stop: () => end(home, child, ...(nbdkit ? [nbdkit] : [])) };
}

/** tgtd with a file as LUN 1. @throws Error when it is not installed or may not start */
export async function startTgt(): Promise<RunningTarget> {
  const home = await mkdtemp(join(tmpdir(), 'tgt-conformance-'));
  const image = join(home, 'disk.img');
  await writeFile(image, '');
  await truncate(image, sizeMib << 20);
  const ports = [await freePort(), await freePort()] as const;
  const control = String(process.pid % 30_000);
  const portals = ports.map((port) => `portal=127.0.0.1:${port}`).join(',');
  const child = spawn('tgtd', ['-f', '-C', control, '--iscsi', portals], { stdio: 'ignore' });
  const admin = (...words: string[]) =>
    run('tgtadm', ['-C', control, '--lld', 'iscsi', '--op', ...words, '--tid', '1']);
  const configure = async () => {
    await retry(() => admin('new', '--mode', 'target', '--targetname', iqn));
    await admin('new', '--mode', 'logicalunit', '--lun', '1', '--backing-store', image);
    await admin('bind', '--mode', 'target', '--initiator-address', 'ALL');
  };
  await Promise.race([configure(), ended(child, 'tgtd')]);
  const url = (port: number) => `iscsi://127.0.0.1:${port}/${iqn}/1`;
  return { urls: [url(ports[0]), url(ports[1])], stop: () => end(home, child) };
}

/** Rejects when the program ends, or cannot start. */
function ended(child: ChildProcess, name: string): Promise<never> {
  const failed = new Promise<never>((_, fail) => {
    child.once('error', fail);
    child.once('exit', (status) => fail(new Error(`${name} ended with ${status}`)));
  });
  // The promise is settled in any case, when nobody waits any more.
  failed.catch(() => {});
  return failed;
}

async function end(home: string, ...children: ChildProcess[]): Promise<void> {
  for (const child of children) {
    child.removeAllListeners('exit');
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }
  await rm(home, { recursive: true, force: true });
}

/** A server is there a moment after it starts. */
async function retry(step: () => Promise<unknown>): Promise<void> {
  const until = Date.now() + startMs;
  for (;;) {
    try {
      await step();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
