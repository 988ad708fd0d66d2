/** The medium of a storage object: another one in its place, and another size. */

import type { Parameter } from '../attribute.ts';
import type { Backstore, Resized, VolumeConfig } from '../backstore/backstore.ts';
import { putAway } from '../backstore/put-away.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { withChangesReported } from '../scsi/changes.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { changeMedium, closeVolume } from '../scsi/lost-writes.ts';
import { commandOfWork, mediumWork } from '../scsi/medium-work.ts';
import { sense } from '../scsi/sense.ts';
import { reportToAll } from '../scsi/unit-attention.ts';
import { operation, type ParameterValues } from './operation.ts';
import { made, storageObjectNamed, typedCreation } from './storage-object-creation.ts';

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
      const earlier = params.settled as unknown as { config: VolumeConfig } | undefined;
      const config = earlier?.config ?? (await exchanged(storageObject, Number(size), String(cfgstring)));
      return { params: { name, settled: { config } }, ...putIn(storageObject, config) };
    },
  }),
  operation({
    at: 'backstore',
    verb: 'replace',
    doc: 'Puts another medium into a storage object, which keeps its name, serial number, attributes and LUNs; initiators are told. What the old medium holds is not copied.',
    // The rest of the parameters are those by which `create` of the kind is told the medium.
    params: { name: 'string', force: 'boolean?', settled: 'object?', '*': 'string?' },
    prepare({ backstore, named }, params, around) {
      const storageObject = named.get(params.name);
      if (!storageObject || params.settled) return undefined;
      const flushed = params.force === true ? undefined : around.flushed?.(storageObject.path);
      if (!flushed && !backstore.elsewhere) return undefined;
      const refused = (error: unknown) => {
        throw cannotLetGo(storageObject, error);
      };
      return (async () => {
        await flushed?.catch(refused);
        if (!backstore.elsewhere) return params;
        const { config, notes } = await settledMedium(storageObject, named, params);
        return { ...params, settled: { config, notes } };
      })();
    },
    async apply(_tree, { named }, params) {
      const { name } = params;
      const storageObject = storageObjectNamed(named, name);
      refuseDuringWork(storageObject, 'replaced');
      const earlier = params.settled as unknown as { config: VolumeConfig; notes?: readonly string[] } | undefined;
      const medium = earlier ?? (await settledMedium(storageObject, named, params));
      const { config, notes = [] } = medium;
      const { undo, ...rest } = putIn(storageObject, config);
      const abandon = 'abandon' in medium ? medium.abandon : async () => {};
      return {
        params: { name, settled: { config } },
        notes,
        ...rest,
        undo: async () => {
          await undo();
          await abandon();
        },
      };
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
      refuseDuringWork(storageObject, 'resized');
      if (!restoring) checkSize(storageObject, asked, force);
      const resized = restoring
        ? sized(storageObject, asked)
        : await storageObject.backstore.resize(before, asked, force, old !== undefined);
      const { config, size } = resized;
      if (old !== undefined && size < old && !force) throw losing(storageObject, old, size);
      // Bytes that the object held before it was made smaller are not those that are added now.
      if (old !== undefined && size > old) volume?.cut?.();
      try {
        await hasSize(storageObject, config, size);
      } catch (error) {
        storageObject.config = before;
        await resized.undo?.();
        throw error;
      }
      // A volume that could not be opened with the old size perhaps can be now, and a volume whose contents are gone is wanted empty.
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

/** The thread that serves the object opens the new medium; the old medium is flushed and closed when the change is durable. */
function putIn(storageObject: StorageObject, config: VolumeConfig) {
  const { config: before, volume: old, missing, contentsLost } = storageObject;
  Object.assign(storageObject, { config, volume: undefined, missing: undefined, contentsLost: undefined });
  const putRecordBack = changeMedium(storageObject);
  return {
    undo: async () => {
      const { volume } = storageObject;
      Object.assign(storageObject, { config: before, volume: old, missing, contentsLost });
      putRecordBack();
      await volume?.close();
    },
    finish: async () => reportToAll(storageObject, sense.mediumMayHaveChanged),
    release: async () => void (old && (await putAway(old))),
  };
}

/** Whether the medium of a storage object can be another one: one in memory, or a device with an identity, is what it is. */
export const isReplaceable = ({ backstore, config }: Pick<StorageObject, 'backstore' | 'config'>): boolean =>
  !backstore.passesThrough && !backstore.isVolatile?.(config);

/** The words of `create` that a replacement has no use for: they are kept as they are. */
export const keptWords = ['wwn', 'write_back'] as const;

/** Settings of the old medium that the new one has as well, unless `replace` says otherwise. */
const inherited = ['readonly', 'direct', 'hw_max_sectors', 'control'] as const;

/** The parameters by which `replace` is told the medium. */
export const mediumParameters = ({ parameters }: Backstore): readonly Parameter[] =>
  parameters.filter(({ name }) => !keptWords.some((word) => word === name));

/** Another medium for a storage object, as the parameters say it; it can be opened. @throws OperatorError */
async function settledMedium(
  storageObject: StorageObject,
  named: ReadonlyMap<string, StorageObject>,
  { force, settled: _, ...words }: ParameterValues & { readonly name: string; readonly force?: boolean },
) {
  const { backstore, config: before, wwn, name } = storageObject;
  if (!isReplaceable(storageObject))
    throw new OperatorError(
      `The medium of ${name} cannot be another one`,
      backstore.passesThrough
        ? 'It is a SCSI device with an identity of its own.'
        : 'It lies in memory: resize it, or create another one.',
    );
  for (const word of keptWords)
    if (words[word] !== undefined) throw new OperatorError(`replace keeps ${word} as it is`);
  const {
    storageObject: next,
    volume,
    notes,
    abandon,
  } = await made(backstore, named, typedCreation(backstore, { ...settingsOf(before), ...words }), wwn);
  const { size, logicalBlockSize } = volume;
  await volume.close();
  try {
    refuseMedium(storageObject, size, logicalBlockSize, force === true);
  } catch (error) {
    await abandon();
    throw error;
  }
  const { write_back } = before;
  return { config: { ...next.config, ...(write_back !== undefined && { write_back }) }, notes, abandon };
}

const settingsOf = (config: VolumeConfig): VolumeConfig =>
  Object.fromEntries(inherited.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]] as const])));

/** @throws OperatorError for a medium that does not hold what initiators expect */
function refuseMedium(storageObject: StorageObject, size: number, blockBytes: number, force: boolean): void {
  const { name, blockSize, config } = storageObject;
  if (blockBytes > blockSize)
    throw new OperatorError(
      `${name} has blocks of ${blockSize} bytes, and the new medium has blocks of ${blockBytes}`,
      'Initiators cannot go on with other blocks: create another storage object on it.',
    );
  const old = storageObject.size ?? config['size'];
  if (typeof old !== 'number' || size >= old || force) return;
  throw new OperatorError(
    `${name} would be smaller: the new medium has ${size} bytes, the old one ${old}`,
    'Initiators would miss its end. A medium that is as large does it; if what lies there is not needed: force=true',
  );
}

const cannotLetGo = ({ name, path }: StorageObject, error: unknown): OperatorError =>
  new OperatorError(
    `What initiators wrote to ${name} cannot be brought to its old medium: ${reasonOf(error)}`,
    `It would be lost there. If the old medium is given up anyway: force=true. What may be lost: ${path} info`,
  );

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
function refuseDuringWork(storageObject: StorageObject, what: 'resized' | 'replaced'): void {
  const { name } = storageObject;
  const { work } = mediumWork.of(storageObject);
  if (!work) return;
  throw new OperatorError(
    `${name} cannot be ${what}: ${commandOfWork(work)} ${work.failed ? 'has failed' : 'is going on'}`,
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
