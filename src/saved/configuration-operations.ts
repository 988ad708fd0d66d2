/** Replacing the whole configuration, or parts of it, at once. */

import { OperatorError } from '../errors.ts';
import { operation, type Surroundings } from '../operations/operation.ts';
import { type Raw, rawOf } from '../operations/raw.ts';
import { removeLun } from '../operations/storage-object-operations.ts';
import { emptyKept, type Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { closeVolume } from '../scsi/lost-writes.ts';
import { fabricState, type Lun, type Target } from '../target/target.ts';
import { isThere } from './already-there.ts';
import { withKnownSecrets } from './left-out-secrets.ts';
import { withNewSerials } from './new-serials.ts';
import { restoreTree } from './restore.ts';
import { filterOf, isPartial, type RestoreFilter } from './restore-filter.ts';
import { dumpValue } from './saveconfig.ts';
import { checkShape } from './saved-shape.ts';

export const configurationOperations = [
  operation({
    at: 'root',
    verb: 'restoreconfig',
    doc: 'Loads a saved configuration, or a part of it.',
    // `new_serials`: it comes from another machine, whose disks are others.
    params: {
      ...{ configuration: 'object', clear_existing: 'boolean?', target: 'string?', storage_object: 'string?' },
      new_serials: 'boolean?',
    },
    async apply(tree, _place, params, around) {
      const before = dumpValue(tree);
      const whole = withKnownSecrets(params.configuration, () => before);
      const configuration = params.new_serials ? withNewSerials(rawOf(whole), around) : whole;
      const saved = checkShape(configuration);
      const filter = filterOf(params);
      // Where nothing would change, sessions go on, and ramdisks keep their contents.
      if (params.clear_existing === true && (await isThere(tree, configuration, around, filter)))
        return { params: { configuration: before, clear_existing: true }, undo: () => {} };
      if (params.clear_existing !== true) refuseExisting(tree, saved);
      // A volume must be closed before the same file can be opened anew.
      else await close(clear(tree, filter));
      const errors = await restoreTree(tree, configuration, around, filter);
      return {
        // A repetition must give the tree that came out of it, aliases included. At a start nobody repeats it.
        params: around.restoring && !around.serving ? params : { configuration: dumpValue(tree), clear_existing: true },
        notes: errors,
        undo: () => putBack(tree, before, around),
      };
    },
  }),
  operation({
    at: 'root',
    verb: 'clearconfig',
    doc: 'Removes every storage object and every target.',
    params: {},
    apply(tree, _place, params, around) {
      const before = dumpValue(tree);
      const removed = clear(tree, {});
      return { params, undo: () => putBack(tree, before, around), finish: () => close(removed) };
    },
  }),
];

async function putBack(tree: Tree, before: unknown, around: Surroundings): Promise<void> {
  await close(clear(tree, {}));
  await restoreTree(tree, before, { ...around, restoring: true, inCluster: false });
}

async function close(removed: StorageObject[]): Promise<void> {
  await Promise.all(removed.map((storageObject) => closeVolume(storageObject)));
}

/** rtslib refuses when any object of the file is there already, also for a partial restore. */
function refuseExisting(tree: Tree, saved: ReturnType<typeof checkShape>): void {
  const field = (raw: unknown, key: string) => (raw as Raw | null)?.[key];
  for (const raw of saved.storage_objects) {
    const [plugin, name] = [String(field(raw, 'plugin')), String(field(raw, 'name'))];
    if (tree.storageObjectOf(plugin, name))
      throw new OperatorError(
        `storageobject '${plugin}:${name}' exist not restoring`,
        'Replace what is there with: restoreconfig clear_existing=true',
      );
  }
  const wwns = new Set(Array.from(tree.targets(), ({ wwn }) => wwn));
  for (const raw of saved.targets)
    if (wwns.has(String(field(raw, 'wwn'))))
      throw new OperatorError(
        `target with wwn ${field(raw, 'wwn')} exist, not restoring`,
        'Replace what is there with: restoreconfig clear_existing=true',
      );
}

/** Takes objects out of the tree; the caller closes their volumes. */
function clear(tree: Tree, filter: RestoreFilter): StorageObject[] {
  const partial = isPartial(filter);
  const chosen = (target: Target) => !partial || target.wwn === filter.target;
  for (const state of tree.fabrics.values()) {
    for (const target of [...state.targets.values()].filter(chosen)) {
      for (const tpg of target.tpgs.values()) for (const lun of [...tpg.luns.values()]) removeLun(lun);
      state.targets.delete(target.wwn);
    }
    if (!partial) {
      const { targets: _, ...fresh } = fabricState(state.fabric, state.place);
      Object.assign(state, fresh);
    }
  }
  const removed = [...tree.allStorageObjects()].filter((known) => !partial || known.name === filter.storageObject);
  for (const storageObject of removed) {
    for (const lun of [...storageObject.exports]) removeLun(lun as Lun);
    tree.storageObjects.get(storageObject.backstore.name)?.delete(storageObject.name);
  }
  if (!partial) Object.assign(tree.kept, emptyKept());
  return removed;
}
