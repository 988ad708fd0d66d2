/** The portal that an operation has made. */

import type { Operation } from '../operations/operation.ts';
import { placeOf } from '../operations/place.ts';
import type { Tree } from '../operations/tree.ts';
import type { Portal, Tpg } from '../target/target.ts';

/** @returns undefined for an operation that makes no portal */
export function portalMadeBy(
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
