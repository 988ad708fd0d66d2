// Targets to measure, each a process of its own: Debian's tgtd, and this program on files and in memory.

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../support/free-port.ts';

/** Something that serves LUNs of the same size. */
export interface Server {
  readonly name: string;
  /** `iscsi://address:port/target/lun` of each LUN. */
  readonly urls: readonly string[];
  /** Undefined for a server that runs elsewhere: nothing is known of its CPU and memory. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** The program as users start it: the launcher gives Node its options. */
export const builtProgram = resolve(import.meta.dirname, '../../shell/bin/tcli');

const startMs = 10_000;
const tgtdControlPorts = 32_768;
const iqn = (name: string, index: number): string => `iqn.2026-01.org.example:${name.replaceAll(' ', '-')}${index}`;

/** tgtd as Debian ships it: its own defaults, one target for each file. */
export async function startTgtd(files: readonly string[]): Promise<Server> {
  const port = await freePort();
  // Names its control socket.
  const control = String(port % tgtdControlPorts);
  const process = spawn('tgtd', ['-f', '-C', control, '--iscsi', `portal=127.0.0.1:${port}`], { stdio: 'ignore' });
  await listening(process, port);
  const admin = (mode: string, ...words: string[]) =>
    execFileSync('tgtadm', ['-C', control, '--lld', 'iscsi', '--mode', mode, ...words]);
  const urls = files.map((file, at) => {
    const tid = String(at + 1);
    admin('target', '--op', 'new', '--tid', tid, '--targetname', iqn('tgtd', at));
    admin('logicalunit', '--op', 'new', '--tid', tid, '--lun', '1', '--backing-store', file);
    admin('target', '--op', 'bind', '--tid', tid, '--initiator-address', 'ALL');
    return `iscsi://127.0.0.1:${port}/${iqn('tgtd', at)}/1`;
  });
  return { name: 'tgtd', urls, pid: process.pid, stop: () => end(process) };
}

/** A storage object: its kind, and what follows its name in `create`. */
export interface Disk {
  readonly kind: 'fileio' | 'ramdisk' | 'block' | 'user:rbd';
  readonly create: string;
}

/** `tcli serve`, with what belongs to it. */
export interface TcliServer extends Server {
  readonly home: string;
  readonly pid: number;
  /** The sockets of its vhost targets. */
  readonly sockets: readonly string[];
  /** The log so far. */
  log(): string;
}

/** Serves each disk as a target of its own, open to everybody. @param words more of `serve` @param vhost behind a vhost target each, too */
export async function startTcli(
  program: string,
  name: string,
  disks: readonly Disk[],
  { words = [], vhost = false }: { readonly words?: readonly string[]; readonly vhost?: boolean } = {},
): Promise<TcliServer> {
  const port = await freePort();
  const home = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
  const targets = disks.map((_, at) => iqn(name, at));
  const lines = disks.flatMap((disk, at) => openTarget(targets[at]!, port, `disk${at}`, disk));
  const wwns = vhost ? disks.map((_, at) => `naa.500140500000000${at + 1}`) : [];
  const guests = wwns.flatMap((wwn, at) => [
    `/vhost create ${wwn}`,
    `/vhost/${wwn}/tpg1/luns create /backstores/${disks[at]!.kind}/disk${at}`,
  ]);
  await tcli(program, home, ['/ set global auto_add_default_portal=false', ...lines, ...guests]);
  const child = spawn(program, ['--home', home, 'serve', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => {
    log += data;
  });
  await listening(child, port);
  return {
    name,
    home,
    urls: targets.map((target) => `iscsi://127.0.0.1:${port}/${target}/0`),
    sockets: wwns.map((wwn) => join(home, 'run', `${wwn}.vhost`)),
    pid: child.pid!,
    log: () => log,
    async stop() {
      await end(child);
      rmSync(home, { recursive: true });
    },
  };
}

/** Lines that make a disk, and a target with it as LUN 0. */
export function openTarget(target: string, port: number | string, name: string, { kind, create }: Disk): string[] {
  const tpg = `/iscsi/${target}/tpg1`;
  return [
    `/backstores/${kind} create ${name} ${create}`,
    `/iscsi create ${target}`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    `${tpg} set attribute generate_node_acls=1 demo_mode_write_protect=0`,
    `${tpg}/luns create /backstores/${kind}/${name}`,
  ];
}

/** Runs lines in a process of their own. @throws Error with what it said when one fails */
export function tcli(program: string, home: string, lines: readonly string[]): Promise<void> {
  const words = ['--home', home, ...lines.flatMap((line) => ['-c', line])];
  return new Promise((resolve, reject) => {
    execFile(program, words, (error, _stdout, stderr) =>
      error ? reject(new Error(`${lines.join('; ')}: ${stderr || error.message}`)) : resolve(),
    );
  });
}

/** A target that somebody else started. */
export const peer = (url: string): Server => ({ name: url, urls: [url], pid: undefined, stop: async () => {} });

/** User and system time of all threads so far, in microseconds (proc(5): fields 14 and 15, in ticks of 10 ms). */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * 10_000;
}

/** Resident memory in MiB: its own, and what it has mapped of files in memory, which is the volumes' (proc(5)). */
export function memoryOf(pid: number): { own: number; mapped: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { own: mib('RssAnon') + mib('RssFile'), mapped: mib('RssShmem') };
}

/** How long the threads that a process has now have run so far, in milliseconds: finer than `cpuOf`, for processes that do little. */
export const busyMsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1e6,
    0,
  );

/** How long each thread of a process has waited for a processor so far, in milliseconds (proc(5): task/TID/schedstat). */
export function waitsOf(pid: number): Map<string, number> {
  const threads = readdirSync(`/proc/${pid}/task`);
  return new Map(
    threads.flatMap((thread) => {
      try {
        const [, waitedNs = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ');
        return [[thread, Number(waitedNs) / 1e6] as const];
      } catch {
        // The process ended meanwhile.
        return [];
      }
    }),
  );
}

async function listening(process: ChildProcess, port: number): Promise<void> {
  for (const start = Date.now(); Date.now() - start < startMs; ) {
    if (process.exitCode !== null || process.signalCode !== null) break;
    if (await answers(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  process.kill('SIGKILL');
  throw new Error(`${process.spawnargs.join(' ')}: does not listen on port ${port}`);
}

const answers = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    const say = (open: boolean) => {
      socket.destroy();
      done(open);
    };
    socket.once('connect', () => say(true)).once('error', () => say(false));
  });

/** tgtd does not end at SIGTERM while it has targets. */
async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGTERM');
  const late = setTimeout(() => process.kill('SIGKILL'), 2000);
  await ended;
  clearTimeout(late);
}
