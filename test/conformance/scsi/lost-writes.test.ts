/**
 * The commands that tell of acknowledged writes which may be lost, and those that may not promise durability. Not tested: the ranges of
 * these writes (recorded-volume.test.ts).
 */

import { expect, test } from 'vitest';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { recordedFor } from '../../../src/scsi/lost-writes.ts';
import { handOverUnit, takeOverUnit } from '../../../src/scsi/move.ts';
import { establishNexus } from '../../../src/scsi/nexus.ts';
import { sense } from '../../../src/scsi/sense.ts';
import { clearUnitAttention, pendingUnitAttention } from '../../../src/scsi/unit-attention.ts';
import { logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const synchronize = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ready = [0x00];
const wceOff = Uint8Array.from([0, 0, 0, 0, 0x08, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0]);
const modeSelect = [0x15, 0x10, 0, 0, wceOff.length, 0];

/** A unit whose next flushes fail as often as asked. */
function fresh(failures: number) {
  let left = failures;
  const eio = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  const calls: string[] = [];
  const { lu } = logicalUnit({
    volume: memoryVolume(1 << 20, {
      flush: async () => {
        calls.push('flush');
        if (left-- > 0) throw eio;
      },
    }),
  });
  return { lu, calls, a: new ScsiInitiator(lu).login(), b: new ScsiInitiator(lu, 'b').login() };
}

test('SPC-4 4.5.5 deferred errors: every nexus hears once that writes may be lost, by response code 71h, and no flush is GOOD for any', async () => {
  const { a, b } = fresh(1);
  await b.send(write, pattern(512));
  expect((await a.send(synchronize)).sense).toBe('3/0c/00');
  const { sense, senseData } = await b.send(ready);
  expect([sense, senseData[0]]).toEqual(['3/0c/00', 0x71]);
  // The initiator that sent the flush knows of the loss; the command that told the other was not carried out, and is now.
  for (const one of [a, b]) expect((await one.send(ready)).status).toBe(0);
  for (const one of [b, a]) expect((await one.send(synchronize)).sense).toBe('3/0c/00');
  await a.send(write, pattern(512));
  for (const one of [a, b]) expect((await one.send(synchronize)).status).toBe(0);
});

test('SPC-4 4.5.5 deferred errors: in descriptor format the response code is 73h', async () => {
  const { lu, a, b } = fresh(1);
  controlMode.set(lu, { descriptorSense: true });
  await b.send(write, pattern(512));
  await a.send(synchronize);
  expect((await b.send(ready)).senseData.subarray(0, 4)).toEqual(Buffer.from([0x73, 3, 0x0c, 0]));
});

test('SBC-3 5.26 SYNCHRONIZE CACHE(10): a failure that IMMED hid is told to every nexus, and stays', async () => {
  const { a, b } = fresh(1);
  await a.send(write, pattern(512));
  expect((await a.send([0x35, 2, 0, 0, 0, 0, 0, 0, 0, 0])).status).toBe(0);
  await expect.poll(async () => (await a.send(ready)).sense).toBe('3/0c/00');
  expect((await b.send(ready)).sense).toBe('3/0c/00');
  expect((await b.send(synchronize)).sense).toBe('3/0c/00');
});

test('SPC-4 4.5.5 deferred errors: a nexus that comes back hears of it, too', async () => {
  const { lu, a, b } = fresh(1);
  await b.send(write, pattern(512));
  b.logout();
  await a.send(synchronize);
  const told = ({ nexus }: ScsiInitiator) => {
    establishNexus(nexus);
    const first = pendingUnitAttention(nexus, lu);
    clearUnitAttention(nexus, lu);
    return [first, pendingUnitAttention(nexus, lu)];
  };
  expect(told(b)).toEqual([sense.nexusLoss, sense.deferredWriteError]);
  expect(told(new ScsiInitiator(lu, 'c'))).toEqual([sense.powerOnReset, undefined]);
});

test('SPC-4 6.11 MODE SELECT(6): WCE 0 is answered when the cache is on the medium, and refused when that fails', async () => {
  const { lu, calls, a, b } = fresh(1);
  await a.send(write, pattern(512));
  expect((await a.send(modeSelect, wceOff)).sense).toBe('3/0c/00');
  expect([lu.attributes.values.emulate_write_cache, calls]).toEqual([1, ['flush']]);
  expect((await b.send(ready)).sense).toBe('3/0c/00');
  await a.send(write, pattern(512));
  expect((await a.send(modeSelect, wceOff)).status).toBe(0);
  expect(lu.attributes.values.emulate_write_cache).toBe(0);
});

test('SBC-3 5.33 WRITE(10): one that was taken into the cache, and ends when the cache is off, is flushed first', async () => {
  let end = () => {};
  const { lu, volume } = logicalUnit({
    volume: memoryVolume(1 << 20, {
      writeNow: undefined,
      write: () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    }),
  });
  const a = new ScsiInitiator(lu).login();
  const writing = a.send(write, pattern(512));
  expect((await a.send(modeSelect, wceOff)).status).toBe(0);
  end();
  expect((await writing).status).toBe(0);
  expect(volume.calls).toEqual(['flush', 'flush']);
});

test('SPC-4 4.5.5 deferred errors: what is lost goes along to another event loop', async () => {
  const { lu, a } = fresh(1);
  await a.send(write, pattern(512));
  await a.send(synchronize);
  const carried = structuredClone(await handOverUnit(lu));
  const { lu: there } = logicalUnit();
  const volume = memoryVolume(1 << 20);
  takeOverUnit(there, carried);
  there.volume = await recordedFor(there, volume);
  const b = new ScsiInitiator(there).login();
  expect((await b.send(synchronize)).sense).toBe('3/0c/00');
  await b.send(write, pattern(512));
  expect((await b.send(synchronize)).status).toBe(0);
});
