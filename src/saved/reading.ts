/**
 * The reader of each kind of object in a saved file: the parameters that `create` is given, and the lines about faults, in rtslib's
 * words. The schema reads all other keys of the file.
 */

import { backstores } from '../backstore/index.ts';
import { OperatorError } from '../errors.ts';
import type { ParameterValues, Value } from '../operations/operation.ts';
import { numberOf, type Raw, rawOf, textOf } from '../operations/raw.ts';
import { readField, settledIn } from '../operations/saved-form.ts';
import { type KindName, type KindOfBackstore, type SavedObject, schema } from '../operations/schema.ts';
import { couldNotCreate } from '../operations/storage-object-creation.ts';
import type { Tree } from '../operations/tree.ts';
import { mappedLunFields } from '../target/fields.ts';
import type { FabricState, NodeAcl, Target, Tpg } from '../target/target.ts';
import type { Restoration } from './restoration.ts';

/** The reader of one kind of object. `A` is the type of the object above. */
interface Reader<A, O> {
  /**
   * The object above, for an object of the file itself; 'kept': nothing is wrong with the part, and it is not for us.
   * @param number its place in the list. @throws OperatorError in rtslib's words
   */
  above?(restoration: Restoration, saved: Raw, number: number): A | 'kept';
  /** The object, where it was created together with the object above. */
  standing?(above: A, saved: Raw): O | undefined;
  /** The parameters of `create`; 'kept': nothing is wrong with the part, and it is not for us. @throws OperatorError in rtslib's words */
  create(restoration: Restoration, saved: Raw, above: A): ParameterValues | 'kept' | Promise<ParameterValues>;
  /** The line about an object that could not be created. */
  failed(saved: Raw, above: A, reason: string): string;
}

/** A reader of any kind; the caller knows of which. */
export interface AnyReader extends Reader<object, SavedObject> {}

const reader = <A, O extends SavedObject = SavedObject>(record: Reader<A, O>): AnyReader =>
  record as unknown as AnyReader;

/** Fabrics that rtslib knows and that need hardware or a kernel. */
const kernelFabrics: readonly string[] = [
  'efct',
  'ibmvscsis',
  'qla2xxx',
  'sbp',
  'srpt',
  'tcm_fc',
  'usb_gadget',
  'xen-pvscsi',
];

/** The readers of all kinds of objects. */
export const readers: Readonly<Record<KindName, AnyReader>> = {
  'storage object': reader<KindOfBackstore>({
    above({ tree }, raw, number) {
      const { name } = raw;
      if (typeof name !== 'string') throw new OperatorError(`'name' not defined in storage object ${number}`);
      const backstore = backstores.find(
        ({ plugin, handler }) =>
          plugin === raw['plugin'] && (handler === undefined || textOf(raw['config']).startsWith(`${handler}/`)),
      );
      // tcmu-runner has handlers that are not ours.
      if (!backstore && raw['plugin'] === 'user' && typeof raw['config'] === 'string') return 'kept';
      if (!backstore) throw new OperatorError(`'plugin' not defined or invalid in storageobject ${name}`);
      return { backstore, named: tree.storageObjectsOf(backstore.name) };
    },
    async create(restoration, raw, { backstore }) {
      const name = String(raw['name']);
      const refused = (why: string) => new OperatorError(couldNotCreate(name, why));
      const config: Record<string, string | number | boolean> = {};
      for (const [key, { type, required, orText }] of Object.entries(backstore.keys)) {
        const said = raw[key];
        const value = orText && typeof said === 'string' && /^\d{1,15}$/.test(said) ? Number(said) : said;
        if (typeof value === type) config[key] = value as string | number | boolean;
        else if (value !== undefined && value !== null) throw refused(`'${key}' must be a ${type}`);
        else if (required) throw refused(key === 'size' ? 'Path is to a file, size needed' : `'${key}' is missing`);
      }
      const why = backstore.refuse?.(config);
      if (why !== undefined) throw refused(why);
      const given = textOf(raw['wwn'] ?? '');
      const isSerialMade = given === '' && !backstore.passesThrough;
      const of = [`/backstores/${backstore.name}`, name, config['dev'], config['config']].join(' ');
      const wwn = isSerialMade ? await restoration.missingSerial(of) : given;
      return { name, wwn, settled: { config, attributes: {}, isSerialMade } };
    },
    failed: ({ name }, _above, reason) => couldNotCreate(String(name), reason),
  }),
  fabric: reader<Tree, FabricState>({
    above({ tree }, { name }, number) {
      if (typeof name !== 'string') throw new OperatorError(`'name' not defined in fabricmodule ${number}`);
      return tree;
    },
    standing: ({ fabrics }, { name }) => fabrics.get(String(name)),
    create: () => 'kept',
    failed: (_saved, _above, reason) => reason,
  }),
  target: reader<FabricState>({
    above({ tree }, { wwn, fabric }, number) {
      if (typeof wwn !== 'string') throw new OperatorError(`'wwn' not defined in target ${number}`);
      if (typeof fabric !== 'string') throw new OperatorError(`target ${wwn} missing 'fabric' field`);
      const state = tree.fabrics.get(fabric);
      if (!state && !kernelFabrics.includes(fabric)) throw new OperatorError(`Unknown fabric '${fabric}'`);
      return state ?? 'kept';
    },
    create: (_restoration, { wwn, tpgs }) => ({
      wwn: wwn as string,
      // Where the fabric has no TPG nodes, the first TPG is created with the target.
      settled: settledIn(schema.tpg, rawOf(Array.isArray(tpgs) ? tpgs[0] : undefined)),
    }),
    failed: (_saved, _above, reason) => `Could not create Target object: ${reason}`,
  }),
  tpg: reader<Target, Tpg>({
    standing: (target) => target.only,
    create(_restoration, raw) {
      const tag = numberOf(raw['tag']);
      return { ...(tag !== undefined && { tag }), settled: settledIn(schema.tpg, raw) };
    },
    failed: (raw, { wwn }, reason) => `Could not create TPG ${textOf(raw['tag'] ?? '')} of ${wwn}: ${reason}`,
  }),
  lun: reader<Tpg>({
    create({ tree }, raw, tpg) {
      const index = numberOf(raw['index']);
      if (index === undefined) throw new OperatorError(`'index' missing from a LUN in TPG ${tpg.tag}`);
      const [, plugin = '', name] = /^\/backstores\/([^/]+)\/([^/]+)$/.exec(textOf(raw['storage_object'])) ?? [];
      if (name === undefined) throw new OperatorError(`Malformed storage object field for LUN ${index}`);
      const storageObject = tree.storageObjectOf(plugin, name);
      if (!storageObject && tree.kept.storageObjects.some((one) => one['plugin'] === plugin && one['name'] === name))
        return 'kept';
      if (!storageObject) throw new OperatorError(`Could not find matching StorageObject for LUN ${index}`);
      return { storage_object: storageObject.path, lun: index, settled: settledIn(schema.lun, raw) };
    },
    failed: (raw, { tag }, reason) => `Creating TPG ${tag} LUN index ${numberOf(raw['index'])} failed: ${reason}`,
  }),
  portal: reader<Tpg>({
    create(_restoration, { ip_address, ...raw }, { tag }) {
      if (typeof ip_address !== 'string')
        throw new OperatorError(`'ip_address' field missing from a portal in TPG ${tag}`);
      const port = numberOf(raw['port']);
      if (port === undefined) throw new OperatorError(`'port' field missing from a portal in TPG ${tag}`);
      return { ip_address, ip_port: port };
    },
    failed: ({ ip_address, port }, _tpg, reason) =>
      `Creating NetworkPortal object ${ip_address}:${numberOf(port)} failed: ${reason}`,
  }),
  acl: reader<Tpg>({
    create(_restoration, { node_wwn: wwn }) {
      if (typeof wwn !== 'string') throw new OperatorError("'node_wwn' missing in node_acl");
      return { wwn };
    },
    failed: ({ node_wwn: wwn }, _tpg, reason) => `Error when creating NodeACL for ${wwn}: ${reason}`,
  }),
  'mapped lun': reader<NodeAcl>({
    create(restoration, raw, { tpg }) {
      const [index, tpgLun] = [numberOf(raw['index']), numberOf(raw['tpg_lun'])];
      if (tpgLun === undefined) throw new OperatorError("'tpg_lun' not in a mapped_lun");
      if (index === undefined) throw new OperatorError("'index' not in a mapped_lun");
      const keptLuns = restoration.tree.kept.inside.get(tpg)?.luns ?? [];
      const isKept = (lun: Raw) => restoration.isNotForUs(lun) && numberOf(lun['index']) === tpgLun;
      if (!tpg.luns.has(tpgLun) && keptLuns.some(isKept)) return 'kept';
      if (!tpg.luns.has(tpgLun))
        throw new OperatorError(`Could not find matching TPG LUN ${tpgLun} for MappedLUN ${index}`);
      const write_protect = readField(mappedLunFields.write_protect, raw['write_protect']) as Value;
      return { mapped_lun: index, tpg_lun: tpgLun, write_protect, settled: settledIn(schema.mappedLun, raw) };
    },
    failed: (raw) => `Creating MappedLUN object ${numberOf(raw['index'])} failed`,
  }),
};
