// The command lines of sg3_utils that stand in the recordings of LIO: the CDBs that they send, what they print, and what
// their exit status says. Only what was recorded is known here.

import { naaOf } from '../../../src/scsi/designator.ts';
import type { StorageObject } from '../../../src/scsi/logical-unit.ts';
import { type Answer, be, pattern } from '../../support/logical-unit.ts';

/** The fields of an answer. */
export type Sg3Fields = Readonly<Record<string, unknown>>;

/** One command of a line. */
export interface Sg3Step {
  readonly cdb: readonly number[];
  readonly dataOut?: Uint8Array;
  /** The same fields out of the bytes, and out of what the program printed. */
  readonly fields?: { of(data: Buffer): Sg3Fields; printed(lines: readonly string[]): Sg3Fields };
}

/** The exit status of sg3_utils for an answer (sg3_utils(8)). */
export function exitStatus({ status, sense }: Answer): number {
  if (status === 0x18) return 24;
  const [key = '', code] = sense.split('/');
  if (key === '5') return ({ 20: 9, 21: 22 } as Record<string, number>)[code ?? ''] ?? 5;
  return key === '' ? 0 : Number.parseInt(key, 16);
}

const hex = (text: string | undefined): number => Number.parseInt(text ?? '', 16);
const find = (lines: readonly string[], match: RegExp): string | undefined =>
  lines.map((line) => match.exec(line)?.[1]).find((found) => found !== undefined);
const findAll = (lines: readonly string[], match: RegExp): string[] =>
  lines.flatMap((line) => match.exec(line)?.[1] ?? []);

/** The value behind `-x`, or of `--xyz=`. */
const option = (words: string, name: string): string | undefined => new RegExp(` ${name}[ =](\\S+)`).exec(words)?.[1];
const number = (words: string, name: string): number => Number(option(words, name) ?? 0);

// --- Persistent reservations ---

const reservationTypes: readonly string[] = Object.assign([], {
  1: 'Write Exclusive',
  3: 'Exclusive Access',
  5: 'Write Exclusive, registrants only',
  6: 'Exclusive Access, registrants only',
  7: 'Write Exclusive, all registrants',
  8: 'Exclusive Access, all registrants',
});
const typeOf = (byte: number): string | undefined => reservationTypes[byte & 0x0f];
const key = (data: Buffer, at: number): string => `0x${data.readBigUInt64BE(at).toString(16)}`;
const generation = (lines: readonly string[]): number => hex(find(lines, /PR generation=0x(\w+)/));
const printedType = (lines: readonly string[]): string | undefined => find(lines, /LU_SCOPE, {2}type: (.*)$/);

const capabilities: readonly [name: string, byte: number, bit: number][] = [
  ['Replace Lost Reservation Capable(RLR_C)', 2, 7],
  ['Compatible Reservation Handling(CRH)', 2, 4],
  ['Specify Initiator Ports Capable(SIP_C)', 2, 3],
  ['All Target Ports Capable(ATP_C)', 2, 2],
  ['Persist Through Power Loss Capable(PTPL_C)', 2, 0],
  ['Type Mask Valid(TMV)', 3, 7],
  ['Allow Commands', 3, 4],
  ['Persist Through Power Loss Active(PTPL_A)', 3, 0],
  ['Write Exclusive, all registrants', 4, 7],
  ['Exclusive Access, registrants only', 4, 6],
  ['Write Exclusive, registrants only', 4, 5],
  ['Exclusive Access', 4, 3],
  ['Write Exclusive', 4, 1],
  ['Exclusive Access, all registrants', 5, 0],
];

const reserveIn: Readonly<Record<string, readonly [number, NonNullable<Sg3Step['fields']>]>> = {
  k: [
    0,
    {
      of: (data) => ({
        generation: data.readUInt32BE(0),
        keys: Array.from({ length: data.readUInt32BE(4) / 8 }, (_, i) => key(data, 8 + 8 * i)),
      }),
      printed: (lines) => ({ generation: generation(lines), keys: findAll(lines, /^ +(0x\w+)$/) }),
    },
  ],
  r: [
    1,
    {
      of: (data) => ({
        generation: data.readUInt32BE(0),
        key: data.length > 8 ? key(data, 8) : undefined,
        type: data.length > 8 ? typeOf(data[21]!) : undefined,
      }),
      printed: (lines) => ({
        generation: generation(lines),
        key: find(lines, /Key=(0x\w+)/),
        type: printedType(lines),
      }),
    },
  ],
  c: [
    2,
    {
      of: (data) => Object.fromEntries(capabilities.map(([name, byte, bit]) => [name, (data[byte]! >> bit) & 1])),
      printed: (lines) =>
        Object.fromEntries(
          lines.flatMap((line) => {
            const [, name, value] = /^ +(.*): (\d)$/.exec(line) ?? [];
            return name ? [[name, Number(value)]] : [];
          }),
        ),
    },
  ],
  s: [
    3,
    {
      of: (data) => {
        if (data.length === 8) return { generation: data.readUInt32BE(0) };
        return {
          generation: data.readUInt32BE(0),
          key: key(data, 8),
          allPorts: (data[20]! & 0x02) !== 0,
          port: data.readUInt16BE(26),
          type: typeOf(data[21]!),
          initiator: data.toString('latin1', 36).replace(/\0+$/, ''),
        };
      },
      printed: (lines) => {
        if (!find(lines, /Key=(0x\w+)/)) return { generation: generation(lines) };
        return {
          generation: generation(lines),
          key: find(lines, /Key=(0x\w+)/),
          allPorts: !lines.some((line) => line.includes('All target ports bit clear')),
          port: hex(find(lines, /Relative port address: 0x(\w+)/)),
          type: printedType(lines),
          initiator: find(lines, /unique port id: (\S+)/),
        };
      },
    },
  ],
};

const reserveOut: Readonly<Record<string, number>> = { G: 0, R: 1, L: 2, C: 3, P: 4, A: 5, I: 6 };

function persist(words: string): Sg3Step {
  const [, direction, action = ''] = / -([io]) -(\w)/.exec(words) ?? [];
  if (direction === 'i') {
    const [serviceAction, fields] = reserveIn[action]!;
    return { cdb: [0x5e, serviceAction, 0, 0, 0, 0, 0, 0x20, 0], fields };
  }
  const keys = ['-K', '-S'].flatMap((name) => be(number(words, name), 8));
  const list = [...keys, 0, 0, 0, 0, words.includes(' -Z') ? 1 : 0, 0, 0, 0];
  return {
    cdb: [0x5f, reserveOut[action]!, number(words, '-T'), 0, 0, ...be(list.length, 4)],
    dataOut: Uint8Array.from(list),
  };
}

// --- The others ---

const bytesOf = (lines: readonly string[]): string =>
  lines
    .map((line) => /^ ?(?:[0-9a-f]{2,3} {5,6})((?:[0-9a-f]{2} {1,2})*[0-9a-f]{2})/.exec(line)?.[1] ?? '')
    .join('')
    .replace(/ /g, '');

const luns: Sg3Step['fields'] = {
  of: (data) => ({ luns: data.toString('hex', 8).match(/.{16}/g) ?? [] }),
  printed: (lines) => ({ luns: findAll(lines, /^ {4}([0-9a-f]{16})$/) }),
};

const supports = ['T_SUP', 'O_SUP', 'LBD_SUP', 'U_SUP', 'S_SUP', 'AN_SUP', 'AO_SUP'] as const;
const supportBits = [0x80, 0x40, 0x10, 0x08, 0x04, 0x02, 0x01];

/** The fields of the first group; sg_rtpg loses count of the ports behind an extended header. */
const portGroups = (extended: boolean): Sg3Step['fields'] => ({
  of: (data) => {
    const group = data.subarray(extended ? 8 : 4);
    return {
      group: group.readUInt16BE(2),
      state: group[0]! & 0x0f,
      preferred: group[0]! >> 7,
      ...Object.fromEntries(supports.map((name, i) => [name, (group[1]! & supportBits[i]!) === 0 ? 0 : 1])),
      status: group[5],
      ...(extended ? { transition: data[5] } : { ports: group[7] }),
    };
  },
  printed: (lines) => ({
    group: hex(find(lines, /group id : 0x(\w+)/)),
    state: hex(find(lines, /access state : 0x(\w+)/)),
    preferred: Number(find(lines, /Pref=(\d)/)),
    ...Object.fromEntries(supports.map((name) => [name, Number(find(lines, new RegExp(`\\b${name} : (\\d)`)))])),
    status: hex(find(lines, /status code : 0x(\w+)/)),
    ...(extended
      ? { transition: Number(find(lines, /Implicit transition time: (\d+)/)) }
      : { ports: hex(find(lines, /port count : (\w+)/)) }),
  }),
});

/** Page by page; the header's length depends on how many there are. */
const modePages: Sg3Step['fields'] = {
  of: (data) => {
    const pages: Record<string, string> = {};
    for (let at = 8 + data.readUInt16BE(6); at < data.length; ) {
      const [code = 0, subpage = 0] = data.subarray(at);
      const end = at + ((code & 0x40) === 0 ? 2 + data[at + 1]! : 4 + data.readUInt16BE(at + 2));
      pages[`page ${(code & 0x3f).toString(16)}${(code & 0x40) === 0 ? '' : `,${subpage}`}`] = data.toString(
        'hex',
        at,
        end,
      );
      at = end;
    }
    return pages;
  },
  printed: (lines) => {
    const sections = lines
      .join('\n')
      .split(/^>> .*$/m)
      .slice(1);
    const pages = sections.map((section) => bytesOf(section.split('\n')));
    return Object.fromEntries(pages.map((page) => [`page ${hex(page.slice(0, 2)).toString(16)}`, page]));
  },
};

const rest: Sg3Step['fields'] = {
  of: (data) => ({ bytes: data.toString('hex') }),
  printed: (lines) => ({ bytes: bytesOf(lines) }),
};

/** Files whose bytes the recording does not have: what they must have been. */
const files: Readonly<Record<string, Uint8Array>> = {
  '/tmp/caw': Buffer.concat([Buffer.alloc(512), pattern(512)]),
  '/tmp/caw2': Buffer.concat([pattern(512), Buffer.alloc(512)]),
  '/tmp/zzzz': Buffer.alloc(2048),
  '/tmp/zz': Buffer.alloc(0),
};

const inquiry = (page: number): Sg3Step => ({ cdb: [0x12, 1, page, 0, 252] });
const maintenanceIn = (action: number, ...more: number[]): Sg3Step => ({
  cdb: [0xa3, action, ...more, ...be(0x400, 4)],
});

function unmap(words: string): Sg3Step {
  const list = (name: string) => (option(words, name) ?? '').split(',').map(Number);
  const blocks = list('-n');
  const descriptors = list('-l').flatMap((lba, i) => [...be(lba, 8), ...be(blocks[i]!, 4), 0, 0, 0, 0]);
  const bytes = [...be(descriptors.length + 6, 2), ...be(descriptors.length, 2), 0, 0, 0, 0, ...descriptors];
  return { cdb: [0x42, 0, 0, 0, 0, 0, 0, ...be(bytes.length, 2)], dataOut: Uint8Array.from(bytes) };
}

function writeSame(words: string): Sg3Step {
  const [lba, blocks] = [number(words, '-l'), number(words, '-n')];
  const flags = (words.includes(' -U') ? 0x08 : 0) | (words.includes(' -N') ? 0x01 : 0);
  const dataOut = Buffer.alloc(words.includes(' -N') ? 0 : 512);
  if (words.includes('--32')) return { cdb: [0x7f, 0, 0, 0, 0, 0, 0, 0x18, 0, 0x0d], dataOut };
  return words.includes('--16') || blocks > 0xffff
    ? { cdb: [0x93, flags, ...be(lba, 8), ...be(blocks, 4)], dataOut }
    : { cdb: [0x41, flags, ...be(lba, 4), 0, ...be(blocks, 2)], dataOut };
}

/** 65,535 blocks in a command at most. */
function extendedCopy(words: string, from: StorageObject, to: StorageObject): Sg3Step[] {
  const total = number(words, 'count');
  const usage = words.includes('id_usage=disable') ? 0x18 : 0x10;
  const target = (lu: StorageObject) => [0xe4, 0, 0, 0, 1, 3, 0, 16, ...naaOf(lu), 0, 0, 0, 0, 0, 0, 2, 0];
  return Array.from({ length: Math.ceil(total / 65535) }, (_, i) => {
    const done = i * 65535;
    const lbas = [number(words, 'skip') + done, number(words, 'seek') + done].flatMap((lba) => be(lba, 8));
    const segment = [0x02, 0, 0, 24, 0, 0, 0, 1, 0, 0, ...be(Math.min(65535, total - done), 2), ...lbas];
    const bytes = [usage === 0x18 ? 0 : 1, usage, 0, 64, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0];
    bytes.push(...target(from), ...target(to), ...segment);
    return { cdb: [0x83, 0, ...be(0, 8), ...be(bytes.length, 4)], dataOut: Uint8Array.from(bytes) };
  });
}

const written = (words: string): Uint8Array => files[option(words, '-i') ?? ''] ?? pattern(512);
const lbaAndBlocks16 = (words: string) => [...be(number(words, '-l'), 8), ...be(number(words, '-n'), 4)];
const lbaAndBlocks10 = (words: string) => [...be(number(words, '-l'), 4), 0, ...be(number(words, '-n'), 2)];

const commands: readonly [RegExp, (words: string, match: RegExpExecArray) => Sg3Step][] = [
  [/^sg_persist/, persist],
  [/^sg_opcodes -t/, () => maintenanceIn(0x0d, 0, 0, 0, 0)],
  [/^sg_opcodes -R/, () => maintenanceIn(0x0c, 0x80, 0, 0, 0)],
  [
    /^sg_opcodes -o (0x\w+)(?:,(0x\w+))?/,
    (_, [, code, action]) => maintenanceIn(0x0c, action ? 2 : 1, Number(code), 0, Number(action ?? 0)),
  ],
  [/^sg_opcodes/, () => maintenanceIn(0x0c, 0, 0, 0, 0)],
  [
    /^sg_luns(?: -v| -s (\w+)|)$/,
    (_, [, select]) => ({ cdb: [0xa0, 0, Number(select ?? 0), 0, 0, 0, ...be(0x2000, 4)], fields: luns! }),
  ],
  [/^sg_rtpg -e/, () => ({ ...maintenanceIn(0x2a, 0, 0, 0, 0), fields: portGroups(true)! })],
  [/^sg_rtpg(?! -H)/, () => ({ ...maintenanceIn(0x0a, 0, 0, 0, 0), fields: portGroups(false)! })],
  [/^sg_stpg/, () => ({ cdb: [0xa4, 0x0a, 0, 0, 0, 0, ...be(8, 4)], dataOut: Buffer.alloc(8) })],
  [/^sg_turs/, () => ({ cdb: [0x00] })],
  [/^sg_requests -d/, () => ({ cdb: [0x03, 1, 0, 0, 252] })],
  [/^sg_start --(start|stop)/, (_, [, how]) => ({ cdb: [0x1b, 0, 0, 0, how === 'start' ? 1 : 0] })],
  [/^sg_ident/, () => maintenanceIn(0x05, 0, 0, 0, 0)],
  [/^sg_prevent -p (\d)/, (_, [, prevent]) => ({ cdb: [0x1e, 0, 0, 0, Number(prevent)] })],
  [/^sg_senddiag -t/, () => ({ cdb: [0x1d, 0x04] })],
  [/^sg_read_buffer -m (\w+)/, (_, [, mode]) => ({ cdb: [0x3c, Number(mode), 0, 0, 0, 0, 0, 0, 4] })],
  [/^sg_timestamp/, () => maintenanceIn(0x0f, 0, 0, 0, 0)],
  [/^sg_rep_zones/, () => ({ cdb: [0x95, 0, ...be(0, 8), ...be(0x2000, 4)] })],
  [/^sg_referrals/, () => ({ cdb: [0x9e, 0x13, ...be(0, 8), ...be(0x100, 4)] })],
  [/^sg_sanitize -B/, () => ({ cdb: [0x48, 0x82] })],
  [/^sg_sync/, () => ({ cdb: [0x35] })],
  [/^sg_seek/, () => ({ cdb: [0x2b] })],
  [/^sg_verify -c 16/, () => ({ cdb: [0x2f, 0, 0, 0, 0, 0, 0, 0, 16] })],
  // -n is the number of bytes to send, -b that of blocks.
  [/^sg_verify -l 8/, () => ({ cdb: [0x2f, 0x02, 0, 0, 0, 8, 0, 0, 1], dataOut: Uint8Array.of(0) })],
  [/^sg_read /, () => ({ cdb: [0x28, 0, 0, 0, 0, 0, 0, 0, 8] })],
  [
    /^sg_raw (?:-r (\d+) )?((?:[0-9a-f]{2} ?)+)$/,
    (_, [, , bytes]) => ({ cdb: bytes!.split(' ').map(hex), fields: rest! }),
  ],
  [/^sg_get_lba_status/, () => ({ cdb: [0x9e, 0x12, ...be(0, 8), ...be(256, 4)] })],
  [/^sg_unmap/, unmap],
  [/^sg_write_same/, writeSame],
  [
    /^sg_compare_and_write/,
    (words) => ({
      cdb: [0x89, 0, ...be(number(words, '-l'), 8), 0, 0, 0, number(words, '-n')],
      dataOut: written(words),
    }),
  ],
  [/^sg_write_verify -i/, (words) => ({ cdb: [0x2e, 0, ...lbaAndBlocks10(words)], dataOut: written(words) })],
  [/^sg_write_x/, (words) => ({ cdb: [0x8a, 0, ...lbaAndBlocks16(words)], dataOut: written(words) })],
  [/^sg_reassign -p/, () => ({ cdb: [0x37, 0, 0x18, 0, 0, 0, 0, 0, 8] })],
  [/^sg_copy_results -f/, () => ({ cdb: [0x84, 0x04, ...be(0, 8), ...be(520, 4)] })],
  [
    /^sg_copy_results -p( -H)?$/,
    (_, [, dump]) => ({ cdb: [0x84, 0x03, ...be(0, 8), ...be(46, 4)], ...(dump ? { fields: copyParameters! } : {}) }),
  ],
  [/^sg_vpd (?:-HH )?-p (0x\w+)/, (_, [, page]) => inquiry(Number(page))],
  [/^sg_logs/, () => ({ cdb: [0x4d, 0, 0x40, 0, 0, 0, 0, 0, 252] })],
  [
    /^sg_modes (?:-c (\d) )?-p (0x\w+)(?:,(\w+))?/,
    (_, [, control, page, subpage]) => ({
      cdb: [0x5a, 0, (Number(control ?? 0) << 6) | Number(page), Number(subpage ?? 0), 0, 0, 0, 0x10, 0],
      fields: modePages!,
    }),
  ],
];

/** sg_copy_results prints its whole buffer. */
const copyParameters: Sg3Step['fields'] = {
  of: (data) => ({ bytes: data.toString('hex') }),
  printed: (lines) => ({ bytes: bytesOf(lines).slice(0, 92) }),
};

/** The steps of a command line without its device; undefined where the line is not one of these. */
export function translate(line: string, units: ReadonlyMap<string, StorageObject>): Sg3Step[] | undefined {
  const [, from, to] = /^sg_xcopy if=(\S+) of=(\S+)/.exec(line) ?? [];
  if (from && to) return extendedCopy(line, units.get(from)!, units.get(to)!);
  for (const [pattern, step] of commands) {
    const match = pattern.exec(line);
    if (match) return [step(line, match)];
  }
  return undefined;
}
