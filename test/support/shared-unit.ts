/** A unit that gateways share, where nobody else is there. */

import { standShared } from '../../src/scsi/alua.ts';
import type { StorageObject } from '../../src/scsi/logical-unit.ts';
import type { SharedStanding, SharedUnit } from '../../src/scsi/shared-unit.ts';

/** The unit of the first of two gateways; what is asked of them together is not asked here. */
export const sharedBy = (
  { aluaGroups }: StorageObject,
  { standing, until }: { standing: SharedStanding; until?: number },
): SharedUnit => ({
  ...{ standing, until, groups: aluaGroups, own: 0, now: () => 1 },
  ask: {
    moveTo: async () => false,
    relay: () => Promise.reject(new Error('there is nobody')),
    reservations: () => Promise.reject(new Error('there is nobody')),
    keepReservations: () => Promise.reject(new Error('there is nobody')),
  },
});

/** Each standing of a unit that gateways share, and a lease that is good or over. */
export const sharedSituations: Readonly<Record<string, (here: { readonly lu: StorageObject }) => void>> =
  Object.fromEntries(
    [
      ...(['active', 'alone', 'transition', 'standby'] as const).map((standing) => ({ standing })),
      { standing: 'active' as const, until: 2 },
      { standing: 'active' as const, until: 1 },
    ].map((one) => [`shared, ${JSON.stringify(one)}`, ({ lu }) => standShared(lu, sharedBy(lu, one))]),
  );
