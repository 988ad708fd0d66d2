// The loads for a target whose medium is a disk, and for fio on the same medium.

import { isload, type Load, qemuImg } from './loads.ts';

export interface DiskLoad extends Load {
  readonly depth: number;
  /** The way of fio that ratios are taken to. */
  readonly limit: 'fio direct' | 'fio cached';
  /** Words of fio for the same. */
  readonly fio: readonly string[];
}

const KiB = 1024;
/** Steps of writes through the medium, of fio as well: no two in a row touch. */
const stride = 272 * KiB;
const strided = (bytes: number) => `--rw=write:${stride - bytes}`;

const coldReads = (mode: 'read' | 'randread', bytes: number, depth: number): DiskLoad => ({
  ...isload(`cold ${mode} ${bytes / KiB}k qd${depth}`, mode, bytes, depth),
  depth,
  limit: 'fio direct',
  fio: [`--rw=${mode}`],
});

export const diskLoads: readonly DiskLoad[] = [
  coldReads('randread', 4 * KiB, 1),
  coldReads('randread', 4 * KiB, 32),
  coldReads('randread', 4 * KiB, 128),
  coldReads('read', 128 * KiB, 32),
  {
    ...qemuImg(
      'write 16k qd8, SYNCHRONIZE CACHE after 8',
      16 * KiB,
      8,
      3000,
      ...['-w', '-S', String(stride)],
      // Writes go on beside a flush, as those of fio do.
      ...['--flush-interval=8', '--no-drain'],
    ),
    depth: 8,
    limit: 'fio cached',
    fio: [strided(16 * KiB), '--fdatasync=8'],
  },
  {
    ...qemuImg(
      'write 16k qd32, SYNCHRONIZE CACHE after 32',
      16 * KiB,
      32,
      6000,
      ...['-w', '-S', String(stride)],
      ...['--flush-interval=32', '--no-drain'],
    ),
    depth: 32,
    limit: 'fio cached',
    fio: [strided(16 * KiB), '--fdatasync=32'],
  },
  {
    // QEMU says FUA where its cache is `writethrough`.
    ...qemuImg('write 4k qd8, FUA', 4 * KiB, 8, 3000, ...['-w', '-S', String(stride)], '-t', 'writethrough'),
    depth: 8,
    limit: 'fio direct',
    fio: [strided(4 * KiB), '--sync=dsync'],
  },
];
