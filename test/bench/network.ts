// The network that both sides are measured on: the loopback device with one congestion control for all.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const inside = 'TCLI_BENCH_NAMESPACE';

/** A loopback device of our own, whose connections use the algorithm that nearly every Linux has as its default. */
const enter = `ip link set lo up &&
ip route replace local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1 congctl cubic &&
exec "$@"`;

/**
 * Runs this program again in a network namespace of its own and ends with its status, where that can be had.
 * @returns the congestion control in use, when this is that run, or there is none
 */
export function ownNetwork(wanted: boolean): string {
  const own = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').trim();
  if (process.env[inside]) return 'cubic, in a network namespace of its own';
  const unshare = ['--net', 'sh', '-c', enter, 'sh'];
  if (!wanted || spawnSync('unshare', [...unshare, 'true'], { stdio: 'ignore' }).status !== 0)
    return `the machine's (${own})`;
  const { status } = spawnSync('unshare', [...unshare, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [inside]: '1' },
  });
  process.exit(status ?? 1);
}
