/**
 * PDUs made by hand, byte for byte after RFC 7143 11, with a bit or a length of the header wrong: the connection answers a
 * ping afterwards or has ended, no task stays, the medium is as it was, and nothing is a bug of ours. What each request is
 * answered is tested where it is at home; noise of all kinds is test/fuzz/iscsi.fuzz.test.ts.
 */

import { expect, it } from 'vitest';
import { taskSet } from '../../../src/scsi/task-set.ts';
import { bytesOf } from '../../support/hostile-cdb.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { be, logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const medium = pattern(4096, 3);
const none = [0xff, 0xff, 0xff, 0xff];
const negotiated = { InitialR2T: 'No', ImmediateData: 'Yes', FirstBurstLength: '4096', MaxBurstLength: '8192' };

const padded = (bytes: readonly number[]): number[] => [...bytes, ...new Array(-bytes.length & 3).fill(0)];

interface Parts {
  /** Bytes 8 to 15, 20 to 23 and 32 to 47. */
  readonly lun?: readonly number[];
  readonly word20?: readonly number[];
  readonly tail?: readonly number[];
  readonly ahs?: readonly number[];
  /** TotalAHSLength, in words. */
  readonly ahsWords?: number;
  readonly data?: readonly number[];
}

function pdu({ cmdSn, expStatSn }: Initiator, opcode: number, flags: number, parts: Parts = {}): number[] {
  const { lun = new Array(8).fill(0), word20 = none, tail = new Array(16).fill(0), ahs = [], data = [] } = parts;
  const head = [opcode, flags, 0, 0, parts.ahsWords ?? Math.ceil(ahs.length / 4), ...be(data.length, 3), ...lun];
  return [
    ...head,
    ...be(0x77, 4),
    ...word20,
    ...be(cmdSn, 4),
    ...be(expStatSn, 4),
    ...tail,
    ...padded(ahs),
    ...padded(data),
  ];
}

const cdb = (hex: string) => [...bytesOf(hex), ...new Array(16).fill(0)].slice(0, 16);
const read10 = { tail: cdb('28 00 00 00 00 00 00 00 01'), word20: be(512, 4) };
const write10 = { tail: cdb('2a 00 00 00 00 00 00 00 01'), word20: be(512, 4), data: [...medium.subarray(0, 512)] };
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** Sends PDUs over a session of its own. @param short it may wait for the rest of a PDU @returns names of the answers */
async function attack(what: string, make: (initiator: Initiator) => number[][], short = false): Promise<string[]> {
  const target = new IscsiTarget(logicalUnit({ volume: memoryVolume(medium.length) }));
  target.volume.bytes.set(medium);
  const { initiator, output, connection } = await target.login(negotiated);
  for (const bytes of make(initiator)) initiator.raw(Uint8Array.from(bytes));
  await turns(3);
  const answers = initiator.inbox.splice(0).map(({ name }) => name);
  if (!output.ended && !short) {
    initiator.raw(Uint8Array.from(pdu(initiator, 0x40, 0x80)));
    await turns(2);
    expect([what, answers, output.ended || initiator.inbox.some(({ name }) => name === 'NOP-In')]).toEqual([
      what,
      answers,
      true,
    ]);
  }
  await connection.close('over');
  const errors = target.logged.filter(({ level }) => level === 'error');
  expect([what, errors, taskSet.of(target.lu).size, [...target.sessionTable].length]).toEqual([what, [], 0, 0]);
  expect([what, medium.compare(target.volume.bytes)]).toEqual([what, 0]);
  return answers;
}

/** A request of each kind that is accepted as it is; the writes write data that is there already. */
const requests: readonly [name: string, make: (initiator: Initiator) => number[]][] = [
  ['SCSI Command, READ(10)', (initiator) => pdu(initiator, 0x01, 0xc1, read10)],
  ['SCSI Command, WRITE(10)', (initiator) => pdu(initiator, 0x01, 0xa1, write10)],
  ['NOP-Out', (initiator) => pdu(initiator, 0x40, 0x80, { data: [1, 2, 3] })],
  ['Task Management', (initiator) => pdu(initiator, 0x42, 0x81, { word20: be(4, 4) })],
  ['Text', (initiator) => pdu(initiator, 0x04, 0x80, { data: [...Buffer.from('SendTargets=\0')] })],
  ['Logout', (initiator) => pdu(initiator, 0x06, 0x80, { word20: be(0, 4) })],
  ['Data-Out', (initiator) => pdu(initiator, 0x05, 0x80, { data: [...medium.subarray(0, 512)] })],
  ['SNACK', (initiator) => pdu(initiator, 0x10, 0x80)],
  ['Login', (initiator) => pdu(initiator, 0x43, 0x87, { data: [...Buffer.from('SessionType=Normal\0')] })],
  ['an opcode of targets', (initiator) => pdu(initiator, 0x21, 0x80)],
  ['an opcode of vendors', (initiator) => pdu(initiator, 0x1c, 0x80)],
];

/** A write must not reach another block: its address is not touched, nor what makes it another command. */
const isAddress = (name: string, at: number) => name.includes('WRITE') && at >= 32;

it.each(requests)('%s: each bit of its header, and its fields full of ones', async (name, make) => {
  for (let at = 0; at < 48; at++) {
    if (isAddress(name, at)) continue;
    const isLength = at >= 4 && at < 8;
    for (const bit of at < 32 ? [0, 1, 2, 3, 4, 5, 6, 7] : [0, 7])
      await attack(
        `bit ${at}.${bit}`,
        (initiator) => [make(initiator).map((byte, i) => (i === at ? byte ^ (1 << bit) : byte))],
        isLength,
      );
    const ones = (initiator: Initiator) =>
      make(initiator).map((byte, i) => (i >= at && i < at + 4 && !isAddress(name, i) ? 0xff : byte));
    await attack(`ones ${at}`, (initiator) => [ones(initiator)], at < 8 && at > 0);
  }
});

/** READ(32) of one block: the CDB of SBC-3 5.14. */
const read32 = [0x7f, 0, 0, 0, 0, 0, 0, 24, 0, 9, ...new Array(21).fill(0), 1];
const extended = read32.slice(16);

it('RFC 7143 11.2.2: an Extended CDB of every length, for every ADDITIONAL CDB LENGTH: what fits runs', async () => {
  for (const additional of [0, 8, 16, 23, 24, 25, 32, 244, 255])
    for (const length of [16, 17, 28, 31, 32, 33, 36, 64, 260]) {
      const whole = [...read32.with(7, additional), ...new Array(260).fill(0)].slice(0, length);
      const behind = whole.slice(16);
      const ahs = behind.length > 0 ? [...be(behind.length + 1, 2), 1, 0, ...behind] : [];
      const parts = { word20: be(512, 4), tail: whole.slice(0, 16), ahs };
      const answers = await attack(`${additional} in ${length}`, (initiator) => [pdu(initiator, 0x01, 0xc1, parts)]);
      const runs = additional === 24 && length >= 32;
      expect([additional, length, answers]).toEqual([additional, length, [runs ? 'SCSI Data-In' : 'SCSI Response']]);
    }
});

it('RFC 7143 11.2.2: segments of every type, of every length, cut, twice and full of ones', async () => {
  const segment = (type: number, length = 17) => [...be(length, 2), type, 0, ...extended];
  const odd: [what: string, ahs: number[]][] = [
    ...Array.from({ length: 256 }, (_, type) => [`type ${type}`, segment(type)] as [string, number[]]),
    ...Array.from({ length: 40 }, (_, length) => [`length ${length}`, segment(1, length)] as [string, number[]]),
    ['length ffffh', segment(1, 0xffff)],
    ['twice', [...segment(1), ...segment(1)]],
    ['ones', new Array(1020).fill(0xff)],
    ['of bidirectional reads, short', [...be(2, 2), 2, 0]],
  ];
  for (const [what, ahs] of odd) {
    const parts = { word20: be(512, 4), tail: read32.slice(0, 16), ahs };
    await attack(what, (initiator) => [pdu(initiator, 0x01, 0xc1, parts)]);
  }
  for (const ahsWords of [0, 1, 4, 255]) {
    const parts = { word20: be(512, 4), tail: read32.slice(0, 16), ahs: segment(1), ahsWords };
    await attack(`${ahsWords} words`, (initiator) => [pdu(initiator, 0x01, 0xc1, parts)], true);
  }
  for (const bidirectional of [
    [...be(5, 2), 2, 0, ...be(512, 4), ...segment(1)],
    [...segment(1), ...be(5, 2), 2, 0, ...be(512, 4)],
  ]) {
    const parts = { word20: be(512, 4), tail: read32.slice(0, 16), ahs: bidirectional };
    expect(await attack('both', (initiator) => [pdu(initiator, 0x01, 0xc1, parts)])).toEqual(['SCSI Data-In']);
  }
});

const commands: readonly [name: string, tail: number[], wants: number][] = [
  ['TEST UNIT READY', cdb('00'), 0],
  ['INQUIRY', cdb('12 00 00 00 24'), 0],
  ['READ(10)', read10.tail, 0],
  ['WRITE(10)', write10.tail, 512],
  ['PERSISTENT RESERVE OUT', cdb('5f 00 00 00 00 00 00 00 18'), 24],
  ['no command', cdb('ff'), 0],
];

it.each(commands)(
  '%s: F, R, W, every attribute, Expected Data Transfer Lengths and immediate data that do not go together',
  async (_name, tail) => {
    for (const final of [0, 0x80])
      for (const direction of [0, 0x20, 0x40, 0x60])
        for (const [attribute, edtl, data] of [
          ...[0, 513, 5000, 0xffffffff].flatMap((edtl) => [0, 1, 512, 4100].map((data) => [1, edtl, data])),
          ...[0, 1, 2, 3, 4, 5, 6, 7].map((attribute) => [attribute, 512, 0]),
        ] as [number, number, number][]) {
          const parts = {
            tail,
            word20: be(edtl, 4),
            data: [...medium.subarray(0, 512), ...new Array(4096).fill(0)].slice(0, data),
          };
          await attack(`${final | direction | attribute} ${edtl} ${data}`, (initiator) => [
            pdu(initiator, 0x01, final | direction | attribute, parts),
          ]);
        }
  },
);
