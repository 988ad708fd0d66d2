/** The user of a process: its name, the user who logged in to become that one, its terminal, and the address from which somebody sits at it. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** The known facts of a process; unknown ones are absent. */
export interface Caller {
  readonly user: string;
  /** The user who logged in, where that is another one. */
  readonly login?: string;
  /** The terminal: `pts/3`. */
  readonly terminal?: string;
  /** The address that an SSH session came from. */
  readonly address?: string;
}

/** The value of proc_pid_loginuid(5) when nobody has logged in. */
const noLogin = 0xffff_ffff;
/** The majors of terminals in Linux's devices.txt, with the name and the first minor that it counts from. */
const terminals: Readonly<Record<number, readonly [name: string, first: number]>> = {
  4: ['tty', 0],
  204: ['ttyAMA', 64],
  229: ['hvc', 0],
};
/** Pseudo terminals have eight majors, of 256 minors each. */
const [ptsMajor, ptsMajors, minorsOfMajor] = [136, 8, 256];
/** The minor from which a tty of major 4 is a serial line. */
const serialMinor = 64;

/** The facts of a process. @param pid of a process that runs, or has run a moment ago */
export function callerOf(pid: number, uid: number): Caller {
  const environment = readProc(pid, 'environ').split('\0');
  const variable = (name: string) => environment.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  const user = userNamed(uid);
  const loginUid = Number(readProc(pid, 'loginuid').trim() || noLogin);
  // Where the kernel does not keep the login, sudo says it; only a user who may be root can forge that.
  const login = loginUid === noLogin ? (uid === 0 ? variable('SUDO_USER') : undefined) : userNamed(loginUid);
  const terminal = terminalOf(readProc(pid, 'stat'));
  const address = /^([0-9a-fA-F.:]+)(?:%\S+)? /.exec(variable('SSH_CONNECTION') ?? '')?.[1];
  return {
    user,
    ...(login !== undefined && login !== user && { login }),
    ...(terminal !== undefined && { terminal }),
    ...(address !== undefined && { address }),
  };
}

/** The facts of this process. */
export const ownCaller = (): Caller => callerOf(process.pid, process.getuid?.() ?? 0);

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

/** proc_pid_stat(5): the controlling terminal is the fifth field behind the name, which may have blanks and brackets in it. */
function terminalOf(stat: string): string | undefined {
  const device = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] ?? 0);
  if (!(device > 0)) return undefined;
  const [major, minor] = [(device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00)];
  const pts = major - ptsMajor;
  if (pts >= 0 && pts < ptsMajors) return `pts/${pts * minorsOfMajor + minor}`;
  if (major === 4 && minor >= serialMinor) return `ttyS${minor - serialMinor}`;
  const named = terminals[major];
  return named && `${named[0]}${minor - named[1]}`;
}

const names = new Map<number, string>();

/** The name of a user; the number where there is none. */
export function userNamed(uid: number): string {
  const known = names.get(uid);
  if (known !== undefined) return known;
  if (uid === process.geteuid?.()) return userInfo().username;
  // getent(1) asks all sources of this machine: files, LDAP …
  const { stdout } = spawnSync('getent', ['passwd', String(uid)], { encoding: 'utf8' });
  const name = /^([^:]+):/.exec(stdout ?? '')?.[1] ?? String(uid);
  names.set(uid, name);
  return name;
}
