/** Creating, deleting and changing storage objects. */

import type { AttributeTable } from '../attribute.ts';
import type { Backstore, VolumeConfig } from '../backstore/backstore.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { withChangesReported } from '../scsi/changes.ts';
import { productOf } from '../scsi/designator.ts';
import { StorageObject, switchWriteCache } from '../scsi/logical-unit.ts';
import { closeVolume } from '../scsi/lost-writes.ts';

import { mappingsOf } from '../target/access.ts';
import type { Lun } from '../target/target.ts';
import { operation, type ParameterValues } from './operation.ts';
import { checkName, made, storageObjectNamed, typedCreation } from './storage-object-creation.ts';
import type { Tree } from './tree.ts';

/** The random values of `create`, and those that the medium decided; a repetition takes them as they are. */
interface SettledObject {
  readonly config: VolumeConfig;
  readonly attributes: Readonly<Record<string, number | string>>;
  /** Whether the serial number was made because the saved file had none. */
  readonly isSerialMade?: boolean;
  /** The reason why what it held in memory is gone, in a line; it is opened when the operator says so. */
  readonly contentsLost?: string;
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
      refuseTaken(tree, backstore, name);
      const wwn = params.wwn || around.randomUuid();
      // A serial number that was made here is nobody else's.
      if (params.wwn && !around.restoring && !around.comingBack)
        refuseShared(tree, new StorageObject({ backstore, name, config: {}, wwn }));
      if (params.settled) {
        const settled = params.settled as unknown as SettledObject;
        const storageObject = new StorageObject({ backstore, name, config: settled.config, wwn });
        storageObject.attributes.assign(settled.attributes);
        storageObject.isSerialMade = settled.isSerialMade === true;
        storageObject.contentsLost = settled.contentsLost;
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
      const storageObject = storageObjectNamed(named, name);
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
    verb: 'rename',
    doc: 'Gives a storage object another name. Initiators do not notice: serial number, NAA name and INQUIRY data stay, and where the name was the product identification, product_id keeps it.',
    params: { name: 'string', to: 'printable' },
    apply(tree, { backstore, named }, params) {
      const { to } = params;
      const storageObject = storageObjectNamed(named, params.name);
      checkName(to);
      refuseTaken(tree, backstore, to);
      const { name, attributes } = storageObject;
      const { product_id: before } = attributes.values;
      const product = productOf(storageObject);
      call(named, storageObject, to);
      const undo = () => {
        call(named, storageObject, name);
        attributes.assign({ product_id: before });
      };
      if (productOf(storageObject) === product) return { params, undo };
      try {
        attributes.assign({ product_id: attributes.check('product_id', product, 'attribute') });
      } catch {
        undo();
        throw new OperatorError(
          `Initiators know ${name} by this name, and it cannot be kept for them as product_id, which is plain ASCII`,
          `While no LUN exports it: ${storageObject.path} set attribute emulate_model_alias=0`,
        );
      }
      return { params, undo };
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

/** LUNs name their storage object by the plugin, which kinds may share. @throws OperatorError */
function refuseTaken(tree: Tree, { plugin }: Backstore, name: string): void {
  if (tree.storageObjectOf(plugin, name)) throw new OperatorError(`Storage object ${plugin}/${name} exists`);
}

/** The storage object stays where it was among the others. */
function call(named: Map<string, StorageObject>, storageObject: StorageObject, name: string): void {
  const all = [...named.values()];
  storageObject.name = name;
  named.clear();
  for (const one of all) named.set(one.name, one);
}

/** The parameters of `create`, with what somebody else who serves the medium has to say. @throws OperatorError */
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

/** @throws OperatorError when what was acknowledged out of the cache cannot be brought to the medium */
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

/** @throws OperatorError when there is one that initiators would take for the same */
function refuseShared(tree: Tree, mine: StorageObject): void {
  const { naa, wwn, backstore } = mine;
  if (backstore.passesThrough || wwn === '') return;
  for (const other of tree.allStorageObjects())
    if (other.naa === naa && other !== mine && other.wwn !== '' && !other.backstore.passesThrough)
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
