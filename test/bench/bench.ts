// How fast this target is beside tgtd, on the same files and the same network: `npm run bench`.
// Servers are all up at once and take turns, load by load; a figure is the median over the rounds, a ratio the median
// of the rounds' ratios, so that what else the machine does meets all of them. CPU is the server's, of all its threads.

import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepAwake } from './awake.ts';
import { type Figures, type Load, loads } from './loads.ts';
import { ownNetwork } from './network.ts';
import { builtProgram, cpuOf, type Disk, memoryOf, peer, type Server, startTcli, startTgtd } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    program: { type: 'string', default: builtProgram },
    isload: { type: 'string', default: process.env['ISLOAD'] ?? 'isload' },
    peer: { type: 'string', multiple: true, default: [] },
    network: { type: 'string', default: 'own' },
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
const recordFile = join(import.meta.dirname, '../../docs/performance.json');

/** One run of a load against a server. */
interface Sample extends Figures {
  /** Microseconds of server CPU for each operation. */
  readonly cpu: number;
}

const congestion = ownNetwork(options.network === 'own' && options.peer.length === 0);
const files = Array.from({ length: lunCount }, (_, at) => `/dev/shm/tcli-bench-${process.pid}-${at}.img`);
/** Resident memory of each process, in MiB, at most. */
const memory = new Map<number, number>();
const servers: Server[] = [];
let letHalt = (): void => {};
try {
  for (const file of files) fill(file);
  await startAll();
  if (options.awake) letHalt = keepAwake();
  await measure();
} finally {
  letHalt();
  await Promise.all(servers.map((server) => server.stop()));
  for (const file of files) rmSync(file, { force: true });
}

async function startAll(): Promise<void> {
  if (has('tgtd')) servers.push(await startTgtd(files));
  const kept = files.map((create): Disk => ({ kind: 'fileio', create }));
  servers.push(await startTcli(options.program, 'fileio', kept));
  const disks = files.map((): Disk => ({ kind: 'ramdisk', create: String(lunBytes) }));
  const ramdisk = await startTcli(options.program, 'ramdisk', disks);
  servers.push(ramdisk);
  // Memory that was never written costs its first writer.
  for (const url of ramdisk.urls) spawnSync('qemu-img', ['bench', '-w', ...whole, url]);
  servers.push(...options.peer.map(peer));
}

async function measure(): Promise<void> {
  console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.versions.node}`);
  console.log(`TCP congestion control: ${congestion}`);
  console.log(options.awake ? 'cores are kept awake' : 'idle cores halt as the machine lets them');
  const chosen = loads.filter(({ name }) => name.includes(options.only));
  for (const client of new Set(chosen.map((load) => load.client)))
    if (!has(programOf(client))) console.log(`${client}: not installed, its loads are left out`);
  const runnable = chosen.filter(({ client }) => has(programOf(client)));
  const table = new Map<Load, Map<Server, Sample[]>>();
  for (const load of runnable) {
    const samples = new Map(servers.map((server) => [server, [] as Sample[]]));
    table.set(load, samples);
    for (let round = 0; round < Number(options.rounds); round += 1)
      for (const [server, taken] of samples)
        if (server.urls.length >= load.luns) taken.push(await sample(load, server));
    print(load, samples);
  }
  for (const { name, pid } of servers)
    if (pid)
      console.log(
        `${name}: ${memory.get(pid)?.toFixed(0)} MiB resident at most, without ${memoryOf(pid).mapped.toFixed(0)} MiB ` +
          'of volumes in memory that it has mapped',
      );
  judge(table);
}

async function sample(load: Load, server: Server): Promise<Sample> {
  const before = server.pid ? cpuOf(server.pid) : Number.NaN;
  const start = performance.now();
  const figures = await load.run(server.urls.slice(0, load.luns), Number(options.seconds), programOf(load.client));
  const seconds = (performance.now() - start) / 1000;
  const spent = server.pid ? cpuOf(server.pid) - before : Number.NaN;
  if (server.pid) memory.set(server.pid, Math.max(memory.get(server.pid) ?? 0, memoryOf(server.pid).own));
  return { ...figures, cpu: spent / (figures.iops * seconds) };
}

function print(load: Load, samples: ReadonlyMap<Server, readonly Sample[]>): void {
  console.log(`\n${load.name}`);
  const base = samples.get(servers[0]!) ?? [];
  for (const [{ name }, taken] of samples) {
    if (taken.length === 0) continue;
    const iops = median(taken.map((one) => one.iops));
    const parts = [
      `${(iops / 1000).toFixed(1)}k/s`.padStart(9),
      `${((iops * load.bytes) / 1e6).toFixed(0)} MB/s`.padStart(10),
      `x${ratio(taken, base, 'iops').toFixed(2)}`.padStart(7),
      `${median(taken.map((one) => one.cpu)).toFixed(1)} us`.padStart(9),
      `x${ratio(taken, base, 'cpu').toFixed(2)}`.padStart(7),
      taken[0]?.p99
        ? `p50 ${median(taken.map((one) => one.p50 ?? 0)).toFixed(0)} p99 ${median(taken.map((one) => one.p99 ?? 0)).toFixed(0)} us`
        : '',
    ];
    console.log(`  ${name.padEnd(10)}${parts.join(' ')}`);
  }
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
        const of = (key: 'iops' | 'cpu') => Number(ratio(taken, samples.get(first)!, key).toFixed(2));
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

function ratio(taken: readonly Sample[], base: readonly Sample[], key: 'iops' | 'cpu'): number {
  return median(taken.map((one, round) => one[key] / (base[round]?.[key] ?? Number.NaN)));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function programOf(client: Load['client']): string {
  return client === 'isload' ? options.isload : client;
}

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** No holes, and no two blocks the same. */
function fill(file: string): void {
  const piece = randomFillSync(new Uint8Array(1024 * 1024));
  for (let done = 0; done < lunBytes; done += piece.length)
    writeFileSync(file, piece, { flag: done === 0 ? 'w' : 'a' });
}
