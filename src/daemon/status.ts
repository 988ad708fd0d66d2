/** The status of a running process: the things it serves, and those it cannot. */

import { printSize } from '../backstore/backstore.ts';
import type { LossState, OverdueState } from '../loops/loop.ts';
import { isReplaceable } from '../operations/medium-operations.ts';
import type { Raw } from '../operations/raw.ts';
import type { Tree } from '../operations/tree.ts';
import type { Host } from '../root/host.ts';
import { authProblem } from '../target/auth.ts';
import { standingFences } from '../target/fences.ts';
import { keptOf, portalPath, printPortal } from '../target/target.ts';
import type { Status } from './control-protocol.ts';

/** The facts that only the process itself knows. */
export type About = Pick<Status, 'role' | 'startedBy' | 'version' | 'startedAt' | 'clients'>;

/** The status of a process, as clients are told it. */
export function statusOf(host: Host, about: About): Status {
  const { tree } = host.root;
  const waiting = [...new Set(host.root.states().flatMap((loop) => loop.waiting ?? []))].join('; ');
  return {
    ...about,
    ...(waiting !== '' && { waiting }),
    pid: process.pid,
    serving: host.root.serving,
    saveFile: host.home.saveFile,
    ...(host.given && { config: host.given.path }),
    storageObjects: [...tree.allStorageObjects()].length,
    targets: [...tree.targets()].length,
    sessions: host.root.sessions().length,
    portals: [...new Set([...tree.tpgs()].flatMap((tpg) => tpg.portals.map(printPortal)))],
    unsavedOperations: host.unsavedOperations,
    latestOperations: host.latestOperations,
    notRestored: host.warnings,
    ...(host.shared && { cluster: host.shared.state }),
    problems: problems(host),
    remarks: [
      ...remarksOn(tree),
      ...closedForNow(tree),
      ...keptIn(tree).map((name) => `${name}: kept in the saved file, not used`),
    ],
  };
}

/** A wish of the tree that is not fulfilled, or does harm, and the line to type next. Plain data. */
export interface ServingFault {
  readonly says: string;
  readonly next: string;
}

/** CHAP words with which nobody can log in. */
const authFaults = (tree: Tree): ServingFault[] =>
  [...tree.auths()].flatMap(({ path, auth, shownBy }) => {
    const problem = authProblem(auth);
    return problem ? [{ says: `${path}: ${problem}`, next: shownBy }] : [];
  });

/** The line about a medium that has had commands for long. */
export const describeOverdue = ({ commands, seconds }: OverdueState): string =>
  `its medium does not answer: it has ${commands} ${commands === 1 ? 'command' : 'commands'}, the oldest for ${seconds} s`;

/** The line about losses, with what to type next. */
export const describeLoss = ({ path, bytes, reason }: LossState): string =>
  `${bytes === undefined ? 'everything' : printSize(bytes)} that was acknowledged may not be on the medium (${reason}). ` +
  `Flushes fail until initiators have written it again. When you have checked the medium and their data: ${path} reopen`;

/** Storage objects that share a serial number. */
const serialFaults = (tree: Tree): ServingFault[] =>
  Array.from(tree.sharedSerials(), ([one, other]) => ({
    says: `${other.path}: initiators know it as naa.${other.naa}, as they know ${one.path}, and take both for one disk: create it anew with another wwn`,
    next: `/backstores/${other.backstore.name} delete ${other.name}`,
  }));

const harmfulFaults = (tree: Tree): ServingFault[] => [...authFaults(tree), ...serialFaults(tree)];

/** The parts of a configuration that do harm, a line each. */
export const harmIn = (tree: Tree): string[] => harmfulFaults(tree).map(({ says }) => says);

/** Harmless differences from the saved file: serial numbers that were made, portals that speak another transport. */
export function remarksOn(tree: Tree): string[] {
  const made = Array.from(tree.allStorageObjects()).filter(({ isSerialMade }) => isSerialMade);
  const transports = [...tree.tpgs()].flatMap((tpg) =>
    tpg.portals.flatMap((portal) => {
      const kept = keptOf(portal);
      return kept ? [`${portalPath(tpg, portal)}: ${kept} is set in the saved file; it speaks TCP`] : [];
    }),
  );
  return [
    ...made.map(
      ({ path, wwn }) => `${path}: the saved file has no wwn; it is served with ${wwn}, which saveconfig adds`,
    ),
    ...transports,
  ];
}

/** Fences and drained portals: who is refused for a while, and the line that ends it. */
const closedForNow = (tree: Tree): string[] =>
  [...tree.tpgs()].flatMap((tpg) => [
    ...standingFences(tpg.fences, Date.now()).map(
      ({ initiator, until }) =>
        `${tpg.path}: ${initiator} is fenced off until ${new Date(until).toISOString()}. To let it in: ${tpg.path} unfence ${initiator}`,
    ),
    ...tpg.portals.flatMap((portal) => {
      const path = portalPath(tpg, portal);
      return portal.drain === '' ? [] : [`${path}: it is drained. To open it: ${path} undrain`];
    }),
  ]);

/** The storage objects and targets that only the saved file has, because no object here could be made of them. */
export function keptIn({ kept: { storageObjects, targets } }: Tree): string[] {
  const nameOf = (raw: Raw) => `${raw['plugin'] ?? raw['fabric']}/${raw['name'] ?? raw['wwn']}`;
  return [...storageObjects, ...targets].map(nameOf);
}

/** The faults of what is served, a line each. */
export const problems = (host: Host): string[] => faultsOf(host).map(({ says }) => says);

/**
 * The wishes of the tree that cannot be fulfilled: lost writes, closed portals, missing volumes, LUNs that are not attached, CHAP words
 * that let nobody in.
 */
export function faultsOf(host: Host): ServingFault[] {
  const { standby, problem: silent } = host.shared?.state ?? {};
  const shared = [
    ...(standby !== undefined ? [`This gateway is on standby, and changes nothing: ${standby}`] : []),
    ...(standby === undefined && silent !== undefined ? [`The configuration cannot be changed now: ${silent}`] : []),
  ].map((says) => ({ says, next: 'tcli cluster status' }));
  const { problem: untaken, path: givenFile } = host.given ?? {};
  const given = untaken === undefined ? [] : [{ says: untaken, next: `tcli apply ${givenFile} --dry-run` }];
  const tried = host.trials.all.flatMap(({ change, line, problem }) =>
    problem === undefined
      ? []
      : [{ says: `${change}: on trial (${line}), and could not be taken back: ${problem}`, next: `confirm ${change}` }],
  );
  const { lost, overdue, missing } = mediumFaults(host);
  const served = [...lost, ...overdue, ...missing, ...portalFaults(host), ...lunFaults(host)];
  return [...shared, ...given, ...served, ...tried, ...harmfulFaults(host.root.tree)];
}

function mediumFaults({ root }: Host): Record<'lost' | 'overdue' | 'missing', ServingFault[]> {
  const objects = [...root.tree.allStorageObjects()];
  return {
    lost: objects.flatMap((object) => {
      const loss = root.lossOf(object);
      return loss ? [{ says: `${object.path}: ${describeLoss(loss)}`, next: `${object.path} reopen` }] : [];
    }),
    overdue: objects.flatMap((object) => {
      const late = root.overdueOf(object);
      return late && late.commands > 0
        ? [{ says: `${object.path}: ${describeOverdue(late)}`, next: `${object.path} info` }]
        : [];
    }),
    missing: objects.flatMap((object) => {
      const { path, missing } = object;
      const next = isReplaceable(object) ? `${path} replace MEDIUM` : `${path} info`;
      return missing ? [{ says: `${path}: ${missing}`, next }] : [];
    }),
  };
}

const portalFaults = ({ root }: Host): ServingFault[] =>
  [...root.tree.tpgs()].flatMap((tpg) =>
    tpg.portals.flatMap((portal) => {
      const problem = root.portalProblem(tpg, portal);
      const path = portalPath(tpg, portal);
      return problem ? [{ says: `${path}: ${problem}`, next: `${path} move ip_port=PORT` }] : [];
    }),
  );

const lunFaults = ({ root }: Host): ServingFault[] =>
  [...root.tree.tpgs()].flatMap((tpg) =>
    [...tpg.luns.values()].flatMap((lun) => {
      const problem = root.lunProblem(lun);
      const path = `${tpg.path}/luns/lun${lun.index}`;
      return problem ? [{ says: `${path}: ${problem.message}`, next: `${path} info` }] : [];
    }),
  );
