/** `stats` of the root: what storage objects and sessions have done since the process began to serve, or since a reset. */

import { type Host, inUse, OperatorError, printSize, types } from '../../src/index.ts';
import { commandOf, optional } from '../node.ts';

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
  async run(host, { print, info, warn }, { action = 'show' }) {
    if (action === 'reset') {
      if (host.heldBy) throw inUse(host.home, host.heldBy);
      await host.root.resetStatistics();
      return info('Statistics reset.');
    }
    if (action !== 'show') throw new OperatorError('action must be one of: show, reset');
    if (host.heldBy)
      warn(`Process ${host.heldBy.pid} serves this configuration; what it counts is not seen from here.`);
    const objects = host.root
      .objectCounts()
      .map(({ path, reads, writes, readBytes, writtenBytes }) => [
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
        ...(traffic
          ? [
              String(traffic.commands),
              String(traffic.failed),
              printSize(traffic.readBytes),
              printSize(traffic.writtenBytes),
            ]
          : ['-', '-', '-', '-']),
        String(outstanding ?? '-'),
      ]);
    print(table([['session', 'commands', 'not good', 'read', 'written', 'in flight'], ...sessions]));
  },
  json: (host) => ({
    storage_objects: host.root.objectCounts(),
    sessions: host.root.sessions().map(({ id, fabric, targetWwn, initiatorWwn, traffic, outstanding, window }) => ({
      id,
      fabric,
      targetWwn,
      initiatorWwn,
      ...traffic,
      outstanding,
      ...window,
    })),
  }),
});

/** The first column to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join('  ')).join('\n');
}
