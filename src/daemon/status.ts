/** The status of a running process: the things it serves, and those it cannot. */

import { printSize } from '../backstore/backstore.ts';
import type { LossState, OverdueState } from '../loops/loop.ts';
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

/** CHAP words with which nobody can log in, a line each. */
const authProblems = (tree: Tree): string[] =>
  [...tree.auths()].flatMap(({ path, auth }) => {
    const problem = authProblem(auth);
    return problem ? [`${path}: ${problem}`] : [];
  });

/** The line about a medium that has had commands for long. */
export const describeOverdue = ({ commands, seconds }: OverdueState): string =>
  `its medium does not answer: it has ${commands} ${commands === 1 ? 'command' : 'commands'}, the oldest for ${seconds} s`;

/** The line about losses, with what to type next. */
export const describeLoss = ({ path, bytes, reason }: LossState): string =>
  `${bytes === undefined ? 'everything' : printSize(bytes)} that was acknowledged may not be on the medium (${reason}). ` +
  `Flushes fail until initiators have written it again. When you have checked the medium and their data: ${path} reopen`;

/** Storage objects that share a serial number, a line each. */
const serialProblems = (tree: Tree): string[] =>
  Array.from(
    tree.sharedSerials(),
    ([one, other]) =>
      `${other.path}: initiators know it as naa.${other.naa}, as they know ${one.path}, and take both for one disk: create it anew with another wwn`,
  );

/** The parts of a configuration that do harm, a line each. */
export const harmIn = (tree: Tree): string[] => [...authProblems(tree), ...serialProblems(tree)];

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

/**
 * The wishes of the tree that cannot be fulfilled, a line each: lost writes, closed portals, missing volumes, LUNs that are not attached,
 * CHAP words that let nobody in.
 */
export function problems(host: Host): string[] {
  const { tree } = host.root;
  const lost = [...tree.allStorageObjects()].flatMap((object) => {
    const loss = host.root.lossOf(object);
    return loss ? [`${object.path}: ${describeLoss(loss)}`] : [];
  });
  const missing = [...tree.allStorageObjects()].flatMap(({ path, missing }) =>
    missing ? [`${path}: ${missing}`] : [],
  );
  const closed = [...tree.tpgs()].flatMap((tpg) =>
    tpg.portals.flatMap((portal) => {
      const problem = host.root.portalProblem(tpg, portal);
      return problem ? [`${portalPath(tpg, portal)}: ${problem}`] : [];
    }),
  );
  const local = [...tree.tpgs()].flatMap((tpg) =>
    [...tpg.luns.values()].flatMap((lun) => {
      const problem = host.root.lunProblem(lun);
      return problem ? [`${tpg.path}/luns/lun${lun.index}: ${problem.message}`] : [];
    }),
  );
  const { standby, problem: silent } = host.shared?.state ?? {};
  const shared = [
    ...(standby !== undefined ? [`This gateway is on standby, and changes nothing: ${standby}`] : []),
    ...(standby === undefined && silent !== undefined ? [`The configuration cannot be changed now: ${silent}`] : []),
  ];
  const tried = host.trials.all.flatMap(({ change, line, problem }) =>
    problem === undefined ? [] : [`${change}: on trial (${line}), and could not be taken back: ${problem}`],
  );
  const overdue = [...tree.allStorageObjects()].flatMap((object) => {
    const late = host.root.overdueOf(object);
    return late && late.commands > 0 ? [`${object.path}: ${describeOverdue(late)}`] : [];
  });
  const given = host.given?.problem === undefined ? [] : [host.given.problem];
  return [...shared, ...given, ...lost, ...overdue, ...missing, ...closed, ...local, ...tried, ...harmIn(tree)];
}
