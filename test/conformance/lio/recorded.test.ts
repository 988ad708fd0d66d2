// The bytes that sg3_utils read from LIO (Linux 6.1), against our answers to the same CDBs. Each difference is named below with its
// reason. Answers that were not dumped as bytes are in replayed.test.ts.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ramdisk } from '../../../src/backstore/ramdisk.ts';
import { logicalUnit, port, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';
import { has, needs, recorded } from '../../support/needs.ts';

const recordings = recorded('scsi');

/** The commands whose answers were dumped: the words of sg3_utils, and the CDB that they send. */
const cdbs: [RegExp, (match: RegExpMatchArray) => number[]][] = [
  [/^sg_inq -H$/, () => [0x12, 0, 0, 0, 96]],
  [/^sg_vpd -HH -p (0x\w+)$/, ([, page]) => [0x12, 1, Number(page), 1, 0]],
  [/^sg_readcap -H$/, () => [0x25]],
  [/^sg_readcap -l -H$/, () => [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32]],
  [/^sg_modes -a -H$/, () => [0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0]],
  [/^sg_luns -H$/, () => [0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0]],
  [/^sg_requests -H$/, () => [0x03, 0, 0, 0, 252]],
  [/^sg_rtpg -H$/, () => [0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 1, 0]],
];

interface Recorded {
  readonly command: string;
  readonly cdb: number[];
  /** The answer of LIO. */
  readonly bytes: Buffer;
}

/** The dumps of one recording: `$ command`, lines of bytes with or without an offset before them, `[exit n]`. */
function dumps(text: string): Recorded[] {
  return text.split(/^\$ /m).flatMap((section) => {
    const [head = '', ...lines] = section.split('\n');
    const command = head.replace(/ \/dev\/\w+$/, '');
    const cdb = cdbs.flatMap(([pattern, make]) => {
      const match = pattern.exec(command);
      return match ? [make(match)] : [];
    })[0];
    // A command that LIO refuses may be offered here.
    if (!cdb || !section.includes('[exit 0]')) return [];
    const hex = lines
      .map((line) => /^ ?(?:[0-9a-f]{2,3} {5})?((?:[0-9a-f]{2} {1,2})*[0-9a-f]{2})(?: {2,}.*|)$/.exec(line)?.[1] ?? '')
      .join('')
      .replace(/ /g, '');
    return [{ command, cdb, bytes: Buffer.from(hex, 'hex') }];
  });
}

/** A difference that is meant: the command, the fields as `fieldsOf` names them, and why. */
interface Difference {
  readonly command: string;
  readonly unit?: string;
  readonly fields: RegExp;
  readonly because: string;
}

const differences: readonly Difference[] = [
  {
    command: 'sg_vpd -HH -p 0x00',
    fields: /^page b3$/,
    because: 'SBC-3 6.6.8: the page belongs to units with referrals; LIO has it and reports none',
  },
  { command: 'sg_vpd -HH -p 0xb3', fields: /./, because: 'the same' },
  {
    command: 'sg_vpd -HH -p 0x86',
    fields: /^6$/,
    because: 'SPC-4 7.8.7 V_SUP: the write cache that is off can be switched on by MODE SELECT, which LIO refuses',
  },
  { command: 'sg_vpd -HH -p 0xb1', unit: 'ftp', fields: /^[78]$/, because: 'SBC-3 6.6.5 WABEREQ: LIO has no SANITIZE' },
  {
    command: 'sg_vpd -HH -p 0xb1',
    fields: /^8$/,
    because:
      'SBC-3 6.6.5 FUAB, VBULS: FUA, SYNCHRONIZE CACHE and VERIFY are as SBC-3 has them; LIO does not say so of its own',
  },
  {
    command: 'sg_vpd -HH -p 0xb2',
    unit: 'ftp',
    fields: /^4$/,
    because: 'SBC-5 6.6.7 THRESHOLD EXPONENT: LIO has no thresholds',
  },
  {
    command: 'sg_vpd -HH -p 0xb2',
    unit: 'ftp',
    fields: /^6$/,
    because: 'SBC-3 6.6.7 PROVISIONING TYPE: what can be unmapped is thin, which LIO leaves unsaid',
  },
  {
    command: 'sg_modes -a -H',
    unit: 'ftp',
    fields: /^page 1$/,
    because: 'SBC-5 6.5.10 LBPERE: a threshold is reported, once an initiator enables it',
  },
  {
    command: 'sg_modes -a -H',
    fields: /^block descriptor$/,
    because: 'SBC-3 6.5.2 NUMBER OF LOGICAL BLOCKS: LIO gives the last LBA',
  },
  {
    command: 'sg_requests -H',
    fields: /^(1[89]|[2-9]\d|\d{3})$/,
    because: 'SPC-4 4.5.3: ADDITIONAL SENSE LENGTH is 10, LIO pads to the allocation length',
  },
  {
    command: 'sg_vpd -HH -p 0xb0',
    unit: 'rd',
    fields: /^[23]$/,
    because: "LIO's page is short where nothing can be unmapped; here atomic lengths stand behind it",
  },
];

const units = [
  { name: 'fdef', file: 'iscsi-fileio', attributes: {}, ports: 2 },
  {
    name: 'ftp',
    file: 'iscsi-fileio-tpu',
    attributes: { emulate_write_cache: 0, emulate_tpu: 1, emulate_tpws: 1 },
    ports: 1,
  },
  {
    name: 'rd',
    file: 'iscsi-ramdisk',
    attributes: { emulate_write_cache: 0, ...ramdisk.attributeDefaults({}, undefined) },
    ports: 1,
  },
];
const subjects = ['inquiry', 'capacity', 'modes', 'luns-tur', 'alua'];

describe('LIO', needs('recordings'), () => {
  const cases = (has('recordings') ? units : []).flatMap((unit) => {
    const text = subjects
      .map((subject) => readFileSync(`${recordings}/${unit.file}-${subject}.txt`, 'utf8'))
      .join('\n');
    const wwn = /Unit serial number: (\S+)/.exec(text)?.[1] ?? '';
    return dumps(text).map((recorded) => ({ ...unit, ...recorded, wwn }));
  });

  it('every kind of dump was found in every recording', () => {
    for (const { name } of units)
      for (const [pattern] of cdbs)
        expect(
          cases.some((one) => one.name === name && pattern.test(one.command)),
          `${name} ${pattern}`,
        ).toBe(true);
  });

  it.each(cases)('$name: $command', async ({ name, wwn, attributes, ports, command, cdb, bytes }) => {
    const { lu } = logicalUnit({
      name,
      wwn,
      volume: memoryVolume(64 << 20, { space: async () => ({ allocated: 0, available: 1 << 30 }) }),
      attributes,
    });
    for (let at = 0; at < ports; at += 1) lu.exports.add({});
    lu.ports = () => Array.from({ length: ports }, (_, at) => ({ ...port, relativePortId: at + 1 }));
    const initiator = new ScsiInitiator(new Map([0, 1, 2, 3, 4].map((number) => [number, lu]))).login();
    const { status, data } = await initiator.send(cdb);
    const meant = differences.filter((one) => one.command === command && (one.unit ?? name) === name);
    const theirs = Object.entries(fieldsOf(command, bytes)).filter(
      ([field]) => !meant.some(({ fields }) => fields.test(field)),
    );
    expect(status === 0).toBe(theirs.length > 0);
    expect(fieldsOf(command, data)).toMatchObject(Object.fromEntries(theirs));
  });
});

/** An answer in fields: lists by what stands in them, so that more of it is no difference; all else byte by byte. */
function fieldsOf(command: string, bytes: Uint8Array): Record<string, string> {
  const hex = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('hex');
  if (command === 'sg_vpd -HH -p 0x00')
    return Object.fromEntries(Array.from(bytes.subarray(4), (page) => [`page ${page.toString(16)}`, 'offered']));
  if (command !== 'sg_modes -a -H')
    return Object.fromEntries(Array.from(bytes, (byte, at) => [at, byte.toString(16).padStart(2, '0')]));
  const fields: Record<string, string> = { header: hex(2, 8), 'block descriptor': hex(8, 16) };
  for (let at = 16; at < bytes.length; at += 2 + bytes[at + 1]!)
    fields[`page ${bytes[at]!.toString(16)}`] = hex(at, at + 2 + bytes[at + 1]!);
  return fields;
}
