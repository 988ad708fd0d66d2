/**
 * The container image, by buildah, from nothing: Debian's C library and busybox (for the launcher, and for who looks inside), and the
 * staged program. No registry is asked. It runs as a user without rights, on a root file system that may be read-only; all that it
 * keeps is in /data.
 */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debianComponent, sbomOf } from './sbom.ts';
import { type Architecture, architectures, manifest, output } from './stage.ts';

/** The user in the image: one that nobody has outside. */
const user = 65_532;
const libraries = ['libc6', 'libstdc++6', 'libgcc-s1', 'busybox-static'];
/** What the launcher and administrators need of busybox. */
const applets = ['sh', 'readlink', 'cat', 'ls', 'truncate', 'ps', 'env', 'df', 'tail', 'vi'];

/** @param staged as stage.ts made it; of the architecture of this machine, whose Debian has the libraries @returns an OCI archive */
export function buildImage(staged: string, architecture: Architecture): string {
  const work = mkdtempSync(join(tmpdir(), 'tcli-image-'));
  const root = join(work, 'root');
  mkdirSync(root);
  chmodSync(root, 0o755);
  const words = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...libraries];
  execFileSync('apt-get', words, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
  const debian = readdirSync(work).filter((one) => one.endsWith('.deb'));
  for (const name of debian) execFileSync('dpkg-deb', ['-x', join(work, name), root]);
  for (const name of ['usr/share', 'usr/lib/x86_64-linux-gnu/gconv', 'usr/lib/x86_64-linux-gnu/audit'])
    rmSync(join(root, name), { recursive: true, force: true });
  mkdirSync(join(root, 'usr/share/doc/tcli'), { recursive: true });
  const components = debian.map((file) => {
    const words = ['-f', join(work, file), 'Package', 'Version', 'Architecture'];
    const fields = execFileSync('dpkg-deb', words, { encoding: 'utf8' });
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(fields)?.[1] ?? '';
    return debianComponent(field('Package'), field('Version'), field('Architecture'));
  });
  writeFileSync(join(root, 'usr/share/doc/tcli/sbom.cdx.json'), sbomOf([architecture], components));
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  for (const name of applets) symlinkSync('/bin/busybox', join(root, 'bin', name));
  cpSync(staged, join(root, 'usr/lib/tcli'), { recursive: true, verbatimSymlinks: true });
  symlinkSync('../lib/tcli/shell/bin/tcli', join(root, 'usr/bin/tcli'));
  writeFileSync(join(root, 'etc/passwd'), `root:x:0:0::/:/bin/sh\ntcli:x:${user}:${user}::/data:/bin/sh\n`);
  writeFileSync(join(root, 'etc/group'), `root:x:0:\ntcli:x:${user}:\n`);
  for (const name of ['data', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  chownSync(join(root, 'data'), user, user);
  chmodSync(join(root, 'data'), 0o700);
  const file = join(output, `tcli-${manifest.version}-oci-${architecture}.tar`);
  rmSync(file, { force: true });
  const storage = ['--root', join(work, 'storage'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];
  const buildah = (...words: string[]) =>
    execFileSync('buildah', [...storage, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  const container = buildah('from', 'scratch');
  buildah('copy', '--quiet', container, root, '/');
  const settings = [
    ['--arch', architectures[architecture].container],
    ['--user', `${user}:${user}`],
    ['--env', 'TCLI_HOME=/data'],
    ['--env', 'PATH=/usr/bin:/bin'],
    ['--workingdir', '/data'],
    ['--volume', '/data'],
    ['--port', '3260'],
    ['--entrypoint', '["tcli"]'],
    ['--cmd', 'serve'],
    ['--stop-signal', 'SIGTERM'],
    ['--label', `org.opencontainers.image.version=${manifest.version}`],
    ['--label', 'org.opencontainers.image.licenses=Apache-2.0'],
  ];
  buildah('config', ...settings.flat(), container);
  buildah('commit', '--quiet', '--rm', container, `oci-archive:${file}:tcli:${manifest.version}`);
  rmSync(work, { recursive: true });
  return file;
}
