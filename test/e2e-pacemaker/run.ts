// `npm run e2e:pacemaker`, as root: two nodes in namespaces of their own, with Debian's Corosync and Pacemaker, share a disk that
// one of them has mounted at a time. packaging/pacemaker/target serves from it. What an initiator flushed is read back after the
// resources were moved, after the process was killed, after it was stopped (SIGSTOP), and after its node died.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const program = join(root, 'shell/bin/tcli');
const nodes = ['tcli-a', 'tcli-b'] as const;
type Name = (typeof nodes)[number];
const network = '10.213.7';
const address = `${network}.100`;
const iqn = 'iqn.2003-01.org.example:moves';
const bridge = 'tcli-pm';
const limitMs = 120_000;

class Failure extends Error {}

interface Node {
  readonly process: ChildProcess;
  /** The first process of the node, as this machine sees it. */
  readonly pid: number;
}

const running = new Map<Name, Node>();

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Failure('Two nodes need network namespaces: run this as root.');
  const directory = await mkdtemp(join(tmpdir(), 'tcli-pacemaker-'));
  let disk = '';
  try {
    await checkMetadata();
    disk = await makeDisk(directory);
    await writeFile(join(directory, 'corosync.conf'), corosyncConf());
    await mkdir(join(directory, 'ocf'));
    await copyFile(join(root, 'packaging/pacemaker/target'), join(directory, 'ocf/target'));
    await mkdir('/usr/lib/ocf/resource.d/tcli', { recursive: true });
    await mkdir('/etc/corosync', { recursive: true });
    await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
    await run('ip', ['address', 'add', `${network}.254/24`, 'dev', bridge]);
    await run('ip', ['link', 'set', bridge, 'up']);
    for (const name of nodes) await begin(name, directory);
    await until('both nodes are online', async () => /Online: \[ tcli-a tcli-b \]/.test(await state('tcli-a')));
    await tell('tcli-a', 'cibadmin', '--replace', '--scope', 'configuration', '--xml-text', configuration(disk));

    let owner = await whoServes();
    await step('an initiator writes and flushes', () => write(1));
    const other = nodes.find((name) => name !== owner)!;
    await step('the resources are moved by hand', async () => {
      await tell(owner, 'crm_resource', '--move', '--resource', 'disk', '--node', other);
      owner = await whoServes(other);
      await tell(owner, 'crm_resource', '--clear', '--resource', 'disk');
      await readBack(1);
      await write(2);
    });
    await step('the process is killed: it is started again where it was', async () => {
      await signal(owner, 'KILL');
      await until('it is served again', () => readBack(2));
      await write(3);
    });
    await step('the process stands still: it is killed, and started again', async () => {
      await signal(owner, 'STOP');
      await until('it is served again', () => readBack(3));
      await write(4);
    });
    await step('its node dies: the other one serves', async () => {
      running.get(owner)?.process.kill('SIGKILL');
      running.delete(owner);
      owner = await whoServes(nodes.find((name) => name !== owner));
      await readBack(4);
      await write(5);
    });
    await step('the last one is told to stop: nothing runs, and the disk is let go', async () => {
      await tell(
        owner,
        'crm_resource',
        '--resource',
        'group',
        '--set-parameter',
        'target-role',
        '--meta',
        '--parameter-value',
        'Stopped',
      );
      await until(
        'nothing runs',
        async () => (await serving(owner)) === undefined && !(await state(owner)).includes('Started'),
      );
    });
    console.log('pacemaker: all steps passed');
  } catch (error) {
    for (const name of nodes) console.error(await state(name), await logOf(directory, name));
    throw error;
  } finally {
    for (const { process: node } of running.values()) node.kill('SIGKILL');
    for (const name of nodes) await run('ip', ['netns', 'delete', name]).catch(() => {});
    await run('ip', ['link', 'delete', bridge]).catch(() => {});
    await sleep(500);
    if (disk) await run('losetup', ['--detach', disk]).catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}

async function step(what: string, does: () => Promise<unknown>): Promise<void> {
  const begun = performance.now();
  await does();
  console.log(`${what} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
}

/** The agent by itself: its metadata by the field's definition, its actions by the field's tester. */
async function checkMetadata(): Promise<void> {
  const agent = join(root, 'packaging/pacemaker/target');
  const { stdout } = await run(agent, ['meta-data'], { env: { ...process.env, OCF_ROOT: '/usr/lib/ocf' } });
  const home = await mkdtemp(join(tmpdir(), 'tcli-ocf-'));
  await writeFile(join(home, 'metadata.xml'), stdout);
  await run('xmllint', [
    '--noout',
    '--nonet',
    '--path',
    '/usr/share/resource-agents',
    '--valid',
    join(home, 'metadata.xml'),
  ]);
  await run('ocf-tester', ['-n', 'target', '-o', `home=${home}`, '-o', `program=${program}`, agent]);
  await rm(home, { recursive: true });
}

/** A file system on a loop device, which stands for the disk that both nodes reach; in it the home and what is served. */
async function makeDisk(directory: string): Promise<string> {
  const image = join(directory, 'disk');
  await run('truncate', ['--size', '256M', image]);
  await run('mkfs.ext4', ['-q', image]);
  const { stdout } = await run('losetup', ['--find', '--show', image]);
  const disk = stdout.trim();
  const mounted = join(directory, 'mounted');
  await mkdir(mounted);
  await run('mount', [disk, mounted]);
  await mkdir(join(mounted, 'home'));
  const lines = [
    `/backstores/fileio create disk0 ${mounted}/disk0.img 64M`,
    '/ set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `/iscsi/${iqn}/tpg1/portals create`,
    `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
    `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/disk0`,
    '/ saveconfig',
  ];
  await run(program, ['--home', join(mounted, 'home'), ...lines.flatMap((line) => ['-c', line])]);
  const saved = join(mounted, 'home/saveconfig.json');
  await writeFile(saved, (await readFile(saved, 'utf8')).replaceAll(mounted, '/srv/disk'));
  await run('umount', [mounted]);
  return disk;
}

const corosyncConf = () => `totem {
  version: 2
  cluster_name: tcli
  transport: udpu
  token: 2000
  crypto_cipher: none
  crypto_hash: none
}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 0
}
nodelist {
${nodes.map((name, at) => `  node {\n    ring0_addr: ${network}.${at + 1}\n    name: ${name}\n    nodeid: ${at + 1}\n  }`).join('\n')}
}
`;

/** The disk, the address and tcli in one group. There is no fencing device: here a node that is gone is dead. */
function configuration(disk: string): string {
  const primitive = (id: string, agent: string, values: Record<string, string>, operations: string) => {
    const [provider, type] = agent.split(':');
    const pairs = Object.entries(values).map(
      ([name, value]) => `<nvpair id="${id}-${name}" name="${name}" value="${value}"/>`,
    );
    return `<primitive id="${id}" class="ocf" provider="${provider}" type="${type}"><instance_attributes id="${id}-values">${pairs.join('')}</instance_attributes><operations>${operations}</operations></primitive>`;
  };
  const operation = (id: string, name: string, interval: string, timeout: string) =>
    `<op id="${id}-${name}" name="${name}" interval="${interval}" timeout="${timeout}" on-fail="restart"/>`;
  const resources = [
    primitive('disk', 'heartbeat:Filesystem', { device: disk, directory: '/srv/disk', fstype: 'ext4' }, ''),
    primitive(
      'target',
      'tcli:target',
      { home: '/srv/disk/home', program },
      operation('target', 'monitor', '3s', '5s') +
        '<op id="target-stop" name="stop" interval="0s" timeout="60s"/><op id="target-start" name="start" interval="0s" timeout="120s"/>',
    ),
    primitive('address', 'heartbeat:IPaddr2', { ip: address, cidr_netmask: '24', nic: 'eth0' }, ''),
  ];
  return `<configuration><crm_config><cluster_property_set id="properties"><nvpair id="stonith" name="stonith-enabled" value="false"/><nvpair id="quorum" name="no-quorum-policy" value="ignore"/></cluster_property_set></crm_config><nodes/><resources><group id="group">${resources.join('')}</group></resources><constraints/></configuration>`;
}

async function begin(name: Name, directory: string): Promise<void> {
  const at = nodes.indexOf(name) + 1;
  await run('ip', ['netns', 'add', name]);
  await run('ip', [
    'link',
    'add',
    `tcli-pm${at}`,
    'master',
    bridge,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    name,
  ]);
  await run('ip', ['link', 'set', `tcli-pm${at}`, 'up']);
  await run('ip', ['-n', name, 'address', 'add', `${network}.${at}/24`, 'dev', 'eth0']);
  await run('ip', ['-n', name, 'link', 'set', 'eth0', 'up']);
  const node = spawn(
    'nsenter',
    [
      `--net=/run/netns/${name}`,
      'unshare',
      '--mount',
      '--uts',
      '--ipc',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      join(import.meta.dirname, 'node.sh'),
      name,
      directory,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const pid = await until('the node has a first process', async () => {
    const children = await readFile(`/proc/${node.pid}/task/${node.pid}/children`, 'utf8');
    return children.trim() === '' ? undefined : Number(children.trim());
  });
  running.set(name, { process: node, pid });
}

/** Runs a program on a node. */
async function tell(name: Name, ...words: string[]): Promise<string> {
  const { pid } = running.get(name) ?? {};
  if (pid === undefined) throw new Failure(`${name} is gone`);
  return (await run('nsenter', ['--target', String(pid), '--mount', '--uts', '--ipc', '--net', '--pid', ...words]))
    .stdout;
}

const state = (name: Name): Promise<string> => tell(name, 'crm_mon', '--one-shot').catch(() => '');

/** The process of tcli on a node. */
async function serving(name: Name): Promise<string | undefined> {
  const said = await tell(name, program, '--home', '/srv/disk/home', 'daemon', 'status', '--json').catch(() => '');
  return /"pid": (\d+)/.exec(said)?.[1];
}

const signal = async (name: Name, what: string) => tell(name, 'kill', `-${what}`, (await serving(name)) ?? '');

/** The node that serves, once the initiator's address is there too. @param wanted the one that must */
async function whoServes(wanted?: Name): Promise<Name> {
  const one = await until(`the group runs on ${wanted ?? 'a node'}`, async () => {
    const name = [...running.keys()][0];
    if (!name) return undefined;
    const found = /address\s.*Started (\S+)/.exec(await state(name))?.[1] as Name | undefined;
    return found && (wanted === undefined || found === wanted) ? found : undefined;
  });
  return one;
}

const qemuIo = (...commands: string[]) =>
  run('qemu-io', ['-f', 'raw', ...commands.flatMap((one) => ['-c', one]), `iscsi://${address}/${iqn}/0`], {
    timeout: 20_000,
  });

const write = (pattern: number) => qemuIo(`write -P ${pattern} 1M 4M`, 'flush');

async function readBack(pattern: number): Promise<boolean> {
  const { stdout } = await qemuIo(`read -P ${pattern} 1M 4M`);
  if (stdout.includes('Pattern verification failed')) throw new Failure(`what was flushed is not there: ${stdout}`);
  return stdout.includes('read 4194304/4194304');
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look().catch((error) => {
      if (error instanceof Failure) throw error;
      return undefined;
    });
    if (found) return found;
    if (performance.now() > end) throw new Failure(`Waited ${limitMs / 1000} s in vain until ${what}`);
    await sleep(300);
  }
}

async function logOf(directory: string, name: Name): Promise<string> {
  const files = (await readdir(directory)).filter((file) => file.startsWith(`${name}.`));
  const texts = files.map(
    async (file) => `== ${file}\n${(await readFile(join(directory, file), 'utf8')).split('\n').slice(-25).join('\n')}`,
  );
  return (await Promise.all(texts)).join('\n');
}

await main().catch((error) => {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
});
