/** LUNs that are block devices of this machine, and the programs that use those devices: a change asks before it takes a device away. */

import { isDeepStrictEqual } from 'node:util';
import type { VolumeConfig } from '../backstore/backstore.ts';
import { OperatorError } from '../errors.ts';
import { serviceOf } from '../fabric/index.ts';
import type { Operation } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { whoUses } from '../system/block-users.ts';
import type { Lun } from '../target/target.ts';

export interface LocalDevice {
  readonly lun: Lun;
  /** The device's file: `/dev/loop0`. */
  readonly device: string;
  readonly storageObject: StorageObject;
  readonly config: VolumeConfig;
}

/** The block devices that LUNs are now, whichever process attached them. */
export function localDevices(tree: Tree, runDirectory: string): LocalDevice[] {
  return [...tree.tpgs()].flatMap((tpg) =>
    [...tpg.luns.values()].flatMap((lun) => {
      const device =
        lun.attached && tpg.enabled ? serviceOf(tpg.target.fabric)?.local?.device(lun, runDirectory) : undefined;
      return device === undefined
        ? []
        : [{ lun, device, storageObject: lun.storageObject, config: lun.storageObject.config }];
    }),
  );
}

/** The LUN that an operation attaches or detaches; undefined for any other. */
export function lunOfDevice(tree: Tree, { path, verb, params }: Operation): Lun | undefined {
  if (verb !== 'attach' && verb !== 'detach') return undefined;
  return [...tree.tpgs()].find((tpg) => `${tpg.path}/luns` === path)?.luns.get(Number(params['lun']));
}

/** A line that names a device and its users; nothing when the device has no users. */
export async function inUse({ lun, device }: LocalDevice): Promise<string[]> {
  const users = await whoUses(device);
  return users.length > 0 ? [`${lun.tpg.path}/luns/lun${lun.index} is ${device}, ${users.join(', ')}`] : [];
}

/**
 * Refuses a change by which a device in use would go.
 * @param before the devices that there were before the tree was changed
 * @throws OperatorError that names the device and its users
 */
export async function refuseLosing(before: readonly LocalDevice[], tree: Tree): Promise<void> {
  for (const one of before) {
    if (stays(one, tree)) continue;
    const [use] = await inUse(one);
    if (use === undefined) continue;
    const { tpg, index } = one.lun;
    throw new OperatorError(
      use,
      `What uses it would lose what it has not written yet. Umount it first; or take it away all the same: ${tpg.path}/luns/lun${index} detach force=true`,
    );
  }
}

function stays({ lun, storageObject, config }: LocalDevice, tree: Tree): boolean {
  const now = [...tree.tpgs()].find(({ path }) => path === lun.tpg.path);
  const found = now?.luns.get(lun.index);
  const sameMedium = isDeepStrictEqual({ ...storageObject.config, size: 0 }, { ...config, size: 0 });
  return now?.enabled === true && found?.attached === true && found.storageObject === storageObject && sameMedium;
}
