/** RESERVE and RELEASE of SPC-2, alone and beside persistent reservations. */

import { describe, expect, test } from 'vitest';
import { loseNexus } from '../../../src/scsi/nexus.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import { resetStates } from '../../../src/scsi/unit-state.ts';
import { logicalUnit, ScsiInitiator } from '../../support/logical-unit.ts';
import { conflict, out, read, registered, three, types } from '../../support/reserve.ts';

describe('RESERVE and RELEASE', () => {
  const reserve = [0x16];
  const release = [0x17];

  test('SPC-2 7.21 RESERVE(6), SPC-2 7.16 RELEASE(6): the others conflict until it is released', async () => {
    const { a, b } = three();
    expect((await a.send(reserve)).status).toBe(0);
    expect((await a.send(reserve)).status).toBe(0);
    for (const cdb of [reserve, [0x00], read, [0x25]]) expect((await b.send(cdb)).status).toBe(conflict);
    expect((await b.send([0x12, 0, 0, 0, 96])).status).toBe(0);
    expect((await b.send(release)).status).toBe(0);
    expect((await b.send(read)).status).toBe(conflict);
    await a.send(release);
    expect((await b.send(read)).status).toBe(0);
  });

  test('SPC-2 7.22 RESERVE(10), SPC-2 7.17 RELEASE(10): the same', async () => {
    const { a, b } = three();
    await a.send([0x56]);
    expect((await b.send(read)).status).toBe(conflict);
    await a.send([0x57]);
    expect((await b.send(read)).status).toBe(0);
  });

  test('SPC-2 5.5.1 a reset and the loss of the nexus end it', async () => {
    const { lu, a, b } = three();
    await a.send(reserve);
    resetStates(lu);
    expect((await b.send(read)).status).toBe(0);
    await a.send(reserve);
    loseNexus(a.nexus);
    expect((await b.send(read)).status).toBe(0);
  });

  test('SPC-2 5.5.1 RESERVE and PERSISTENT RESERVE: with the one held, or a registration, the other conflicts', async () => {
    const { a, c } = three();
    await a.send(reserve);
    expect((await out(a, 'register', { to: 1 })).status).toBe(conflict);
    await a.send(release);
    await out(a, 'register', { to: 1 });
    for (const cdb of [reserve, release])
      for (const initiator of [a, c]) expect((await initiator.send(cdb)).status).toBe(conflict);
  });

  // Columns: the holder, a registered nexus and another one.
  test.each([
    ['WE', 0, conflict, conflict],
    ['EARO', 0, 0, conflict],
    ['WEAR', 0, 0, conflict],
  ] as const)(
    'SPC-4 5.12.3 RESERVE and RELEASE under %s change nothing, and are good for who has it',
    async (type, ...expected) => {
      const { lu, a, b, c } = await registered();
      await out(a, 'reserve', { key: 0xa, type: types[type] });
      for (const cdb of [reserve, release])
        for (const [i, initiator] of [a, b, c].entries()) expect((await initiator.send(cdb)).status).toBe(expected[i]);
      expect(reservations.of(lu)).toMatchObject({
        reserved: undefined,
        persistent: { reservation: { type: types[type] } },
      });
    },
  );

  test('emulate_pr 0 takes reservations away', async () => {
    const { lu } = logicalUnit({ attributes: { emulate_pr: 0 } });
    const a = new ScsiInitiator(lu).login();
    expect((await a.send(reserve)).sense).toBe('5/20/00');
    expect((await a.send([0x5e, 0, 0, 0, 0, 0, 0, 0, 8])).sense).toBe('5/20/00');
  });
});
