/** The configuration of another machine: here its disks are other disks, and get serial numbers of their own. */

import { backstores } from '../backstore/index.ts';
import { elsewhere } from '../operations/groups.ts';
import type { Surroundings } from '../operations/operation.ts';
import { isRaw, others, type Raw, rawOf } from '../operations/raw.ts';

/** Attributes that are a part of the identity, beside the serial number: initiators know a disk of tgt by them. */
const identity = ['scsi_id', 'scsi_sn', 'scsi_local_id'] as const;

/** A saved configuration in which every storage object has a new serial number, unless its device has one of its own. */
export function withNewSerials(saved: Raw, { randomUuid }: Pick<Surroundings, 'randomUuid'>): Raw {
  const { storage_objects: objects } = saved;
  const isFixed = ({ plugin }: Raw) => backstores.some((one) => one.plugin === plugin && one.passesThrough);
  const renewed = (one: unknown) => (isRaw(one) && !isFixed(one) ? { ...one, wwn: randomUuid() } : one);
  const attributes = Object.entries(rawOf(saved[elsewhere])).map(([path, all]) => [
    path,
    isRaw(all) ? others(all, identity) : all,
  ]);
  return {
    ...saved,
    ...(Array.isArray(objects) && { storage_objects: objects.map(renewed) }),
    ...(isRaw(saved[elsewhere]) && { [elsewhere]: Object.fromEntries(attributes) }),
  };
}
