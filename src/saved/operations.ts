/** Every kind of operation, and the one door that all operations go through. */

import { randomUUID } from 'node:crypto';
import { hostname, machine } from 'node:os';
import { Door } from '../operations/door.ts';
import { movingOperations } from '../operations/moving-operations.ts';
import { objectOperations } from '../operations/object-operations.ts';
import type { OperationType, Surroundings } from '../operations/operation.ts';
import { configurationOperations } from './configuration-operations.ts';

/** Every kind of operation there is. */
export const operationTypes: readonly OperationType[] = [
  ...objectOperations,
  ...movingOperations,
  ...configurationOperations,
];

/** The door of every change of a tree. */
export const door = new Door(operationTypes);

/** The random values and the clock for operations on the served tree. */
export const worldly: Pick<Surroundings, 'randomHex' | 'randomUuid' | 'missingSerial' | 'hostName' | 'machine'> = {
  // The last part of a UUID (12 digits) is entirely random and comes out of a pool: ten thousand aliases cost 10 ms, not 130.
  randomHex: (digits) => randomUUID().slice(-12).slice(0, digits),
  randomUuid: randomUUID,
  missingSerial: async () => randomUUID(),
  hostName: hostname(),
  machine: machine(),
};
