/** Asks a person at a terminal, and names the losses, before an object goes away under an initiator. */

import type { Host, SessionInfo, StorageObject, Tpg } from '../../src/index.ts';
import type { Context } from '../session/node.ts';

/** Sessions in one of `tpgs`. */
export const sessionsIn =
  (tpgs: readonly Tpg[]) =>
  ({ targetWwn, tpgTag }: SessionInfo): boolean =>
    tpgs.some((tpg) => tpg.target.wwn === targetWwn && tpg.tag === tpgTag);

/** TPGs in which a storage object is a LUN. */
export const exportingTpgs = ({ root: { tree } }: Host, object: StorageObject): Tpg[] =>
  [...tree.tpgs()].filter((tpg) => [...tpg.luns.values()].some((lun) => lun.storageObject === object));

/** The initiators of these sessions. */
export const usersAmong = ({ root }: Host, sessions: (session: SessionInfo) => boolean): string[] => [
  ...new Set(
    root
      .sessions()
      .filter(sessions)
      .map(({ initiatorWwn }) => initiatorWwn),
  ),
];

interface Loss {
  /** Picks the sessions that would suffer. */
  readonly sessions: (session: SessionInfo) => boolean;
  /** Further objects that would go away. */
  readonly also?: readonly string[];
  /** The verb of the question; `Delete` when absent. */
  readonly act?: string;
}

/** The number of names that one question spells out. */
const namesMax = 3;

/** Asks. @returns whether to go on with the change of `path`. Scripts are not asked. */
export async function mayDelete({ terminal, ask, host, print }: Context, path: string, loss: Loss): Promise<boolean> {
  if (!terminal.interactive) return true;
  const { sessions, also = [], act = 'Delete' } = loss;
  const users = usersAmong(host, sessions);
  if (users.length === 0 && also.length === 0) return true;
  const lost = [
    ...(users.length > 0 ? [`is in use by ${listed(users)}`] : []),
    ...(also.length > 0 ? [`takes ${listed(also)} along`] : []),
  ];
  print(`${path} ${lost.join(', and ')}.`);
  return (await ask({ kind: 'confirm', message: `${act} it all the same?` })) === 'yes';
}

const listed = (names: readonly string[]): string =>
  names.length <= namesMax
    ? names.join(', ')
    : `${names.slice(0, namesMax).join(', ')} and ${names.length - namesMax} more`;
