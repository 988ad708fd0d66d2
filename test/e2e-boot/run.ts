// `npm run e2e:boot [FIRMWARE…]`: a machine (QEMU) without a disk boots from a fileio LUN of `tcli serve`, by the iPXE in its
// network adapter, once with UEFI and once with BIOS. The UEFI loader is larger than the longest transfer that the LUN advises.
// The same disks boot as vhost disks, by the drivers that the firmware has for virtio-scsi.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const iqn = 'iqn.2003-01.org.example:boot';
const naa = 'naa.5001405162d5cf9d';
const MiB = 1 << 20;
const bootMs = 400_000;

/** The programs that have to be there, and the Debian package of each. */
const wanted: Readonly<Record<string, string>> = {
  '/usr/bin/qemu-system-x86_64': 'qemu-system-x86',
  '/usr/lib/ipxe/qemu/efi-e1000.rom': 'ipxe-qemu',
  '/usr/share/OVMF/OVMF_CODE.fd': 'ovmf',
  '/usr/bin/grub-mkstandalone': 'grub-common',
  '/usr/lib/grub/x86_64-efi/normal.mod': 'grub-efi-amd64-bin',
  '/usr/bin/syslinux': 'syslinux',
  '/usr/bin/mcopy': 'mtools',
  '/usr/sbin/mkfs.fat': 'dosfstools',
};

/** A way to boot: how its disk is made, the ROM of its network adapter, what else the machine has, and what proves it. */
interface Firmware {
  /** Absent: the disk is a vhost disk. */
  readonly rom?: string;
  readonly machine: (folder: string) => Promise<readonly string[]>;
  /** Makes the disk. @returns lines that the machine has to print, in this order */
  readonly disk: (image: string, folder: string) => Promise<readonly string[]>;
}

const uefi: Firmware = {
  machine: async (folder) => {
    const variables = join(folder, 'variables.fd');
    await copyFile('/usr/share/OVMF/OVMF_VARS.fd', variables);
    const flash = (file: string, more = '') => ['-drive', `if=pflash,format=raw,file=${file}${more}`];
    return [...flash('/usr/share/OVMF/OVMF_CODE.fd', ',readonly=on'), ...flash(variables)];
  },
  disk: uefiDisk,
};
const bios: Firmware = { machine: async () => [], disk: biosDisk };

const firmwares: Readonly<Record<string, Firmware>> = {
  uefi: { ...uefi, rom: '/usr/lib/ipxe/qemu/efi-e1000.rom' },
  bios: { ...bios, rom: '/usr/lib/ipxe/qemu/pxe-e1000.rom' },
  'vhost-uefi': uefi,
  'vhost-bios': bios,
};

/** FAT32 with GRUB, which the firmware loads whole, and which then reads a file of the LUN and says its digest. */
async function uefiDisk(image: string, folder: string): Promise<readonly string[]> {
  const ballast = join(folder, 'ballast');
  const settings = join(folder, 'grub.cfg');
  const loader = join(folder, 'BOOTX64.EFI');
  const payload = randomBytes(3 * MiB);
  await writeFile(join(folder, 'payload'), payload);
  await writeFile(ballast, randomBytes(10 * MiB));
  const lines = ['search --set=root --file /payload', 'echo loader is running', 'md5sum /payload', 'echo end', 'halt'];
  await writeFile(settings, ['serial', 'terminal_output serial', ...lines, ''].join('\n'));
  const modules =
    'normal configfile fat search search_fs_file hashsum gcry_md5 echo halt serial terminal part_msdos part_gpt';
  const parts = [`boot/grub/grub.cfg=${settings}`, `ballast=${ballast}`];
  const common = [
    '-O',
    'x86_64-efi',
    '-o',
    loader,
    '--install-modules',
    modules,
    '--locales=',
    '--fonts=',
    '--themes=',
  ];
  await run('/usr/bin/grub-mkstandalone', [...common, ...parts]);
  const { size } = await stat(loader);
  if (size <= 8 * MiB) throw new Error(`a loader of ${size} bytes is no long transfer`);
  await emptyFile(image, 128 * MiB);
  await run('/usr/sbin/mkfs.fat', ['-F', '32', image]);
  await run('/usr/bin/mmd', ['-i', image, '::/EFI', '::/EFI/BOOT']);
  await run('/usr/bin/mcopy', ['-i', image, loader, '::/EFI/BOOT/BOOTX64.EFI']);
  await run('/usr/bin/mcopy', ['-i', image, join(folder, 'payload'), '::/payload']);
  return ['loader is running', createHash('md5').update(payload).digest('hex'), 'end'];
}

/** FAT16 with SYSLINUX, which reads its settings from the LUN and looks for the kernel that they name. */
async function biosDisk(image: string, folder: string): Promise<readonly string[]> {
  const kernel = randomBytes(4).toString('hex');
  const settings = join(folder, 'syslinux.cfg');
  await writeFile(settings, `SERIAL 0 115200\nDEFAULT ${kernel}\nPROMPT 1\nTIMEOUT 10\n`);
  await emptyFile(image, 64 * MiB);
  await run('/usr/sbin/mkfs.fat', ['-F', '16', image]);
  await run('/usr/bin/syslinux', ['--install', image]);
  await run('/usr/bin/mcopy', ['-i', image, settings, '::/syslinux.cfg']);
  return ['SYSLINUX', `Loading ${kernel}`];
}

async function emptyFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(bytes);
  await file.close();
}

async function boots(name: string, { rom, machine, disk }: Firmware): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'tcli-e2e-boot-'));
  const image = join(folder, 'disk.img');
  const home = join(folder, 'home');
  const netboot = join(folder, 'netboot');
  const port = await freePort();
  await mkdir(netboot);
  const lines = await disk(image, folder);
  await writeFile(
    join(netboot, 'boot.ipxe'),
    `#!ipxe\nset initiator-iqn iqn.2003-01.org.example:machine\nsanboot iscsi:10.0.2.2::${port}:0:${iqn}\n`,
  );
  const target = await serve(home, [
    `/backstores/fileio create disk0 ${image}`,
    '/ set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${port}`,
    `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
    `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/disk0`,
    `/vhost create ${naa}`,
    // Where a boot index names the disk, OVMF looks at target 0 alone.
    `/vhost/${naa} create 0`,
    `/vhost/${naa}/tpg0/luns create /backstores/fileio/disk0`,
  ]);
  const boot =
    rom === undefined
      ? [
          ...['-object', 'memory-backend-memfd,id=mem,size=512M,share=on,seal=on', '-machine', 'memory-backend=mem'],
          ...['-chardev', `socket,id=disk,path=${home}/run/${naa}.vhost`],
          ...['-device', 'vhost-user-scsi-pci,chardev=disk,bootindex=0'],
        ]
      : [
          ...['-netdev', `user,id=net0,restrict=off,tftp=${netboot},bootfile=boot.ipxe`],
          ...['-device', `e1000,netdev=net0,romfile=${rom},bootindex=0`],
        ];
  const qemu = spawn('/usr/bin/qemu-system-x86_64', [
    ...['-machine', 'q35', '-accel', 'tcg', '-m', '512', '-nodefaults', '-display', 'none'],
    ...['-serial', 'stdio', '-no-reboot', ...(await machine(folder))],
    ...['-vga', 'std', ...boot],
  ]);
  try {
    const { output, missing } = await untilPrinted(qemu, lines);
    if (missing === undefined) console.log(`${name}: boots`);
    else console.log(`${name}: FAILED, the machine did not print ${JSON.stringify(missing)}\n${output.slice(-4000)}`);
    return missing === undefined;
  } finally {
    await ended(qemu, 'SIGKILL');
    await ended(target, 'SIGTERM');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Reads what the machine prints until all lines have come, it ends, or takes too long. */
function untilPrinted(
  machine: ChildProcess,
  lines: readonly string[],
): Promise<{ output: string; missing: string | undefined }> {
  return new Promise((done) => {
    let output = '';
    const missing = () => {
      let at = 0;
      return lines.find((line) => {
        const found = output.indexOf(line, at);
        at = found + line.length;
        return found === -1;
      });
    };
    const end = () => {
      clearTimeout(late);
      done({ output, missing: missing() });
    };
    const late = setTimeout(end, bootMs);
    const take = (data: Buffer) => {
      output += data.toString('latin1');
      if (missing() === undefined) end();
    };
    machine.stdout?.on('data', take);
    machine.stderr?.on('data', take);
    machine.once('close', end);
  });
}

async function serve(home: string, lines: readonly string[]): Promise<ChildProcess> {
  await run(process.execPath, [program, '--home', home, ...lines.flatMap((line) => ['-c', line])]);
  const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise<void>((ready, fail) => {
    child.stdout.on('data', (data) => String(data).includes('Serving') && ready());
    child.once('exit', (status) => fail(new Error(`tcli serve ended with ${status}`)));
  });
  return child;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.removeAllListeners('exit');
  const exit = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await exit;
}

async function main(names: readonly string[]): Promise<number> {
  const lacking = Object.entries(wanted).filter(([path]) => !existsSync(path));
  if (lacking.length > 0) {
    for (const [path] of lacking) console.error(`${path} is not there`);
    console.error(`apt install ${[...new Set(lacking.map(([, name]) => name))].join(' ')}`);
    return 1;
  }
  const unknown = names.filter((name) => !Object.hasOwn(firmwares, name));
  if (unknown.length > 0) {
    console.error(`${unknown.join(', ')}: there are ${Object.keys(firmwares).join(', ')}`);
    return 1;
  }
  let failures = 0;
  for (const name of names.length > 0 ? names : Object.keys(firmwares))
    if (!(await boots(name, firmwares[name]!))) failures += 1;
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
