/** READ BUFFER and WRITE BUFFER: memory of the logical unit for testing the path to it (SPC-4 6.18, 6.49). */

import { bits, encode, lower, record, u8, u16, u24 } from '../wire/layout.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { type Cdb, type OpcodeRow, opcode } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, invalidCdb, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { unitState } from './unit-state.ts';

const dataBytes = 64 * 1024;
/** SPC-4 6.18.9: at most 4,096, a multiple of four. */
const echoBytes = 4096;

/** The contents that WRITE BUFFER left: one data buffer, and an echo for each nexus. */
const buffers = unitState({
  name: 'buffers',
  initial: () => ({ data: undefined as Buffer | undefined, echoes: new WeakMap<Nexus, Buffer>() }),
});

/** MODE (SPC-4 6.18, 6.49). */
const mode = { data: 0x02, descriptor: 0x03, echo: 0x0a, echoDescriptor: 0x0b } as const;
/** SPC-4 6.18.5 and 6.18.10. */
const descriptor = record(4, { offsetBoundary: u8(0), capacity: u24(1) });
const echoDescriptor = record(4, { capacity: lower(13, u16(2)) });
/** OFFSET BOUNDARY: any byte. */
const anyOffset = 0;

const cdb = { mode: bits(1, 0x1f), id: u8(2), offset: u24(3), length: u24(6) };

/** READ BUFFER and WRITE BUFFER. */
export const bufferOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x3c,
    name: 'READ BUFFER(10)',
    spec: 'SPC-4 6.18',
    cdb,
    medium: 'none',
    whenReserved: 'reads',
    runsIn: 'any',
    check: (_lu, { mode: wanted, id, offset }) => {
      if (!(Object.values(mode) as number[]).includes(wanted)) throw invalidCdb(cdb.mode);
      if (id !== 0 && wanted !== mode.descriptor) throw invalidCdb(cdb.id);
      if (offset > (wanted === mode.data ? dataBytes : 0)) throw invalidCdb(cdb.offset);
    },
    execute: readBuffer,
  }),
  opcode({
    code: 0x3b,
    name: 'WRITE BUFFER',
    spec: 'SPC-4 6.49',
    cdb,
    medium: 'none',
    whenReserved: 'conflicts',
    runsIn: 'any',
    check: (_lu, { mode: wanted, id, offset, length }) => {
      if (wanted !== mode.data && wanted !== mode.echo) throw invalidCdb(cdb.mode);
      if (id !== 0) throw invalidCdb(cdb.id);
      if (wanted === mode.echo && offset !== 0) throw invalidCdb(cdb.offset);
      if (offset + length > (wanted === mode.echo ? echoBytes : dataBytes)) throw invalidCdb(cdb.length);
    },
    dataOut: (_lu, { length }) => length,
    execute: writeBuffer,
  }),
];

function readBuffer(lu: StorageObject, { mode: wanted, id, offset, length }: Cdb<typeof cdb>, task: Task): Completion {
  const { data, echoes } = buffers.of(lu);
  // Zeros where there is no such buffer.
  if (wanted === mode.descriptor)
    return allocated(encode(descriptor, id === 0 ? { offsetBoundary: anyOffset, capacity: dataBytes } : {}), length);
  if (wanted === mode.echoDescriptor) return allocated(encode(echoDescriptor, { capacity: echoBytes }), length);
  if (wanted === mode.data) return allocated((data ?? Buffer.alloc(dataBytes)).subarray(offset), length);
  const echo = echoes.get(task.nexus);
  if (!echo) throw new CheckCondition(sense.commandSequenceError);
  return allocated(echo, length);
}

function writeBuffer(lu: StorageObject, { mode: wanted, offset, length }: Cdb<typeof cdb>, task: Task): Completion {
  const { data = Buffer.alloc(dataBytes), echoes } = buffers.of(lu);
  const bytes = Buffer.from(parameterList(task.dataOut, length));
  if (wanted === mode.echo) echoes.set(task.nexus, bytes);
  else {
    data.set(bytes, offset);
    buffers.set(lu, { data });
  }
  return good;
}
