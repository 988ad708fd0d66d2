// What the transport counts of commands. How it carries them is tested by test/conformance/iscsi.

import { expect, it } from 'vitest';
import { IscsiTarget } from '../support/iscsi-target.ts';

it('a command that comes and ends right after another one took no negative time', async () => {
  const target = new IscsiTarget();
  const { initiator } = await target.login();
  for (let count = 0; count < 3; count += 1) {
    initiator.sendCommand([0, 0, 0, 0, 0, 0]);
    // Nothing has been awaited: the clock as it was read for the one before may still hold.
    target.time += 5;
  }
  const [session] = target.sessionTable;
  expect(session!.traffic).toMatchObject({ commands: 3, latencyMs: 0, latencyMaxMs: 0 });
  expect(session!.traffic.latencyBins[0]).toBe(3);
});
