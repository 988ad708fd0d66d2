/** `stats`: the traffic of sessions, LUNs and the objects that lead to them since the process began to serve, or since a reset. */

import {
  aclNode,
  type Host,
  inUse,
  latencyBoundsMs,
  OperatorError,
  placeOf,
  printSize,
  sumOf,
  type Traffic,
  type Tree,
  types,
  type WayTraffic,
} from '../../src/index.ts';
import { type Context, commandOf, type Node, optional } from '../session/node.ts';
import { tableOf } from '../session/table.ts';

export const stats = commandOf<Host>()({
  doc: 'Shows what storage objects and sessions have read and written, since serving began or since a reset.',
  parameters: [
    optional('action', types.string, 'show, or reset to count from zero again.', {
      default: 'show',
      suggest: () => ['show', 'reset'],
    }),
  ],
  examples: [
    { line: 'stats', does: 'Commands and bytes of each storage object and each session.' },
    { line: 'stats reset', does: 'Counts from zero again.' },
  ],
  async run(host, context, { action = 'show' }) {
    const { print, info } = context;
    if (action === 'reset') {
      if (host.heldBy) throw inUse(host.home, host.heldBy);
      await host.root.resetStatistics();
      return info('Statistics reset.');
    }
    if (action !== 'show') throw new OperatorError('action must be one of: show, reset');
    warnElsewhere(context);
    const { storageObjects } = await host.root.counts();
    const objects = storageObjects.map(({ path, reads, writes, readBytes, writtenBytes }) => [
      path,
      String(reads),
      String(writes),
      printSize(readBytes),
      printSize(writtenBytes),
    ]);
    print(table([['storage object', 'reads', 'writes', 'read', 'written'], ...objects]));
    const sessions = host.root
      .sessions()
      .map(({ id, initiatorWwn, traffic, outstanding }) => [
        `sid ${id} ${initiatorWwn}`,
        ...(traffic ? cells(traffic) : columns.map(() => '-')),
        String(outstanding ?? '-'),
      ]);
    print(table([['session', ...columns, 'in flight'], ...sessions]));
  },
  json: async (host) => ({
    storage_objects: (await host.root.counts()).storageObjects,
    sessions: host.root.sessions().map(({ id, fabric, targetWwn, initiatorWwn, traffic, outstanding, window }) => ({
      id,
      fabric,
      targetWwn,
      initiatorWwn,
      ...(traffic && dataOf(traffic)),
      outstanding,
      ...window,
    })),
  }),
});

/** The traffic through a node of the tree, and through each node below it. */
export const nodeStats = commandOf()({
  doc: 'Shows what went through this node, and through those below it that were used, since serving began or since a reset.',
  parameters: [],
  examples: [{ line: 'stats', does: 'Commands, bytes and how long they took.' }],
  async run(_subject, context) {
    warnElsewhere(context);
    const { own, below } = await countsAt(context);
    const shorten = (path: string) => path.slice(context.node.path.length + 1);
    const rows = below.map(([path, traffic]) => [shorten(path), ...cells(traffic)]);
    context.print(table([['', ...columns], ['.', ...cells(own)], ...rows]));
  },
  async json(_subject, context) {
    const { own, below } = await countsAt(context);
    return { ...dataOf(own), below: below.map(([path, traffic]) => ({ path, ...dataOf(traffic) })) };
  },
});

function warnElsewhere({ host, warn }: Context): void {
  if (host.heldBy) warn(`Process ${host.heldBy.pid} serves this configuration; what it counts is not seen from here.`);
}

/** Nodes that only hold others. */
const collections: readonly string[] = ['luns', 'acls', 'portals'];

async function countsAt({ node, host: { root } }: Context): Promise<{ own: Traffic; below: [string, Traffic][] }> {
  const byPath = new Map<string, WayTraffic[]>();
  for (const way of (await root.counts()).ways)
    for (const path of pathsOf(way, root.tree)) byPath.set(path, [...(byPath.get(path) ?? []), way]);
  const open = (one: Node) => (collections.includes(one.name) ? one.children() : [one]);
  const counted = node.children().flatMap(open);
  return {
    own: sumOf(byPath.get(node.path) ?? []),
    below: counted.flatMap(({ path }) => {
      const ways = byPath.get(path);
      return ways ? [[path, sumOf(ways)] satisfies [string, Traffic]] : [];
    }),
  };
}

/** The paths of the nodes that a way goes through. */
function pathsOf({ lun, storageObject, initiator, number, portal }: WayTraffic, tree: Tree): Set<string> {
  const at = lun.slice(0, lun.lastIndexOf('/luns/'));
  const place = placeOf(tree, at);
  const acl = place.kind === 'tpg' ? place.tpg.acls.get(initiator) : undefined;
  return new Set([
    ...ancestorsOf(lun),
    ...ancestorsOf(storageObject),
    ...(acl ? ancestorsOf(`${aclNode(acl)}/mapped_lun${number}`) : []),
    ...(portal ? ancestorsOf(`${at}/portals/${portal}`) : []),
  ]);
}

/** The path and those above it: `/a/b` → `/a`, `/a/b`. */
const ancestorsOf = (path: string): string[] =>
  path.split('/').flatMap((_, at, words) => (at === 0 ? [] : [words.slice(0, at + 1).join('/')]));

const columns = ['commands', 'not good', 'read', 'written', 'mean ms', 'max ms'];

const meanOf = ({ commands, latencyMs }: Traffic): number => (commands === 0 ? 0 : latencyMs / commands);

function cells(traffic: Traffic): string[] {
  const { commands, failed, readBytes, writtenBytes, latencyMaxMs } = traffic;
  const times = [meanOf(traffic), latencyMaxMs].map((ms) => ms.toFixed(2));
  return [String(commands), String(failed), printSize(readBytes), printSize(writtenBytes), ...times];
}

function dataOf(traffic: Traffic) {
  const { commands, failed, readBytes, writtenBytes, latencyMaxMs, latencyBins } = traffic;
  return {
    ...{ commands, failed, readBytes, writtenBytes },
    latency: {
      meanMs: meanOf(traffic),
      maxMs: latencyMaxMs,
      bins: latencyBins.map((count, bin) => ({ belowMs: latencyBoundsMs[bin] ?? null, commands: count })),
    },
  };
}

/** A table with the first column to the left, numbers to the right. */
const table = (cellsOf: readonly (readonly string[])[]): string => tableOf(cellsOf, (column) => column > 0);
