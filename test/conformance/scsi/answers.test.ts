/**
 * The answers of a logical unit of each kind of backstore to commands that ask about it, byte for byte: a golden to review. The first
 * unit is printed whole, the others by their differences from it. Not tested here: the meaning of the bytes (identity.test.ts,
 * figures.test.ts), and commands that change something.
 */

import { expect, test } from 'vitest';
import { backstores } from '../../../src/backstore/index.ts';
import { logPages } from '../../../src/scsi/log-page.ts';
import { StorageObject } from '../../../src/scsi/logical-unit.ts';
import { recordedAnew } from '../../../src/scsi/lost-writes.ts';
import { modePages } from '../../../src/scsi/mode-pages.ts';
import { opcodes } from '../../../src/scsi/opcode-table.ts';
import { vpdPages } from '../../../src/scsi/vpd-page.ts';
import { cdbOf } from '../../support/cdb.ts';
import { be, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const allocation = 0x2000;
const row = (name: string) => opcodes.find((one) => one.name === name)!;
const hex = (value: number) => value.toString(16).padStart(2, '0');

/** A question, with the number of bytes of the answer that are not printed, or the data that goes with it. */
type Question = [name: string, cdb: number[], rest?: number | Uint8Array];

const questions: Question[] = [
  ['MODE SENSE(6)', cdbOf(row('MODE SENSE(6)'), { page: 0x08, allocation: 0xff })],
  ['INQUIRY', cdbOf(row('INQUIRY'), { allocation })],
  ...vpdPages.map(
    ({ code }): Question => [`VPD ${hex(code)}`, cdbOf(row('INQUIRY'), { evpd: true, page: code, allocation })],
  ),
  ['READ CAPACITY(10)', cdbOf(row('READ CAPACITY(10)'))],
  ['READ CAPACITY(16)', cdbOf(row('READ CAPACITY(16)'), { allocation })],
  ['GET LBA STATUS', cdbOf(row('GET LBA STATUS'), { allocation })],
  ...[0, 1, 2].flatMap((control) =>
    modePages.map(
      ({ code, subpage = 0 }): Question => [
        `MODE SENSE(6) ${hex(code)}/${hex(subpage)}, ${['current', 'changeable', 'default'][control]}`,
        cdbOf(row('MODE SENSE(6)'), { dbd: true, control, page: code, subpage, allocation: 0xff }),
        4,
      ],
    ),
  ),
  ['MODE SENSE(10), long', cdbOf(row('MODE SENSE(10)'), { longLba: true, page: 0x0a, allocation })],
  ...[{ code: 0 }, ...logPages].map(
    ({ code }): Question => [`LOG SENSE ${hex(code)}`, cdbOf(row('LOG SENSE'), { control: 1, page: code, allocation })],
  ),
  ['LOG SENSE 00/ff', cdbOf(row('LOG SENSE'), { control: 1, subpage: 0xff, allocation })],
  ['REPORT LUNS', cdbOf(row('REPORT LUNS'), { allocation })],
  ['COPY PARAMETERS', cdbOf(row('RECEIVE COPY RESULTS(LID1) OPERATING PARAMETERS'), { allocation })],
  ['PORT GROUPS', cdbOf(row('REPORT TARGET PORT GROUPS'), { format: 1, allocation })],
  ['TASK MANAGEMENT', cdbOf(row('REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS'), { allocation })],
  ...[false, true].map(
    (timeouts): Question => [
      `OPCODES, one of them${timeouts ? ', with timeouts' : ''}`,
      cdbOf(row('REPORT SUPPORTED OPERATION CODES'), {
        ...{ timeouts, reporting: 3, code: 0x7f, serviceAction: 0x0b, allocation },
      }),
    ],
  ),
  ['REQUEST SENSE', cdbOf(row('REQUEST SENSE'), { allocation: 0xff })],
  ['REQUEST SENSE, descriptors', cdbOf(row('REQUEST SENSE'), { descriptor: true, allocation: 0xff })],
  ['PR OUT REGISTER', cdbOf(row('PERSISTENT RESERVE OUT REGISTER'), { length: 24 }), listOf(0, 0x010203040506)],
  ['PR OUT RESERVE', cdbOf(row('PERSISTENT RESERVE OUT RESERVE'), { type: 5, length: 24 }), listOf(0x010203040506, 0)],
  ...['READ KEYS', 'READ RESERVATION', 'REPORT CAPABILITIES', 'READ FULL STATUS'].map(
    (name): Question => [`PR IN ${name}`, cdbOf(row(`PERSISTENT RESERVE IN ${name}`), { allocation })],
  ),
];

/** The parameter list of PERSISTENT RESERVE OUT. */
function listOf(key: number, actionKey: number): Uint8Array {
  return Uint8Array.from([...be(key, 8), ...be(actionKey, 8), ...be(0, 8)]);
}

/** In hexadecimal digits; eight bytes of zeros or more are counted. */
const printed = (data: Uint8Array): string =>
  Array.from(data, (byte) => ` ${hex(byte)}`)
    .join('')
    .replace(/( 00){8,}/g, (zeros) => ` 00*${zeros.length / 3}`)
    .trim();

/** The answers of a unit of a kind, by question. */
async function answersOf(kind: (typeof backstores)[number]): Promise<string[]> {
  const space = async () => ({ allocated: 3 * 2 ** 20, available: 2 ** 30 });
  const volume = memoryVolume(1024 * 1024, { space });
  volume.bytes.fill(1, 0, 4096);
  const wwn = 'c5887601-53cb-4030-8133-a895f2f05d13';
  const lu = new StorageObject({ backstore: kind, name: 'disk0', config: {}, wwn, volume });
  lu.volume = recordedAnew(lu, volume);
  lu.attributes.set('emulate_tpu', 1);
  const initiator = new ScsiInitiator(new Map([0, 300, 20000].map((lun) => [lun, lu]))).login();
  const lines: string[] = [];
  for (const [name, cdb, rest = 0] of questions) {
    const { status, data, sense } = await initiator.send(cdb, typeof rest === 'number' ? undefined : rest);
    lines.push(`${name}: ${status === 0 ? printed(data.subarray(typeof rest === 'number' ? rest : 0)) : sense}`);
  }
  return lines;
}

test('units of all kinds of backstore', async () => {
  const [first, ...others] = backstores.filter(({ passesThrough }) => !passesThrough);
  const whole = await answersOf(first!);
  const lines = [`# ${first!.name}`, ...whole];
  for (const kind of others) {
    const differing = (await answersOf(kind)).filter((line, i) => line !== whole[i]);
    lines.push(`# ${kind.plugin}/${kind.name}: differs in`, ...differing);
  }
  expect(`\n${lines.join('\n')}\n`).toMatchSnapshot();
});
