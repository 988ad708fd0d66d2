// Data of writes that wait for the limits of their LUN, and the memory that all LUNs share. Not tested here: who goes when
// (scsi/limits.test.ts).

import { beforeEach, expect, test } from 'vitest';
import { CommandLimits, limitAttributes } from '../../src/scsi/limits.ts';
import { dataMemory } from '../../src/system/memory-budget.ts';
import { addLun, IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { nbdTarget } from '../support/nbd-target.ts';
import { vhostTarget } from '../support/vhost-target.ts';

const MiB = 1 << 20;
const data = pattern(MiB);
/** WRITE(10) of 1 MiB. */
const write = [0x2a, 0, 0, 0, 0, 0, 0, 8, 0, 0];
const asking = { InitialR2T: 'Yes', ImmediateData: 'No' };
const turns = async () => {
  for (let i = 0; i < 100; i += 1) await new Promise((resolve) => setImmediate(resolve));
};
/** Without `lend`: data is gathered, and does not land on the medium as it comes. */
const gathering = () => logicalUnit({ volume: memoryVolume(MiB, { lend: undefined }) });

beforeEach(() => expect(dataMemory.held).toBe(0));

/** Nobody but the test has memory, but for so much. */
function leaveOnly(bytes: number): () => void {
  const [rest, probe] = [dataMemory.account(Number.POSITIVE_INFINITY), dataMemory.account(Number.POSITIVE_INFINITY)];
  rest.add(1);
  for (let step = 1 << 30; step >= 1; step /= 2) while (dataMemory.fits(probe, bytes + step)) rest.add(step);
  return () => {
    rest.giveBack(rest.held);
    rest.close();
  };
}

test('iSCSI: four initiators queue hundreds of MiB at a LUN of 1 byte a second, and a write to another LUN finds 4 MiB of memory', async () => {
  const target = new IscsiTarget(gathering());
  target.tpg.luns.get(0)!.attributes.set('limit_bytes', 1);
  addLun(target.tpg, 1, gathering().lu);
  const crowd = [];
  for (const name of ['a', 'b', 'c', 'd'])
    crowd.push(await target.login({ ...asking, InitiatorName: `iqn.2026-01.com.example:${name}` }));
  const other = await target.login({ ...asking, InitiatorName: 'iqn.2026-01.com.example:other' });
  const release = leaveOnly(4 * MiB);
  for (const { initiator } of crowd) for (let i = 0; i < 60; i += 1) initiator.sendCommand(write, { data });
  for (let i = 0; i < 4; i += 1)
    expect(await other.initiator.command(write, { data, lun: 1 })).toMatchObject({ status: 0 });
  release();
  // The first went at once; its data was asked for, and is what there is memory for.
  expect(dataMemory.held).toBe(MiB);
  for (const { connection } of [...crowd, other]) await connection.close('the test is over');
});

test('vhost: data that is to be copied is copied when the limits of its LUN let the command go', async () => {
  const { tpg, driver: start } = await vhostTarget(gathering().lu);
  tpg.luns.get(0)!.attributes.set('limit_bytes', 1);
  const driver = await start();
  const send = () => driver.command([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { dataOut: pattern(4096), piece: 512 });
  expect(await send()).toMatchObject({ status: 0 });
  const waiting = [send(), send(), send()];
  await turns();
  expect(dataMemory.held).toBe(0);
  tpg.luns.get(0)!.attributes.set('limit_bytes', 0);
  expect(await Promise.all(waiting)).toMatchObject(waiting.map(() => ({ status: 0 })));
});

test('NBD: of a limited LUN, little more than 1 MiB is received at a time', async () => {
  const unit = gathering();
  const { initiator, connect } = nbdTarget([unit]);
  const limits = new CommandLimits();
  const none = Object.fromEntries(Object.entries(limitAttributes).map(([name, { default: value }]) => [name, value]));
  limits.set({ ...none, limit_bytes: 1 } as never);
  Object.assign(initiator.view, { limits });
  const client = await connect().enter();
  const half = MiB / 2;
  await client.request(1, 0, half, data.subarray(0, half));
  for (let i = 0; i < 20; i += 1) void client.sendRequest(1, 0, half, data.subarray(0, half));
  await turns();
  expect(dataMemory.held).toBe(MiB);
  limits.set(none as never);
  // A header and nothing behind it for each.
  for (let i = 0; i < 20; i += 1) await client.channel.exactly(20);
  await expect.poll(() => dataMemory.held === 0).toBe(true);
  client.channel.destroy();
});
