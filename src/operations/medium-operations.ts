/** The medium of a storage object: another one in its place, and another size. */

import type { Resized, VolumeConfig } from '../backstore/backstore.ts';
import { putAway } from '../backstore/put-away.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { withChangesReported } from '../scsi/changes.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { changeMedium, closeVolume } from '../scsi/lost-writes.ts';
import { commandOfWork, mediumWork } from '../scsi/medium-work.ts';
import { sense } from '../scsi/sense.ts';
import { reportToAll } from '../scsi/unit-attention.ts';
import { operation } from './operation.ts';
import { storageObjectNamed } from './storage-object-creation.ts';

/** The operations on media. */
export const mediumOperations = [
  operation({
    at: 'backstore',
    verb: 'changemedium',
    doc: 'Puts another medium into a storage object; initiators are told.',
    params: { name: 'string', size: 'number?', cfgstring: 'string?', settled: 'object?' },
    prepare({ backstore, named }, params) {
      const storageObject = named.get(params.name);
      if (!storageObject || !backstore.elsewhere || !backstore.exchange || params.settled) return undefined;
      const config = exchanged(storageObject, Number(params.size), String(params.cfgstring));
      return config.then((settled) => ({ ...params, settled: { config: settled } }));
    },
    async apply(_tree, { backstore, named }, params) {
      const { name, size, cfgstring } = params;
      const storageObject = storageObjectNamed(named, name);
      if (!backstore.exchange) throw new OperatorError('Command not found changemedium');
      const { config: before, volume: old } = storageObject;
      const earlier = params.settled as unknown as { config: VolumeConfig } | undefined;
      const config = earlier?.config ?? (await exchanged(storageObject, Number(size), String(cfgstring)));
      storageObject.config = config;
      // Whoever serves it opens the new one.
      storageObject.volume = undefined;
      const putRecordBack = changeMedium(storageObject);
      const undo = async () => {
        const { volume } = storageObject;
        Object.assign(storageObject, { config: before, volume: old });
        putRecordBack();
        await volume?.close();
      };
      const finish = async () => reportToAll(storageObject, sense.mediumMayHaveChanged);
      const release = async () => void (old && (await putAway(old)));
      return { params: { name, settled: { config } }, undo, finish, release };
    },
  }),
  operation({
    at: 'storage object',
    verb: 'resize',
    doc: 'Changes the size, while it is served, too. Without a size: the one that its medium has now.',
    params: { size: 'number?', force: 'boolean?' },
    async apply(_tree, { storageObject }, params, { restoring }) {
      const { config: before, missing, contentsLost, size: old, volume } = storageObject;
      const { size: asked, force = false } = params;
      refuseDuringWork(storageObject);
      if (!restoring) checkSize(storageObject, asked, force);
      const resized = restoring
        ? sized(storageObject, asked)
        : await storageObject.backstore.resize(before, asked, force, old !== undefined);
      const { config, size } = resized;
      if (old !== undefined && size < old && !force) throw losing(storageObject, old, size);
      // What it held before it was made smaller is not what is added now.
      if (old !== undefined && size > old) volume?.cut?.();
      try {
        await hasSize(storageObject, config, size);
      } catch (error) {
        storageObject.config = before;
        await resized.undo?.();
        throw error;
      }
      // One that could not be opened with the old size perhaps can be now, and one whose contents are gone is wanted empty.
      Object.assign(storageObject, { missing: undefined, contentsLost: undefined });
      const undo = async () => {
        await hasSize(storageObject, before, old ?? size);
        if (!volume) await closeVolume(storageObject);
        Object.assign(storageObject, { missing, contentsLost });
        await resized.undo?.();
      };
      const finish = async () => {
        volume?.cut?.();
        await resized.finish?.();
      };
      return { params: { size, ...(force && { force }) }, undo, finish };
    },
  }),
];

/** A medium that can be opened. @throws OperatorError */
async function exchanged({ backstore, config }: StorageObject, size: number, cfgstring: string): Promise<VolumeConfig> {
  const next = backstore.exchange!(config, size, cfgstring);
  try {
    await (await backstore.open(next)).close();
  } catch (error) {
    const hint = error instanceof OperatorError ? error.hint : undefined;
    throw new OperatorError(`ChangeMedium failed: ${reasonOf(error)}`, hint);
  }
  return next;
}

/** FORMAT UNIT and SANITIZE reach to the end that there was. @throws OperatorError */
function refuseDuringWork(storageObject: StorageObject): void {
  const { name } = storageObject;
  const { work } = mediumWork.of(storageObject);
  if (!work) return;
  throw new OperatorError(
    `${name} cannot be resized: ${commandOfWork(work)} ${work.failed ? 'has failed' : 'is going on'}`,
    work.failed ? 'Let an initiator format or sanitize it again first.' : 'Wait until it is over; how far it is: info',
  );
}

/** @throws OperatorError */
function checkSize(storageObject: StorageObject, size: number | undefined, force: boolean): void {
  const { blockSize, config } = storageObject;
  if (size === undefined) return;
  const next = Math.ceil(size / blockSize) * blockSize;
  if (!Number.isSafeInteger(size) || size <= 0) throw new OperatorError('A storage object has at least one block');
  if (next !== size)
    throw new OperatorError(
      `${size} is not a multiple of the block size ${blockSize}`,
      `The next one is: resize ${next}`,
    );
  const old = config['size'];
  if (typeof old === 'number' && size < old && !force) throw losing(storageObject, old, size);
}

const losing = ({ name }: StorageObject, old: number, size: number) =>
  new OperatorError(
    `${name} would be smaller: ${size} bytes instead of ${old}, and what lies beyond would be lost`,
    `If nothing there is needed, and the file system on it was made smaller first: resize ${size} force=true`,
  );

/** The size that was settled, for a tree that follows. */
function sized({ backstore, config }: StorageObject, size = 0): Resized {
  return { config: backstore.keys['size'] ? { ...config, size } : config, size };
}

/** Initiators are told at once. Resolves when nothing is in flight beyond the end. */
async function hasSize(storageObject: StorageObject, config: VolumeConfig, size: number): Promise<void> {
  let over: Promise<void> | undefined;
  withChangesReported(storageObject, () => {
    storageObject.config = config;
    if (storageObject.sizeElsewhere !== undefined) storageObject.sizeElsewhere = size;
    over = storageObject.volume?.resize?.(size);
  });
  await over;
}
