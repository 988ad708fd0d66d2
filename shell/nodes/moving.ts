/** Renaming, moving and copying: what the operations do, for who types it. Each is a command of the object itself. */

import {
  type Lun,
  OperatorError,
  type Portal,
  placeOf,
  printPortal,
  type SessionInfo,
  type StorageObject,
  type Target,
  type Tpg,
  types,
  type ValueType,
} from '../../src/index.ts';
import { type Context, commandOf, given, type Node, optional, required } from '../session/node.ts';
import type { AclGroup } from './acl-group.ts';
import { mayDelete, sessionsIn, usersAmong } from './in-use.ts';
import { localAddresses } from './local-addresses.ts';
import { lunType } from './lun-type.ts';

/** The sentence about initiators that were logged in. */
function sayEnded({ info }: Context, users: readonly string[], what: string): void {
  if (users.length > 0) info(`${users.join(', ')}: logged out; ${what}`);
}

export const renameStorageObject = commandOf<StorageObject>()({
  doc: 'Gives the storage object another name. Its initiators go on, and notice nothing.',
  details: [
    'Serial number, NAA name and INQUIRY data stay as they are. Where the name was the INQUIRY product (emulate_model_alias=1), the attribute product_id keeps it: what a multipath configuration or a udev rule knows the disk by goes on to match. Its file or device is not renamed.',
  ],
  parameters: [required('name', types.string, 'Its new name.')],
  examples: [{ line: 'rename db-data', does: 'Calls it db-data.' }],
  async run({ backstore, name: before }, context, { name }) {
    const at = `/backstores/${backstore.name}`;
    await context.apply(at, 'rename', { name: before, to: name });
    context.info(`Renamed ${backstore.name} ${before} to ${name}.`);
  },
});

export const renameTarget = commandOf<Target>()({
  takesAway: true,
  doc: 'Gives the target another name; TPGs, LUNs, ACLs, portals and secrets stay.',
  details: [
    'Initiators know a target by its name. Those that are logged in are asked to log out, and have to be told the new one: on Linux, iscsiadm -m discovery again, and iscsiadm -m node -T OLD -o delete.',
  ],
  seeAlso: ['copy'],
  parameters: [required('wwn', types.string, 'Its new name.', { kind: 'wwn' })],
  examples: [
    {
      line: 'rename naa.50014050000000ff',
      does: 'Calls it so.',
    },
  ],
  async run({ wwn: before, path, fabric, tpgs }, context, { wwn }) {
    const sessions = sessionsIn([...tpgs.values()]);
    if (!(await mayDelete(context, path, { sessions, act: 'Rename' }))) return;
    const users = usersAmong(context.host, sessions);
    const { operation } = await context.apply(`/${fabric.name}`, 'rename', { wwn: before, to: wwn });
    const name = String(operation.params['to']);
    context.info(`Renamed target ${before} to ${name}.`);
    sayEnded(context, users, 'they have to log in to the new name.');
  },
});

export const copyTarget = commandOf<Target>()({
  doc: 'Makes another target like this one: the same LUNs, portals, ACLs with their secrets, and settings.',
  details: [
    'Both export the same storage objects. That is one disk by two ways for an initiator that logs in to both, and two initiators on one disk otherwise: they must know how to share it.',
  ],
  seeAlso: ['rename'],
  parameters: [required('wwn', types.string, 'The name of the new one.', { kind: 'wwn' })],
  examples: [{ line: 'copy naa.50014050000000fe', does: 'Makes a target of that name.' }],
  async run({ wwn: before, fabric }, context, { wwn }) {
    const { operation } = await context.apply(`/${fabric.name}`, 'copy', { wwn: before, to: wwn });
    const name = String(operation.params['to']);
    context.info(`Copied target ${before} to ${name}.`);
    await context.created(`/${fabric.name}/${name}`);
  },
});

/** @throws OperatorError where the node stands for several initiators */
function onlyMember({ members, tag }: AclGroup) {
  const [acl, ...others] = members;
  if (acl && others.length === 0) return acl;
  const names = members.map(({ wwn }) => wwn).join(', ');
  throw new OperatorError(`${tag} stands for ${members.length} initiators: ${names}`, `First: ../ untag ${acl?.wwn}`);
}

export const renameAcl = commandOf<AclGroup>()({
  takesAway: true,
  doc: 'The ACL is for another initiator name; its mapped LUNs, secrets and settings stay.',
  details: [
    'For a machine that was installed anew, or whose initiator name was changed. A session under the old name ends.',
  ],
  seeAlso: ['copy'],
  parameters: [required('wwn', types.string, 'The name of the initiator.', { kind: 'wwn' })],
  examples: [{ line: 'rename iqn.1994-05.com.redhat:renamed', does: 'Lets the initiator of that name in instead.' }],
  async run(group, context, { wwn }) {
    const { tpg } = group;
    const { wwn: before } = onlyMember(group);
    const { path } = context.node;
    const sessions = (one: SessionInfo) => sessionsIn([tpg])(one) && one.initiatorWwn === before;
    if (!(await mayDelete(context, path, { sessions, act: 'Rename' }))) return;
    const users = usersAmong(context.host, sessions);
    const { operation } = await context.apply(`${tpg.path}/acls`, 'rename', { wwn: before, to: wwn });
    const name = String(operation.params['to']);
    context.info(`Renamed Node ACL ${before} to ${name}.`);
    sayEnded(context, users, `only ${name} is let in with this ACL now.`);
  },
});

export const copyAcl = commandOf<AclGroup>()({
  doc: 'Lets another initiator in with the same mapped LUNs, secrets, settings and tag.',
  details: [
    'For the next host of a cluster. The secrets are the same, too: to give it its own, set auth password=… at its node.',
  ],
  seeAlso: ['rename'],
  parameters: [required('wwn', types.string, 'The name of the other initiator.', { kind: 'wwn' })],
  examples: [{ line: 'copy iqn.1994-05.com.redhat:client2', does: 'Lets client2 in, too.' }],
  async run({ tpg, members: [acl] }, context, { wwn }) {
    const before = acl!.wwn;
    const { operation } = await context.apply(`${tpg.path}/acls`, 'copy', { wwn: before, to: wwn });
    const name = String(operation.params['to']);
    const { mappedLuns } = tpg.acls.get(name)!;
    context.info(`Copied Node ACL ${before} to ${name}; mapped LUNs: ${mappedLuns.size}.`);
    await context.created(`${tpg.path}/acls/${name}`);
  },
});

/** The paths of all TPGs. */
const tpgPaths = ({ host }: Node): Iterable<string> => Array.from(host.root.tree.tpgs(), ({ path }) => path);

/** The TPG at a path, or the only one of the target there. @throws OperatorError */
function tpgNamed(text: string, { resolve, host }: Context): Tpg {
  const { path } = resolve(text);
  const place = placeOf(host.root.tree, path);
  if (place.kind === 'tpg') return place.tpg;
  const tpgs = place.kind === 'target' ? [...place.target.tpgs.values()] : [];
  if (tpgs.length === 1) return tpgs[0]!;
  throw new OperatorError(
    `${path} is no TPG`,
    tpgs.length > 1 ? `Say which: ${tpgs.map((one) => one.path).join(', ')}` : 'Give the path of a TPG or a target.',
  );
}

export const moveLun = commandOf<Lun>()({
  takesAway: true,
  doc: 'Gives the LUN another number, or takes it to another target.',
  details: [
    'In the same TPG initiators with an ACL notice nothing: they go on seeing it under the number that it is mapped under. Those without one (generate_node_acls=1) see it under the new number, and are told that their LUNs have changed.',
    'In another TPG it has the same number, or the lowest that is free, unless you give one. Initiators that have an ACL there, too, see it there as they did here, write-protected or not; of the others it is said that they do not see it any more. Its limits and its ALUA group go along. The storage object is at no time exported by both.',
  ],
  parameters: [
    required('to', types.string, 'N or lunN; or the path of a TPG, or of a target with one TPG.', {
      suggest: tpgPaths,
    }),
    optional('lun', lunType, 'Its number there.'),
  ],
  examples: [
    { line: 'move 5', does: 'Makes it lun5.' },
    {
      line: 'move /iscsi/iqn.2003-01.org.example:other lun=5',
      does: 'Takes it to another target, as lun5.',
      after: ['/iscsi create iqn.2003-01.org.example:other'],
    },
  ],
  async run({ tpg, index }, context, { to, lun }) {
    const number = lunType.parse(to);
    const there = number === undefined ? tpgNamed(to, context) : tpg;
    const path = `${tpg.path}/luns/lun${index}`;
    if (there !== tpg && !(await mayDelete(context, path, { sessions: sessionsIn([tpg]), act: 'Move' }))) return;
    const params = given({ lun: index, to: number ?? lun, tpg: there === tpg ? undefined : there.path });
    const { operation } = await context.apply(`${tpg.path}/luns`, 'move', params);
    const now = `${there.path}/luns/lun${operation.params['to']}`;
    context.info(`Moved LUN ${index} to ${there === tpg ? `LUN ${operation.params['to']}` : now}.`);
  },
});

export const movePortal = commandOf<{ readonly tpg: Tpg; readonly portal: Portal }>()({
  takesAway: true,
  doc: 'Listens on another address or port instead, or for another TPG.',
  details: [
    'Its settings go along (advertised). Sessions that came in through it end; their initiators have to be told the new address. When nothing can listen there, everything stays as it was.',
  ],
  parameters: [
    optional('ip_address', types.string, 'The new address; as it is when absent.', { suggest: localAddresses }),
    optional('ip_port', types.number as ValueType<number>, 'The new port; as it is when absent.'),
    optional('tpg', types.string, 'The path of the TPG, or target with one TPG, that it is to be for.', {
      suggest: tpgPaths,
    }),
  ],
  examples: [{ line: 'move 127.0.0.1 3262', does: 'Listens on port 3262 of this machine only.' }],
  async run({ tpg, portal }, context, { ip_address, ip_port, tpg: path }) {
    const there = path === undefined ? tpg : tpgNamed(path, context);
    const { address, port } = portal;
    const from = context.node.path;
    if (!(await mayDelete(context, from, { sessions: sessionsIn([tpg]), act: 'Move' }))) return;
    const { operation } = await context.apply(
      `${tpg.path}/portals`,
      'move',
      given({
        ...{ ip_address: address, ip_port: port, to_address: ip_address, to_port: ip_port },
        tpg: there === tpg ? undefined : there.path,
      }),
    );
    const { to_address, to_port } = operation.params;
    const name = printPortal({ address: String(to_address), port: Number(to_port) });
    context.info(`Moved network portal ${printPortal(portal)} to ${name}${there === tpg ? '' : ` of ${there.path}`}.`);
  },
});
