/** The congestion control of a TCP connection (tcp(7), TCP_CONGESTION). */

import { readFileSync } from 'node:fs';
import { foreignCall } from './ffi.ts';

const IPPROTO_TCP = 6;
const TCP_CONGESTION = 13;

const setsockopt = foreignCall('setsockopt', 'int', ['int', 'int', 'int', 'const char *', 'int']);

/** Sets the control. @param fd a connected socket. A socket that cannot be changed, or takes no control of that name, stays as it is. */
export function setCongestionControl(fd: number, name: string): void {
  setsockopt()?.now(fd, IPPROTO_TCP, TCP_CONGESTION, name, name.length);
}

let machinePaces: boolean | undefined;

/**
 * Gives a connection of this machine with itself a control without pacing, where the machine's default paces (BBR): there is no
 * bottleneck to find, and pacing by timers makes 128 KiB reads 1.7 times slower.
 * @param fd a connected socket. A socket that cannot be changed stays as it is.
 */
export function stopPacing(fd: number): void {
  machinePaces ??= defaultControl().startsWith('bbr');
  if (machinePaces) setCongestionControl(fd, 'cubic');
}

function defaultControl(): string {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1');
  } catch {
    return '';
  }
}
