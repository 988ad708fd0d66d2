// The output of sg3_utils about LIO (Linux 6.1), line for line against its output about us: exit statuses, and the fields that it prints,
// with the state that earlier lines have left. Each difference is named below with its reason; answers that were dumped as bytes are in
// recorded.test.ts. The programs themselves are not tested.

import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { ramdisk } from '../../../src/backstore/ramdisk.ts';
import { mediumWork } from '../../../src/scsi/medium-work.ts';
import { logicalUnitReset } from '../../../src/scsi/task-management.ts';
import { logicalUnit, port, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';
import { has, needs, recorded } from '../../support/needs.ts';
import { exitStatus, type Sg3Fields, translate } from './sg3-commands.ts';

const recordings = recorded('scsi');

/** Lines that say nothing of a device, or what other lines say too. */
const passedOver: readonly [RegExp, why: string][] = [
  [/^(sg_rtm|sg_aliases|sdparm)/, 'the program was not there'],
  [
    /^(sg_verify -16|sg_get_lba_status -l 0 -16|sg_write_verify -6|sg_copy_results -(o|s -L))/,
    'it refused its own options',
  ],
  [
    / -H$|^sg_vpd$|^sg_vpd -a|^sg_inq|^sg_readcap|^sg_requests$|^sg_modes -(a|l|6)$|^sg_wr_mode/,
    'recorded.test.ts has the bytes',
  ],
  [/^sg_format --dry-run/, 'it sends nothing of its own'],
  [/^sg_reset -t/, "the kernel's own recovery took the unit attention"],
];

/** A difference that is meant: lines, the unit where it is of one only, `exit` or names of fields, and why. */
interface Difference {
  readonly line: RegExp;
  readonly unit?: string;
  readonly fields: RegExp;
  readonly because: string;
}

const exit = /^exit$/;
const offered = (line: RegExp, because: string): Difference => ({ line, fields: exit, because });

const differences: readonly Difference[] = [
  {
    line: /^sg_persist -o -[GI]/,
    fields: exit,
    because: 'Debian has no folder for the kernel to keep APTPL in: LIO registers the key and answers NOT READY',
  },
  {
    line: /^sg_luns -s (1|0x10)/,
    fields: /^luns$/,
    because: 'SPC-4 6.33: well known and administrative logical units only; there are none, LIO lists all',
  },
  offered(/^sg_requests -d/, 'SPC-4 6.39 DESC: descriptor format sense data is offered'),
  offered(/^sg_start/, 'SBC-3 5.25 is offered'),
  offered(/^sg_prevent/, 'SBC-3 5.10 is offered'),
  offered(/^sg_senddiag/, 'SPC-4 6.42 is offered'),
  offered(/^sg_read_buffer/, 'SPC-4 6.18 is offered'),
  offered(/^sg_timestamp/, 'SPC-4 6.38 is offered'),
  offered(/^sg_reassign -p/, 'SBC-3 5.17 is offered'),
  offered(/^sg_logs/, 'SPC-4 6.8 is offered'),
  offered(/^sg_get_lba_status/, 'SBC-3 5.4 is offered: LIO refuses its service action'),
  offered(/^sg_vpd (-HH )?-p 0x8[78f]/, 'SPC-4 7.8 Mode Page Policy, SCSI Ports, Third-party Copy are offered'),
  offered(
    /^sg_vpd (-HH )?-p 0xb3/,
    'SBC-3 6.6.8: the page belongs to units with referrals; LIO has it and reports none',
  ),
  offered(
    /^sg_(opcodes|sanitize -B|referrals|ident)/,
    'SPC-4 4.2.5.2: an unknown service action of a known operation code is INVALID FIELD IN CDB',
  ),
  offered(
    /^sg_persist -o -L -K 0x123abc -T 1/,
    'SPC-4 5.12.11.2.2: a holder that gives another type is told INVALID RELEASE OF PERSISTENT RESERVATION',
  ),
  {
    line: /^sg_write_same/,
    unit: 'rd',
    fields: exit,
    because: 'SBC-3 5.43 is offered on a ramdisk too, where LIO has max_write_same_len 0 and refuses it',
  },
  offered(/^sg_write_same --16 -N/, 'SBC-3 5.44 NDOB is offered'),
  offered(/^sg_write_same --32/, 'SBC-3 5.45: only a unit with type 2 protection has WRITE SAME(32)'),
  offered(/^sg_write_same --16 -U/, 'SBC-3 5.44: without LBPWS the UNMAP bit is INVALID FIELD IN CDB'),
  offered(/^sg_modes -c 3/, 'SPC-4 6.13: SAVING PARAMETERS NOT SUPPORTED; LIO gives current values'),
  offered(/^sg_modes -p (0x0a,1|0x1a)/, 'SPC-4 7.5.9, 7.5.13 are offered'),
  {
    line: /^sg_modes -p 0x(01|3f)/,
    unit: 'ftp',
    fields: /^page 1$/,
    because: 'SBC-5 6.5.10 LBPERE: a threshold is reported, once an initiator enables it',
  },
  {
    line: /^sg_modes -c 1/,
    fields: /^page/,
    because: 'SPC-4 7.5.3: WCE, D_SENSE, SWP and TAS can be changed, in LIO nothing',
  },
];

const units = [
  { name: 'fdef', device: '/dev/sdb', lun: 0, file: 'iscsi-fileio', attributes: {}, ports: 2 },
  {
    name: 'ftp',
    device: '/dev/sdc',
    lun: 1,
    file: 'iscsi-fileio-tpu',
    attributes: { emulate_write_cache: 0, emulate_tpu: 1, emulate_tpws: 1 },
    ports: 1,
  },
  {
    name: 'rd',
    device: '/dev/sdd',
    lun: 2,
    file: 'iscsi-ramdisk',
    attributes: { emulate_write_cache: 0, ...ramdisk.attributeDefaults({}, undefined) },
    ports: 1,
  },
];
const subjects = [
  'luns-tur',
  'alua',
  'opcodes',
  'persist',
  'persist-with-pr-dir',
  'provisioning',
  'xcopy',
  'reset',
  'modes',
  'capacity',
  'inquiry',
];

/** The three units as they were recorded, and LUNs 3 and 4 behind them. */
function recordedUnits() {
  const lus = units.map(({ name, attributes, ports }, i) => {
    const { lu } = logicalUnit({
      name,
      wwn: `${i}5887601-53cb-4030-8133-a895f2f05d13`,
      volume: memoryVolume(64 << 20, { space: async () => ({ allocated: 0, available: 1 << 30 }) }),
      defaults: attributes,
      attributes: { emulate_rsoc: 0 },
    });
    lu.keep = async () => {};
    lu.ports = () => Array.from({ length: ports }, (_, at) => ({ ...port, relativePortId: at + 1 }));
    return lu;
  });
  const more = lus[0]!;
  const luns = new Map([...lus, more, more].map((lu, lun) => [lun, lu]));
  const initiator = new ScsiInitiator(luns, 'iqn.1993-08.org.debian:01:guest').login();
  return { initiator, byDevice: new Map(units.map(({ device }, i) => [device, lus[i]!])) };
}

interface Line {
  readonly line: string;
  readonly printed: readonly string[];
  readonly exit: number;
}

const linesOf = (text: string): Line[] =>
  text
    .split(/^\$ /m)
    .slice(1)
    .map((section) => {
      const [head = '', ...printed] = section.split('\n');
      const exit = Number(/^\[exit (\d+)\]$/m.exec(section)?.[1]);
      return { line: head.startsWith('sg_xcopy') ? head : head.replace(/ \/dev\/\w+/, ''), printed, exit };
    });

describe('LIO, replayed', needs('recordings'), () => {
  const needed = new Set<Difference>();
  const cases = (has('recordings') ? units : []).flatMap((unit) =>
    subjects.flatMap((subject) => {
      const path = `${recordings}/${unit.file}-${subject}.txt`;
      return existsSync(path) ? [{ ...unit, subject, text: readFileSync(path, 'utf8') }] : [];
    }),
  );

  it.each(cases)('$name: $subject', async ({ name, device, lun, text }) => {
    const { initiator, byDevice } = recordedUnits();
    const found: string[] = [];
    for (const { line, printed, exit } of linesOf(text)) {
      if (passedOver.some(([match]) => match.test(line))) continue;
      if (line === 'sg_reset -d') {
        await logicalUnitReset(initiator.nexus, lun);
        continue;
      }
      const steps = translate(line, byDevice);
      expect(steps, `sg3-commands.ts does not know: ${line}`).toBeDefined();
      for (const step of steps!) {
        const answer = await initiator.send(step.cdb, step.dataOut, { lun });
        while (mediumWork.of(byDevice.get(device)!).work) await new Promise(setImmediate);
        // sg_vpd has a status of its own for a page that is not there.
        const status = line.startsWith('sg_vpd') && exit !== 0 ? Math.sign(exit) : exit;
        const ours = line.startsWith('sg_vpd') ? Math.sign(exitStatus(answer)) : exitStatus(answer);
        const both = exit === 0 && answer.status === 0 && step.fields;
        const [theirs, our]: [Sg3Fields, Sg3Fields] = [
          { exit: status, ...(both && step.fields!.printed(printed)) },
          { exit: ours, ...(both && step.fields!.of(answer.data)) },
        ];
        for (const [field, value] of Object.entries(theirs)) {
          if (JSON.stringify(our[field]) === JSON.stringify(value)) continue;
          const meant = differences.find(
            (one) => one.line.test(line) && one.fields.test(field) && (one.unit ?? name) === name,
          );
          if (meant) needed.add(meant);
          else found.push(`${line}: ${field} is ${JSON.stringify(value)} of LIO, ${JSON.stringify(our[field])} here`);
        }
      }
    }
    expect(found).toEqual([]);
  });

  afterAll(() => {
    expect(differences.filter((one) => !needed.has(one)).map(({ line }) => String(line))).toEqual([]);
  });
});
