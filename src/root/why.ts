/**
 * The answer to `why`: the rules that an initiator meets on its way to a disk, in their order. Each rule is asked itself, of the
 * configuration and the process as they are now.
 */

import { serviceOf } from '../fabric/index.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { bareName, leftBy } from '../scsi/unit-hold.ts';
import { admitsWithoutAcl, hasOwnNexus, lunsOf, mappingsOf, viewOf, whyDisabled } from '../target/access.ts';
import type { Comer, SessionInfo, Verdict } from '../target/service.ts';
import {
  aclNode,
  type FabricState,
  type Lun,
  type NodeAcl,
  portalPath,
  printPortal,
  type Target,
  type Tpg,
} from '../target/target.ts';
import { InventoryRows } from './inventory.ts';
import type { OldSecretUses } from './old-secrets.ts';
import type { Onlookers } from './onlookers.ts';
import type { LoginRefusal } from './refusals.ts';
import type { Root } from './root.ts';

/** The access that an initiator has to a LUN, and why it has not more. Plain data. */
export interface LunVerdict {
  /** The initiator's number of the LUN. */
  readonly number: number;
  /** The path of the storage object. */
  readonly disk: string;
  readonly reads: boolean;
  readonly writes: boolean;
  /** The reasons, in lines; none where the initiator may do everything. */
  readonly because: readonly string[];
  /** The line to type that takes the first reason away. */
  readonly mend?: string;
}

/** The rules that an initiator meets at one TPG. Plain data. */
export interface LoginWalk {
  /** The path of the TPG, or the target that was asked for where there is none. */
  readonly path: string;
  readonly verdicts: readonly Verdict[];
  /** The LUNs that the initiator sees. Empty where it is refused. */
  readonly luns: readonly LunVerdict[];
  /** The first rule that refuses. */
  readonly refusedBy?: Verdict;
}

/** The answer about one initiator. */
export interface WhyAnswer {
  readonly initiator: string;
  readonly address?: string;
  readonly walks: readonly LoginWalk[];
  /** The initiator's refusals of late, the latest first. */
  readonly refusals: readonly LoginRefusal[];
}

/** The question. */
export interface WhyQuestion {
  readonly initiator: string;
  /** One target. Absent: all targets to which initiators log in. */
  readonly target?: string;
  /** The address that the initiator comes from, without brackets. */
  readonly from?: string;
}

/** @param root as of its last `observe` */
export async function whyRefused(
  root: Root,
  onlookers: Pick<Onlookers, 'refusals' | 'oldSecrets'>,
  question: WhyQuestion,
): Promise<WhyAnswer> {
  const initiator = question.initiator.toLowerCase();
  const wanted = question.target?.toLowerCase();
  const found = [...root.tree.fabrics.values()].flatMap((state) =>
    [...state.targets.values()]
      .filter(({ wwn }) => (wanted === undefined ? serviceOf(state.fabric)?.examine : wwn === wanted))
      .map((target) => ({ state, target })),
  );
  const walks = await Promise.all(
    found.flatMap(({ state, target }) =>
      Array.from(target.tpgs.values(), (tpg) => walk(root, onlookers.oldSecrets, state, tpg, initiator, question.from)),
    ),
  );
  return {
    initiator,
    ...(question.from !== undefined && { address: question.from }),
    walks: walks.length > 0 ? walks : [nowhere(wanted, found[0]?.target)],
    refusals: onlookers.refusals
      .latest()
      .filter((one) => one.initiator === initiator && (!wanted || one.target === wanted)),
  };
}

/** The answer where there is nothing to log in to. */
function nowhere(wanted: string | undefined, target: Target | undefined): LoginWalk {
  const verdict: Verdict = target
    ? { rule: 'target', outcome: 'refuses', says: `${target.path} has no TPG`, mend: `${target.path} create` }
    : {
        ...{ rule: 'target', outcome: 'refuses' },
        says: wanted === undefined ? 'there is no target' : `there is no target ${wanted}`,
        mend: `/iscsi create${wanted === undefined ? '' : ` ${wanted}`}`,
      };
  return { path: target?.path ?? wanted ?? '/iscsi', verdicts: [verdict], luns: [], refusedBy: verdict };
}

async function walk(
  root: Root,
  oldSecrets: OldSecretUses,
  state: FabricState,
  tpg: Tpg,
  initiatorName: string,
  address: string | undefined,
): Promise<LoginWalk> {
  const connections = connectionsBeside(root, tpg.target);
  const comer = { initiatorName, address, connections, date: Date.now() };
  const examined = await serviceOf(state.fabric)?.examine?.(state, tpg, comer);
  const onTheWay = examined && [portals(root, tpg), ...examined, ...oldSecret(tpg, comer, oldSecrets)];
  const verdicts = [serving(root), ...(onTheWay ?? ownNexus(tpg))];
  const refusedBy = verdicts.find(({ outcome }) => outcome === 'refuses');
  if (refusedBy) return { path: tpg.path, verdicts, luns: [], refusedBy };
  const acl = tpg.acls.get(hasOwnNexus(tpg) ? tpg.nexusWwn : initiatorName);
  const luns = lunsOf(tpg, acl).flatMap((number) => lunVerdict(root, tpg, acl, number, initiatorName) ?? []);
  const seen = lunsSeen(tpg, acl, luns.length);
  return {
    path: tpg.path,
    verdicts: [...verdicts, seen],
    luns,
    ...(seen.outcome === 'refuses' && { refusedBy: seen }),
  };
}

/** The verdict of an old secret that is still taken; none where there is none. */
function oldSecret(tpg: Tpg, { initiatorName, date }: Comer, uses: OldSecretUses): Verdict[] {
  const acl = tpg.acls.get(initiatorName);
  const { path, auth } = acl ?? tpg;
  const node = acl ? aclNode(acl) : path;
  const says = uses.describe(path, auth, date);
  return says === undefined ? [] : [{ rule: 'old secret', outcome: 'passes', says: `${says} (${node} end_overlap)` }];
}

function serving({ serving }: Root): Verdict {
  const rule = 'serving';
  return serving
    ? { rule, outcome: 'passes', says: 'targets are served' }
    : { rule, outcome: 'refuses', says: 'nothing is served from here', mend: 'tcli daemon start' };
}

/** The rules of a TPG that nobody logs in to. */
function ownNexus(tpg: Tpg): Verdict[] {
  const disabled = whyDisabled(tpg);
  if (disabled !== undefined)
    return [{ rule: 'enabled', outcome: 'refuses', says: disabled, mend: `${tpg.path} enable` }];
  const says = `no name is asked: whoever may open it on this machine is ${tpg.nexusWwn}; for how, see: ${tpg.target.path} info`;
  return [
    { rule: 'enabled', outcome: 'passes', says: `${tpg.path} is enabled` },
    { rule: 'nexus', outcome: 'depends', says },
  ];
}

function portals(root: Root, tpg: Tpg): Verdict {
  const rule = 'portal';
  const add = `${tpg.path}/portals create`;
  if (tpg.portals.length === 0) return { rule, outcome: 'refuses', says: `${tpg.path} has no portal`, mend: add };
  const closed = tpg.portals.flatMap((portal) => {
    const problem = root.portalProblem(tpg, portal);
    return problem === undefined ? [] : [`${portalPath(tpg, portal)}: ${problem}`];
  });
  if (closed.length === tpg.portals.length) return { rule, outcome: 'refuses', says: closed.join('; '), mend: add };
  const open = tpg.portals.filter((portal) => root.portalProblem(tpg, portal) === undefined).map(printPortal);
  const also = closed.length > 0 ? `; not: ${closed.join('; ')}` : '';
  return { rule, outcome: 'passes', says: `${open.join(', ')}${also}` };
}

function lunsSeen({ path }: Tpg, acl: NodeAcl | undefined, count: number): Verdict {
  const rule = 'luns';
  if (count > 0) return { rule, outcome: 'passes', says: `it sees ${count}` };
  return acl
    ? {
        ...{ rule, outcome: 'refuses', says: `it logs in and sees no disk: its ACL maps no LUN` },
        mend: `${aclNode(acl)} create 0 LUN`,
      }
    : {
        ...{ rule, outcome: 'refuses', says: `it logs in and sees no disk: ${path} has no LUN` },
        mend: `${path}/luns create STORAGE_OBJECT`,
      };
}

/** Connections that are open in the loop that serves a target. */
function connectionsBeside(root: Root, target: Target): number {
  const number = root.loopOf(target)?.number;
  const isBeside = ({ fabric, targetWwn }: SessionInfo) => {
    const other = root.tree.fabrics.get(fabric)?.targets.get(targetWwn);
    return other !== undefined && root.loopOf(other)?.number === number;
  };
  return root.sessions().reduce((sum, session) => sum + (isBeside(session) ? session.connections.length : 0), 0);
}

/** An obstacle of an initiator at a LUN, and the line to type that takes it away, where there is one. */
interface Obstacle {
  readonly takes: 'all' | 'writes';
  readonly says: string;
  readonly mend?: string;
}

function lunVerdict(
  root: Root,
  tpg: Tpg,
  acl: NodeAcl | undefined,
  number: number,
  initiatorName: string,
): LunVerdict | undefined {
  const view = viewOf(tpg, acl, number);
  if (!view) return undefined;
  const obstacles = [
    ...mediumObstacles(root, view.storageObject),
    ...(view.writeProtected ? protections(tpg, acl, number) : []),
    ...holdObstacles(root, view.storageObject, tpg, initiatorName),
  ];
  const mend = obstacles.find((one) => one.mend !== undefined)?.mend;
  const takesAll = obstacles.some(({ takes }) => takes === 'all');
  return {
    number,
    disk: view.storageObject.path,
    reads: !takesAll,
    writes: obstacles.length === 0,
    because: obstacles.map(({ says }) => says),
    ...(mend !== undefined && { mend }),
  };
}

function mediumObstacles(root: Root, object: StorageObject): Obstacle[] {
  const { missing, path, attributes } = object;
  const work = root.workOn(object);
  const protectedBy = root.holdOn(object)?.writeProtectedBy;
  return [
    ...(missing === undefined ? [] : [{ takes: 'all' as const, says: `its medium is not there: ${missing}` }]),
    ...(work ? [{ takes: 'all' as const, says: `${work.command} ${work.failed ? 'has failed' : 'goes on'}` }] : []),
    ...(attributes.values.read_only === 1
      ? [{ takes: 'writes' as const, says: `read_only=1 of ${path}`, mend: `${path} set attribute read_only=0` }]
      : []),
    ...(protectedBy === 'medium' ? [{ takes: 'writes' as const, says: 'its medium cannot be written' }] : []),
    ...(protectedBy === 'initiator'
      ? [{ takes: 'writes' as const, says: 'an initiator has set its software write protect (mode page 0Ah, SWP)' }]
      : []),
  ];
}

/** The obstacles to writing, for which access shows the LUN read-only (access.ts). */
function protections(tpg: Tpg, acl: NodeAcl | undefined, number: number): Obstacle[] {
  const attribute = acl ? 'prod_mode_write_protect' : 'demo_mode_write_protect';
  const mapped = acl?.mappedLuns.get(number);
  return [
    ...(acl && mapped?.writeProtect
      ? [
          {
            takes: 'writes' as const,
            says: `it is mapped read-only: ${aclNode(acl)}/mapped_lun${number}`,
            mend: `${aclNode(acl)}/mapped_lun${number} set attribute write_protect=0`,
          },
        ]
      : []),
    ...(tpg.attribute(attribute) === 1
      ? [
          {
            ...{ takes: 'writes' as const, says: `${attribute}=1 of ${tpg.path}` },
            mend: `${tpg.path} set attribute ${attribute}=0`,
          },
        ]
      : []),
  ];
}

function holdObstacles(root: Root, object: StorageObject, tpg: Tpg, initiatorName: string): Obstacle[] {
  const hold = root.holdOn(object);
  if (!hold) return [];
  const { reads, writes } = leftBy(hold, initiatorName, tpg.relativePortId);
  if (reads && writes) return [];
  const kill = hold.reservedBy?.session === undefined ? {} : { mend: `sessions kill ${hold.reservedBy.session}` };
  return [{ takes: reads ? 'writes' : 'all', says: `reserved by ${holderOf(hold).join(', ')}`, ...kill }];
}

/** The names of the reservation's holders. */
function holderOf({
  persistent: { reservation, registrations },
  reservedBy,
}: NonNullable<ReturnType<Root['holdOn']>>): string[] {
  if (reservedBy) return [reservedBy.initiatorName];
  if (!reservation) return [];
  const holders = reservation.holder ? [reservation.holder] : registrations;
  return [...new Set(holders.map(({ initiator }) => bareName(initiator)))];
}

/** The answer about a LUN: its holder, its users, and the access that each initiator has. Plain data. */
export interface LunAnswer {
  readonly path: string;
  readonly disk: string;
  readonly problem: string;
  /** The type of the persistent reservation, or RESERVE; null: there is none. */
  readonly reservation: { readonly type: string; readonly holders: readonly string[] } | null;
  readonly registered: readonly string[];
  /** The initiators that are logged in and see the LUN. */
  readonly users: readonly {
    readonly initiator: string;
    readonly session: number;
    readonly addresses: readonly string[];
  }[];
  /** The access by ACL; `*` stands for initiators that have none. */
  readonly may: readonly (LunVerdict & { readonly initiator: string })[];
}

/** SPC-4 6.15.3.4: the types of a persistent reservation. */
const typeNames: Readonly<Record<number, string>> = {
  1: 'write exclusive',
  3: 'exclusive access',
  5: 'write exclusive, registrants only',
  6: 'exclusive access, registrants only',
  7: 'write exclusive, all registrants',
  8: 'exclusive access, all registrants',
};

/** @param root as of its last `observe` */
export function whyAtLun(root: Root, lun: Lun): LunAnswer {
  const rows = new InventoryRows(root);
  const { tpg, storageObject } = lun;
  const { path, disk, problem } = rows.lun(lun);
  const hold = root.holdOn(storageObject);
  const reservation = hold?.persistent.reservation;
  const type = hold?.reservedBy ? 'RESERVE' : reservation ? typeNames[reservation.type] : undefined;
  const mapped = mappingsOf(lun).flatMap(({ acl, mapped: { index } }) => {
    const verdict = lunVerdict(root, tpg, acl, index, acl.wwn);
    return verdict ? [{ initiator: acl.wwn, ...verdict }] : [];
  });
  const everybody = admitsWithoutAcl(tpg) && lunVerdict(root, tpg, undefined, lun.index, '*');
  return {
    ...{ path, disk, problem },
    reservation: hold && type !== undefined ? { type, holders: holderOf(hold) } : null,
    registered: [...new Set((hold?.persistent.registrations ?? []).map(({ initiator }) => bareName(initiator)))],
    users: rows.usersOf(lun).map(({ initiatorWwn, id, connections }) => ({
      initiator: initiatorWwn,
      session: id,
      addresses: connections.map(({ address }) => address),
    })),
    may: [...mapped, ...(everybody ? [{ initiator: '*', ...everybody }] : [])],
  };
}
