// `npm run e2e:vhost`: virtual machines (QEMU) on vhost targets of `tcli serve`. One boots Debian from its vhost disk and uses the
// others (guest.sh); a second one writes beside it, is killed, and comes back; a third wants a target that is taken.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Qmp } from '../../src/backstore/qmp.ts';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const guestDirectory = process.env['GUEST_DIR'] ?? join(homedir(), '.cache/tcli-guest');
const machine = 'naa.5001405162d5cf9d';
const neighbour = 'naa.5001405162d5cf9e';
/** The guest says a word at least this often. */
const silenceMs = 240_000;

class Failure extends Error {}

async function main(): Promise<void> {
  for (const file of ['root.img', 'vm/vmlinuz', 'vm/initrd'])
    if (!existsSync(join(guestDirectory, file)))
      throw new Failure(
        `${join(guestDirectory, file)} is not there; build it (as root): test/e2e-linux/build-guest.sh`,
      );
  const home = await mkdtemp(join(tmpdir(), 'tcli-e2e-vhost-'));
  const port = await freePort();
  // The seed of holes stays: most of it is never written.
  await run('cp', ['--sparse=always', join(guestDirectory, 'root.img'), join(home, 'root.img')]);
  const tell = async (line: string) => {
    const { stdout } = await run(process.execPath, [program, '--home', home, '-c', line]);
    return stdout.trim();
  };
  const lines = [
    `/backstores/fileio create root ${home}/root.img`,
    `/backstores/fileio create disk1 ${home}/disk1.img 320M`,
    '/backstores/fileio/disk1 set attribute emulate_tpu=1',
    '/backstores/ramdisk create disk2 64M',
    '/backstores/ramdisk create disk3 16M',
    '/backstores/ramdisk create disk4 64M',
    ...[machine, neighbour].map((wwn) => `/vhost create ${wwn}`),
    ...['fileio/root', 'fileio/disk1', 'ramdisk/disk2'].map(
      (one) => `/vhost/${machine}/tpg1/luns create /backstores/${one}`,
    ),
    `/vhost/${neighbour}/tpg1/luns create /backstores/ramdisk/disk4`,
    '/ set global auto_add_default_portal=false',
    '/iscsi create iqn.2003-01.org.example:same',
    `/iscsi/iqn.2003-01.org.example:same/tpg1/portals create 127.0.0.1 ${port}`,
    '/iscsi/iqn.2003-01.org.example:same/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0',
    '/iscsi/iqn.2003-01.org.example:same/tpg1/luns create /backstores/fileio/disk1 1',
  ];
  await run(process.execPath, [program, '--home', home, ...lines.flatMap((line) => ['-c', line])]);
  const target = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  target.stderr.on('data', (data) => {
    log += String(data);
  });
  const machines: ChildProcess[] = [];
  const start = (wwn: string, words: readonly string[], more: readonly string[] = []) => {
    const one = boot(join(home, 'run', `${wwn}.vhost`), words, more);
    machines.push(one);
    return one;
  };
  const answers = createServer((socket) => {
    createInterface({ input: socket }).on('line', async (line) => {
      const [word = '', ...rest] = line.trim().split(' ');
      const answer =
        word === 'allocated'
          ? String((await stat(join(home, 'disk1.img'))).blocks * 512)
          : await tell(rest.join(' ')).catch((error) => `Error: ${error.stderr ?? error}`);
      socket.write(`${answer.replaceAll('\n', ' ')}\n`);
    });
  });
  try {
    await until(target, 'Serving');
    const serial = join(home, 'serial');
    const orders = join(home, 'qmp');
    await new Promise<void>((listening) => answers.listen(serial, listening));
    let second = start(neighbour, ['guest.does=writes']);
    await until(second, 'the neighbour has written');
    const third = start(neighbour, ['guest.does=writes']);
    await ended(third);
    if (!log.includes('vhost front-end refused')) throw new Failure('a second machine was let in');
    console.log('ok a target takes one machine at a time');

    const now = Math.floor(Date.now() / 1000);
    const first = start(
      machine,
      [`guest.now=${now}`, `guest.port=${port}`],
      [
        ...['-serial', `unix:${serial}`],
        ...['-qmp', `unix:${orders},server=on,wait=off`],
        ...['-netdev', 'user,id=net0', '-device', 'virtio-net-pci,netdev=net0,romfile='],
      ],
    );
    const output = untilEnd(first);
    await until(first, 'ok the system runs');
    const migrated = await migrate(orders);
    if (!/^Migration disabled: vhost-user/.test(migrated))
      throw new Failure(`asked to migrate, QEMU says: ${migrated}`);
    console.log('ok live migration is not offered, and QEMU says so');
    second.kill('SIGKILL');
    await ended(second);
    second = start(neighbour, ['guest.does=writes']);
    await until(second, 'the neighbour has written');
    console.log('ok a machine that was killed beside it leaves nothing behind: it begins again');
    const said = await output;
    if (!said.includes('guest exit 0')) throw new Failure(`the guest failed:\n${said.slice(-4000)}`);
    const { data } = JSON.parse(await tell('sessions --json')) as { data: { targetWwn: string }[] };
    if (data.some(({ targetWwn }) => targetWwn === machine)) throw new Failure('a session of the machine is left');
    if (/bug|internal error|dropped/.test(log)) throw new Failure(`the target says:\n${log}`);
  } catch (error) {
    console.error(log.slice(-2000));
    throw error;
  } finally {
    answers.close();
    for (const one of machines) one.kill('SIGKILL');
    await Promise.all(machines.map(ended));
    target.kill('SIGTERM');
    await ended(target);
    await rm(home, { recursive: true, force: true });
  }
}

/** Asks QEMU to migrate a machine. @returns its refusal, or that there was none */
async function migrate(orders: string): Promise<string> {
  const socket = createConnection(orders);
  try {
    await new Qmp(socket, socket).command('migrate', { uri: 'exec:cat > /dev/null' });
    return 'yes';
  } catch (error) {
    return (error as Error).message;
  } finally {
    socket.destroy();
  }
}

/** A machine whose only disk is the target's. @param words of the kernel's command line */
function boot(socket: string, words: readonly string[], more: readonly string[]): ChildProcess {
  const memory = '512M';
  return spawn('/usr/bin/qemu-system-x86_64', [
    ...[
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'max',
      '-smp',
      '2',
      '-m',
      memory,
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
    ],
    ...['-object', `memory-backend-memfd,id=mem,size=${memory},share=on,seal=on`, '-machine', 'q35,memory-backend=mem'],
    ...['-chardev', `socket,id=disks,path=${socket}`, '-device', 'vhost-user-scsi-pci,chardev=disks,num_queues=2'],
    ...['-kernel', join(guestDirectory, 'vm/vmlinuz'), '-initrd', join(guestDirectory, 'vm/initrd')],
    ...[
      '-append',
      ['console=ttyS0', 'quiet', 'mitigations=off', 'panic=-1', 'no_timer_check', 'tsc=reliable', ...words].join(' '),
    ],
    ...['-serial', 'stdio', ...more],
  ]);
}

/** Resolves when a process has printed something. */
function until(child: ChildProcess, wanted: string): Promise<void> {
  return new Promise((done, fail) => {
    let said = '';
    const late = setTimeout(
      () => fail(new Failure(`it did not say '${wanted}', but:\n${said.slice(-2000)}`)),
      silenceMs,
    );
    const end = () => {
      clearTimeout(late);
      fail(new Failure(`it ended and did not say '${wanted}', but:\n${said.slice(-2000)}`));
    };
    child.once('exit', end);
    child.stdout?.on('data', (data) => {
      said += String(data);
      if (!said.includes(wanted)) return;
      clearTimeout(late);
      child.off('exit', end);
      done();
    });
    child.stderr?.on('data', (data) => {
      said += String(data);
    });
  });
}

/** All that a guest says, until it ends or is silent for too long; its steps are printed as they come. */
function untilEnd(child: ChildProcess): Promise<string> {
  return new Promise((done) => {
    let said = '';
    const silent = () => child.kill('SIGKILL');
    let late = setTimeout(silent, silenceMs);
    createInterface({ input: child.stdout! }).on('line', (line) => {
      said += `${line}\n`;
      clearTimeout(late);
      late = setTimeout(silent, silenceMs);
      if (/^(ok|failed|note)/.test(line)) console.log(line.trim());
    });
    child.once('exit', () => {
      clearTimeout(late);
      done(said);
    });
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
}
