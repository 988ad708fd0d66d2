/** Records in the store of logical units and of the gateways that may own them: keys, and values as they are checked. */

import type { ClusterKeys } from './keys.ts';
import type { MoveWish, OwnerRecord, Party } from './owner-record.ts';

/** The keys of one unit. */
export const unitKeys = (keys: ClusterKeys, serial: string) => {
  const unit = keys.unit(encodeURIComponent(serial));
  return {
    owner: `${unit}owner`,
    /** Where somebody wants it to be; it goes with the lease of the gateway that was asked. */
    wish: `${unit}wish`,
    /** The gateway that is to have it whenever it can. */
    prefer: `${unit}prefer`,
    reservations: `${unit}reservations`,
    /** Commands that other gateways have the owner carry out, each with the lease of the gateway that asks. */
    requests: `${unit}requests/`,
    /** Outcomes of those, by the same names, with the lease of the owner. */
    answers: `${unit}answers/`,
    /** The shape of the owner's volume. */
    shape: `${unit}shape`,
  };
};

/** Gateways that are to own nothing stand below this, by their names. */
export const drainedKeys = ({ all }: ClusterKeys): string => `${all}drained/`;

/** The serial number in a key of a unit, and what stands behind it. */
export function unitOfKey(keys: ClusterKeys, key: string): { serial: string; rest: string } | undefined {
  if (!key.startsWith(keys.units)) return undefined;
  const [serial = '', ...rest] = key.slice(keys.units.length).split('/');
  try {
    return { serial: decodeURIComponent(serial), rest: rest.join('/') };
  } catch {
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 1000;
const isTextOrNull = (value: unknown): value is string | null => value === null || isText(value);
const isParty = (value: unknown): value is Party => {
  const { gateway, process } = (value ?? {}) as Record<string, unknown>;
  return isText(gateway) && isText(process);
};

/** @throws Error for what is damaged, or was written by a later version that changed what it means */
export function parseOwner(text: string): OwnerRecord {
  const found = JSON.parse(text) as Record<keyof OwnerRecord, unknown> | null;
  const { epoch, owner, client, serves, next, unclean, former, moved } = found ?? {};
  const isFormer = (one: unknown) => isParty(one) && isText((one as { client?: unknown }).client);
  const isOwner =
    Number.isSafeInteger(epoch) &&
    (owner === null || isParty(owner)) &&
    isTextOrNull(client) &&
    isTextOrNull(next) &&
    typeof serves === 'boolean' &&
    typeof unclean === 'boolean' &&
    Array.isArray(former) &&
    former.every(isFormer) &&
    Array.isArray(moved) &&
    moved.every((age) => Number.isFinite(age));
  if (!isOwner) throw new Error('it does not say who owns the unit');
  return found as OwnerRecord;
}

/** @throws Error for what is damaged */
export function parseWish(text: string): MoveWish {
  const { to, by } = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  if (!isText(to) || (by !== 'operator' && by !== 'initiator')) throw new Error('it says nothing that can be done');
  return { to, by };
}
