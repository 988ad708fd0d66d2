/**
 * The container image, run by crun: its own user, no capability, a read-only root file system, `/data` bound, the network of this
 * machine. Once as it is, and once as the manifests for Kubernetes run it, with their Secret.
 */

import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { manifest, output, project } from '../../packaging/build/stage.ts';

/** crun wants one hierarchy of control groups, which a machine may not have: it gets an empty one of its own. */
const alone = ['--mount', '--propagation', 'private', 'sh', '-c'];
const withCgroups =
  'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup; exec crun --cgroup-manager=disabled "$@"';

const said = (command: string, words: readonly string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** Mounts and words that a container is given besides its image. */
interface Given {
  readonly args?: readonly string[];
  /** Files in a folder that is read-only inside, by their names; their folder there. */
  readonly files?: readonly [folder: string, files: Readonly<Record<string, string>>];
}

/** Runs a command in the container as its user. */
type Inside = (...words: string[]) => string;

async function inContainer(name: string, { args, files }: Given, use: (inside: Inside) => void): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'tcli-crun-'));
  const storage = ['--root', join(work, 'storage'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];
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
  const process = {
    ...{ terminal: false, user: { uid, gid }, args: [...Entrypoint, ...(args ?? Cmd)], env: Env, cwd: WorkingDir },
    ...{ capabilities: {}, noNewPrivileges: true },
  };
  Object.assign(config.process, process);
  config.mounts.push(
    { destination: '/data', type: 'bind', source: data, options: ['rbind', 'rw'] },
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] },
  );
  if (files) {
    const [destination, named] = files;
    const source = join(work, 'files');
    mkdirSync(source, { mode: 0o755 });
    for (const [file, text] of Object.entries(named)) {
      writeFileSync(join(source, file), text, { mode: 0o440 });
      chownSync(join(source, file), 0, gid!);
    }
    config.mounts.push({ destination, type: 'bind', source, options: ['rbind', 'ro'] });
  }
  config.linux.namespaces = config.linux.namespaces.filter((one: { type: string }) => one.type !== 'network');
  delete config.linux.resources;
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const crun = (...words: string[]) => [...alone, withCgroups, 'crun', '--root', join(work, 'crun'), ...words];
  const child = spawn('unshare', crun('run', '--bundle', bundle, name), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  try {
    await Promise.race([new Promise((ready) => child.stdout.once('data', ready)), ended]);
    const env = (Env as string[]).flatMap((one) => ['--env', one]);
    use((...words) => said('unshare', crun('exec', '--user', String(User), '--cwd', '/data', ...env, name, ...words)));
  } finally {
    said('unshare', crun('kill', name, 'TERM'));
    await ended;
    buildah('umount', container);
    rmSync(work, { recursive: true, force: true });
  }
}

/** The answer of a shell inside to a line that writes: `written`, or `refused`. */
const tried = (inside: Inside, line: string) =>
  inside('sh', '-c', `${line} >/dev/null 2>&1 && echo written || echo refused`).trim();

/** @returns whether what was shared inside is seen by an initiator outside, and nothing else could be written */
export async function containerServes(port: number): Promise<boolean> {
  const iqn = 'iqn.2003-01.org.example:container';
  let isSo = false;
  await inContainer(`tcli-${port}`, {}, (inside) => {
    inside('tcli', 'share', '/data/disk.img', '--size', '8M', '--port', String(port), '--name', iqn);
    inside('tcli', 'daemon', 'status');
    const inquiry = said('iscsi-inq', [`iscsi://127.0.0.1:${port}/${iqn}/0`]);
    isSo = tried(inside, 'echo >/etc/passwd') === 'refused' && inquiry.includes('DIRECT_ACCESS');
  });
  return isSo;
}

/**
 * The Deployment of packaging/kubernetes with its Secret, on another port.
 * @returns whether the initiator that the Secret names sees the disk by its CHAP secret, no other does, and the shell changes nothing
 */
export async function podServes(port: number): Promise<boolean> {
  const text = readFileSync(join(project, 'packaging/kubernetes/tcli.yaml'), 'utf8');
  const all = parseAllDocuments(text, { merge: true }).map((one) => one.toJS());
  const kind = (name: string) => all.find((one) => one.kind === name);
  const [pod] = kind('Deployment').spec.template.spec.containers;
  const { mountPath } = pod.volumeMounts.find((one: { name: string }) => one.name === 'configuration');
  const { stringData } = kind('Secret');
  const file = String(stringData['tcli.yaml']).replace('ip_address: 0.0.0.0', `ip_address: 127.0.0.1, port: ${port}`);
  const target = `127.0.0.1:${port}/iqn.2003-01.org.example:disk0/0`;
  const inquiry = (user: string) => {
    const words = ['-i', 'iqn.1994-05.com.example:client', `iscsi://${user}${target}`];
    try {
      return said('iscsi-inq', words);
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  let isSo = false;
  await inContainer(`tcli-pod-${port}`, { args: pod.args, files: [mountPath, { 'tcli.yaml': file }] }, (inside) => {
    inside(...pod.livenessProbe.exec.command);
    isSo =
      inquiry('client%change-this-secret@').includes('DIRECT_ACCESS') &&
      !inquiry('').includes('DIRECT_ACCESS') &&
      inside('tcli', 'status').includes(`${mountPath}/tcli.yaml`) &&
      tried(inside, 'tcli /backstores/ramdisk create rd0 1M') === 'refused' &&
      tried(inside, `echo >>${mountPath}/tcli.yaml`) === 'refused';
  });
  return isSo;
}
