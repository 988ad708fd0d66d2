/** Whoever sits at a terminal is asked before something goes away under an initiator. */

import type { Tpg } from '../../src/index.ts';
import type { Context } from '../node.ts';

/** @returns whether `path`, which initiators reach through `tpgs`, may be deleted */
export async function mayDelete(
  { terminal, ask, host }: Context,
  path: string,
  tpgs: readonly Tpg[],
): Promise<boolean> {
  if (!terminal.interactive) return true;
  const users = host.root
    .sessions()
    .filter((session) => tpgs.some((tpg) => tpg.target.wwn === session.targetWwn && tpg.tag === session.tpgTag))
    .map((session) => session.initiatorWwn);
  if (users.length === 0) return true;
  const message = `${path} is in use by ${[...new Set(users)].join(', ')}. Delete it all the same?`;
  return (await ask({ kind: 'confirm', message })) === 'yes';
}
