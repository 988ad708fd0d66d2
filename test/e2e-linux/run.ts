// `npm run e2e:linux [SCENARIO…]`: the Linux initiator (open-iscsi in User Mode Linux) against `tcli serve`. One guest runs
// every scenario; what a scenario wants of this machine (cut a path, restart the target) it asks for over TCP.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const here = import.meta.dirname;
const program = resolve(here, '../../dist/tcli.js');
const guestDirectory = process.env['GUEST_DIR'] ?? join(homedir(), '.cache/tcli-guest');
/** The limit of one scenario, in seconds: it ends a scenario that hangs, and is far from the time that the slowest machine needs. */
const scenarioLimit = 300;
/** The guest says a word at least at the end of each scenario, and when it has started. */
const silenceMs = (scenarioLimit + 120) * 1000;
const iqn = (name: string) => `iqn.2003-01.org.example:${name}`;

function noGuest(): number {
  console.error(
    `there is no guest in ${guestDirectory}; build it (as root, two minutes): test/e2e-linux/build-guest.sh`,
  );
  return 1;
}

async function main(scenarios: readonly string[]): Promise<number> {
  const unknown = scenarios.filter((name) => !existsSync(join(here, 'scenarios', `${name}.sh`)));
  if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(', ')}`);
  const home = await mkdtemp(join(tmpdir(), 'tcli-e2e-linux-'));
  const port = await freePort();
  await configure(home, port);
  let target = await startTarget(home);
  const secondPath = new Path(port);
  // Where tgt's programs, or a tcli in their place, are run.
  const tgt = join(home, 'tgt');
  await mkdir(tgt);
  const tgtEnvironment = {
    ...process.env,
    TCLI: `${process.execPath} ${program}`,
    TGT_IPC_SOCKET: join(tgt, 'socket'),
    PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
  };
  const control = await answer({
    cut: () => secondPath.cut(),
    mend: () => secondPath.mend(),
    allocated: async () => String((await stat(join(home, 'disk0.img'))).blocks * 512),
    host: async (line) => {
      const { stdout } = await run('bash', ['-c', line], { cwd: tgt, env: tgtEnvironment });
      return stdout.trim() || undefined;
    },
    tell: async (line) => {
      const { stdout } = await run(process.execPath, [program, '--home', home, '-c', line]);
      return stdout.trim();
    },
    restart: async () => {
      await ended(target, 'SIGKILL');
      target = await startTarget(home);
    },
  });
  try {
    await secondPath.mend();
    return await runGuest({
      PORT: port,
      SECOND_PORT: secondPath.port,
      THIRD_PORT: await freePort(),
      CONTROL: portOf(control),
      LIMIT: scenarioLimit,
      ONLY: `'${scenarios.join(' ')}'`,
      NODE: await realpath(process.execPath),
      PROGRAM: program,
    });
  } finally {
    control.close();
    await secondPath.cut();
    await ended(target, 'SIGTERM');
    // Processes that a failed scenario has left are ended.
    const leave = '[ ! -f tgtd.pid ] || kill -9 $(cat tgtd.pid); $TCLI --home $PWD/home daemon stop --force';
    await run('bash', ['-c', leave], { cwd: tgt, env: tgtEnvironment }).catch(() => {});
    await rm(home, { recursive: true, force: true });
  }
}

/** Targets: `disks` has four LUNs that differ, `one-way` and `mutual` a disk behind CHAP. */
async function configure(home: string, port: number): Promise<void> {
  const chap = 'auth userid=alice password=one-way-secret';
  const target = (name: string, ...lines: string[]) => [
    `/iscsi create ${iqn(name)}`,
    `/iscsi/${iqn(name)}/tpg1/portals create 127.0.0.1 ${port}`,
    `/iscsi/${iqn(name)}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
    `/iscsi/${iqn(name)}/tpg1 set parameter InitialR2T=No`,
    ...lines.map((line) => `/iscsi/${iqn(name)}/tpg1${line}`),
  ];
  const lines = [
    `/backstores/fileio create disk0 ${home}/disk0.img 400M`,
    '/backstores/fileio/disk0 set attribute emulate_tpu=1 max_unmap_block_desc_count=32',
    '/backstores/ramdisk create disk1 64M',
    '/backstores/ramdisk create disk2 64M',
    '/backstores/ramdisk/disk2 set attribute block_size=4096',
    '/backstores/ramdisk create disk3 16M',
    '/backstores/ramdisk/disk3 set attribute read_only=1',
    '/ set global auto_add_default_portal=false',
    ...target(
      'disks',
      '/luns create /backstores/fileio/disk0',
      '/luns create /backstores/ramdisk/disk1',
      '/luns create /backstores/ramdisk/disk2',
      '/luns create /backstores/ramdisk/disk3',
    ),
    ...target('one-way', '/luns create /backstores/ramdisk/disk1', ' set attribute authentication=1', ` set ${chap}`),
    ...target(
      'mutual',
      '/luns create /backstores/ramdisk/disk1',
      ' set attribute authentication=1',
      ` set ${chap} mutual_userid=target mutual_password=the-other-secret`,
    ),
  ];
  await run(process.execPath, [program, '--home', home, ...lines.flatMap((line) => ['-c', line])]);
}

async function startTarget(home: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise<void>((ready, fail) => {
    child.stdout.on('data', (data) => String(data).includes('Serving') && ready());
    child.once('exit', (status) => fail(new Error(`tcli serve ended with ${status}`)));
  });
  return child;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.removeAllListeners('exit');
  const exit = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await exit;
}

/** A second way to the target that can be cut: a port of its own, and every byte passed on. */
class Path {
  readonly #target: number;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  port = 0;

  constructor(target: number) {
    this.#target = target;
  }

  mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#target, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.setNoDelay(true);
        one.pipe(other);
        one.on('error', () => other.destroy()).on('close', () => this.#sockets.delete(one) && other.destroy());
      }
    });
    this.#server = server;
    return new Promise((done) => {
      server.listen(this.port, '127.0.0.1', () => {
        this.port = portOf(server);
        done();
      });
    });
  }

  async cut(): Promise<void> {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Answers what scenarios ask for: a line each way. */
function answer(requests: Readonly<Record<string, (rest: string) => Promise<unknown>>>): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (line) => {
      const [word = '', ...rest] = String(line).trim().split(' ');
      const request = requests[word];
      if (!request) socket.end('no such request\n');
      else
        request(rest.join(' ')).then(
          (text) => socket.end(`${text ?? 'done'}\n`),
          (error: unknown) => socket.end(`${error}\n`),
        );
    });
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

/** Boots the guest, shows what it prints, and waits for its end. @returns the exit status of the scenarios */
async function runGuest(variables: Readonly<Record<string, string | number>>): Promise<number> {
  const share = await mkdtemp(join(tmpdir(), 'tcli-guest-'));
  for (const name of ['initiator.sh', 'main.sh', 'scenarios'])
    await cp(join(here, name), join(share, name), { recursive: true });
  const settings = Object.entries(variables).map(([name, value]) => `export ${name}=${value}\n`);
  await cp(join(here, 'main.sh'), join(share, 'scenarios.sh'));
  await writeFile(join(share, 'main.sh'), `${settings.join('')}. /mnt/share/scenarios.sh\n`);
  const uml = join(guestDirectory, 'uml/usr');
  const slirp = join(share, 'slirp');
  const shim = (name: string) => join(guestDirectory, `${name}.so`);
  await writeFile(
    slirp,
    `#!/bin/sh\nLD_PRELOAD=${shim('nodelay')} exec ${uml}/bin/slirp-fullbolt 'host addr 10.0.2.2' "$@" 2>/dev/null\n`,
    {
      mode: 0o755,
    },
  );
  const modules = join(uml, 'lib/uml/modules', readdirSync(join(uml, 'lib/uml/modules'))[0] ?? '');
  const words = [
    ...['mem=768M', `ubda=${share}/cow,${guestDirectory}/root.img`, 'root=/dev/ubda', 'rw', 'init=/sbin/guest-init'],
    ...[`uml_dir=${share}`, 'umid=guest', 'con=null', 'con0=fd:0,fd:1', 'ssl=null', 'quiet', `eth0=slirp,,${slirp}`],
    ...[`guest.share=${share}`, `guest.modules=${modules}`, `guest.now=${Math.floor(Date.now() / 1000)}`],
  ];
  const guest = spawn(join(uml, 'bin/linux.uml'), words, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, LD_PRELOAD: shim('xstate'), TMPDIR: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
    detached: true,
  });
  let output = '';
  const silence = setTimeout(() => {
    console.error(`the guest said nothing for ${silenceMs / 1000} s`);
    process.kill(-guest.pid!, 'SIGKILL');
  }, silenceMs);
  guest.stdout.on('data', (data) => {
    output += data;
    process.stdout.write(data);
    silence.refresh();
  });
  await new Promise((done) => guest.once('exit', done));
  clearTimeout(silence);
  await rm(share, { recursive: true, force: true });
  const status = /guest exit (\d+)/.exec(output)?.[1];
  if (status === undefined) console.error('the guest did not come to its end');
  return Number(status ?? 1);
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

process.exitCode = existsSync(join(guestDirectory, 'root.img')) ? await main(process.argv.slice(2)) : noGuest();
