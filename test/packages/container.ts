/** The container image, run by crun: its own user, no capability, a read-only root file system, `/data` bound, the network of this machine. */

import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifest, output } from '../../packaging/build/stage.ts';

/** crun wants one hierarchy of control groups, which a machine may not have: it gets an empty one of its own. */
const alone = ['--mount', '--propagation', 'private', 'sh', '-c'];
const withCgroups =
  'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup; exec crun --cgroup-manager=disabled "$@"';

/** @returns whether what was shared inside is seen by an initiator outside, and nothing else could be written */
export async function containerServes(port: number): Promise<boolean> {
  const work = mkdtempSync(join(tmpdir(), 'tcli-crun-'));
  const storage = ['--root', join(work, 'storage'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];
  const said = (command: string, words: readonly string[]) =>
    execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const buildah = (...words: string[]) => said('buildah', [...storage, ...words]).trim();
  const container = buildah('from', '--quiet', `oci-archive:${join(output, `tcli-${manifest.version}-oci-x64.tar`)}`);
  const rootfs = buildah('mount', container);
  const { User, Entrypoint, Cmd, Env, WorkingDir } = JSON.parse(buildah('inspect', container)).OCIv1.config;
  const [uid, gid] = String(User).split(':').map(Number);
  const bundle = join(work, 'bundle');
  const data = join(work, 'data');
  mkdirSync(bundle);
  mkdirSync(data, { mode: 0o700 });
  chownSync(data, uid!, gid!);
  execFileSync('crun', ['spec'], { cwd: bundle });
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  config.root = { path: rootfs, readonly: true };
  const process = { terminal: false, user: { uid, gid }, args: [...Entrypoint, ...Cmd], env: Env, cwd: WorkingDir };
  Object.assign(config.process, process, { capabilities: {}, noNewPrivileges: true });
  config.mounts.push(
    { destination: '/data', type: 'bind', source: data, options: ['rbind', 'rw'] },
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] },
  );
  config.linux.namespaces = config.linux.namespaces.filter((one: { type: string }) => one.type !== 'network');
  delete config.linux.resources;
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const name = `tcli-${port}`;
  const crun = (...words: string[]) => [...alone, withCgroups, 'crun', '--root', join(work, 'crun'), ...words];
  const child = spawn('unshare', crun('run', '--bundle', bundle, name), { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  try {
    await Promise.race([new Promise((ready) => child.stdout.once('data', ready)), ended]);
    const env = (Env as string[]).flatMap((one) => ['--env', one]);
    const inside = (...words: string[]) =>
      said('unshare', crun('exec', '--user', String(User), '--cwd', '/data', ...env, name, ...words));
    const iqn = 'iqn.2003-01.org.example:container';
    inside('tcli', 'share', '/data/disk.img', '--size', '8M', '--port', String(port), '--name', iqn);
    inside('tcli', 'daemon', 'status');
    const isWritable = inside('sh', '-c', 'echo 2>/dev/null >/etc/passwd && echo writable || echo protected').trim();
    const inquiry = said('iscsi-inq', [`iscsi://127.0.0.1:${port}/${iqn}/0`]);
    return isWritable === 'protected' && inquiry.includes('DIRECT_ACCESS');
  } finally {
    said('unshare', crun('kill', name, 'TERM'));
    await ended;
    buildah('umount', container);
    rmSync(work, { recursive: true, force: true });
  }
}
