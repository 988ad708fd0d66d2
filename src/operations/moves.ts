/** Paths that an operation gives to what stood at other paths: `rename` and `move`. */

import { printPortal } from '../target/target.ts';
import type { Operation } from './operation.ts';

/** Something stands at another path now, with all that is below it. */
export interface PathMove {
  readonly from: string;
  readonly to: string;
}

/** The moves of operations as they were carried out, with all of their parameters. */
export const movesOf = (operations: readonly Operation[]): PathMove[] =>
  operations.flatMap(({ path, verb, params }) => {
    const { name, wwn, lun, to, tpg = path.replace(/\/(luns|portals)$/, '') } = params;
    if (verb === 'rename') return [{ from: `${path}/${name ?? wwn}`, to: `${path}/${to}` }];
    if (verb !== 'move') return [];
    if (lun !== undefined) return [{ from: `${path}/lun${lun}`, to: `${tpg}/luns/lun${to}` }];
    const portal = (address: unknown, port: unknown) => printPortal({ address: String(address), port: Number(port) });
    const { ip_address, ip_port, to_address, to_port } = params;
    return [{ from: `${path}/${portal(ip_address, ip_port)}`, to: `${tpg}/portals/${portal(to_address, to_port)}` }];
  });

/** The moves that take those moves back. */
export const movesBack = (moves: readonly PathMove[]): PathMove[] =>
  moves.map(({ from, to }) => ({ from: to, to: from })).reverse();

/** The path of what stood at `path` before the moves. */
export const pathAfter = (path: string, moves: readonly PathMove[]): string =>
  moves.reduce(
    (now, { from, to }) => (now === from || now.startsWith(`${from}/`) ? to + now.slice(from.length) : now),
    path,
  );
