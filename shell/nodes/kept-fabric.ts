/**
 * Targets of a saved file whose fabric needs hardware or a kernel (qla2xxx, srpt, xen-pvscsi …): kept for the file, shown
 * as such, and not to be changed here.
 */

import type { Tree } from '../../src/index.ts';
import { type Child, child, type NodeType } from '../session/node.ts';
import { type InfoValue, infoCommand } from './info.ts';

type Saved = Readonly<Record<string, unknown>>;

/** One node for each fabric that has such targets. */
export function keptFabrics({ fabrics, kept }: Tree): Child[] {
  const byFabric = new Map<string, Saved[]>();
  for (const target of kept.targets) {
    const { fabric, wwn } = target;
    if (typeof fabric !== 'string' || typeof wwn !== 'string' || fabrics.has(fabric)) continue;
    byFabric.set(fabric, [...(byFabric.get(fabric) ?? []), target]);
  }
  return [...byFabric].map(([name, targets]) => child(name, keptFabric, targets));
}

const keptFabric: NodeType<readonly Saved[]> = {
  doc: 'A fabric that needs hardware or a kernel. Its targets are kept in the saved file and not served.',
  summary: (targets) => ({ text: `Targets: ${targets.length}, kept and not served`, healthy: null }),
  children: (targets) => targets.map((target) => child(String(target['wwn']), keptTarget, target)),
};

const keptTarget: NodeType<Saved> = {
  doc: 'A target as it stands in the saved file.',
  summary: ({ tpgs }) => ({ text: `TPGs: ${Array.isArray(tpgs) ? tpgs.length : 0}`, healthy: null }),
  commands: {
    info: infoCommand<Saved>('Shows what the saved file says of it.', (target) =>
      Object.fromEntries(
        Object.entries(target).filter((entry): entry is [string, InfoValue] => typeof entry[1] !== 'object'),
      ),
    ),
  },
};
