/** The medium of a unit, as the ownership asks it to be opened and closed, and tells it how the unit stands. */

import type { OwnerStanding } from './owner-record.ts';

/** How a unit stands, for whoever serves it here. */
export interface UnitStanding {
  readonly standing: OwnerStanding;
  readonly epoch: number;
  /** With `active`, once in an epoch: the write cache of the owner before this one may be lost. */
  readonly unplanned: boolean;
  /** With `active`: what the store holds of reservations, null for none. Absent: nobody here knows, and what the unit has stays. */
  readonly reservations?: string | null;
}

/** The medium of a unit, in this process. */
export interface UnitMedium {
  /** The medium refuses whoever is shut out of it, so that an owner without a lease does no harm. */
  readonly fences: boolean;
  /**
   * Opens it, when all of `shutOut` are shut out of it.
   * @param comes is called with the name as which we come to it, before we have it; where it rejects, the medium is not opened
   * @returns whether it is open; `clean`: nothing of us is left there
   */
  open(
    shutOut: readonly string[],
    comes: (client: string) => Promise<void>,
  ): Promise<{ readonly opened: boolean; readonly clean: boolean }>;
  /**
   * Closes it, after what goes on, and after what is being opened, which is not wanted any more. One that fences need not wait
   * for what hangs; of another, nothing is on its way when it resolves.
   * @returns whether nothing of us is left there
   */
  close(clean: boolean): Promise<boolean>;
  stand(now: UnitStanding): void;
}
