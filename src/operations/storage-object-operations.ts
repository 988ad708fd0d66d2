/** Creating, deleting and changing storage objects. */

import type { AttributeTable } from '../attribute.ts';
import type { Backstore, Resized, VolumeConfig } from '../backstore/backstore.ts';
import { putAway } from '../backstore/put-away.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { withChangesReported } from '../scsi/changes.ts';
import { StorageObject, switchWriteCache } from '../scsi/logical-unit.ts';
import { changeMedium, closeVolume } from '../scsi/lost-writes.ts';
import { commandOfWork, mediumWork } from '../scsi/medium-work.ts';
import { sense } from '../scsi/sense.ts';
import { reportToAll } from '../scsi/unit-attention.ts';

import { mappingsOf } from '../target/access.ts';
import type { Lun } from '../target/target.ts';
import { operation, type ParameterValues } from './operation.ts';
import { checkName, typedCreation } from './storage-object-creation.ts';
import type { Tree } from './tree.ts';

/** The random values of `create`, and those that the medium decided; a repetition takes them as they are. */
interface SettledObject {
  readonly config: VolumeConfig;
  readonly attributes: Readonly<Record<string, number | string>>;
  /** Whether the serial number was made because the saved file had none. */
  readonly isSerialMade?: boolean;
}

export const storageObjectOperations = [
  operation({
    at: 'backstore',
    verb: 'create',
    doc: 'Makes a storage object of this kind.',
    // The rest of the parameters are the kind's own; its record declares and `settle` checks them.
    params: { name: 'printable', wwn: 'printable?', settled: 'object?', '*': 'string?' },
    prepare: ({ backstore, named }, params) =>
      backstore.elsewhere && !params.settled
        ? settledElsewhere(backstore, named, typedCreation(backstore, params))
        : undefined,
    async apply(tree, { backstore, named }, given, around) {
      const params = given.settled ? given : typedCreation(backstore, given);
      const { name } = params;
      checkName(name);
      // LUNs name their storage object by its plugin, which several kinds may share.
      if (tree.storageObjectOf(backstore.plugin, name))
        throw new OperatorError(`Storage object ${backstore.plugin}/${name} exists`);
      const wwn = params.wwn || around.randomUuid();
      if (!around.restoring && !around.comingBack)
        refuseShared(tree, new StorageObject({ backstore, name, config: {}, wwn }));
      if (params.settled) {
        const settled = params.settled as unknown as SettledObject;
        const storageObject = new StorageObject({ backstore, name, config: settled.config, wwn });
        storageObject.attributes.assign(settled.attributes);
        storageObject.isSerialMade = settled.isSerialMade === true;
        named.set(name, storageObject);
        return { params: { ...params, wwn }, undo: () => discard(named, storageObject) };
      }
      const { storageObject, volume, notes, abandon } = await made(backstore, named, params, wwn);
      const { config } = storageObject;
      // The loop that serves the storage object opens the volume again.
      await volume.close();
      storageObject.volume = undefined;
      named.set(name, storageObject);
      const settled = { config, attributes: changedAttributes(storageObject) };
      const undo = async () => {
        await discard(named, storageObject);
        await abandon();
      };
      return { params: { ...params, wwn, settled }, notes, undo };
    },
  }),
  operation({
    at: 'backstore',
    verb: 'delete',
    doc: 'Removes a storage object and its LUNs. Its file or device stays.',
    params: { name: 'string' },
    apply(_tree, { named }, params) {
      const { name } = params;
      const storageObject = named.get(name);
      if (!storageObject) throw new OperatorError(`No storage object named ${name}.`);
      const putBack = [...storageObject.exports].map((lun) => removeLun(lun as Lun));
      named.delete(name);
      const undo = () => {
        named.set(name, storageObject);
        for (const put of putBack) put();
      };
      return { params, undo, release: () => closeVolume(storageObject) };
    },
  }),
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
      const storageObject = named.get(name);
      if (!storageObject) throw new OperatorError(`No storage object named ${name}.`);
      if (!backstore.exchange) throw new OperatorError('Command not found changemedium');
      const { config: before, volume: old } = storageObject;
      const earlier = params.settled as unknown as { config: VolumeConfig } | undefined;
      const config = earlier?.config ?? (await exchanged(storageObject, Number(size), String(cfgstring)));
      storageObject.config = config;
      // The loop that serves the storage object opens the new medium.
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
      // Data beyond the old end, from before the volume was made smaller, must not come back.
      if (old !== undefined && size > old) volume?.cut?.();
      try {
        await hasSize(storageObject, config, size);
      } catch (error) {
        storageObject.config = before;
        await resized.undo?.();
        throw error;
      }
      // A medium that could not be opened with the old size may open now, and a medium whose contents are gone is wanted empty.
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
  operation({
    at: 'storage object',
    verb: 'set',
    doc: 'Changes an attribute.',
    // `initiator` is set for MODE SELECT: rules that protect initiators from operators do not concern it.
    params: { group: 'string', name: 'string', value: 'printable', initiator: 'boolean?' },
    prepare({ storageObject: { path } }, params, around) {
      if (params.name !== 'emulate_write_cache' || params.value !== '0') return undefined;
      const refused = (error: unknown) => {
        throw cannotSwitch(path, error);
      };
      return around.flushed?.(path).then(() => params, refused);
    },
    async apply(tree, { storageObject }, params, { restoring, comingBack }) {
      const { group, name, value } = params;
      if (group !== 'attribute') throw new OperatorError(`Unknown configuration group: ${group}`);
      checkSupport(storageObject, name, value);
      // A value that the object had before may come back while the object is exported; users of tgt change values so, too.
      const isFree = params.initiator === true || restoring || comingBack === true;
      const exported = storageObject.exported && !isFree;
      const checked = storageObject.attributes.check(name, value, 'attribute', exported);
      if (!restoring) storageObject.attributes.checkLimit(name, checked, 'attribute');
      const before = storageObject.attributes.values[name as 'block_size'];
      const set = (to: string | number) =>
        withChangesReported(storageObject, () => storageObject.attributes.assign({ [name]: to }));
      if (name === 'emulate_write_cache') await switchCache(storageObject, Number(checked), set);
      else set(checked);
      if (name === 'company_id' && !restoring)
        try {
          refuseShared(tree, storageObject);
        } catch (error) {
          set(before);
          throw error;
        }
      return { params, undo: () => set(before) };
    },
  }),
];

/** The parameters of `create`, with the answers of another process that serves the medium. @throws OperatorError */
async function settledElsewhere(
  backstore: Backstore,
  named: ReadonlyMap<string, StorageObject>,
  params: ParameterValues & { readonly name: string; readonly wwn?: string },
): Promise<ParameterValues> {
  checkName(params.name);
  const { storageObject, volume } = await made(backstore, named, params, params.wwn ?? '');
  await volume.close();
  const { config } = storageObject;
  return { ...params, settled: { config, attributes: changedAttributes(storageObject) } };
}

/**
 * Makes a storage object whose medium can be opened.
 * @returns the object with its volume, and `abandon`, which removes what was made for it
 * @throws OperatorError
 */
async function made(
  backstore: Backstore,
  named: ReadonlyMap<string, StorageObject>,
  params: ParameterValues & { readonly name: string },
  wwn: string,
) {
  const { name } = params;
  const others = new Map([...named.values()].map((other) => [other.name, other.config]));
  const { config, notes, made } = await backstore.settle(params, others);
  const abandon = async () => void (made && (await backstore.abandon?.(config)));
  try {
    const volume = await backstore.open(config);
    return { storageObject: new StorageObject({ backstore, name, config, wwn, volume }), volume, notes, abandon };
  } catch (error) {
    await abandon();
    throw error instanceof OperatorError ? error : new OperatorError(couldNotCreate(name, reasonOf(error)));
  }
}

/** The line of rtslib about a storage object that could not be created. */
export const couldNotCreate = (name: string, reason: string): string =>
  `Could not create StorageObject ${name}: ${reason}`;

/** Switches the write cache. @throws OperatorError when acknowledged writes in the cache cannot be brought to the medium */
async function switchCache(storageObject: StorageObject, to: number, set: (value: number) => void): Promise<void> {
  try {
    await switchWriteCache(storageObject, to, set);
  } catch (error) {
    throw cannotSwitch(storageObject.path, error);
  }
}

const cannotSwitch = (path: string, error: unknown): OperatorError =>
  new OperatorError(
    `Cannot set attribute emulate_write_cache: what the cache holds cannot be written: ${reasonOf(error)}`,
    `The write cache stays on. What may be lost, and what to do: ${path} info`,
  );

/** Puts another medium in the place of the old one, if it can be opened. @throws OperatorError */
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

/** Refuses a change of size while FORMAT UNIT or SANITIZE works towards the old end. @throws OperatorError */
function refuseDuringWork(storageObject: StorageObject): void {
  const { name } = storageObject;
  const { work } = mediumWork.of(storageObject);
  if (!work) return;
  throw new OperatorError(
    `${name} cannot be resized: ${commandOfWork(work)} ${work.failed ? 'has failed' : 'is going on'}`,
    work.failed ? 'Let an initiator format or sanitize it again first.' : 'Wait until it is over; how far it is: info',
  );
}

/** Checks a size. @throws OperatorError */
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

/** The configuration with the size that was settled, for a tree that follows. */
function sized({ backstore, config }: StorageObject, size = 0): Resized {
  return { config: backstore.keys['size'] ? { ...config, size } : config, size };
}

/** Gives a storage object its new size, and tells initiators at once. Resolves when no command is in flight beyond the end. */
async function hasSize(storageObject: StorageObject, config: VolumeConfig, size: number): Promise<void> {
  let over: Promise<void> | undefined;
  withChangesReported(storageObject, () => {
    storageObject.config = config;
    if (storageObject.sizeElsewhere !== undefined) storageObject.sizeElsewhere = size;
    over = storageObject.volume?.resize?.(size);
  });
  await over;
}

/** Refuses a serial number that initiators would take for that of another object. @throws OperatorError */
function refuseShared(tree: Tree, mine: StorageObject): void {
  const { naa, wwn, backstore } = mine;
  if (backstore.passesThrough || wwn === '') return;
  for (const other of tree.allStorageObjects())
    if (other !== mine && other.naa === naa && other.wwn !== '' && !other.backstore.passesThrough)
      throw new OperatorError(
        other.wwn === wwn
          ? `${other.path} has the wwn ${wwn} already`
          : `The wwn ${wwn} gives initiators the name naa.${naa}, as that of ${other.path} does`,
        'Initiators would take both for one disk, and write to the wrong one. Give another wwn, or none: then one is made.',
      );
}

const aboutDiscard: readonly string[] = ['emulate_tpu', 'emulate_tpws', 'unmap_zeroes_data'];

/** Refuses thin provisioning on a medium that cannot discard; a closed medium (not serving) is believed. */
function checkSupport({ path, volume }: StorageObject, name: string, value: string): void {
  if (!volume || value === '0' || !aboutDiscard.includes(name)) return;
  const refused = (why: string) =>
    new OperatorError(`Cannot set attribute ${name}: [Errno 38] Function not implemented`, `${path} ${why}`);
  if (!volume.discard) throw refused('cannot give space back: its medium does not support discard.');
  if (name === 'unmap_zeroes_data' && volume.discardLeavesAnything)
    throw refused('cannot promise zeros: what its medium gives back may read as anything.');
}

/** The attributes that differ from those of a new, closed object that is made of the same parts. */
export function changedAttributes({ backstore, name, config, wwn, attributes }: StorageObject): ParameterValues {
  const fresh = new StorageObject({ backstore, name, config, wwn }).attributes.values;
  const names = Object.keys(fresh) as (keyof typeof fresh)[];
  return Object.fromEntries(
    names.filter((key) => attributes.values[key] !== fresh[key]).map((key) => [key, attributes.values[key]]),
  );
}

/** The attributes that the medium decides, with their values as the object has them. */
export function foundBy({ attributes, backstore, config, volume }: StorageObject): Record<string, number> {
  const table: AttributeTable = attributes.table;
  const all = Object.entries(backstore.attributeDefaults(config, volume));
  return Object.fromEntries(all.filter(([name]) => table[name]?.readOnly));
}

/** Sets the attributes that the medium decides to the values that were found. */
export function takeFound({ attributes }: StorageObject, found: Readonly<Record<string, number>>): void {
  attributes.assign(found);
}

async function discard(named: Map<string, StorageObject>, storageObject: StorageObject): Promise<void> {
  named.delete(storageObject.name);
  await closeVolume(storageObject);
}

/** Takes a LUN and its mapped LUNs out of the tree. @returns a function that puts them back */
export function removeLun(lun: Lun): () => void {
  const mappings = mappingsOf(lun);
  for (const { acl, mapped } of mappings) acl.mappedLuns.delete(mapped.index);
  lun.tpg.luns.delete(lun.index);
  lun.storageObject.exports.delete(lun);
  return () => {
    lun.tpg.luns.set(lun.index, lun);
    lun.storageObject.exports.add(lun);
    for (const { acl, mapped } of mappings) acl.mappedLuns.set(mapped.index, mapped);
  };
}
