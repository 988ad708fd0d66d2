/** Thresholds of thin units: the mode pages that set them, and who hears of it when one is passed. Log page 0Ch: diagnostics.test.ts. */

import { expect, test } from 'vitest';
import { handOverUnit, takeOverUnit } from '../../../src/scsi/move.ts';
import { provisioningThresholds } from '../../../src/scsi/provisioning-threshold.ts';
import { logicalUnitReset } from '../../../src/scsi/task-management.ts';
import { type Answer, be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const mebibyte = 2 ** 20;
const testUnitReady = [0x00];

/** A thin unit over a volume with so many MiB left and taken, two initiators, and a clock that stands. */
function thin(available = 100, allocated = 0) {
  const space = { available, allocated };
  const asked = { times: 0 };
  const volume = memoryVolume(8 * mebibyte, {
    async space() {
      asked.times += 1;
      return { available: space.available * mebibyte, allocated: space.allocated * mebibyte };
    },
  });
  const { lu } = logicalUnit({ volume, attributes: { emulate_tpu: 1 } });
  let now = 0;
  lu.clock.now = () => now;
  const [a, b] = [new ScsiInitiator(lu).login(), new ScsiInitiator(lu, 'b').login()];
  /** Time goes by, a command comes, and the volume has been asked. It may be told of what was found before. */
  const later = async (ms = 5_000, initiator = a): Promise<Answer> => {
    now += ms;
    const answer = await initiator.send(testUnitReady);
    await provisioningThresholds.of(lu).watch?.looking;
    return answer;
  };
  return { lu, space, asked, a, b, later };
}

/** Page 1Ch/02h: two descriptors, for what is available (01h) and what is used (02h). */
const page = ({ situa = 0, available = -1, used = -1 } = {}) => [
  ...[0x5c, 0x02, ...be(28, 2), situa, ...new Array(11).fill(0)],
  ...[available < 0 ? 0x00 : 0x80, 0x01, 0, 0, ...be(Math.max(0, available), 4)],
  ...[used < 0 ? 0x01 : 0x81, 0x02, 0, 0, ...be(Math.max(0, used), 4)],
];
const errorRecovery = (lbpere: number) => [0x01, 0x0a, 0, 0, 0, 0, 0, lbpere, 0, 0, 0, 0];
const select = async (initiator: ScsiInitiator, ...bytes: number[]) => {
  const list = [0, 0, 0, 0, ...bytes];
  return initiator.send([0x15, 0x10, 0, 0, list.length], Uint8Array.from(list));
};
/** Enables thresholds. The other initiator hears of it, and with its command the volume is asked for the first time. */
const enable = async (initiator: ScsiInitiator, other: ScsiInitiator, which: Parameters<typeof page>[0]) => {
  expect((await select(initiator, ...page(which))).status).toBe(0);
  expect((await other.send(testUnitReady)).sense).toBe('6/2a/01');
  await provisioningThresholds.of(other.luns.get(0)!).watch?.looking;
};
const modeSense = async (initiator: ScsiInitiator, control: number, code: number, subpage = 0) =>
  (await initiator.send([0x1a, 0x08, (control << 6) | code, subpage, 255])).data.toString('hex', 4);
const hex = (bytes: number[]) => Buffer.from(bytes).toString('hex');
/** Sense data of a threshold that was passed: where its descriptor stands in the page is in INFORMATION. */
const reached = (at: number) => `f00006${hex(be(at, 4))}0a00000000380700000000`;

test('SBC-5 6.5.9 Logical Block Provisioning: a soft threshold for what is available and one for what is used, both disabled', async () => {
  const { a, b } = thin();
  expect(await modeSense(a, 0, 0x1c, 0x02)).toBe(hex(page()));
  const countAndEnabled = '80000000ffffffff';
  expect(await modeSense(a, 1, 0x1c, 0x02)).toBe(`5c02001c01${'00'.repeat(11)}${countAndEnabled.repeat(2)}`);
  await enable(a, b, { situa: 1, available: 7, used: 0x01020304 });
  expect(await modeSense(b, 0, 0x1c, 0x02)).toBe(hex(page({ situa: 1, available: 7, used: 0x01020304 })));
  expect(await modeSense(b, 2, 0x1c, 0x02)).toBe(hex(page()));
  expect((await a.send([0x1a, 0x08, 0xdc, 0x02, 255])).sense).toBe('5/39/00');
  expect((await a.send([0x1a, 0x08, 0x1c, 0xff, 255])).data.toString('hex', 16)).toContain('5c02001c');
});

test('SBC-5 6.5.10 LBPERE, SBC-5 6.5.9: there where thresholds are, and nowhere else', async () => {
  const { a } = thin();
  expect(await modeSense(a, 0, 0x01)).toBe(hex(errorRecovery(0x80)));
  expect(await modeSense(a, 1, 0x01)).toBe(hex(errorRecovery(0x80)));
  expect(await modeSense(a, 2, 0x01)).toBe(hex(errorRecovery(0x80)));
  const thick = new ScsiInitiator(logicalUnit().lu).login();
  expect(await modeSense(thick, 1, 0x01)).toBe(hex(errorRecovery(0)));
  expect((await thick.send([0x1a, 0x08, 0x1c, 0x02, 255])).sense).toBe('5/24/00');
  expect((await select(thick, ...page())).sense).toBe('5/26/00');
});

test.each([
  ['THRESHOLD TYPE', 16, 0x88],
  ['THRESHOLD ARMING', 24, 0x80],
  ['THRESHOLD RESOURCE', 17, 0x03],
  ['a reserved byte', 26, 1],
  ['a reserved bit beside SITUA', 4, 0x03],
])(
  'SBC-5 6.5.9 Logical Block Provisioning: another %s is refused where it stands, and nothing changes',
  async (_what, byte, value) => {
    const { lu, a } = thin();
    const before = structuredClone(provisioningThresholds.of(lu));
    const { sense, senseData } = await select(a, ...Object.assign(page({ available: 5 }), { [byte]: value }));
    expect(sense).toBe('5/26/00');
    // SKSV; behind the header of four bytes.
    expect(senseData.toString('hex', 15)).toBe(hex([0x80, ...be(4 + byte, 2)]));
    expect(provisioningThresholds.of(lu)).toEqual(before);
    expect(before.watch).toBeUndefined();
  },
);

test('SBC-5 4.7.3.7.4 armed decreasing thresholds: every nexus is told once when less is left, and again when there was more meanwhile', async () => {
  const { space, a, b, later } = thin(100);
  // The range is 9 MiB to 11 MiB.
  await enable(a, b, { available: 5 });
  for (const available of [10, 9]) {
    space.available = available;
    await later();
    expect((await later()).status).toBe(0);
  }
  space.available = 8;
  await later();
  for (const one of [a, b]) {
    const answer = await one.send(testUnitReady);
    expect([answer.sense, answer.senseData.toString('hex')]).toEqual(['6/38/07', reached(16)]);
    expect((await one.send(testUnitReady)).status).toBe(0);
  }
  // Not above the range's end: the trigger stays disabled.
  for (const available of [1, 11, 1]) {
    space.available = available;
    await later(300_000);
    expect((await later()).status).toBe(0);
  }
  for (const available of [12, 8]) {
    space.available = available;
    await later(300_000);
  }
  expect([(await a.send(testUnitReady)).sense, (await b.send([0x28])).sense]).toEqual(['6/38/07', '6/38/07']);
});

test('SBC-5 4.7.3.7.5 armed increasing thresholds: the same for what is used, upwards', async () => {
  const { space, a, b, later } = thin(100, 4);
  await enable(a, b, { used: 3 });
  space.allocated = 7;
  await later();
  expect((await later()).status).toBe(0);
  space.allocated = 8;
  await later();
  const { data } = await b.send([0x03, 0, 0, 0, 18]);
  expect(data.toString('hex').replace(/^70/, 'f0')).toBe(reached(24));
  expect((await a.send(testUnitReady)).sense).toBe('6/38/07');
  for (const allocated of [4, 8]) {
    space.allocated = allocated;
    await later(300_000);
  }
  expect((await a.send(testUnitReady)).sense).toBe('6/38/07');
});

test('SBC-5 4.7.3.7.6 threshold notification: with SITUA the nexus that sends the next command is told, and no other', async () => {
  const { a, b } = thin(0, 100);
  await enable(a, b, { situa: 1, available: 1, used: 1 });
  // INQUIRY and REPORT LUNS cannot report a unit attention.
  await a.send([0x12, 0, 0, 0, 96]);
  await a.send([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16]);
  expect([(await b.send(testUnitReady)).sense, (await b.send(testUnitReady)).sense]).toEqual(['6/38/07', '6/38/07']);
  expect([(await a.send(testUnitReady)).status, (await b.send(testUnitReady)).status]).toEqual([0, 0]);
});

test('SBC-5 4.7.3.7.6 threshold notification: not more than once in five minutes, and then what is still so', async () => {
  const { space, a, b, later } = thin(0);
  await enable(a, b, { available: 5 });
  expect((await a.send(testUnitReady)).sense).toBe('6/38/07');
  for (const available of [100, 0]) {
    space.available = available;
    expect((await later()).status).toBe(0);
  }
  expect((await later(300_000 - 10_001)).status).toBe(0);
  expect((await later()).status).toBe(0);
  expect((await a.send(testUnitReady)).sense).toBe('6/38/07');
});

test('SBC-5 4.7.3.7.6 threshold notification: none while LBPERE is 0, and a logical unit reset disables all', async () => {
  const { lu, a, later } = thin(0);
  await select(a, ...errorRecovery(0), ...page({ available: 5 }));
  for (const _ of [1, 2]) expect((await later()).status).toBe(0);
  await select(a, ...errorRecovery(0x80));
  await later();
  expect((await a.send(testUnitReady)).sense).toBe('6/38/07');
  await logicalUnitReset(a.nexus, 0);
  expect(provisioningThresholds.of(lu).watch).toBeUndefined();
  expect(await modeSense(new ScsiInitiator(lu, 'c').login(), 0, 0x1c, 0x02)).toBe(hex(page()));
});

test('SBC-5 4.7.3.7 thresholds: a volume is asked where one is enabled, once in five seconds or 2 MiB written', async () => {
  const { lu, asked, a, b, later } = thin();
  const write = async (blocks: number) => {
    await a.send([0x2a, 0, 0, 0, 0, 0, 0, ...be(blocks, 2)], pattern(512 * blocks));
    await provisioningThresholds.of(lu).watch?.looking;
  };
  await write(4096);
  await later();
  expect(asked.times).toBe(0);
  await enable(a, b, { available: 1 });
  expect(asked.times).toBe(1);
  await later(4_999);
  for (let i = 0; i < 4; i += 1) await write(1024);
  expect(asked.times).toBe(1);
  await write(1);
  expect(asked.times).toBe(2);
  await later(5_000);
  expect(asked.times).toBe(3);
});

test('SBC-5 4.7.3.7 thresholds: a volume that cannot tell for once is asked again', async () => {
  const { lu, a, b, later } = thin(0);
  const volume = lu.volume!;
  const space = volume.space!;
  volume.space = () => Promise.reject(Object.assign(new Error('EIO: i/o error, statfs'), { code: 'EIO' }));
  await enable(a, b, { available: 5 });
  expect((await a.send([0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 255])).sense).toBe('3/0c/00');
  volume.space = space;
  await later();
  expect((await a.send(testUnitReady)).sense).toBe('6/38/07');
});

test('SBC-5 6.5.9 Logical Block Provisioning: what was set goes along to another event loop, and is looked after there', async () => {
  const { lu, a } = thin(0);
  await select(a, ...page({ available: 5 }));
  const there = thin(0);
  takeOverUnit(there.lu, structuredClone(await handOverUnit(lu)));
  await there.later();
  expect((await there.b.send(testUnitReady)).sense).toBe('6/38/07');
});
