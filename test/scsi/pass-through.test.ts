// Logical units that answer for themselves. Not tested here: SG_IO itself, which needs a SCSI device (the guest has one).

import { expect, test } from 'vitest';
import { pscsi } from '../../src/backstore/pscsi.ts';
import { logicalUnit, ScsiInitiator } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';

/** A device that notes what it is asked and answers with what `answer` says. */
function device(answer: { status: number; sense: Uint8Array; dataIn: Buffer }) {
  const asked: { cdb: string; dataOut: number; dataInMax: number }[] = [];
  const passThrough = async (cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number) => {
    asked.push({ cdb: Buffer.from(cdb).toString('hex'), dataOut: dataOut.length, dataInMax });
    return answer;
  };
  const unit = logicalUnit({ volume: memoryVolume(1024 * 1024, { passThrough }) });
  return { ...unit, asked, initiator: new ScsiInitiator(unit.lu).login() };
}
const good = (data = '') => ({ status: 0, sense: new Uint8Array(), dataIn: Buffer.from(data) });

test('a command goes to the device as it came, with what the initiator sends and takes', async () => {
  const { initiator, asked, volume } = device(good('abc'));
  const read = await initiator.send([0x28, 0xf8, 0, 0, 0, 1, 0, 0, 2, 0x40], undefined, { dataInOffered: 1024 });
  expect([read.status, String(read.data)]).toEqual([0, 'abc']);
  await initiator.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0], new Uint8Array(512));
  await initiator.send([0x12, 1, 0x80, 0, 255], undefined, { dataInOffered: 255 });
  expect(asked).toEqual([
    { cdb: '28f8000000010000' + '0240', dataOut: 0, dataInMax: 1024 },
    { cdb: '2a000000000000000100', dataOut: 512, dataInMax: 0 },
    { cdb: '120180' + '00ff00', dataOut: 0, dataInMax: 255 },
  ]);
  expect(volume.calls).toEqual([]);
});

test("the initiator gets the device's own sense", async () => {
  const sense = Uint8Array.of(0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11, 0x01, 0, 0, 0, 0);
  const { initiator } = device({ status: 2, sense, dataIn: Buffer.alloc(0) });
  expect(await initiator.send([0x28, 0, 0, 0, 0, 1, 0, 0, 2])).toMatchObject({ status: 2, sense: '3/11/01' });
});

test('reservations, REPORT LUNS and write protection are the target’s own', async () => {
  const { initiator, lu, asked } = device(good());
  const other = new ScsiInitiator(lu, 'other').login();
  expect(await other.send([0x16])).toMatchObject({ status: 0 });
  expect(await initiator.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], new Uint8Array(512))).toMatchObject({ status: 0x18 });
  expect(await other.send([0x17])).toMatchObject({ status: 0 });
  expect((await initiator.send([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16])).data.length).toBe(16);
  const reader = new ScsiInitiator(lu, 'reader', { writeProtected: true }).login();
  expect(await reader.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], new Uint8Array(512))).toMatchObject({ sense: '7/27/00' });
  // A vendor's command may write, too.
  expect(await reader.send([0xc1])).toMatchObject({ sense: '7/27/00' });
  expect(asked).toEqual([]);
});

test('a machine without the device says so, in targetcli’s words', async () => {
  const settle = (dev: string) => pscsi.settle({ dev }, new Map());
  await expect(settle('bogus')).rejects.toThrow(
    'Cannot find SCSI device by path, and dev parameter not in H:C:T:L format: bogus',
  );
  await expect(settle('99:0:0:0')).rejects.toThrow('Cannot find SCSI device 99:0:0:0');
  await expect(pscsi.open({ dev: '/dev/sg999' })).rejects.toThrow('Could not open /dev/sg999');
  expect(pscsi.created('ps0', { dev: '/dev/sg3' }, {})).toBe('Created pscsi storage object ps0 using /dev/sg3');
});
