/** Renaming, copying and moving what stands below fabrics. What a storage object is called: storage-object-operations.ts. */

import { OperatorError } from '../errors.ts';
import { lowestFree, mappingsOf } from '../target/access.ts';
import { type FabricState, type Lun, type NodeAcl, printPortal, type Target, type Tpg } from '../target/target.ts';
import { copied, type FoundObject, makingAgain, pathThere, takeKept, together } from './making-again.ts';
import { type Operation, operation, type Surroundings } from './operation.ts';
import { placeOf } from './place.ts';
import { portalNamed } from './portal-operations.ts';
import { schema } from './schema.ts';
import { newTargetName, targetNamed } from './target-operations.ts';
import { aclNamed, lunNumbered, newAclName, refuseAttached } from './tpg-operations.ts';
import type { Tree } from './tree.ts';

const renaming = { wwn: 'string', to: 'printable' } as const;
const copying = { ...renaming, settled: 'object?' } as const;

const targetIn = (state: FabricState, wwn: string): FoundObject & { readonly object: Target } => ({
  kind: schema.target,
  above: state,
  object: targetNamed(state, wwn),
});
const aclIn = (tpg: Tpg, wwn: string): FoundObject & { readonly object: NodeAcl } => ({
  kind: schema.nodeAcl,
  above: tpg,
  object: aclNamed(tpg, wwn),
});

/** Renaming, copying and moving. */
export const movingOperations = [
  operation({
    at: 'fabric',
    verb: 'rename',
    doc: 'Gives a target another name; all that it has stays. Sessions end: initiators know it by its name.',
    params: renaming,
    async apply(tree, { state }, { wwn: given, to }, around) {
      const target = targetIn(state, given);
      const wwn = newTargetName(state, to);
      for (const tpg of target.object.tpgs.values()) for (const lun of tpg.luns.values()) refuseAttached(lun);
      const undone = await renamed(tree, around, target, `/${state.fabric.name}`, wwn);
      return { ...undone, params: { wwn: target.object.wwn, to: wwn } };
    },
  }),
  operation({
    at: 'fabric',
    verb: 'copy',
    doc: 'Makes another target with the same TPGs, portals, LUNs, ACLs and settings. Both export the same storage objects.',
    params: copying,
    async apply(tree, { state }, { wwn: given, to, settled }, around) {
      const target = targetIn(state, given);
      const wwn = newTargetName(state, to);
      const making = makingAgain(target, { at: `/${state.fabric.name}`, params: { wwn } });
      const carried = await copied(tree, around, making, settled);
      return { ...carried, params: { wwn: target.object.wwn, to: wwn, settled: carried.settled } };
    },
  }),
  operation({
    at: 'acls',
    verb: 'rename',
    doc: 'The ACL is for another initiator name; its mapped LUNs, secrets and settings stay. Sessions of the old name end.',
    params: renaming,
    async apply(tree, { tpg }, { wwn: given, to }, around) {
      const acl = aclIn(tpg, given);
      const wwn = newAclName(tpg, to);
      const undone = await renamed(tree, around, acl, `${tpg.path}/acls`, wwn);
      return { ...undone, params: { wwn: acl.object.wwn, to: wwn } };
    },
  }),
  operation({
    at: 'acls',
    verb: 'copy',
    doc: 'Admits another initiator with the same mapped LUNs, secrets, settings and tag.',
    params: copying,
    async apply(tree, { tpg }, { wwn: given, to, settled }, around) {
      const acl = aclIn(tpg, given);
      const wwn = newAclName(tpg, to);
      const making = makingAgain(acl, { at: `${tpg.path}/acls`, params: { wwn } });
      const carried = await copied(tree, around, making, settled);
      return { ...carried, params: { wwn: acl.object.wwn, to: wwn, settled: carried.settled } };
    },
  }),
  operation({
    at: 'luns',
    verb: 'move',
    doc: 'Gives a LUN another number, or takes it to another TPG. In its own TPG initiators with an ACL go on seeing it under the number that it is mapped under; in another one it is mapped for those that have an ACL there, too.',
    // `tpg` is a path. One of the two has to be given.
    params: { lun: 'number', to: 'number?', tpg: 'string?' },
    async apply(tree, { tpg }, { lun: number, to, tpg: path }, around) {
      const lun = lunNumbered(tpg, number);
      refuseAttached(lun);
      const there = path === undefined ? tpg : tpgAt(tree, path);
      const index = to ?? (there.luns.has(lun.index) ? lowestFree(there.luns) : lun.index);
      if (there === tpg && index === lun.index)
        throw new OperatorError(`It is lun${index} of ${tpg.path} already`, 'Say another number, or another TPG.');
      const { mappings, notes } = there === tpg ? mappedAsBefore(lun, index) : mappedThere(lun, index, there);
      const making = makingAgain(
        { kind: schema.lun, above: tpg, object: lun },
        { at: `${there.path}/luns`, params: { lun: index } },
      );
      const deleting = { path: `${tpg.path}/luns`, verb: 'delete', params: { lun: lun.index } };
      const carried = await together(tree, around, [deleting, ...making, ...mappings]);
      return {
        ...carried,
        params: { lun: lun.index, to: index, ...(there !== tpg && { tpg: there.path }) },
        notes: [...(carried.notes ?? []), ...notes],
      };
    },
  }),
  operation({
    at: 'portals',
    verb: 'move',
    doc: 'Listens on another address or port, or for another TPG, with the same settings. Sessions that came in through it end.',
    params: { ip_address: 'string', ip_port: 'number', to_address: 'string?', to_port: 'number?', tpg: 'string?' },
    async apply(tree, { tpg }, given, around) {
      const portal = portalNamed(tpg, given.ip_address, given.ip_port);
      const there = given.tpg === undefined ? tpg : tpgAt(tree, given.tpg);
      const { address, port } = portal;
      const wanted = { ip_address: given.to_address ?? address, ip_port: given.to_port ?? port };
      const standing = { kind: schema.portal, above: tpg, object: portal };
      const at = { at: `${there.path}/portals`, params: wanted };
      if (pathThere(standing, at) === `${tpg.path}/portals/${printPortal(portal)}`)
        throw new OperatorError(`It listens there already`, 'Say another address, port or TPG.');
      const deleting = { path: `${tpg.path}/portals`, verb: 'delete', params: { ip_address: address, ip_port: port } };
      const carried = await together(tree, around, [deleting, ...makingAgain(standing, at)]);
      const made = carried.operations.find(({ verb }) => verb === 'create')!.params;
      return {
        ...carried,
        params: {
          ...{ ip_address: address, ip_port: port, to_address: made['ip_address']!, to_port: made['ip_port']! },
          ...(there !== tpg && { tpg: there.path }),
        },
      };
    },
  }),
];

/** An object with a WWN goes, and comes again with another one. */
async function renamed(
  tree: Tree,
  around: Surroundings,
  what: FoundObject & { readonly object: { readonly wwn: string } },
  at: string,
  to: string,
) {
  const { kind, above, object } = what;
  const deleting = { path: at, verb: 'delete', params: { wwn: object.wwn } };
  const carried = await together(tree, around, [deleting, ...makingAgain(what, { at, params: { wwn: to } })]);
  takeKept(tree, kind, object, kind.named(above, to)!);
  return carried;
}

/** @throws OperatorError when there is no TPG */
function tpgAt(tree: Tree, path: string): Tpg {
  const place = placeOf(tree, path);
  if (place.kind === 'tpg') return place.tpg;
  throw new OperatorError(`${path} is no TPG`, place.kind === 'target' ? `Say which: ${path}/tpgN` : '');
}

interface Mapped {
  readonly mappings: readonly Operation[];
  readonly notes: readonly string[];
}

/** Each LUN stays under its number for each initiator. */
function mappedAsBefore(lun: Lun, index: number): Mapped {
  const mappings = mappingsOf(lun).flatMap(({ acl, mapped }) =>
    makingAgain(
      { kind: schema.mappedLun, above: acl, object: mapped },
      { at: schema.mappedLun.at(acl), params: { tpg_lun: index } },
    ),
  );
  return { mappings, notes: [] };
}

/** An initiator that has an ACL in the other TPG sees it there, as it did: under its number, where that is free. */
function mappedThere(lun: Lun, index: number, { acls, path }: Tpg): Mapped {
  const mappings: Operation[] = [];
  const notes: string[] = [];
  for (const { acl, mapped } of mappingsOf(lun)) {
    const there = acls.get(acl.wwn);
    if (!there) {
      notes.push(`${acl.wwn} has no ACL in ${path}: it does not see the LUN any more.`);
      continue;
    }
    const number = there.mappedLuns.has(mapped.index) ? lowestFree(there.mappedLuns) : mapped.index;
    if (number !== mapped.index)
      notes.push(`${acl.wwn} sees it as LUN ${number} now: it has another LUN ${mapped.index} there.`);
    const wanted = { at: schema.mappedLun.at(there), params: { mapped_lun: number, tpg_lun: index } };
    mappings.push(...makingAgain({ kind: schema.mappedLun, above: acl, object: mapped }, wanted));
  }
  return { mappings, notes };
}
