/**
 * INQUIRY, VPD pages, READ CAPACITY, MODE SENSE and REPORT LUNS, against bytes recorded from LIO (Linux 6.1, sg3-utils).
 * Does not test MODE SELECT, which changes some of them.
 */

import { expect, test } from 'vitest';
import { textIdentityOf } from '../../../src/scsi/text-identity.ts';
import { logicalUnit, port, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const lio = (attributes: Record<string, number> = {}) =>
  new ScsiInitiator(logicalUnit({ name: 'fdef', volume: memoryVolume(64 * 1024 * 1024), attributes }).lu).login();
const hex = (text: string) => text.replace(/\s+/g, '');
const vpd = (page: number) => [0x12, 1, page, 0xff, 0xff];

test('SPC-4 6.6 INQUIRY: the 96 bytes of LIO', async () => {
  const { data } = await lio().send([0x12, 0, 0, 0, 0xff]);
  expect(data.toString('hex')).toBe(
    hex(`00 00 06 02 5b b8 00 02  4c 49 4f 2d 4f 52 47 20
         66 64 65 66 20 20 20 20  20 20 20 20 20 20 20 20
         34 2e 30 20 00 00 00 00  00 00 00 00 00 00 00 00
         00 00 00 00 00 00 00 00  00 00 00 a0 09 60 04 60
         04 c0 00 00 00 00 00 00  00 00 00 00 00 00 00 00
         00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00`),
  );
});

test('SPC-4 6.6.2 INQUIRY: a port that is not of iSCSI does not claim that standard', async () => {
  const sas = { ...port, protocol: 6 };
  const { data } = await new ScsiInitiator(logicalUnit().lu, 'a', { port: sas }).login().send([0x12, 0, 0, 0, 96]);
  expect(data.toString('hex', 58, 66)).toBe('00a0046004c00000');
});

test('SPC-4 6.6 INQUIRY: MULTIP when a second port exports the logical unit', async () => {
  const { lu } = logicalUnit();
  lu.exports.add({}).add({});
  const { data } = await new ScsiInitiator(lu).login().send([0x12, 0, 0, 0, 96]);
  expect(data[6]).toBe(0x10);
});

test('SPC-4 6.6 INQUIRY: cut to the allocation length, the length byte inside stays', async () => {
  const { data, status } = await lio().send([0x12, 0, 0, 0, 5]);
  expect([status, data.toString('hex')]).toEqual([0, '000006025b']);
});

test('SPC-4 6.6 INQUIRY: a page code without EVPD, and an unknown page, are invalid fields', async () => {
  expect((await lio().send([0x12, 0, 0x80, 0, 96])).sense).toBe('5/24/00');
  const unknown = await lio().send(vpd(0x84));
  expect(unknown.sense).toBe('5/24/00');
  expect(unknown.senseData.toString('hex', 15, 18)).toBe('cf0002');
});

test.each([
  // LIO's own, and 87h, 88h, 8Ah and 8Fh.
  ['SPC-4 7.8.16 Supported VPD Pages', 0x00, '0000000b 0080838687888a8fb0b1b2'],
  [
    'SPC-4 7.8.18 Unit Serial Number',
    0x80,
    '00800025 63353838373630312d353363622d343033302d383133332d61383935663266303564313300',
  ],
  [
    'SPC-4 7.8.6 Device Identification',
    0x83,
    `00 83 00 b2 01 03 00 10  60 01 40 5c 58 87 60 15
     3c b4 03 08 13 3a 89 5f  02 01 00 32 4c 49 4f 2d
     4f 52 47 20 66 64 65 66  3a 63 35 38 38 37 36 30
     31 2d 35 33 63 62 2d 34  30 33 30 2d 38 31 33 33
     2d 61 38 39 35 66 32 66  30 35 64 31 33 00 51 94
     00 04 00 00 00 01 51 95  00 04 00 00 00 00 01 06
     00 04 00 00 00 00 53 98  00 28 69 71 6e 2e 32 30
     32 36 2d 30 31 2e 63 6f  6d 2e 65 78 61 6d 70 6c
     65 3a 73 63 73 69 2c 74  2c 30 78 30 30 30 31 00
     00 00 53 a8 00 20 69 71  6e 2e 32 30 32 36 2d 30
     31 2e 63 6f 6d 2e 65 78  61 6d 70 6c 65 3a 73 63
     73 69 00 00 00 00`,
  ],
  ['SPC-4 7.8.7 Extended INQUIRY Data', 0x86, `0086003c00070100${'00'.repeat(56)}`],
  ['SBC-4 6.6.4 Block Limits', 0xb0, '00b00010 01010001 00004000 00004000 00000000'],
  // FUAB and VBULS, which LIO leaves at 0.
  ['SBC-3 6.6.5 Block Device Characteristics', 0xb1, `00b1003c 00000000 03 ${'00'.repeat(55)}`],
  ['SBC-3 6.6.7 Logical Block Provisioning', 0xb2, '00b20004 00000000'],
] as const)('%s: the bytes that LIO gives, but where a note says otherwise', async (_name, page, expected) => {
  expect((await lio().send(vpd(page))).data.toString('hex')).toBe(hex(expected));
});

test('SBC-4 6.6.4 Block Limits, SBC-3 6.6.7 Logical Block Provisioning: of a thin logical unit, as LIO gives them, and PROVISIONING TYPE says thin', async () => {
  const thin = lio({ emulate_tpu: 1, emulate_tpws: 1 });
  expect((await thin.send(vpd(0xb0))).data.toString('hex')).toBe(
    hex(`00b0003c 01010001 00004000 00004000 00000000 00002000 00000001 00000001 00000000
         0000000000001000 ${'00'.repeat(20)}`),
  );
  expect((await thin.send(vpd(0xb2))).data.toString('hex')).toBe('00b2000400e00200');
});

test('SBC-3 6.6.7 Logical Block Provisioning: a volume that cannot discard is not thin, whatever emulate_tpu says', async () => {
  const volume = memoryVolume(1024 * 1024, { discard: undefined });
  const initiator = new ScsiInitiator(logicalUnit({ volume, attributes: { emulate_tpu: 1 } }).lu).login();
  expect((await initiator.send(vpd(0xb2))).data.toString('hex')).toBe('00b2000400000000');
});

test('SPC-4 6.6.2 INQUIRY: the bits of byte 3 that SPC-3 made obsolete are 0, AERC among them', async () => {
  expect((await lio().send([0x12, 0, 0, 0, 96])).data[3]! & 0xc0).toBe(0);
});

test('SPC-4 6.6 INQUIRY: no logical unit gives qualifier 3 and type 1Fh', async () => {
  const { status, data } = await lio().send([0x12, 0, 0, 0, 96], undefined, { lun: 7 });
  expect([status, data[0]]).toEqual([0, 0x7f]);
});

test('SBC-3 5.15 READ CAPACITY(10): as LIO gives it', async () => {
  expect((await lio().send([0x25])).data.toString('hex')).toBe('0001ffff00000200');
});

test('SBC-3 5.15 READ CAPACITY(10): FFFFFFFFh when the last address needs more', async () => {
  const volume = { ...memoryVolume(512), size: 3 * 1024 ** 4 };
  const { data } = await new ScsiInitiator(logicalUnit({ volume }).lu).login().send([0x25]);
  expect(data.toString('hex')).toBe('ffffffff00000200');
});

test('SBC-3 5.16 READ CAPACITY(16): as LIO gives it, cut to the allocation length', async () => {
  const cdb = [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32];
  expect((await lio().send(cdb)).data.toString('hex')).toBe(`000000000001ffff00000200${'00'.repeat(20)}`);
  cdb[13] = 12;
  expect((await lio().send(cdb)).data.length).toBe(12);
});

test('SBC-3 5.16 READ CAPACITY(16): LBPME, LBPRZ and the physical block exponent', async () => {
  const volume = memoryVolume(1024 * 1024, { physicalBlockSize: 4096 });
  const { lu } = logicalUnit({ volume, attributes: { emulate_tpu: 1, unmap_zeroes_data: 1 } });
  const { data } = await new ScsiInitiator(lu).login().send([0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32]);
  expect(data.subarray(13, 16).toString('hex')).toBe('03c000');
});

// The block descriptor differs: LIO puts the last address where SBC-3 6.5.2 has the number of blocks.
const lioPages = `01 0a 00 00 00 00 00 00  00 00 00 00
  08 12 04 00 00 00 00 00  00 00 00 00 20 00 00 00 00 00 00 00
  0a 0a 02 10 00 40 00 00  ff ff 00 1e
  1c 0a 00 00 00 00 00 00  00 00 00 00`;

/** Power Condition, which LIO does not have, stands before 1Ch. */
const allPages = lioPages.replace(/1c 0a/, `1a 26 ${'00'.repeat(38)} 1c 0a`);

test('SPC-4 6.14 MODE SENSE(10): all pages as LIO gives them, and Power Condition', async () => {
  const { data } = await lio().send([0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 252]);
  expect(data.toString('hex')).toBe(hex(`00 6e 00 10 00 00 00 08 00 02 00 00 00 00 02 00 ${allPages}`));
});

test('SPC-4 6.13 MODE SENSE(6): all pages as LIO gives them, and Power Condition', async () => {
  const { data } = await lio().send([0x1a, 0, 0x3f, 0, 252]);
  expect(data.toString('hex')).toBe(hex(`6b 00 10 08 00 02 00 00 00 00 02 00 ${allPages}`));
});

test('SPC-4 6.14 MODE SENSE(10): DBD leaves the descriptor out, LLBAA makes it long', async () => {
  const initiator = lio();
  const without = await initiator.send([0x5a, 0x08, 0x1c, 0, 0, 0, 0, 0, 252]);
  expect(without.data.toString('hex', 0, 8)).toBe('0012001000000000');
  const long = await initiator.send([0x5a, 0x10, 0x1c, 0, 0, 0, 0, 0, 252]);
  expect(long.data.toString('hex', 0, 24)).toBe(hex('00 22 00 10 01 00 00 10 0000000000020000 00000000 00000200'));
});

test('SPC-4 6.13 MODE SENSE(6): WP when this initiator may not write, no DPOFUA without a write cache', async () => {
  const { lu } = logicalUnit({ attributes: { emulate_write_cache: 0 } });
  const { data } = await new ScsiInitiator(lu, 'a', { writeProtected: true }).login().send([0x1a, 0x08, 0x08, 0, 252]);
  expect(data.toString('hex')).toBe(`170080000812${'00'.repeat(10)}20${'00'.repeat(7)}`);
});

test.each([
  ['an unknown page', [0x1a, 0, 0x02, 0, 252], '5/24/00'],
  ['a subpage that is not there', [0x1a, 0, 0x0a, 2, 252], '5/24/00'],
  ['a subpage of all pages', [0x1a, 0, 0x3f, 1, 252], '5/24/00'],
  ['saved values', [0x1a, 0, 0xc8, 0, 252], '5/39/00'],
])('SPC-4 6.13 MODE SENSE(6): %s is refused', async (_what, cdb, sense) => {
  expect((await lio().send(cdb)).sense).toBe(sense);
});

test('SPC-4 6.33 REPORT LUNS: peripheral numbers to 255, then flat ones', async () => {
  const { lu } = logicalUnit();
  const initiator = new ScsiInitiator(new Map([0, 1, 255, 256, 300].map((lun) => [lun, lu]))).login();
  const { data } = await initiator.send([0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  expect(data.toString('hex')).toBe(
    hex(`00000028 00000000 0000000000000000 0001000000000000 00ff000000000000 4100000000000000 412c000000000000`),
  );
});

test.each([
  [0x00, 8],
  [0x01, 0],
  [0x02, 8],
  [0x11, 8],
])('SPC-4 6.33 REPORT LUNS: SELECT REPORT %i lists %i bytes', async (select, bytes) => {
  const { data } = await lio().send([0xa0, 0, select, 0, 0, 0, 0, 0, 1, 0]);
  expect(data.readUInt32BE(0)).toBe(bytes);
});

test('SPC-4 4.2.5.6 REPORT LUNS: each number once, and a short ALLOCATION LENGTH cuts that, wherever', async () => {
  const { lu } = logicalUnit();
  const luns = [1, 0, 255, 256, 7].map((lun) => [lun, lu] as const);
  const initiator = new ScsiInitiator(new Map([...luns, ...luns])).login();
  const report = async (allocation: number) => (await initiator.send([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, allocation])).data;
  const whole = await report(255);
  const listed = Array.from({ length: whole.readUInt32BE(0) / 8 }, (_, i) =>
    whole.toString('hex', 8 + 8 * i, 16 + 8 * i),
  );
  expect([listed.length, new Set(listed).size, whole.length]).toEqual([5, 5, 48]);
  for (let allocation = 0; allocation < 48; allocation++)
    expect(await report(allocation)).toEqual(whole.subarray(0, allocation));
});

test('SPC-4 6.33 REPORT LUNS: works at a number that no logical unit has', async () => {
  const initiator = new ScsiInitiator(new Map([[3, logicalUnit().lu]])).login();
  const { status, data } = await initiator.send([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16], undefined, { lun: 0 });
  expect([status, data.toString('hex')]).toEqual([0, '00000008000000000003000000000000']);
});

// Recorded from tgtd 1.0.85, target 3: LUN 5 as it comes; LUN 6 with texts of its own; LUN 7 with texts that are too long.
test.each([
  [5, {}, 'IET     00030005', 'beaf35', '000000000000000e00000000030005'],
  [6, { scsi_id: 'ID0001', scsi_sn: 'SN0001' }, 'ID0001', 'SN0001', '0000000000000000000000000d0001'],
  [
    7,
    { scsi_id: 'abcdef012345678901234567890123456789', scsi_sn: '012345678901234567890123456789012345' },
    'abcdef012345678901234567890123456789',
    '012345678901234567890123456789012345',
    '012345678901234567890123456789',
  ],
])('SPC-4 7.8.6, 7.8.18: the identity of tgtd, LUN %s', async (lun, given, id, serial, naa) => {
  const { lu } = logicalUnit({ attributes: { ...textIdentityOf(3, lun), ...given } as never });
  const initiator = new ScsiInitiator(lu).login();
  const text = (value: string, pad: string, start: boolean) => {
    const bytes = start ? value.padStart(36, pad) : value.padEnd(36, pad);
    return Buffer.from(bytes, 'latin1').toString('hex');
  };
  expect((await initiator.send(vpd(0x80))).data.toString('hex')).toBe(`00800024${text(serial, ' ', true)}`);
  expect((await initiator.send(vpd(0x83))).data.toString('hex')).toBe(
    `0083004802010024${text(id, '\0', false)}01030008300000030000000${lun}01030010${lun === 7 ? '6f' : '60'}${naa}`,
  );
  // Without groups of ports in page 83h there are none to be asked for.
  expect((await initiator.send([0x12, 0, 0, 0, 96])).data[5]! & 0x30).toBe(0);
});
