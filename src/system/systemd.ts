/** The protocol between systemd and a service that it starts: sd_notify(3), sd_listen_fds(3). */

import { spawn } from 'node:child_process';
import { foreignCall } from './ffi.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MSG_NOSIGNAL = 0x4000;
/** The place of the path in sockaddr_un, behind two bytes of family. */
const pathAt = 2;
const pathBytesMax = 108;

const socket = foreignCall('socket', 'int', ['int', 'int', 'int']);
const sendto = foreignCall('sendto', 'int64', ['int', 'uint8_t *', 'size_t', 'int', 'uint8_t *', 'uint32_t']);
const close = foreignCall('close', 'int', ['int']);

/** The first descriptor that is passed on. */
const listenFdsStart = 3;

interface InheritedSocket {
  readonly name: string;
  readonly fd: number;
}

export interface ServiceManager {
  /** Whether systemd has started this process. */
  readonly isThere: boolean;
  /** Sends assignments as in sd_notify(3): `READY=1`, `STATUS=…`. It never throws: nobody may be listening. */
  notify(...states: readonly string[]): void;
  /** The interval at which systemd wants `WATCHDOG=1`, in milliseconds; undefined: never. */
  readonly watchdogMs: number | undefined;
  /** Listening sockets that systemd opened, in its order. Their names are those of the unit, and several may share one. */
  readonly sockets: readonly InheritedSocket[];
}

/** Reads systemd's words. @param environment read and cleaned: systemd's words to us are not for our children */
export function serviceManager(environment: NodeJS.ProcessEnv, pid: number): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PID'])
    delete environment[name];
  const mine = (named: string | undefined) => named === undefined || Number(named) === pid;
  const watchdogMs = mine(WATCHDOG_PID) && Number(WATCHDOG_USEC) > 0 ? Number(WATCHDOG_USEC) / 1000 : undefined;
  const count = LISTEN_PID !== undefined && mine(LISTEN_PID) ? Number(LISTEN_FDS) || 0 : 0;
  const names = (LISTEN_FDNAMES ?? '').split(':');
  const sockets = Array.from({ length: count }, (_, at) => ({ name: names[at] || 'unknown', fd: listenFdsStart + at }));
  return {
    isThere: NOTIFY_SOCKET !== undefined || count > 0,
    notify: (...states) => NOTIFY_SOCKET && send(NOTIFY_SOCKET, states),
    watchdogMs,
    sockets,
  };
}

function send(path: string, states: readonly string[]): void {
  const open = socket()?.now(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (open === undefined) {
    // Where the C library cannot be called, systemd's own tool is; NotifyAccess=all lets it in.
    spawn('systemd-notify', states, { stdio: 'ignore', env: { ...process.env, NOTIFY_SOCKET: path } }).on(
      'error',
      () => {},
    );
    return;
  }
  const name = Buffer.from(path);
  if (open < 0 || name.length >= pathBytesMax) return;
  const address = Buffer.alloc(pathAt + name.length + 1);
  address.set(new Uint8Array(Uint16Array.of(AF_UNIX).buffer));
  name.copy(address, pathAt);
  // `@` stands for the abstract namespace, whose names have no end but their length.
  if (path.startsWith('@')) address[pathAt] = 0;
  const text = Buffer.from(states.join('\n'));
  const length = pathAt + name.length + (path.startsWith('@') ? 0 : 1);
  sendto()?.now(open, text, text.length, MSG_NOSIGNAL, address, length);
  close()?.now(open);
}
