// fio: on the medium itself, by io_uring from one process, which is what the disk gives and so what a server could at most; or as a
// client of an NBD server.

import { execFile } from 'node:child_process';
import type { DiskLoad } from './disk-loads.ts';
import type { Sample } from './samples.ts';

interface Report {
  readonly jobs: readonly {
    readonly job_runtime: number;
    readonly usr_cpu: number;
    readonly sys_cpu: number;
    readonly read: Direction;
    readonly write: Direction;
  }[];
}

interface Direction {
  readonly iops: number;
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
}

/** A medium of fio. */
export type FioMedium = { readonly path: string; readonly direct: boolean } | { readonly uri: string };

export function fio(medium: FioMedium, load: DiskLoad, seconds: number): Promise<Sample> {
  const words = [
    '--name=bench',
    '--output-format=json',
    '--time_based',
    ...('uri' in medium
      ? ['--ioengine=nbd', `--uri=${medium.uri}`]
      : ['--ioengine=io_uring', `--filename=${medium.path}`, `--direct=${medium.direct ? 1 : 0}`]),
    `--runtime=${seconds}`,
    `--bs=${load.bytes}`,
    `--iodepth=${load.depth}`,
    // A block device has its size, and a file, too.
    '--invalidate=0',
    ...load.fio,
  ];
  return new Promise((resolve, reject) =>
    execFile('fio', words, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error) return reject(new Error(`fio ${words.join(' ')}: ${stderr || error.message}`));
      const [job] = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as Report).jobs;
      const direction = load.fio.some((word) => word.includes('write')) ? job!.write : job!.read;
      const at = (percentile: string) => (direction.clat_ns.percentile?.[percentile] ?? Number.NaN) / 1000;
      resolve({
        iops: direction.iops,
        p50: at('50.000000'),
        p99: at('99.000000'),
        cpu: ((job!.usr_cpu + job!.sys_cpu) / 100 / direction.iops) * 1e6,
      });
    }),
  );
}
