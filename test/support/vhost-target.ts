/** A vhost target with LUNs in memory, served on a real socket, and front-ends that connect to it. */

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { vhost } from '../../src/fabric/vhost.ts';
import type { LogRecord } from '../../src/log.ts';
import type { StorageObject } from '../../src/scsi/logical-unit.ts';
import { fabricState, Target, Tpg } from '../../src/target/target.ts';
import { startVhost } from '../../src/vhost/engine.ts';
import { addLun } from './iscsi-target.ts';
import { logicalUnit } from './logical-unit.ts';
import { temporaryDirectory } from './tcli.ts';
import { TestFrontEnd, usualFeatures } from './vhost-front-end.ts';

const wwn = 'naa.5001405162d5cf9d';

/** One TPG, whose LUN 0 is `lu`. */
export async function vhostTarget(lu: StorageObject = logicalUnit().lu, runDirectory = temporaryDirectory()) {
  const state = fabricState(vhost);
  const target = new Target(vhost, wwn);
  const addTpg = (tag: number): Tpg => {
    const tpg = new Tpg(target, tag, tag);
    tpg.nexusWwn = `naa.500140500000000${tag}`;
    tpg.enabled = true;
    target.tpgs.set(tag, tpg);
    return tpg;
  };
  const tpg = addTpg(1);
  addLun(tpg, 0, lu);
  state.targets.set(wwn, target);
  const log: LogRecord[] = [];
  const engine = startVhost(state, {
    log: (record) => log.push(record),
    serves: () => true,
    begun: () => {},
    runDirectory,
  });
  onTestFinished(() => engine.stop());
  await engine.reconcile();
  const socket = join(runDirectory, `${wwn}.vhost`);
  const open: TestFrontEnd[] = [];
  onTestFinished(() => {
    for (const one of open) one.close();
  });
  const connect = async (sizes?: readonly number[]) => {
    const frontEnd = await TestFrontEnd.connect(socket, sizes);
    open.push(frontEnd);
    return frontEnd;
  };
  /** A driver that has begun, and was told of the power-on by its first command to LUN 0. */
  const driver = async (features = usualFeatures, sizes?: readonly number[]) => {
    const frontEnd = await (await connect(sizes)).start(features);
    await frontEnd.command([0]);
    return frontEnd;
  };
  const reasons = () => log.map(({ event, detail }) => `${event}: ${detail?.['reason'] ?? ''}`);
  return { state, target, tpg, addTpg, lu, engine, socket, connect, driver, log, reasons };
}
