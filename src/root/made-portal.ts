/** The portal that an operation has made, which the operator hears of when it cannot be served. */

import { OperatorError } from '../errors.ts';
import type { Operation } from '../operations/operation.ts';
import { placeOf } from '../operations/place.ts';
import type { Tree } from '../operations/tree.ts';
import { ownAddresses } from '../system/own-addresses.ts';
import { type Portal, printPortal, type Tpg } from '../target/target.ts';

/** @returns undefined for an operation that makes no portal */
function portalMadeBy(
  tree: Tree,
  { path, verb, params }: Operation,
): { readonly tpg: Tpg; readonly portal: Portal } | undefined {
  if (verb !== 'create') return undefined;
  const place = placeOf(tree, path);
  if (place.kind !== 'portals') return undefined;
  const { tpg } = place;
  const portal = tpg.portals.find(
    ({ address, port }) => address === params['ip_address'] && port === params['ip_port'],
  );
  return portal && { tpg, portal };
}

/** Refuses operations that asked for portals which cannot be served. @throws OperatorError */
export function refusePortals(
  tree: Tree,
  operations: readonly Operation[],
  problemOf: (tpg: Tpg, portal: Portal) => string | undefined,
): void {
  for (const operation of operations) {
    const made = portalMadeBy(tree, operation);
    const problem = made && problemOf(made.tpg, made.portal);
    if (problem)
      throw new OperatorError(
        'Could not create NetworkPortal in configFS',
        [problem, ...wayOut(tree, made, problem)].join('\n'),
      );
  }
}

/** The way out for a portal that cannot be opened: the addresses that there are, or who has the port. */
function wayOut(
  tree: Tree,
  { tpg, portal }: { readonly tpg: Tpg; readonly portal: Portal },
  problem: string,
): string[] {
  if (problem.includes('address not available'))
    return [`Addresses of this machine: ${['0.0.0.0 (all)', ...ownAddresses(), '127.0.0.1'].join(', ')}`];
  if (!problem.includes('address already in use')) return [];
  const others = [...tree.tpgs()].flatMap((one) =>
    one.portals
      .filter((other) => other !== portal && other.port === portal.port)
      .map((other) => `${one.path}/portals/${printPortal(other)}`),
  );
  return [
    others.length > 0
      ? `It may be ${others.join(', ')} that has the port; free ports are found by: ss -ltn`
      : `Who has the port: ss -ltnp 'sport = :${portal.port}'. Another one: ${tpg.path}/portals create ${portal.address} PORT`,
  ];
}
