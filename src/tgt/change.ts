/** The surroundings of every request, and the one way in which requests change the tree. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Author, Operation } from '../operations/operation.ts';
import type { Host } from '../root/host.ts';
import { newPart } from '../root/options.ts';
import type { SessionInfo } from '../target/service.ts';
import type { FabricState, Tpg } from '../target/target.ts';
import type { TargetNumbers } from './view.ts';

/** The fabric that tgt's targets are in. */
export const fabricName = 'iscsi';

/** The surroundings of a request. */
export interface Desk {
  readonly host: Host;
  readonly numbers: TargetNumbers;
  /** The portals of new targets, the newest first. */
  readonly portals: string[];
  /** The values of tgt's `--mode sys --op update`: for this process, and only shown. */
  readonly system: { online: boolean; debug: boolean };
  /** The author of the request. */
  readonly by: Author;
  /** Ends this process. */
  readonly stop: () => void;
}

/** The fabric that tgt's targets are in. */
export const stateOf = ({ host }: Desk): FabricState => host.root.tree.fabric(fabricName);

/** Changes the tree by all steps or none, as one change: one line of the journal, one step of `undo`. @throws OperatorError */
export async function changeTree({ host, by }: Desk, steps: Iterable<Operation>): Promise<void> {
  const options = { part: newPart({ by }) };
  const prepared = await Promise.all(Array.from(steps, (one) => host.root.prepare(one, options) ?? one));
  await host.root.change(async (apply) => {
    for (const operation of prepared) await apply(operation);
  }, options);
}

/**
 * The time between two looks at a session's commands. A session that has none under way at a look, but sent some a moment later, is at
 * work all the same.
 */
const momentMs = 50;

/** Whether one of these sessions has commands under way. */
export async function areBusy(desk: Desk, tpg: Tpg, sessions: readonly SessionInfo[]): Promise<boolean> {
  if (sessions.some(({ outstanding = 0 }) => outstanding > 0)) return true;
  if (sessions.length === 0) return false;
  await sleep(momentMs);
  const sent = new Map(sessions.map(({ id, traffic }) => [id, traffic?.commands ?? 0]));
  const now = await sessionsOf(desk, tpg);
  return now.some(({ id, traffic }) => (traffic?.commands ?? 0) > (sent.get(id) ?? 0));
}

/** The sessions of a TPG now. */
export async function sessionsOf({ host: { root } }: Desk, tpg: Tpg): Promise<SessionInfo[]> {
  await root.observe();
  return root
    .sessions()
    .filter(
      ({ targetWwn, tpgTag, fabric }) => fabric === fabricName && targetWwn === tpg.target.wwn && tpgTag === tpg.tag,
    );
}
