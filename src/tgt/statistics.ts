/** `--op stat`: the traffic of LUNs, in tgt's columns. */

import { type Desk, sessionsOf } from './change.ts';
import { lunsIn, type NumberedTarget } from './view.ts';

const header = 'tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs\n';

/**
 * A line for each LUN and session. Commands are counted by LUN and not by session: with several sessions the first line of a LUN has the
 * commands of all.
 * @param only the one LUN that is asked for
 */
export async function statisticsOf(
  desk: Desk,
  targets: readonly NumberedTarget[],
  only?: { readonly lun?: number | undefined; readonly sid?: number },
): Promise<string> {
  const { storageObjects, ways } = await desk.host.root.counts();
  const lines = [header];
  for (const { tid, tpg } of targets) {
    const sessions = await sessionsOf(desk, tpg);
    for (const [at, { id }] of sessions.entries()) {
      if (only?.sid && only.sid !== id) continue;
      const numbers = [...(tpg.luns.has(0) ? [] : [0]), ...lunsIn(tpg).map(({ index }) => index)];
      for (const number of numbers) {
        if (only?.lun !== undefined && only.lun !== number) continue;
        const lun = tpg.luns.get(number);
        const counted = at === 0 ? storageObjects.find(({ path }) => path === lun?.storageObject.path) : undefined;
        const path = `${tpg.path}/luns/lun${number}`;
        const failed = at === 0 ? ways.filter((way) => way.lun === path).reduce((sum, way) => sum + way.failed, 0) : 0;
        lines.push(line(tid, number, id, { ...none, ...counted, failed }));
      }
    }
  }
  return lines.join('');
}

const none = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 };

function line(tid: number, lun: number, sid: number, counts: typeof none & { failed: number }): string {
  const { reads, writes, readBytes, writtenBytes, failed } = counts;
  const pair = (bytes: number, commands: number) => `${String(bytes).padStart(12)} ${String(commands).padStart(6)}`;
  const [read, written] = [pair(readBytes, reads), pair(writtenBytes, writes)];
  const head = [tid, lun, sid].map((number) => String(number).padStart(3)).join(' ');
  return `${head} ${read} ${read} ${written} ${written} ${String(failed).padStart(4)}\n`;
}
