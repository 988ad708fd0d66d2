/** Every kind of operation, and how one is carried out on a tree: on that of the management side, and on those of loops. */

import { randomBytes, randomUUID } from 'node:crypto';
import { hostname, machine } from 'node:os';
import { OperatorError } from '../errors.ts';
import { aluaOperations } from './alua-operations.ts';
import { configurationOperations } from './configuration-operations.ts';
import type { Carried, Operation, OperationType, Surroundings, Values } from './operation.ts';
import { placeOf } from './place.ts';
import { storageObjectOperations } from './storage-object-operations.ts';
import { targetOperations } from './target-operations.ts';
import { tpgOperations } from './tpg-operations.ts';
import type { Tree } from './tree.ts';

/** Every kind of operation there is. */
export const operationTypes: readonly OperationType[] = [
  ...storageObjectOperations,
  ...aluaOperations,
  ...targetOperations,
  ...tpgOperations,
  ...configurationOperations,
];

/** Checks the operation and changes the tree. @throws OperatorError; the tree is then as it was */
export async function carryOut(tree: Tree, operation: Operation, around: Surroundings): Promise<Carried> {
  const place = placeOf(tree, operation.path);
  const type = operationTypes.find((known) => known.at === place.kind && known.verb === operation.verb);
  if (!type) throw new OperatorError(`Command not found ${operation.verb}`);
  checkParams(type, operation.params);
  return type.apply(tree, place as never, operation.params, around);
}

/** What operations may know of the world. */
export const worldly: Pick<Surroundings, 'randomHex' | 'randomUuid' | 'hostName' | 'machine'> = {
  randomHex: (digits) =>
    randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits),
  randomUuid: randomUUID,
  hostName: hostname(),
  machine: machine(),
};

/** @throws OperatorError for parameters that the kind of operation does not have, lacks, or has of another type */
function checkParams(type: OperationType, params: Values): void {
  for (const name of Object.keys(params))
    if (!Object.hasOwn(type.params, name) && !Object.hasOwn(type.params, '*'))
      throw new OperatorError(`Unexpected keyword parameter '${name}'.`);
  for (const [name, wanted] of Object.entries(type.params)) {
    if (name === '*') continue;
    const value = params[name];
    if (value === undefined) {
      if (!wanted.endsWith('?')) throw new OperatorError(`Missing required parameter ${name}`);
    } else if (value === null || typeof value !== wanted.replace('?', ''))
      throw new OperatorError(`${name} must be a ${wanted.replace('?', '')}`);
  }
}
