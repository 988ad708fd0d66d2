/** Every kind of operation there is, and the one door that they go through. */

import { randomBytes, randomUUID } from 'node:crypto';
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
  randomHex: (digits) =>
    randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits),
  randomUuid: randomUUID,
  missingSerial: async () => randomUUID(),
  hostName: hostname(),
  machine: machine(),
};
