/** REPORT TIMESTAMP and SET TIMESTAMP: this machine's clock until an initiator sets another time (SPC-4 5.2, 6.38, 6.46). */

import { bits, counting, decode, encode, record, u16, u32, u48 } from '../wire/layout.ts';
import { type OpcodeRow, opcode } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, sense } from './sense.ts';
import { reportToAll } from './unit-attention.ts';
import { unitState } from './unit-state.ts';

/** TIMESTAMP ORIGIN: initialized by SET TIMESTAMP, and by other means. */
const origin = { byCommand: 2, otherwise: 3 } as const;

/** SPC-4 6.38 and 6.46. In milliseconds since 1970. */
const report = record(12, { length: counting(u16(0)), origin: bits(2, 0x07), timestamp: u48(4) });
const list = record(12, { timestamp: u48(4) });
/** TIMESTAMP begins again at 0 behind its highest value. */
const timestamps = 2 ** 48;
const modulo = (value: number, by: number): number => ((value % by) + by) % by;

/** Milliseconds by which SET TIMESTAMP moved the clock; undefined: it was not set. */
const timestamp = unitState({
  name: 'timestamp',
  initial: () => ({ setBy: undefined as number | undefined }),
  move: { pack: ({ setBy }) => setBy, unpack: (_lu, setBy) => ({ setBy }) },
});

/** REPORT TIMESTAMP and SET TIMESTAMP. */
export const timestampOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0xa3,
    serviceAction: 0x0f,
    name: 'REPORT TIMESTAMP',
    spec: 'SPC-4 6.38',
    cdb: { allocation: u32(6) },
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'any',
    execute: (lu, { allocation }) => {
      const { setBy } = timestamp.of(lu);
      const told = {
        origin: setBy === undefined ? origin.otherwise : origin.byCommand,
        timestamp: modulo(lu.clock.now() + (setBy ?? 0), timestamps),
      };
      return allocated(encode(report, told), allocation);
    },
  }),
  opcode({
    code: 0xa4,
    serviceAction: 0x0f,
    name: 'SET TIMESTAMP',
    spec: 'SPC-4 6.46',
    cdb: { length: u32(6) },
    medium: 'none',
    whenReserved: 'conflicts',
    changesForAll: true,
    runsIn: 'any',
    check: (_lu, { length }) => {
      if (length !== 0 && length !== list.length) throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, { length }) => length,
    execute: (lu, { length }, task) => {
      if (length === 0) return good;
      const wanted = decode(list, parameterList(task.dataOut, length));
      timestamp.set(lu, { setBy: wanted.timestamp - lu.clock.now() });
      reportToAll(lu, sense.timestampChanged, task.nexus);
      return good;
    },
  }),
];
