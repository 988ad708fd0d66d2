/** Target port groups of a unit that gateways share: one for each gateway, with its state as this gateway knows it (SPC-4 6.37). */

import type { Custody } from '../cluster/custody.ts';
import type { ClusterKeys } from '../cluster/keys.ts';
import type { OwnerStanding } from '../cluster/owner-record.ts';
import { unitKeys } from '../cluster/unit-records.ts';
import { type AluaGroup, aluaGroup } from '../scsi/alua-group.ts';

/** ASYMMETRIC ACCESS STATE (SPC-4 6.37). */
const states = { optimized: 0, standby: 2, unavailable: 3 } as const;

/** The gateways, as one of them knows them. */
export interface KnownGateways {
  readonly custody: Custody;
  readonly keys: ClusterKeys;
  /** This gateway, and the number of its group. */
  readonly me: string;
  readonly number: number;
  /** The numbers of all, by name. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** The groups in the order of their numbers. @param standing how the unit is served here */
export function gatewayGroups(serial: string, standing: OwnerStanding, known: KnownGateways): AluaGroup[] {
  const { custody, keys, me, number, numbers } = known;
  const record = custody.ownerOf(serial);
  const prefers = custody.copy.get(unitKeys(keys, serial).prefer)?.value;
  const owner = record?.serves ? record.owner : null;
  const isServed = owner && (custody.copy.alive.get(owner.gateway) === owner.process || standing === 'alone');
  // Linux takes the word of any path about all groups, and sends nothing to one that is said to stand by: a gateway that does not
  // hear of the others says nothing of them.
  const gateways = custody.isCurrent ? numbers : new Map([[me, number]]);
  return Array.from(gateways, ([name, number]) => {
    const isHere = name === me;
    const isThere = isHere || custody.copy.alive.has(name);
    // Between two owners each is as it was, or will be: Linux asks one that says "transitioning" again after 2 s, but has one that
    // stands by activated at once, which waits until the unit is served there.
    const isOptimized = isServed && owner.gateway === name && !(isHere && standing === 'standby');
    const state = isOptimized ? states.optimized : states.standby;
    return {
      ...aluaGroup(`gateway_${name}`, number),
      alua_access_state: isThere ? state : states.unavailable,
      alua_access_status: 2,
      preferred: prefers === name ? 1 : 0,
    };
  }).sort((a, b) => a.tg_pt_gp_id - b.tg_pt_gp_id);
}
