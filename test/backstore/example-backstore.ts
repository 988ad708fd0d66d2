/** buffer: a volume in one piece of memory; the example of docs/backstore.md. */

import { types } from '../../src/attribute.ts';
import { type Backstore, printSize, type Volume, wwnParameter } from '../../src/backstore/backstore.ts';
import { OperatorError } from '../../src/errors.ts';
import { systemError } from '../../src/system/system-error.ts';

export const buffer: Backstore = {
  name: 'buffer',
  plugin: 'buffer',
  doc: 'A volume in one piece of memory.',
  example: 'b0 1M',
  parameters: [
    { name: 'size', doc: 'Its size: 16M, 2G …', type: types.size, required: true, kind: 'plain' },
    wwnParameter,
  ],
  keys: { size: { type: 'number', required: true } },
  isVolatile: () => true,

  async settle({ size }) {
    if (typeof size !== 'number' || size <= 0 || size % 512 !== 0)
      throw new OperatorError(`A buffer cannot have the size ${size}`, 'Give a multiple of 512 bytes.');
    return { config: { size }, notes: [], made: false };
  },
  async resize() {
    throw new OperatorError('A buffer keeps its size.', 'Make another one.');
  },
  open: async ({ size }) => openBuffer(Number(size)),

  summary: ({ size }) => `(${printSize(Number(size))})`,
  created: (name, { size }) => `Created buffer ${name} with size ${size}.`,
  attributeDefaults: () => ({ is_nonrot: 1 }),
};

function openBuffer(size: number): Volume {
  const bytes = Buffer.alloc(size);
  let closed = false;
  const check = (call: string, position = 0, length = 0) => {
    if (closed) throw systemError('EBADF', call);
    if (position < 0 || position + length > size) throw systemError('ERANGE', call);
  };
  return {
    size,
    logicalBlockSize: 512,
    physicalBlockSize: 512,
    readOnly: false,
    discardGranularity: 0,
    rotational: false,
    async read(into, position) {
      check('read', position, into.length);
      into.set(bytes.subarray(position, position + into.length));
    },
    async write(from, position) {
      check('write', position, from.length);
      bytes.set(from, position);
    },
    flush: async () => check('flush'),
    async close() {
      check('close');
      closed = true;
    },
  };
}
