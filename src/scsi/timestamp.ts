/** REPORT TIMESTAMP and SET TIMESTAMP: this machine's clock until an initiator sets another time (SPC-4 5.2, 6.38, 6.46). */

import { type OpcodeRow, opcode, u32 } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, sense } from './sense.ts';
import { reportToAll } from './unit-attention.ts';
import { unitState } from './unit-state.ts';

/** TIMESTAMP ORIGIN: initialized by SET TIMESTAMP, and by other means. */
const origin = { byCommand: 2, otherwise: 3 } as const;
const listBytes = 12;
/** TIMESTAMP, which begins again at 0 behind its highest value. */
const timestampBytes = 6;
const modulo = (value: number, by: number): number => ((value % by) + by) % by;

/** Milliseconds by which SET TIMESTAMP moved the clock; undefined: it was not set. */
const timestamp = unitState({
  name: 'timestamp',
  initial: () => ({ setBy: undefined as number | undefined }),
  move: { pack: ({ setBy }) => setBy, unpack: (_lu, setBy) => ({ setBy }) },
});

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
      const data = Buffer.alloc(listBytes);
      data.writeUInt16BE(data.length - 2, 0);
      data[2] = setBy === undefined ? origin.otherwise : origin.byCommand;
      data.writeUIntBE(modulo(lu.clock.now() + (setBy ?? 0), 2 ** (8 * timestampBytes)), 4, timestampBytes);
      return allocated(data, allocation);
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
      if (length !== 0 && length !== listBytes) throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, { length }) => length,
    execute: (lu, { length }, task) => {
      if (length === 0) return good;
      timestamp.set(lu, { setBy: parameterList(task.dataOut, length).readUIntBE(4, timestampBytes) - lu.clock.now() });
      reportToAll(lu, sense.timestampChanged, task.nexus);
      return good;
    },
  }),
];
