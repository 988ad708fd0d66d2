// `npm run e2e:packages [-- --built] [STEP …]`, as root: the packages are built (`--built`: packages/ has them already) and used as their
// users do. Without a STEP: those for x64, the Debian package in a fresh Debian, the RPM by what it lists and by its scriptlets, the
// single-file program alone, the npm package by npx with nothing installed, the image by crun. `upgrade` and `arm64` take longer, and are
// said by name (.ci/long).

import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { manifest, output } from '../../packaging/build/stage.ts';
import { arm64Serves } from './arm64.ts';
import { containerServes, podServes } from './container.ts';
import { upgrades } from './upgrade.ts';

const project = resolve(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'tcli-packages-'));
const chroot = join(work, 'debian');

const run = (command: string, ...words: string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });
const inside = (line: string): string => run('chroot', chroot, '/bin/sh', '-ec', line);

function check(what: string, isSo: boolean): void {
  if (!isSo) throw new Error(`not so: ${what}`);
  console.log(`ok ${what}`);
}

async function step(name: string, what: () => void | Promise<void>): Promise<void> {
  const begin = performance.now();
  await what();
  console.log(`-- ${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

/** Inquires LUN 0 of the first target at a port, as an initiator. */
function initiatorSees(port: number): boolean {
  const wwn = /Target:(\S+)/.exec(run('iscsi-ls', `iscsi://127.0.0.1:${port}/`))?.[1];
  return wwn !== undefined && run('iscsi-inq', `iscsi://127.0.0.1:${port}/${wwn}/0`).includes('DIRECT_ACCESS');
}

async function served(command: string, words: readonly string[], use: () => void | Promise<void>): Promise<void> {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  try {
    await Promise.race([new Promise((ready) => child.stdout.once('data', ready)), ended]);
    await use();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

const deb = join(output, `tcli_${manifest.version}_amd64.deb`);
const rpm = join(output, `tcli-${manifest.version}-1.x86_64.rpm`);
const image = join(output, `tcli-${manifest.version}-oci-x64.tar`);
const single = join(output, `tcli-${manifest.version}-linux-x64`);

function shareLines(port: number): string {
  const iqn = 'iqn.2003-01.org.example:disk0';
  return [
    'set global auto_add_default_portal=false',
    '/backstores/fileio create disk0 /srv/disk0.img 8M',
    `/iscsi create ${iqn}`,
    `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/disk0`,
    `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${port}`,
    `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
  ].join('\n');
}

/** A Debian with nothing on it but what it cannot be without, and some packages more. */
function freshDebian(root: string, ...more: string[]): void {
  run(
    'mmdebstrap',
    '--quiet',
    '--variant=minbase',
    ...(more.length > 0 ? [`--include=${more}`] : []),
    'bookworm',
    root,
  );
  mkdirSync(join(root, 'srv'), { recursive: true });
}

async function debian(): Promise<void> {
  freshDebian(chroot);
  cpSync(deb, join(chroot, 'tcli.deb'));
  run('mount', '-t', 'proc', 'proc', join(chroot, 'proc'));
  inside('apt-get install -y -qq --no-install-recommends ./tcli.deb >/dev/null');
  check('tcli --version after apt install', inside('tcli --version').includes(manifest.version));
  check(
    'man page and completions',
    inside('ls /usr/share/man/man1/tcli.1.gz /usr/share/bash-completion/completions/tcli') !== '',
  );
  // The first minute: one command, and an initiator on the same network has a disk.
  const first = 'iqn.2003-01.org.example:first';
  inside(`tcli share /srv/first.img --size 8M --port 13266 --name ${first} >/dev/null`);
  const seen = run(
    'qemu-io',
    '-f',
    'raw',
    '-c',
    'write -P 171 1M 64k',
    '-c',
    'flush',
    '-c',
    'read -P 171 1M 64k',
    `iscsi://127.0.0.1:13266/${first}/0`,
  );
  check(
    'tcli share serves a disk that libiscsi writes and reads',
    /read 65536\/65536/.test(seen) && !/fail/i.test(seen),
  );
  check('and its bytes are in the file', readFileSync(join(chroot, 'srv/first.img'))[1024 * 1024] === 171);
  inside('tcli unshare /srv/first.img >/dev/null; tcli daemon stop >/dev/null');
  writeFileSync(join(chroot, 'tmp/lines'), `${shareLines(13_260)}\n`);
  inside('tcli -f /tmp/lines && tcli save');
  await served('chroot', [chroot, 'tcli', 'serve'], () => {
    check('an initiator sees the disk', initiatorSees(13_260));
    // The package is replaced under the process that serves: what it has open it keeps.
    inside('dpkg -i /tcli.deb >/dev/null');
    check('and after the package was replaced', initiatorSees(13_260));
  });
  await served('chroot', [chroot, 'tcli', 'serve'], () => check('and after the restart', initiatorSees(13_260)));
  inside('apt-get purge -y -qq tcli >/dev/null');
  check(
    'removing takes the program',
    !existsSync(join(chroot, 'usr/lib/tcli')) && !existsSync(join(chroot, 'usr/bin/tcli')),
  );
  check(
    'and keeps configuration and data',
    ['etc/tcli/saveconfig.json', 'srv/disk0.img'].every((one) => existsSync(join(chroot, one))),
  );
}

async function upgrade(): Promise<void> {
  const root = join(work, 'machine');
  freshDebian(root, 'systemd', 'systemd-sysv', 'dbus');
  cpSync(deb, join(root, 'tcli.deb'));
  writeFileSync(join(root, 'tmp/lines'), `${shareLines(13_264)}\n/ saveconfig\n`);
  const install = 'apt-get install -y -qq --no-install-recommends ./tcli.deb >/dev/null; tcli -f /tmp/lines';
  run('unshare', '--mount', 'sh', '-ec', `mount -t proc proc ${root}/proc; exec chroot ${root} sh -ec '${install}'`);
  await upgrades(root, deb, `iscsi://127.0.0.1:13264/iqn.2003-01.org.example:disk0/0`, check);
}

function rpmPackage(): void {
  const listed = run('rpm', '-qpl', rpm).split('\n');
  const wanted = [
    '/usr/bin/tcli',
    '/usr/lib/tcli/dist/tcli.js',
    '/usr/lib/tcli/node_modules/.bin/node',
    '/usr/lib/systemd/system/tcli.service',
    '/usr/lib/systemd/system/tcli-files.service',
    '/usr/lib/sysusers.d/tcli.conf',
    '/usr/share/man/man1/tcli.1.gz',
    '/usr/share/doc/tcli/sbom.cdx.json',
  ];
  check(
    'the RPM lists what it should',
    wanted.every((one) => listed.includes(one)),
  );
  const root = join(work, 'rpm');
  mkdirSync(root);
  // Into a tree of its own, with its scriptlets, in which the Debian stands in for a machine.
  cpSync(rpm, join(chroot, 'tcli.rpm'));
  const scripts = run('rpm', '-qp', '--scripts', rpm);
  const bodies = scripts.split(/^\w+ scriptlet \(using \/bin\/sh\):\n/m).slice(1);
  check('it has three scriptlets', bodies.length === 3);
  for (const body of bodies) {
    writeFileSync(join(chroot, 'tmp/scriptlet'), body);
    inside('sh -e /tmp/scriptlet 0 >/dev/null 2>&1');
  }
  check('and they run where there is no systemd', true);
  execFileSync('sh', ['-c', `rpm2cpio '${rpm}' | cpio -idm --quiet`], { cwd: root });
  check('what it installs runs', run(join(root, 'usr/bin/tcli'), '--version').includes(manifest.version));
}

async function singleFile(): Promise<void> {
  // A user of its own would do; what matters is an empty environment and a folder with nothing but the program.
  const folder = join(work, 'single');
  mkdirSync(folder);
  cpSync(single, join(folder, 'tcli'));
  chmodSync(join(folder, 'tcli'), 0o755);
  const env = { PATH: '', HOME: folder, TCLI_HOME: join(folder, 'home'), TCLI_UNPACK: join(folder, 'cache') };
  const tcli = (...words: string[]) => execFileSync(join(folder, 'tcli'), words, { env, encoding: 'utf8' });
  const timed = () => {
    const begin = performance.now();
    check('./tcli --version', tcli('--version').includes(manifest.version));
    return Math.round(performance.now() - begin);
  };
  console.log(`${Math.round(statSync(single).size / 2 ** 20)} MiB; first start ${timed()} ms, then ${timed()} ms`);
  writeFileSync(join(folder, 'lines'), shareLines(13_261).replace('/srv', folder));
  tcli('-f', join(folder, 'lines'));
  tcli('daemon', 'start');
  try {
    check('what ./tcli daemon start serves, an initiator sees', initiatorSees(13_261));
  } finally {
    tcli('daemon', 'stop');
  }
  const copy = run('find', env.TCLI_UNPACK, '-name', 'tcli.js').trim();
  writeFileSync(copy, 'console.log("altered")');
  check('a copy that was altered is not used', tcli('--version').includes(manifest.version));
  chmodSync(env.TCLI_UNPACK, 0o777);
  rmSync(join(copy, '../..'), { recursive: true });
  const refused = failing(join(folder, 'tcli'), env);
  check('nor a place that others can write', refused.includes('can be written by others'));
  const noexec = join(work, 'noexec');
  mkdirSync(noexec, { mode: 0o700 });
  run('mount', '-t', 'tmpfs', '-o', 'noexec,mode=700', 'tmpfs', noexec);
  try {
    const said = failing(join(folder, 'tcli'), { ...env, TCLI_UNPACK: join(noexec, 'cache') });
    check('a noexec place is said in words', said.includes('noexec') && said.includes('TCLI_UNPACK=DIR'));
  } finally {
    run('umount', noexec);
  }
}

function failing(program: string, env: Readonly<Record<string, string>>): string {
  try {
    execFileSync(program, ['--version'], { env, encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

function npx(): void {
  const folder = join(work, 'npx');
  mkdirSync(folder);
  const name = run('npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder, project).trim();
  const said = execFileSync('npx', ['--yes', '--package', `./${name}`, 'tcli', '--version'], {
    cwd: folder,
    encoding: 'utf8',
  });
  check('npx --package ./tcli-VERSION.tgz tcli', said.includes(manifest.version));
}

async function container(): Promise<void> {
  run('docker-compose', '-f', join(project, 'packaging/container/compose.yaml'), 'config', '-q');
  check('the compose file is one', true);
  check('the image serves, as nobody, on a root file system that is read-only', await containerServes(13_262));
  check('so it does as a pod, what the Secret says and nothing else', await podServes(13_263));
  const sizes = { image: statSync(image).size, node: statSync(process.execPath).size };
  check('it has at most 60 MB over Node', sizes.image - sizes.node < 60e6);
}

/** By what each is asked for. The Debian that the first makes, the second uses. */
const steps = { single: singleFile, npx, container, debian, rpm: rpmPackage };
const longSteps = { upgrade, arm64: () => arm64Serves(work, 13_265, check) };

const [built, ...named] =
  process.argv[2] === '--built' ? [true, ...process.argv.slice(3)] : [false, ...process.argv.slice(2)];
const all: Readonly<Record<string, () => void | Promise<void>>> = { ...steps, ...longSteps };
const wanted = named.length > 0 ? (named as string[]) : Object.keys(steps);
const strange = wanted.find((name) => !Object.hasOwn(all, name));
if (strange !== undefined) throw new Error(`${strange}: no step; there are ${Object.keys(all).join(', ')}`);

/** The words for `npm run package` that make what the steps use. */
const kinds = new Set(
  wanted.flatMap(
    (name) =>
      ({ single: ['single'], container: ['image'], debian: ['deb'], rpm: ['rpm'], upgrade: ['deb'] })[name] ?? [],
  ),
);

try {
  await step('build', () => {
    if (built) return;
    const build = (...words: string[]) =>
      execFileSync(process.execPath, [join(project, 'packaging/build/run.ts'), ...words], { stdio: 'inherit' });
    if (kinds.size > 0) build('x64', ...kinds);
    if (wanted.includes('arm64')) build('arm64', 'deb', 'single');
  });
  for (const name of wanted) await step(name, all[name]!);
} finally {
  if (existsSync(join(chroot, 'proc/self'))) run('umount', join(chroot, 'proc'));
  rmSync(work, { recursive: true, force: true });
}
