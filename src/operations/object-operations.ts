/** Every kind of operation on a single object of the tree. */

import { aluaOperations } from './alua-operations.ts';
import { mediumOperations } from './medium-operations.ts';
import type { OperationType } from './operation.ts';
import { storageObjectOperations } from './storage-object-operations.ts';
import { targetOperations } from './target-operations.ts';
import { tpgOperations } from './tpg-operations.ts';

/** The operations of operators, initiators and programs on objects. */
export const objectOperations: readonly OperationType[] = [
  ...storageObjectOperations,
  ...mediumOperations,
  ...aluaOperations,
  ...targetOperations,
  ...tpgOperations,
];
