/** The parts of a saved configuration that are to be restored: all of them, or one target or storage object by name. */

import type { ParameterValues } from '../operations/operation.ts';

export interface RestoreFilter {
  readonly target?: string | undefined;
  readonly storageObject?: string | undefined;
}

/** The parts that the parameters of `restoreconfig` ask for. */
export const filterOf = (params: ParameterValues): RestoreFilter => ({
  target: params['target'] as string | undefined,
  storageObject: params['storage_object'] as string | undefined,
});

/** Whether less than everything is asked for. */
export const isPartial = ({ target, storageObject }: RestoreFilter): boolean =>
  target !== undefined || storageObject !== undefined;
