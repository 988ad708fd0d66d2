// How fast this target is beside tgtd, on the same files and the same network, and for guests beside qemu-storage-daemon: `npm run bench`. In memory all servers are up at once
// and take turns, load by load; on disks (disks.ts) they take turns with one medium, and fio on it is the limit. A figure is
// the median over the rounds, a ratio the median of the rounds' ratios, so that what else the machine does meets all of them.
// CPU is the server's, of all its threads.

import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepAwake } from './awake.ts';
import { callsPerOperation } from './calls.ts';
import { type BuiltCommit, buildCommit } from './commit.ts';
import { diskLoads } from './disk-loads.ts';
import { measureDisks, titleOf } from './disks.ts';
import { type Load, loads } from './loads.ts';
import { fill, mediumNames } from './media.ts';
import { ownNetwork } from './network.ts';
import { print, printBeside, ratio, type Sample } from './samples.ts';
import { builtProgram, cpuOf, type Disk, memoryOf, peer, type Server, startTcli, startTgtd } from './servers.ts';
import { startStorageDaemon, vhostExport } from './storage-daemon.ts';
import { besides, buildFrontEnd, isVhost } from './vhost-load.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [''] },
    ours: { type: 'boolean', default: false },
    program: { type: 'string', default: builtProgram },
    against: { type: 'string', multiple: true, default: [] },
    isload: { type: 'string', default: process.env['ISLOAD'] ?? 'isload' },
    peer: { type: 'string', multiple: true, default: [] },
    network: { type: 'string', default: 'own' },
    disk: { type: 'string', default: tmpdir() },
    device: { type: 'string' },
    'disk-mib': { type: 'string', default: '2048' },
    awake: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
});

const lunBytes = 512 * 1024 * 1024;
const lunCount = 3;
/** Words of `qemu-img bench` that make it touch every byte of a LUN once. */
const whole = ['-f', 'raw', '-t', 'none', '-d', '32', '-s', '131072', '-c', String(lunBytes / 131072)];
/** Ratios to tgtd that are worse than the recorded ones by this factor fail `--check`. */
const tolerance = 0.8;
/** Programs of others that serve beside ours, unless `--ours` leaves them out. */
const others: readonly string[] = ['tgtd', 'qemu-storage-daemon'];
const recordFile = join(import.meta.dirname, '../../docs/performance.json');

const congestion = ownNetwork(options.network === 'own' && options.peer.length === 0);
const files = Array.from({ length: lunCount }, (_, at) => `/dev/shm/tcli-bench-${process.pid}-${at}.img`);
/** Resident memory of each process, in MiB, at most. */
const memory = new Map<number, number>();
const servers: Server[] = [];
const commits: BuiltCommit[] = [];
const isWanted = (title: string) => options.only.some((part) => title.includes(part));
const chosen = loads.filter(({ name }) => isWanted(name));
const onDisk =
  options.disk === 'none' ? [] : diskLoads.filter((load) => mediumNames.some((name) => isWanted(titleOf(load, name))));
if (chosen.length === 0 && onDisk.length === 0) {
  console.error(`No load has "${options.only.join('" or "')}" in its name. There are:`);
  for (const { name } of loads) console.error(`  ${name}`);
  for (const load of diskLoads) for (const name of mediumNames) console.error(`  ${titleOf(load, name)}`);
  process.exit(1);
}
let letHalt = (): void => {};
try {
  commits.push(...options.against.map(buildCommit));
  const programs = new Map([
    ['tcli', options.program],
    ...commits.map(({ name, program }) => [name, program] as const),
  ]);
  console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.versions.node}`);
  console.log(`TCP congestion control: ${congestion}`);
  console.log(options.awake ? 'cores are kept awake' : 'idle cores halt as the machine lets them');
  for (const client of new Set([...chosen, ...onDisk].map((load) => load.client)))
    if (!has(programOf({ client }))) console.log(`${client}: not installed, its loads are left out`);
  if (options.awake) letHalt = keepAwake();
  if (chosen.length > 0) await measureInMemory(programs);
  const runnable = onDisk.filter((load) => has(programOf(load)));
  if (runnable.length > 0)
    await measureDisks(runnable, {
      folder: options.disk,
      device: options.device,
      bytes: Number(options['disk-mib']) * 1024 * 1024,
      rounds: Number(options.rounds),
      seconds: Number(options.seconds),
      programs,
      has: serves,
      programOf,
      isWanted,
    });
} finally {
  letHalt();
  for (const commit of commits) commit.remove();
}

async function measureInMemory(programs: ReadonlyMap<string, string>): Promise<void> {
  try {
    for (const file of files) fill(file, lunBytes);
    await startAll(programs);
    await measure();
  } finally {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    for (const file of files) rmSync(file, { force: true });
  }
}

/** Starts our programs: a server on files and one in memory; those of another commit also have its name. */
async function startAll(programs: ReadonlyMap<string, string>): Promise<void> {
  if (serves('tgtd')) servers.push(await startTgtd(files));
  for (const [name, program] of programs) {
    const called = (kind: string) => (name === 'tcli' ? kind : `${kind} ${name}`);
    // A file is one process's.
    const own = name === 'tcli' ? files.slice(0, lunCount) : commitFiles(name);
    const vhost = name === 'tcli';
    const ramdisks = Array.from({ length: lunCount }, (): Disk => ({ kind: 'ramdisk', create: String(lunBytes) }));
    const onFiles = own.map((create): Disk => ({ kind: 'fileio', create }));
    for (const [kind, disks] of [['fileio', onFiles] as const, ['ramdisk', ramdisks] as const]) {
      const server = await startTcli(program, called(kind), disks, { vhost });
      servers.push(server);
      if (vhost && has('cc')) servers.push(besides(server, server.sockets, lunBytes));
    }
  }
  if (has('cc')) buildFrontEnd();
  if (has('cc') && serves('qemu-storage-daemon'))
    servers.push(await startStorageDaemon('storage-daemon vhost', vhostExport(files[0]!, lunBytes)));
  // Memory, and mappings of it, cost whoever touches them first.
  for (const { urls } of servers)
    for (const url of urls.filter((one) => !isVhost(one)))
      for (const words of [['-w'], []]) spawnSync('qemu-img', ['bench', ...words, ...whole, url]);
  servers.push(...options.peer.map(peer));
}

function commitFiles(name: string): string[] {
  const own = files.slice(0, lunCount).map((file) => `${file}.${name}`);
  files.push(...own);
  for (const file of own) fill(file, lunBytes);
  return own;
}

async function measure(): Promise<void> {
  const table = new Map<Load, Map<Server, Sample[]>>();
  for (const load of chosen) {
    const able = servers.filter((server) => server.urls.length >= load.luns && canMeasure(load, server));
    if (able.length === 0) continue;
    const samples = new Map(servers.map((server) => [server, [] as Sample[]]));
    table.set(load, samples);
    for (let round = 0; round < Number(options.rounds); round += 1)
      for (const server of able) samples.get(server)!.push(await sample(load, server));
    const calls = new Map<string, number>();
    if (has('strace'))
      for (const server of able)
        if (server.pid) calls.set(server.name, await callsPerOperation(server.pid, () => operations(load, server)));
    const named = new Map(Array.from(samples, ([{ name }, taken]) => [name, taken]));
    print(load.name, load.bytes, named, servers[0]!.name, calls);
    for (const { name: commit } of commits)
      for (const kind of ['fileio', 'ramdisk'])
        for (const way of ['', ' vhost']) printBeside(named, `${kind}${way}`, `${kind} ${commit}`);
  }
  for (const { name, pid } of servers)
    if (pid)
      console.log(
        `${name}: ${memory.get(pid)?.toFixed(0)} MiB resident at most, without ${memoryOf(pid).mapped.toFixed(0)} MiB ` +
          'of volumes in memory that it has mapped',
      );
  judge(table);
}

/** A vhost target is loaded by a front-end of ours, in the place of isload. */
function canMeasure(load: Load, { urls: [url = ''] }: Server): boolean {
  return isVhost(url) ? load.client === 'isload' : has(programOf(load));
}

function run(load: Load, server: Server) {
  return load.run(server.urls.slice(0, load.luns), Number(options.seconds), programOf(load));
}

async function operations(load: Load, server: Server): Promise<number> {
  return (await run(load, server)).iops * Number(options.seconds);
}

async function sample(load: Load, server: Server): Promise<Sample> {
  const before = server.pid ? cpuOf(server.pid) : Number.NaN;
  const start = performance.now();
  const figures = await run(load, server);
  const seconds = (performance.now() - start) / 1000;
  const spent = server.pid ? cpuOf(server.pid) - before : Number.NaN;
  if (server.pid) memory.set(server.pid, Math.max(memory.get(server.pid) ?? 0, memoryOf(server.pid).own));
  return { ...figures, cpu: spent / (figures.iops * seconds) };
}

/**
 * The ratios to tgtd beside the recorded ones, or in their place. Other work on the machine shows in the throughput
 * alone, a slower program in the throughput and in its CPU: only both together fail.
 */
function judge(table: ReadonlyMap<Load, ReadonlyMap<Server, readonly Sample[]>>): void {
  const [first] = servers;
  if (first?.name !== 'tgtd') return;
  const now: Record<string, Record<string, { iops: number; cpu: number }>> = {};
  for (const [{ name }, samples] of table)
    for (const [server, taken] of samples)
      if (server !== first && server.pid && taken.length > 0) {
        const of = (key: 'iops' | 'cpu') => Number(ratio(taken, samples.get(first)!, key).middle.toFixed(2));
        now[name] ??= {};
        now[name][server.name] = { iops: of('iops'), cpu: of('cpu') };
      }
  if (options.record) writeFileSync(recordFile, `${JSON.stringify(now, undefined, 2)}\n`);
  if (!options.check) return;
  const recorded = JSON.parse(readFileSync(recordFile, 'utf8')) as typeof now;
  for (const [load, ratios] of Object.entries(now))
    for (const [server, { iops, cpu }] of Object.entries(ratios)) {
      const before = recorded[load]?.[server];
      if (!before || iops >= before.iops * tolerance || cpu <= before.cpu / tolerance) continue;
      console.log(
        `${load}, ${server}: x${iops} of tgtd's throughput, x${cpu} of its CPU; recorded x${before.iops}, x${before.cpu}`,
      );
      process.exitCode = 1;
    }
}

function programOf({ client }: Pick<Load, 'client'>): string {
  return client === 'isload' ? options.isload : client;
}

/** Whether a program is there, and wanted. */
function serves(program: string): boolean {
  return has(program) && !(options.ours && others.includes(program));
}

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}
