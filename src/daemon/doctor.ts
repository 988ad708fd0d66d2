/**
 * Checks of a configuration, a record for each, that find present and coming harm beyond things that are not served now. Each finding
 * names the line to type that mends it, where there is one.
 */

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { printSize } from '../backstore/backstore.ts';
import { type Credentials, credentialsOf, discoveryCredentials, whyNobodyCan } from '../iscsi/credentials.ts';
import type { Host } from '../root/host.ts';
import type { OldSecretUses } from '../root/old-secrets.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { identityOf, statOf } from '../system/stat.ts';
import { hasCredentials, isMutual, isWeak, secretBytesMin } from '../target/auth.ts';
import { aclNode, type FabricState, type Lun, type NodeAcl, printPortal, type Tpg } from '../target/target.ts';
import type { DoctorFinding } from './control-protocol.ts';
import { isOwnDirectory, isSystem, Machine } from './machine.ts';
import { faultsOf } from './status.ts';

type Found = Omit<DoctorFinding, 'check'>;

const problem = (says: string, mend = ''): Found => ({ level: 'problem', says, mend });
const advice = (says: string, mend = ''): Found => ({ level: 'advice', says, mend });

interface DoctorCheck {
  readonly name: string;
  look(host: Host, machine: Machine): Found[] | Promise<Found[]>;
}

/** The free share that a file system with disks should have. */
const freeShareMin = 0.05;

/** The types of file systems that are gone with the machine, and of those that come with the network. */
const memoryFileSystems: readonly string[] = ['tmpfs', 'ramfs'];
const networkFileSystems: readonly string[] = ['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', 'fuse.glusterfs', '9p'];

const checks: readonly DoctorCheck[] = [
  {
    name: 'serving',
    look: ({ root, heldBy }) =>
      root.serving || heldBy ? [] : [problem('nothing is served: no initiator can log in', 'tcli daemon start')],
  },
  { name: 'boot', look: (host, machine) => bootFindings(host, machine) },
  { name: 'not served', look: (host) => faultsOf(host).map(({ says, next }) => problem(says, next)) },
  {
    name: 'survives a boot',
    look: ({ root }, machine) => [...root.tree.allStorageObjects()].flatMap((one) => lostAtBoot(one, machine)),
  },
  { name: 'exported twice', look: ({ root }) => exportedTwice([...root.tree.allStorageObjects()]) },
  {
    name: 'space',
    look: async ({ root }) => [
      ...(await spaceFindings([...root.tree.allStorageObjects()])),
      ...(await deviceFindings(root)),
    ],
  },
  {
    name: 'mounts',
    look: ({ root }, machine) => [...root.tree.allStorageObjects()].flatMap((one) => lateMounts(one, machine)),
  },
  { name: 'portals', look: ({ root }) => iscsiTpgs(root.tree.fabrics).flatMap(({ tpg }) => portalFindings(tpg)) },
  {
    name: 'second path',
    look: ({ root }, machine) => iscsiTpgs(root.tree.fabrics).flatMap(({ tpg }) => pathFindings(tpg, machine)),
  },
  {
    name: 'open to all',
    look: ({ root }) => iscsiTpgs(root.tree.fabrics).flatMap(({ state, tpg }) => openFindings(state, tpg)),
  },
  { name: 'chap', look: ({ root }) => chapFindings(root.tree.fabrics) },
  { name: 'old secret', look: ({ root, onlookers }) => oldSecrets(root.tree.fabrics, onlookers.oldSecrets) },
  { name: 'sees nothing', look: ({ root }) => iscsiTpgs(root.tree.fabrics).flatMap(({ tpg }) => blindFindings(tpg)) },
];

/** The names of the checks, in the order in which they are made. */
export const doctorChecks: readonly string[] = checks.map(({ name }) => name);

/** Makes every check. @param host with its root as of its last `observe` */
export async function examineHost(host: Host, machine: Machine = new Machine()): Promise<DoctorFinding[]> {
  const found = await Promise.all(
    checks.map(async ({ name, look }) => (await look(host, machine)).map((one) => ({ check: name, ...one }))),
  );
  return found.flat();
}

const mediumOf = ({ config }: StorageObject): string => String(config['dev'] ?? '');

/** Findings about a boot that does not start tcli. A machine without systemd is looked after by others. */
function bootFindings({ home }: Host, machine: Machine): Found[] {
  if (!machine.hasSystemd) return [];
  const start = machine.startOf(home);
  const directory = dirname(home.saveFile);
  if (isOwnDirectory(home))
    return start === 'enabled'
      ? []
      : [
          advice(
            `no unit of systemd serves ${directory}: nothing starts tcli with it when this machine boots`,
            `systemctl edit tcli.service, and there: [Service] Environment=TCLI_HOME=${directory}`,
          ),
        ];
  const user = isSystem(home) ? '' : ' --user';
  if (start === 'absent')
    return [problem('nothing starts tcli when this machine boots', `tcli daemon install${user} --yes`)];
  if (start === 'written')
    return [
      problem(
        'nothing starts tcli when this machine boots: its unit is there, and not enabled',
        `systemctl${user} enable tcli.service tcli.socket`,
      ),
    ];
  return isSystem(home) || machine.lingers
    ? []
    : [problem('tcli starts when its user logs in, and ends with the last login', 'loginctl enable-linger')];
}

function lostAtBoot(object: StorageObject, machine: Machine): Found[] {
  const { path, backstore } = object;
  const medium = mediumOf(object);
  if (backstore.isVolatile?.(object.config))
    return [
      advice(
        `${path} is in memory: a restart of tcli or of the machine empties it. For what is to stay, there are files`,
        '/backstores/fileio create NAME FILE SIZE',
      ),
    ];
  const mount = machine.mountOf(medium);
  if (mount && memoryFileSystems.includes(mount.type) && !medium.startsWith('/dev/'))
    return [
      problem(
        `${path} is on ${mount.type} (${mount.point}): it is gone after a boot, unless its file is copied to a disk`,
        `${path} replace FILE`,
      ),
    ];
  if (/^\/dev\/(sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|loop\d+)(p?\d+)?$/.test(medium)) {
    const [lasting = 'a name under /dev/disk/by-id'] = machine.lastingNamesOf(medium);
    return [
      advice(
        `${path} names ${medium}, which may be another disk after a boot: ${lasting} stays with it`,
        'ls -l /dev/disk/by-id',
      ),
    ];
  }
  return [];
}

/** Storage objects that write to one medium without knowing of each other. */
function exportedTwice(objects: readonly StorageObject[]): Found[] {
  const byMedium = Map.groupBy(
    objects.filter((object) => mediumOf(object) !== ''),
    (object) => {
      const file = fileAt(mediumOf(object));
      return file ? identityOf(file) : mediumOf(object);
    },
  );
  const shared = [...byMedium].filter(([, all]) => all.length > 1);
  const several = objects.flatMap((object) => {
    const targets = new Set(Array.from(object.exports as Set<Lun>, ({ tpg }) => tpg.target));
    return targets.size > 1
      ? [
          advice(
            `${object.path} is exported by ${targets.size} targets: initiators of both must know how to share it`,
            `${object.path} users`,
          ),
        ]
      : [];
  });
  return [
    ...shared.flatMap(([, all]) => {
      const [first, last] = [all[0], all.at(-1)];
      if (!first || !last) return [];
      return problem(
        `${all.map(({ path }) => path).join(' and ')} are one medium, ${mediumOf(first)}: what one writes, the other does not expect`,
        `${first.path.replace(/\/[^/]*$/, '')} delete ${last.name}`,
      );
    }),
    ...several,
  ];
}

/** Findings about file systems that cannot hold all that the sparse files on them may become. */
async function spaceFindings(objects: readonly StorageObject[]): Promise<Found[]> {
  const files = objects.flatMap((object) => {
    const file = fileAt(mediumOf(object));
    return file?.isFile() ? [{ object, file }] : [];
  });
  const byDevice = Map.groupBy(files, ({ file }) => file.dev);
  const found = await Promise.all(
    [...byDevice.values()].map(async (all) => {
      const folder = dirname(mediumOf(all[0]!.object));
      // A medium that has gone since is found by another check.
      const space = await statfs(folder).catch(() => undefined);
      if (!space) return [];
      const { bavail, blocks, bsize } = space;
      const free = bavail * bsize;
      const wanted = all.reduce((sum, { file }) => sum + Math.max(0, file.size - file.blocks * 512), 0);
      const where = `the file system of ${folder} has ${printSize(free)} left`;
      const add = `df -h ${folder}`;
      if (wanted > free)
        return [
          problem(`${where}, and its ${all.length} disks may ask for ${printSize(wanted)}: writes will fail`, add),
        ];
      return bavail < blocks * freeShareMin ? [advice(`${where}, less than ${freeShareMin * 100} %`, add)] : [];
    }),
  );
  return found.flat();
}

/** Findings about devices that may ask for more than is left beneath them: thin volumes, loop devices. What others on a pool ask for, the pool knows. */
async function deviceFindings(root: Host['root']): Promise<Found[]> {
  return (await root.spaces()).flatMap(({ path, allocated, available }) => {
    const object = root.tree.storageObject(path);
    if (!object || available === undefined || !fileAt(mediumOf(object))?.isBlockDevice()) return [];
    const wanted = Math.max(0, object.blocks * object.blockSize - allocated);
    const says = `${path} may ask for ${printSize(wanted)}, and what ${mediumOf(object)} is on has ${printSize(available)} left: writes will fail`;
    return wanted > available ? [problem(says, `lsblk -s ${mediumOf(object)}`)] : [];
  });
}

function lateMounts(object: StorageObject, machine: Machine): Found[] {
  const mount = machine.mountOf(mediumOf(object));
  // A device is there without a mount.
  if (!mount || mount.point.startsWith('/dev')) return [];
  const isRemote = networkFileSystems.includes(mount.type);
  const when = machine.hasSystemd ? machine.atBoot(mount) : 'before';
  if (!isRemote && when === 'before') return [];
  const where = `${object.path} is on ${mount.type} (${mount.point})`;
  if (when === 'not at all')
    return [
      advice(
        `${where}, which nothing mounts at a boot: then it is missing`,
        `findmnt --fstab, and a line there for ${mount.point}`,
      ),
    ];
  return [
    advice(
      `${where}, which a boot may mount later than tcli starts: until then it is missing`,
      `systemctl edit tcli.service, and there: [Unit] RequiresMountsFor=${mount.point}`,
    ),
  ];
}

function* tpgsOf(fabrics: ReadonlyMap<string, FabricState>): Generator<{ state: FabricState; tpg: Tpg }> {
  for (const state of fabrics.values())
    if (state.fabric.features.includes('nps'))
      for (const target of state.targets.values()) for (const tpg of target.tpgs.values()) yield { state, tpg };
}

/** The TPGs to which initiators come over a network. */
const iscsiTpgs = (fabrics: ReadonlyMap<string, FabricState>) => [...tpgsOf(fabrics)];

const isWildcard = (address: string): boolean => /^(0\.0\.0\.0|[0:]+)$/.test(address);
const isLoopback = (address: string): boolean => /^127\.|^::1$/.test(address);

function portalFindings({ path, enabled, portals, luns }: Tpg): Found[] {
  if (!enabled) return luns.size > 0 ? [advice(`${path} is disabled: nobody can log in`, `${path} enable`)] : [];
  if (portals.length === 0) return [problem(`${path} has no portal: nobody can log in`, `${path}/portals create`)];
  return portals.every(({ address }) => isLoopback(address))
    ? [
        advice(
          `${path} listens on ${portals.map(printPortal).join(', ')} only: other machines do not reach it`,
          `${path}/portals create`,
        ),
      ]
    : [];
}

function pathFindings({ path, enabled, portals, luns }: Tpg, { addresses }: Machine): Found[] {
  const reached = new Set(
    portals.flatMap(({ address }) => (isWildcard(address) ? addresses : isLoopback(address) ? [] : [address])),
  );
  if (!enabled || luns.size === 0 || reached.size !== 1) return [];
  return [
    advice(
      `${path} is reached by one address, ${[...reached][0]}: without it initiators lose their disks`,
      `${path}/portals create ADDRESS`,
    ),
  ];
}

function openFindings(state: FabricState, tpg: Tpg): Found[] {
  const { path, enabled, accessList, portals } = tpg;
  if (!enabled || portals.length === 0 || portals.every(({ address }) => isLoopback(address))) return [];
  const noSecret = (acl: NodeAcl | undefined) => !credentialsOf(state, tpg, acl, Date.now()).required;
  const listed = accessList ? ' that is on its access list' : '';
  const demo = tpg.attribute('generate_node_acls') === 1 && noSecret(undefined);
  const named = [...tpg.acls.values()].filter(noSecret);
  return [
    ...(demo
      ? [
          (accessList || tpg.attribute('demo_mode_write_protect') === 1 ? advice : problem)(
            `${path} lets in every initiator${listed} without a secret${tpg.attribute('demo_mode_write_protect') === 1 ? ', to read' : ', to read and write'}`,
            `${path} set attribute generate_node_acls=0`,
          ),
        ]
      : []),
    ...(named.length > 0
      ? [
          advice(
            `${path} lets in ${named.length === 1 ? named.map(({ wwn }) => wwn).join() : `${named.length} initiators`} by name alone, which everybody can give`,
            `${path} set attribute authentication=1`,
          ),
        ]
      : []),
  ];
}

/** An ACL of each node: those with the same tag are one, and have the same credentials and mapped LUNs. */
const nodesOf = ({ acls }: Tpg): Iterable<NodeAcl> =>
  new Map(Array.from(acls.values(), (acl) => [aclNode(acl), acl] as const)).values();

/** Findings about CHAP that admits nobody, and about weak secrets. */
function chapFindings(fabrics: ReadonlyMap<string, FabricState>): Found[] {
  const now = Date.now();
  const discovery = [...fabrics.values()]
    .filter(({ fabric }) => fabric.features.includes('discovery_auth'))
    .map((state) => ({ ...discoveryCredentials(state, now), owner: `/${state.fabric.name}` }));
  const all = [
    ...[...tpgsOf(fabrics)].flatMap(({ state, tpg }) => [
      ...(tpg.attribute('generate_node_acls') === 1 ? [credentialsOf(state, tpg, undefined, now)] : []),
      ...Array.from(nodesOf(tpg), (acl) => credentialsOf(state, tpg, acl, now)),
    ]),
    ...discovery,
  ];
  return [
    ...all.flatMap((credentials) => {
      const why = whyNobodyCan(credentials);
      return why === undefined
        ? []
        : [problem(`${why}: nobody gets in`, `${credentials.setBy} userid=NAME password=SECRET`)];
    }),
    ...all.flatMap(weakSecrets),
  ];
}

/** Secrets that were renewed, and whose predecessors are still taken. */
function oldSecrets(fabrics: ReadonlyMap<string, FabricState>, uses: OldSecretUses): Found[] {
  const owners = [...tpgsOf(fabrics)].flatMap(({ tpg: { path, auth, acls } }) => [
    { owner: path, node: path, auth },
    ...Array.from(acls.values(), (acl) => ({ owner: acl.path, node: aclNode(acl), auth: acl.auth })),
  ]);
  const discovery = Array.from(fabrics.values(), ({ fabric, discoveryAuth: auth }) => ({
    ...{ owner: 'discovery_auth', node: `/${fabric.name}` },
    auth,
  }));
  return [...owners, ...discovery].flatMap(({ owner, node, auth }) => {
    const says = uses.describe(owner, auth, Date.now());
    return says === undefined ? [] : [advice(says, `${node} end_overlap`)];
  });
}

const weakSecrets = ({ owner, auth, setBy }: Credentials): Found[] =>
  (['password', 'mutual_password'] as const).flatMap((name) => {
    const isUsed = name === 'password' ? hasCredentials(auth) : isMutual(auth);
    return isUsed && isWeak(auth[name])
      ? [
          advice(
            `the ${name} of ${owner} has fewer than ${secretBytesMin} bytes: it can be guessed, and Windows refuses it`,
            `${setBy} ${name}=SECRET`,
          ),
        ]
      : [];
  });

function blindFindings(tpg: Tpg): Found[] {
  return [...nodesOf(tpg)]
    .filter(({ mappedLuns }) => mappedLuns.size === 0)
    .map((acl) =>
      advice(`${acl.tag || acl.wwn} may log in to ${tpg.path} and sees no disk`, `${aclNode(acl)} create 0 LUN`),
    );
}

/** The file or device of a medium; undefined of one that is no path, or leads nowhere. */
const fileAt = (medium: string) => (medium.startsWith('/') ? statOf(medium) : undefined);
