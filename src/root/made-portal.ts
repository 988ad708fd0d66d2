/** The portal that an operation has made, which the operator hears of when it cannot be served. */

import { OperatorError } from '../errors.ts';
import type { Operation } from '../operations/operation.ts';
import { placeOf } from '../operations/place.ts';
import type { Tree } from '../operations/tree.ts';
import type { Portal, Tpg } from '../target/target.ts';

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
    if (problem) throw new OperatorError('Could not create NetworkPortal in configFS', problem);
  }
}
