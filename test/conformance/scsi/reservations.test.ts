/** PERSISTENT RESERVE IN and OUT, and who may do what meanwhile. Not tested: writing APTPL files. */

import { describe, expect, test } from 'vitest';
import { admitTask } from '../../../src/scsi/device-server.ts';
import type { TargetPort } from '../../../src/scsi/logical-unit.ts';
import type { PersistentReservations } from '../../../src/scsi/persistent-reservation.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';

import { be, logicalUnit, pattern, port, ScsiInitiator } from '../../support/logical-unit.ts';
import { conflict, into, out, read, registered, three, types, write } from '../../support/reserve.ts';

test('SPC-4 5.12.7 PERSISTENT RESERVE OUT REGISTER, SPC-4 6.15.2 PERSISTENT RESERVE IN READ KEYS: a key, another key, none; the key that is there has to be right', async () => {
  const { a } = three();
  expect((await out(a, 'register', { key: 5, to: 1 })).status).toBe(conflict);
  expect((await out(a, 'register', { to: 1 })).status).toBe(0);
  expect((await out(a, 'register', { to: 2 })).status).toBe(conflict);
  expect((await out(a, 'register', { key: 1, to: 2 })).status).toBe(0);
  expect(await into(a, 0)).toBe('00000002000000080000000000000002');
  expect((await out(a, 'register', { key: 2, to: 0 })).status).toBe(0);
  expect(await into(a, 0)).toBe('0000000300000000');
});

test('SPC-4 5.12.7 PERSISTENT RESERVE OUT REGISTER AND IGNORE EXISTING KEY: whatever key there was', async () => {
  const { a } = three();
  await out(a, 'register', { to: 1 });
  expect((await out(a, 'ignore', { key: 99, to: 7 })).status).toBe(0);
  expect(await into(a, 0)).toBe('00000002000000080000000000000007');
});

test('SPC-4 6.15.4 PERSISTENT RESERVE IN REPORT CAPABILITIES: as LIO gives it; PTPL_C where there is a place for it', async () => {
  const { lu, a } = three();
  expect(await into(a, 2)).toBe('00081c90ea010000');
  lu.keep = async () => {};
  expect(await into(a, 2)).toBe('00081d90ea010000');
});

test('SPC-4 6.15.3 PERSISTENT RESERVE IN READ RESERVATION, SPC-4 6.15.5 PERSISTENT RESERVE IN READ FULL STATUS: as LIO gives them', async () => {
  const { a } = three();
  await out(a, 'register', { to: 0x123abc });
  expect(await into(a, 1)).toBe('0000000100000000');
  await out(a, 'reserve', { key: 0x123abc, type: types.WERO });
  expect(await into(a, 1)).toBe('00000001000000100000000000123abc0000000000050000');
  const name = Buffer.from('iqn.2026-01.com.example:a,i,0x00023d000001').toString('hex').padEnd(88, '0');
  expect(await into(a, 3)).toBe(`00000001000000480000000000123abc00000000010500000000000100000030${`4500002c${name}`}`);
});

test('SPC-4 6.15 PERSISTENT RESERVE IN: an unknown service action is an invalid field', async () => {
  expect((await three().a.send([0x5e, 4, 0, 0, 0, 0, 0, 0, 255])).sense).toBe('5/24/00');
});

// Rows: reservation type. Columns: the holder, a registered nexus and another one; reading and writing.
describe.each([
  ['WE', 'rw', 'r-', 'r-'],
  ['EA', 'rw', '--', '--'],
  ['WERO', 'rw', 'rw', 'r-'],
  ['EARO', 'rw', 'rw', '--'],
  ['WEAR', 'rw', 'rw', 'r-'],
  ['EAAR', 'rw', 'rw', '--'],
] as const)('SPC-4 5.12.1 %s', (type, ...expected) => {
  test(`SPC-4 5.12.1 ${type}: holder ${expected[0]}, registered ${expected[1]}, other ${expected[2]}`, async () => {
    const { a, b, c } = await registered();
    await out(a, 'reserve', { key: 0xa, type: types[type] });
    const may = async (initiator: ScsiInitiator) =>
      ((await initiator.send(read)).status === 0 ? 'r' : '-') +
      ((await initiator.send(write, pattern(512))).status === 0 ? 'w' : '-');
    expect([await may(a), await may(b), await may(c)]).toEqual(expected);
    for (const cdb of [[0x00], [0x12, 0, 0, 0, 96], [0x25], [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16], [0x03, 0, 0, 0, 18]])
      expect((await c.send(cdb)).status).toBe(0);
  });
});

test('SPC-4 5.12.9 PERSISTENT RESERVE OUT RESERVE: registered only, once; the same again is no error; scope and type are checked', async () => {
  const { a, b, c } = await registered();
  expect((await out(c, 'reserve', { key: 0xc, type: types.WE })).status).toBe(conflict);
  expect((await out(a, 'reserve', { key: 0xa, type: 9 })).sense).toBe('5/24/00');
  expect((await out(a, 'reserve', { key: 0xa, type: 0x11 })).sense).toBe('5/24/00');
  expect((await out(a, 'reserve', { key: 0xa, type: types.WE })).status).toBe(0);
  expect((await out(a, 'reserve', { key: 0xa, type: types.WE })).status).toBe(0);
  expect((await out(a, 'reserve', { key: 0xa, type: types.EA })).status).toBe(conflict);
  expect((await out(b, 'reserve', { key: 0xb, type: types.WE })).status).toBe(conflict);
});

test('SPC-4 5.12.11.2.2 PERSISTENT RESERVE OUT RELEASE: by the holder, of the right type; registrants are told', async () => {
  const { a, b, lu } = await registered();
  await out(a, 'reserve', { key: 0xa, type: types.WERO });
  expect((await out(a, 'release', { key: 0xa, type: types.WE })).sense).toBe('5/26/04');
  expect((await out(b, 'release', { key: 0xb, type: types.WERO })).status).toBe(0);
  expect(reservations.of(lu).persistent.reservation).not.toBeNull();
  expect((await out(a, 'release', { key: 0xa, type: types.WERO })).status).toBe(0);
  expect(reservations.of(lu).persistent.reservation).toBeNull();
  expect((await b.send([0x00])).sense).toBe('6/2a/04');
});

test('SPC-4 5.12.11.2.3 unregistering the holder releases; all registrants types last as long as one is registered', async () => {
  const { a, b, lu } = await registered();
  await out(a, 'reserve', { key: 0xa, type: types.EAAR });
  await out(a, 'register', { key: 0xa, to: 0 });
  expect(reservations.of(lu).persistent.reservation?.type).toBe(types.EAAR);
  await out(b, 'register', { key: 0xb, to: 0 });
  expect(reservations.of(lu).persistent.reservation).toBeNull();
  await out(a, 'register', { to: 0xa });
  await out(a, 'reserve', { key: 0xa, type: types.WE });
  await out(a, 'register', { key: 0xa, to: 0 });
  expect(reservations.of(lu).persistent.reservation).toBeNull();
});

test('SPC-4 5.12.7 a holder that changes its key keeps the reservation', async () => {
  const { a } = await registered();
  await out(a, 'reserve', { key: 0xa, type: types.WE });
  await out(a, 'register', { key: 0xa, to: 0xaa });
  expect(await into(a, 1)).toBe('000000030000001000000000000000aa0000000000010000');
});

test('SPC-4 5.12.11.2.7 PERSISTENT RESERVE OUT CLEAR: nothing is left, and the others are told', async () => {
  const { a, b } = await registered();
  await out(a, 'reserve', { key: 0xa, type: types.WE });
  expect((await out(b, 'clear', { key: 0xb })).status).toBe(0);
  expect(await into(b, 0)).toBe('0000000300000000');
  expect((await a.send([0x00])).sense).toBe('6/2a/03');
});

describe('PREEMPT', () => {
  test("SPC-4 5.12.11.2.4 PERSISTENT RESERVE OUT PREEMPT: the holder's key takes the reservation and the registration", async () => {
    const { a, b } = await registered();
    await out(a, 'reserve', { key: 0xa, type: types.WE });
    expect((await out(b, 'preempt', { key: 0xb, to: 0xa, type: types.EA })).status).toBe(0);
    expect(await into(b, 1)).toBe('0000000300000010000000000000000b0000000000030000');
    expect(await into(b, 0)).toBe('0000000300000008000000000000000b');
    expect((await a.send([0x00])).sense).toBe('6/2a/05');
    expect((await a.send(read)).status).toBe(conflict);
  });

  test('SPC-4 5.12.11.2.4 PERSISTENT RESERVE OUT PREEMPT: another key takes registrations only; an unknown one conflicts', async () => {
    const { a, b, lu } = await registered();
    await out(a, 'reserve', { key: 0xa, type: types.WE });
    expect((await out(a, 'preempt', { key: 0xa, to: 0x99, type: types.WE })).status).toBe(conflict);
    expect((await out(a, 'preempt', { key: 0xa, to: 0xb, type: types.EA })).status).toBe(0);
    expect(reservations.of(lu).persistent.reservation?.type).toBe(types.WE);
    expect((await b.send([0x00])).sense).toBe('6/2a/05');
  });

  test('SPC-4 5.12.11.2.4 PERSISTENT RESERVE OUT PREEMPT: key 0 takes an all registrants reservation from everybody, and is wrong elsewhere', async () => {
    const { a, b, lu } = await registered();
    expect((await out(b, 'preempt', { key: 0xb, to: 0, type: types.WE })).sense).toBe('5/26/00');
    await out(a, 'reserve', { key: 0xa, type: types.WEAR });
    expect((await out(b, 'preempt', { key: 0xb, to: 0, type: types.WE })).status).toBe(0);
    expect(reservations.of(lu).persistent.registrations.map(({ key }) => Number(`0x${key}`))).toEqual([0xb]);
    expect(reservations.of(lu).persistent.reservation?.type).toBe(types.WE);
  });

  test('SPC-4 5.12.11.2.4 PERSISTENT RESERVE OUT PREEMPT: SCOPE and TYPE are looked at where it takes the reservation, and nowhere else', async () => {
    const { a, b, c, lu } = await registered();
    await out(c, 'register', { to: 0xc });
    await out(a, 'reserve', { key: 0xa, type: types.WE });
    for (const type of [0, 2, 0x13])
      expect((await out(b, 'preempt', { key: 0xb, to: 0xa, type })).sense, `type ${type}`).toBe('5/24/00');
    expect((await out(b, 'preempt', { key: 0xb, to: 0xc, type: 0x12 })).status).toBe(0);
    expect(reservations.of(lu).persistent.registrations.map(({ key }) => Number(`0x${key}`))).toEqual([0xa, 0xb]);
  });

  test("SPC-4 5.12.11.2.6 PERSISTENT RESERVE OUT PREEMPT AND ABORT: the preempted nexus's tasks end", async () => {
    const { a, b } = await registered();
    await out(a, 'reserve', { key: 0xa, type: types.EARO });
    const task = a.task(write);
    admitTask(task);
    const other = b.task(write);
    admitTask(other);
    expect((await out(b, 'preemptAndAbort', { key: 0xb, to: 0xa, type: types.EARO })).status).toBe(0);
    expect([task.terminated, other.terminated ?? other.aborted]).toEqual([true, false]);
  });
});

describe('ports and initiators', () => {
  const second: TargetPort = { ...port, portName: `${port.targetName},t,0x0002`, relativePortId: 2 };
  const transportId = (text: string, format = 0x45) => {
    const bytes = Buffer.alloc((text.length + 4) & ~3);
    bytes.write(text);
    return Buffer.from([format, 0, ...be(bytes.length, 2), ...bytes]);
  };

  test('SPC-4 5.12.7 PERSISTENT RESERVE OUT REGISTER: it is of one initiator port and one target port; ALL_TG_PT makes it of all', async () => {
    const { lu } = logicalUnit();
    const one = new ScsiInitiator(lu).login();
    const two = new ScsiInitiator(lu, 'a', { port: second }).login();
    await out(one, 'register', { to: 1 });
    expect((await out(two, 'register', { key: 1, to: 2 })).status).toBe(conflict);
    await out(one, 'register', { key: 1, to: 0 });
    await out(one, 'register', { to: 1, flags: 0x04 });
    expect((await out(two, 'reserve', { key: 1, type: types.WE })).status).toBe(0);
    expect((await into(one, 3)).slice(40, 42)).toBe('03');
  });

  test('SPC-4 5.12.7 PERSISTENT RESERVE OUT REGISTER: SPEC_I_PT registers other initiators too', async () => {
    const { a, b } = three();
    const id = transportId('iqn.2026-01.com.example:b,i,0x00023d000001');
    const more = Buffer.concat([Buffer.from(be(id.length, 4)), id]);
    expect((await out(a, 'register', { to: 1, flags: 0x08, more })).status).toBe(0);
    expect((await out(b, 'reserve', { key: 1, type: types.WE })).status).toBe(0);
  });

  test.each([
    ['the port', 'iqn.2026-01.com.example:b,i,0x00023d000001', 0x45, 0],
    ['the initiator', 'iqn.2026-01.com.example:b', 0x05, 0],
    ['all target ports', 'iqn.2026-01.com.example:b,i,0x00023d000001', 0x45, 0x04],
  ])(
    'SPC-4 5.12.7 PERSISTENT RESERVE OUT REGISTER: SPEC_I_PT with one that is registered, by %s, is refused, and nobody is registered',
    async (_what, name, format, allPorts) => {
      const { a, b } = three();
      await out(b, 'register', { to: 0xb });
      const ids = [transportId('iqn.2026-01.com.example:c', 0x05), transportId(name, format)];
      const length = be(ids[0]!.length + ids[1]!.length, 4);
      const more = Buffer.concat([Buffer.from(length), ...ids]);
      expect((await out(a, 'register', { to: 0xa, flags: 0x08 | allPorts, more })).sense).toBe('5/26/00');
      expect(await into(a, 0)).toBe('0000000100000008000000000000000b');
    },
  );

  test.each([
    ['a cut TransportID', Buffer.from([0, 0, 0, 4, 0x45, 0, 0, 99]), '5/26/00'],
    ['a length that is not there', Buffer.from([0, 0, 0, 99]), '5/1a/00'],
    ['another protocol', Buffer.from([0, 0, 0, 24, ...transportId('iqn.2026-01.com.ex', 0x06)]), '5/26/00'],
  ])(
    'SPC-4 6.16.3 PERSISTENT RESERVE OUT REGISTER: SPEC_I_PT with %s is refused, and nothing is registered',
    async (_what, more, sense) => {
      const { a } = three();
      expect((await out(a, 'register', { to: 1, flags: 0x08, more })).sense).toBe(sense);
      expect(await into(a, 0)).toBe('0000000000000000');
    },
  );

  test('SPC-4 5.12.8 PERSISTENT RESERVE OUT REGISTER AND MOVE: gives the reservation to another initiator', async () => {
    const { lu, a, b } = await registered();
    await out(a, 'reserve', { key: 0xa, type: types.WE });
    const id = transportId('iqn.2026-01.com.example:b,i,0x00023d000001');
    const list = [...be(0xa, 8), ...be(0xbb, 8), 0, 0x02, ...be(1, 2), ...be(id.length, 4), ...id];
    const answer = await a.send([0x5f, 7, 0, 0, 0, ...be(list.length, 4), 0], Uint8Array.from(list));
    expect(answer.status).toBe(0);
    expect((await b.send(write, pattern(512))).status).toBe(0);
    expect((await a.send(write, pattern(512))).status).toBe(conflict);
    expect(reservations.of(lu).persistent.registrations).toHaveLength(1);
  });

  test('SPC-4 5.12.8 PERSISTENT RESERVE OUT REGISTER AND MOVE: there has to be a reservation, and one that is not of all registrants', async () => {
    const { a } = await registered();
    const list = [...be(0xa, 8), ...be(0xbb, 8), ...be(0, 8)];
    const move = () => a.send([0x5f, 7, 0, 0, 0, ...be(list.length, 4), 0], Uint8Array.from(list));
    expect((await move()).sense).toBe('5/24/00');
    await out(a, 'reserve', { key: 0xa, type: types.EAAR });
    expect((await move()).status).toBe(conflict);
  });

  test('SPC-4 5.12.8 PERSISTENT RESERVE OUT REGISTER AND MOVE: to the port that sends it is refused, through whatever target port', async () => {
    const { lu } = logicalUnit();
    const a = new ScsiInitiator(lu).login();
    new ScsiInitiator(lu, 'a', { port: second }).login();
    await out(a, 'register', { to: 0xa });
    await out(a, 'reserve', { key: 0xa, type: types.WE });
    const id = transportId('iqn.2026-01.com.example:a,i,0x00023d000001');
    for (const to of [1, 2]) {
      const list = [...be(0xa, 8), ...be(0xaa, 8), 0, 0, ...be(to, 2), ...be(id.length, 4), ...id];
      const answer = await a.send([0x5f, 7, 0, 0, 0, ...be(list.length, 4), 0], Uint8Array.from(list));
      expect(answer.sense).toBe('5/26/00');
    }
  });

  test('enforce_pr_isids 0: a registration is of the initiator, whatever its ISID', async () => {
    const { lu } = logicalUnit({ attributes: { enforce_pr_isids: 0 } });
    const a = new ScsiInitiator(lu).login();
    await out(a, 'register', { to: 1 });
    expect(reservations.of(lu).persistent.registrations[0]?.initiator).toBe('iqn.2026-01.com.example:a');
  });
});

describe('APTPL', () => {
  test('SPC-4 5.12.5 APTPL: refused without a place to keep it', async () => {
    expect((await out(three().a, 'register', { to: 1, flags: 0x01 })).sense).toBe('5/26/00');
  });

  test('SPC-4 5.12.5 APTPL: every change is kept before it is answered, and none once it is off', async () => {
    const { lu, a } = three();
    const saved: (PersistentReservations | undefined)[] = [];
    lu.keep = async (_subject, state) => {
      saved.push(state as PersistentReservations | undefined);
    };
    await out(a, 'register', { to: 1, flags: 0x01 });
    await out(a, 'reserve', { key: 1, type: types.WE });
    await out(a, 'register', { key: 1, to: 2 });
    expect(saved.map((state) => [state?.generation, state?.reservation?.type])).toEqual([
      [1, undefined],
      [1, types.WE],
      [undefined, undefined],
    ]);
    expect(JSON.parse(JSON.stringify(saved[1]))).toEqual(saved[1]);
  });

  test('SPC-4 5.12.5 APTPL: what could not be kept did not happen', async () => {
    const { lu, a } = three();
    lu.keep = () => Promise.reject(new Error('disk full'));
    expect((await out(a, 'register', { to: 1, flags: 0x01 })).sense).toBe('5/55/04');
    expect(await into(a, 0)).toBe('0000000000000000');
  });
});

test('SPC-4 6.16 PERSISTENT RESERVE OUT: a list that is too short, and one that says another length, are refused', async () => {
  const { a } = three();
  expect((await a.send([0x5f, 0, 0, 0, 0, 0, 0, 0, 20], new Uint8Array(20))).sense).toBe('5/1a/00');
  expect((await a.send([0x5f, 0, 0, 0, 0, 0, 0, 0, 28], new Uint8Array(28))).sense).toBe('5/1a/00');
  expect((await a.send([0x5f, 0, 0, 0, 0, 0x7f, 0, 0, 0])).sense).toBe('5/1a/00');
});
