/** Every kind of operation there is, and the one door that they go through. */

import { randomUUID } from 'node:crypto';
import { hostname, machine } from 'node:os';
import { Door } from '../operations/door.ts';
import { objectOperations } from '../operations/object-operations.ts';
import type { OperationType, Surroundings } from '../operations/operation.ts';
import { configurationOperations } from './configuration-operations.ts';

/** Every kind of operation there is. */
export const operationTypes: readonly OperationType[] = [...objectOperations, ...configurationOperations];

/** Whatever changes the tree goes through it. */
export const door = new Door(operationTypes);

/** What operations may know of the world. */
export const worldly: Pick<Surroundings, 'randomHex' | 'randomUuid' | 'missingSerial' | 'hostName' | 'machine'> = {
  // The last part of a UUID (12 digits) is chance alone, and comes out of a pool: ten thousand aliases cost 10 ms, not 130.
  randomHex: (digits) => randomUUID().slice(-12).slice(0, digits),
  randomUuid: randomUUID,
  missingSerial: async () => randomUUID(),
  hostName: hostname(),
  machine: machine(),
};
