/** What a running process serves, and what it cannot. */

import { printSize } from '../backstore/backstore.ts';
import type { Host } from '../root/host.ts';
import type { LossState } from '../root/loop.ts';
import type { Tree } from '../root/tree.ts';
import { authProblem } from '../target/auth.ts';
import { printPortal } from '../target/tpg.ts';
import type { Status } from './control-protocol.ts';

/** What only the process itself knows. */
export type About = Pick<Status, 'role' | 'version' | 'startedAt' | 'clients'>;

export function statusOf(host: Host, about: About): Status {
  const { tree } = host.root;
  return {
    ...about,
    pid: process.pid,
    serving: host.root.serving,
    saveFile: host.home.saveFile,
    storageObjects: [...tree.allStorageObjects()].length,
    targets: [...tree.targets()].length,
    sessions: host.root.sessions().length,
    portals: [...new Set([...tree.tpgs()].flatMap((tpg) => tpg.portals.map(printPortal)))],
    unsavedOperations: host.unsavedOperations,
    latestOperations: host.latestOperations,
    notRestored: host.warnings,
    problems: problems(host),
  };
}

/** CHAP words with which nobody can log in, a line each. */
export const authProblems = (tree: Tree): string[] =>
  [...tree.auths()].flatMap(({ path, auth }) => {
    const problem = authProblem(auth);
    return problem ? [`${path}: ${problem}`] : [];
  });

/** What may be lost, and what to type next. */
export const describeLoss = ({ path, bytes, reason }: LossState): string =>
  `${bytes === undefined ? 'everything' : printSize(bytes)} that was acknowledged may not be on the medium (${reason}). ` +
  `Flushes fail until initiators have written it again. When you have checked the medium and their data: ${path} reopen`;

/**
 * What the tree asks for and cannot have: lost writes, closed portals, volumes that are not there, LUNs that are not attached, CHAP
 * words that let nobody in. A line each.
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
      return problem ? [`${tpg.path}/portals/${printPortal(portal)}: ${problem}`] : [];
    }),
  );
  const local = [...tree.tpgs()].flatMap((tpg) =>
    [...tpg.luns.values()].flatMap((lun) => {
      const problem = host.root.lunProblem(lun);
      return problem ? [`${tpg.path}/luns/lun${lun.index}: ${problem.message}`] : [];
    }),
  );
  return [...lost, ...missing, ...closed, ...local, ...authProblems(tree)];
}
