// The loads of disk-loads.ts on each medium. There is one file or device, and who is measured takes turns with it: each is
// started, runs all loads, and ends, in every round.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { callsPerOperation } from './calls.ts';
import type { DiskLoad } from './disk-loads.ts';
import { fio } from './fio.ts';
import type { Figures } from './loads.ts';
import { type BenchMedium, makeMedia } from './media.ts';
import { print, printBeside, type Sample } from './samples.ts';
import { cpuOf, type Server, startTcli, startTgtd } from './servers.ts';
import { nbdExport, startStorageDaemon } from './storage-daemon.ts';

export interface DiskOptions {
  /** A folder on a disk. */
  readonly folder: string;
  readonly device: string | undefined;
  readonly bytes: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Programs of ours, by the name that they have in the table. */
  readonly programs: ReadonlyMap<string, string>;
  readonly has: (program: string) => boolean;
  readonly programOf: (load: DiskLoad) => string;
  /** @returns whether a load on this medium is wanted */
  readonly isWanted: (title: string) => boolean;
}

const warmSeconds = 1;

export const titleOf = (load: DiskLoad, medium: string): string => `${load.name}, ${medium}`;

export async function measureDisks(loads: readonly DiskLoad[], options: DiskOptions): Promise<void> {
  const folder = mkdtempSync(join(options.folder, 'tcli-bench-'));
  const media = makeMedia(folder, options.bytes, options.device);
  try {
    for (const medium of media) {
      const wanted = loads.filter((load) => options.isWanted(titleOf(load, medium.name)));
      if (wanted.length > 0) await measureMedium(medium, wanted, options);
    }
  } finally {
    for (const medium of media) medium.remove();
    rmSync(folder, { recursive: true });
  }
}

async function measureMedium(medium: BenchMedium, loads: readonly DiskLoad[], options: DiskOptions): Promise<void> {
  const { rounds, seconds, has } = options;
  const table = new Map(loads.map((load) => [load, new Map<string, Sample[]>()]));
  const calls = new Map(loads.map((load) => [load, new Map<string, number>()]));
  const take = (load: DiskLoad, name: string, sample: Sample) => {
    const samples = table.get(load)!;
    samples.set(name, [...(samples.get(name) ?? []), sample]);
  };
  for (let round = 0; round < rounds; round += 1) {
    if (has('fio'))
      for (const load of loads)
        for (const name of ['fio direct', 'fio cached'] as const) {
          medium.evict();
          take(load, name, await fio({ path: medium.path, direct: name === 'fio direct' }, load, seconds));
        }
    for (const start of startersOf(medium, options)) {
      const server = await start();
      try {
        // A program that has just begun is slower than it will be.
        for (const load of loads) await runOn(server, load, warmSeconds, options);
        for (const load of loads) {
          const run = (time: number) => runOn(server, load, time, options);
          medium.evict();
          const before = cpuOf(server.pid!);
          const begin = performance.now();
          const figures = await run(seconds);
          const elapsed = (performance.now() - begin) / 1000;
          take(load, server.name, { ...figures, cpu: (cpuOf(server.pid!) - before) / (figures.iops * elapsed) });
          if (round > 0 || !has('strace')) continue;
          medium.evict();
          const count = async () => (await run(seconds)).iops * seconds;
          calls.get(load)!.set(server.name, await callsPerOperation(server.pid!, count));
        }
      } finally {
        await server.stop();
      }
    }
  }
  for (const load of loads) {
    const samples = table.get(load)!;
    print(titleOf(load, medium.name), load.bytes, samples, has('fio') ? load.limit : 'tcli', calls.get(load)!);
    for (const commit of options.programs.keys())
      if (commit !== 'tcli') for (const name of ['tcli', 'tcli direct']) printBeside(samples, name, commit);
  }
}

/** Runs a load; where the client of the load speaks iSCSI alone, fio is the client of an NBD server. */
function runOn({ urls }: Server, load: DiskLoad, seconds: number, { programOf }: DiskOptions): Promise<Figures> {
  const [uri = ''] = urls;
  return uri.startsWith('nbd') && load.client === 'isload'
    ? fio({ uri }, load, seconds)
    : load.run(urls, seconds, programOf(load));
}

function startersOf({ kind, path }: BenchMedium, { programs, has }: DiskOptions): (() => Promise<Server>)[] {
  return [
    ...Array.from(
      programs,
      ([name, program]) =>
        () =>
          startTcli(program, name, [{ kind, create: path }]),
    ),
    () => startTcli(programs.get('tcli')!, 'tcli direct', [{ kind, create: `${path} direct=true` }]),
    ...(has('tgtd') ? [() => startTgtd([path])] : []),
    ...(has('qemu-storage-daemon') ? [() => startStorageDaemon('storage-daemon', nbdExport(path))] : []),
  ];
}
