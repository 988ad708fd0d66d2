// `npm run bench:ceph`: an image of a Ceph cluster of its own (one monitor, one OSD) by librbd in this process, by qemu-nbd, and by
// fio's rbd engine, which is the limit: the same loads, in turns. Printed: medians of operations in a second, the median of the
// rounds' ratios to fio, CPU for one operation. `--rounds N`, `--seconds N`.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Volume } from '../../src/backstore/backstore.ts';
import { openQemuVolume } from '../../src/backstore/qemu-nbd.ts';
import { userRbd } from '../../src/backstore/user-rbd.ts';
import { TestCluster } from '../support/ceph.ts';
import { median } from './samples.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '3' } },
});
const seconds = Number(values.seconds);
const imageBytes = 256 * 1024 ** 2;
const tickMs = 10;

interface Load {
  readonly name: string;
  readonly writes: boolean;
  readonly bytes: number;
  readonly depth: number;
}
const loads: readonly Load[] = [
  { name: 'randread 4k qd1', writes: false, bytes: 4096, depth: 1 },
  { name: 'randread 4k qd32', writes: false, bytes: 4096, depth: 32 },
  { name: 'randwrite 4k qd32', writes: true, bytes: 4096, depth: 32 },
  { name: 'randread 128k qd32', writes: false, bytes: 131_072, depth: 32 },
];

/** The figures of one run. CPU is that of the client's side: this process, and the server that it started. */
interface Sample {
  readonly perSecond: number;
  readonly cpuUs: number;
}

async function drive(volume: Volume, { writes, bytes, depth }: Load, otherCpuUs: () => number): Promise<Sample> {
  const end = performance.now() + seconds * 1000;
  const [cpu, other] = [process.cpuUsage(), otherCpuUs()];
  let done = 0;
  const one = async () => {
    const buffer = Buffer.alloc(bytes, 1);
    while (performance.now() < end) {
      const position = Math.floor(Math.random() * (imageBytes / bytes)) * bytes;
      await (writes ? volume.write(buffer, position, false) : volume.read(buffer, position));
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: depth }, one));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: done / seconds, cpuUs: (user + system + otherCpuUs() - other) / done };
}

/** proc(5): user and system time of our qemu-nbd, in ticks. */
function cpuOfServer(): number {
  const pid = execFileSync('pgrep', ['-P', String(process.pid), 'qemu-nbd'], { encoding: 'utf8' }).trim();
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs * 1000;
}

function fio({ writes, bytes, depth }: Load, conf: string, image: string): Sample {
  const words = [
    ...['--name=x', '--ioengine=rbd', '--clientname=admin', '--pool=rbd', `--rbdname=${image}`, `--bs=${bytes}`],
    ...[`--rw=${writes ? 'randwrite' : 'randread'}`, `--iodepth=${depth}`, `--runtime=${seconds}`, '--time_based'],
    ...['--output-format=json', '--norandommap'],
  ];
  const env = { ...process.env, CEPH_CONF: conf, CEPH_ARGS: '--rbd_cache=false', TIMEFORMAT: '%U %S' };
  // fio's own figures of CPU are those of one thread.
  const timed = ['-c', 'time fio "$@" 2>/dev/null', 'fio', ...words];
  const { stdout, stderr } = spawnSync('bash', timed, { encoding: 'utf8', env });
  const [job] = JSON.parse(stdout.slice(stdout.indexOf('{'))).jobs;
  const { iops, total_ios: done } = writes ? job.write : job.read;
  const cpuSeconds = stderr
    .trim()
    .split(' ')
    .reduce((sum, one) => sum + Number(one), 0);
  return { perSecond: iops, cpuUs: (cpuSeconds / done) * 1e6 };
}

const cluster = await TestCluster.start();
try {
  const image = 'bench';
  await cluster.makeImage(image, imageBytes);
  const config = { config: `rbd/${cluster.cfgstring(image)}`, size: imageBytes };
  const filled = await userRbd.open(config);
  for (let at = 0; at < imageBytes; at += 4 * 1024 ** 2) await filled.write(Buffer.alloc(4 * 1024 ** 2, 1), at, false);
  await filled.close();
  const engines = {
    fio: async (load: Load) => fio(load, cluster.conf, image),
    async librbd(load: Load) {
      const volume = await userRbd.open(config);
      return drive(volume, load, () => 0).finally(() => volume.close());
    },
    async 'qemu-nbd'(load: Load) {
      const node = { driver: 'rbd', pool: 'rbd', image, conf: cluster.conf };
      const volume = await openQemuVolume({ driver: 'raw', file: node }, imageBytes);
      return drive(volume, load, cpuOfServer).finally(() => volume.close());
    },
  };
  for (const load of loads) {
    const rounds: Record<keyof typeof engines, Sample>[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const [limit, librbd, nbd] = [
        await engines.fio(load),
        await engines.librbd(load),
        await engines['qemu-nbd'](load),
      ];
      rounds.push({ fio: limit, librbd, 'qemu-nbd': nbd });
    }
    const cells = (Object.keys(engines) as (keyof typeof engines)[]).map((name) => {
      const of = (what: (one: Sample, round: (typeof rounds)[number]) => number) =>
        median(rounds.map((round) => what(round[name], round)));
      const ratio = of(({ perSecond }, round) => perSecond / round.fio.perSecond);
      return `${name} ${Math.round(of(({ perSecond }) => perSecond))}/s x${ratio.toFixed(2)} ${of(({ cpuUs }) => cpuUs).toFixed(0)} us`;
    });
    console.log(`${load.name.padEnd(20)} ${cells.join('   ')}`);
  }
} finally {
  await cluster.stop();
}
process.exit(0);
