/** How a root shares its tree with the gateways of a cluster: what others have changed comes first, then the change at hand. */

import { OperatorError } from '../errors.ts';
import type { Apply, Operation } from '../operations/operation.ts';

/** Carries out what other gateways have changed; in a turn. @throws OperatorError; the tree is then as it was */
export type TakeIn = (operations: readonly Operation[]) => Promise<unknown>;

/** The source of the changes of other gateways. */
export interface Sharing {
  /** Called in a turn: gives `take` what others have changed, change by change. @throws OperatorError when that cannot be known */
  takeIn(take: TakeIn): Promise<void>;
}

/** Another gateway has changed the tree before a change of ours was stored: nothing was stored. */
export class Overtaken extends Error {
  readonly operations: readonly Operation[];

  constructor(operations: readonly Operation[]) {
    super('another gateway was faster');
    this.operations = operations;
  }
}

/** Applies operations one after the other. */
export const inOrder =
  (operations: readonly Operation[]) =>
  async (apply: Apply): Promise<void> => {
    for (const operation of operations) await apply(operation);
  };

/** How often others may be faster. */
const overtakenMax = 10;

/**
 * Makes a change on the tree as all gateways have it; in a turn.
 * @param make as in `Root.change`
 * @param apply makes the change, and throws Overtaken where it could not be stored since others were faster
 */
export async function changeShared<T, R>(
  { takeIn }: { takeIn: () => Promise<void> },
  make: (apply: Apply) => Promise<T>,
  apply: (make: (apply: Apply) => Promise<T>) => Promise<R>,
): Promise<R> {
  let value: T;
  let next = async (one: Apply): Promise<T> => {
    value = await make(one);
    return value;
  };
  for (let times = 1; ; times += 1) {
    await takeIn();
    try {
      return await apply(next);
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      if (times === overtakenMax)
        throw new OperatorError(
          'Other gateways are changing the configuration all the time.',
          'Nothing was changed: try again.',
        );
      // Names and numbers were settled the first time.
      next = async (one) => {
        await inOrder(error.operations)(one);
        return value;
      };
    }
  }
}
