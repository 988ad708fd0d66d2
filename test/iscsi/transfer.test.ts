// The transport's counts of commands. test/conformance/iscsi tests how commands are carried out.

import { expect, it } from 'vitest';
import { IscsiTarget } from '../support/iscsi-target.ts';

it('a command that comes and ends right after another one took no negative time', async () => {
  const target = new IscsiTarget();
  const { initiator } = await target.login();
  for (let count = 0; count < 3; count += 1) {
    initiator.sendCommand([0, 0, 0, 0, 0, 0]);
    // The last reading of the clock may still hold, since nothing has been awaited.
    target.time += 5;
  }
  const [session] = target.sessionTable;
  expect(session!.traffic).toMatchObject({ commands: 3, latencyMs: 0, latencyMaxMs: 0 });
  expect(session!.traffic.latencyBins[0]).toBe(3);
});

it('a command that waited, for its data or for its turn, is refused when the medium went away meanwhile', async () => {
  const target = new IscsiTarget();
  const { initiator } = await target.login({ InitialR2T: 'Yes', ImmediateData: 'No' });
  const ordered = 2;
  const data = Buffer.alloc(4096, 1);
  const writing = initiator.sendCommand([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { data, attribute: ordered });
  const reading = initiator.sendCommand([0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0], { read: true, length: 4096 });
  const asked = await initiator.next();
  target.lu.ejected = true;
  initiator.sendRequested(asked, data);
  expect(await initiator.finish(writing)).toMatchObject({ status: 2, sense: '2/3a/00' });
  expect(await initiator.finish(reading)).toMatchObject({ status: 2, sense: '2/3a/00' });
});
