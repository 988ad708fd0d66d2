// The loads for a target: each load is one record, run by a client that initiators' users know, or by a lean one.

import { output } from './output.ts';
import { isVhost, runFrontEnd } from './vhost-load.ts';

/** The figures that a client measured; a figure that it does not give is absent. */
export interface Figures {
  readonly iops: number;
  /** Microseconds. */
  readonly p50?: number;
  readonly p99?: number;
}

export interface Load {
  readonly name: string;
  /** The program it needs. */
  readonly client: 'isload' | 'iscsi-perf' | 'qemu-img';
  /** Bytes per operation. */
  readonly bytes: number;
  /** LUNs that are loaded at once; the first one otherwise. */
  readonly luns: number;
  run(urls: readonly string[], seconds: number, program: string): Promise<Figures>;
}

const KiB = 1024;

/** isload: raw PDUs from one thread in C, so that little of what is measured is the client. Of a vhost target, a front-end of ours in its place. */
export function isload(name: string, mode: string, bytes: number, depth: number, luns = 1): Load {
  return {
    name,
    client: 'isload',
    bytes,
    luns,
    async run(urls, seconds, program) {
      const figuresOf = (text: string): Figures => {
        const figure = (key: string) => Number(new RegExp(`\\b${key}=([\\d.]+)`).exec(text)?.[1] ?? Number.NaN);
        return { iops: figure('iops'), p50: figure('p50'), p99: figure('p99') };
      };
      const [first = ''] = urls;
      if (isVhost(first)) return figuresOf(await runFrontEnd(first, mode, bytes, depth, seconds));
      const parts = urls.map(partsOf);
      const { host, port, lun } = parts[0]!;
      const targets = parts.map(({ target }) => target).join(',');
      const words = [
        '-h',
        host,
        '-P',
        port,
        '-t',
        targets,
        '-l',
        lun,
        '-m',
        mode,
        '-b',
        bytes,
        '-q',
        depth,
        '-s',
        seconds,
      ];
      return figuresOf(await output(program, words.map(String)));
    },
  };
}

function iscsiPerf(name: string, bytes: number, depth: number, ...more: string[]): Load {
  return {
    name,
    client: 'iscsi-perf',
    bytes,
    luns: 1,
    async run([url = ''], seconds, program) {
      const words = ['-m', String(depth), '-b', String(bytes / 512), '-t', String(Math.ceil(seconds)), ...more, url];
      const text = await output(program, words);
      const averages = [...text.matchAll(/iops average (\d+)/g)];
      return { iops: Number(averages.at(-1)?.[1] ?? Number.NaN) };
    },
  };
}

/** qemu-img bench takes a number of requests and no time; it goes from the start of the LUN in steps, and around. */
export function qemuImg(
  name: string,
  bytes: number,
  depth: number,
  requestsPerSecond: number,
  ...more: string[]
): Load {
  return {
    name,
    client: 'qemu-img',
    bytes,
    luns: 1,
    async run([url = ''], seconds, program) {
      const count = Math.ceil(requestsPerSecond * seconds);
      const words = ['bench', '-f', 'raw', '-t', 'none', '-d', depth, '-s', bytes, '-c', count, ...more, url];
      const text = await output(program, words.map(String));
      return { iops: count / Number(/completed in ([\d.]+) seconds/.exec(text)?.[1] ?? Number.NaN) };
    },
  };
}

export const loads: readonly Load[] = [
  isload('read 128k qd32', 'read', 128 * KiB, 32),
  isload('write 128k qd32', 'write', 128 * KiB, 32),
  isload('randread 4k qd1', 'randread', 4 * KiB, 1),
  isload('randread 4k qd32', 'randread', 4 * KiB, 32),
  isload('randread 4k qd128', 'randread', 4 * KiB, 128),
  isload('randwrite 4k qd32', 'randwrite', 4 * KiB, 32),
  isload('randwrite 4k qd128', 'randwrite', 4 * KiB, 128),
  isload('randread 16k qd128 x3', 'randread', 16 * KiB, 128, 3),
  iscsiPerf('iscsi-perf read 128k qd32', 128 * KiB, 32),
  iscsiPerf('iscsi-perf randread 4k qd32', 4 * KiB, 32, '-r'),
  qemuImg('qemu-img read 4k qd32', 4 * KiB, 32, 60_000),
  qemuImg('qemu-img write 4k qd32', 4 * KiB, 32, 50_000, '-w'),
  qemuImg('qemu-img read 128k qd32', 128 * KiB, 32, 8000),
  qemuImg('qemu-img write 128k qd32', 128 * KiB, 32, 7000, '-w'),
];

function partsOf(url: string): { host: string; port: string; target: string; lun: string } {
  const [, host = '', port = '3260', target = '', lun = '0'] =
    /^iscsi:\/\/([^:/]+)(?::(\d+))?\/([^/]+)\/(\d+)$/.exec(url) ?? [];
  return { host, port, target, lun };
}
