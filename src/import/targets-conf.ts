/** tgt's targets.conf (targets.conf(5)): Apache-like blocks, read as tgt-admin reads them, so that numbers and names are the same. */

import { entryOf } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import type { AccessList } from '../target/access-list.ts';
import type { Account } from '../target/auth.ts';
import { Refusal } from '../tgt/protocol.ts';
import { storeOf, type UnitWords } from '../tgt/unit-making.ts';
import { attributesOf } from '../tgt/unit-parameters.ts';
import { type Block, type BlockOption, readBlocks } from './apache-blocks.ts';
import { identityOfDevice } from './device-identity.ts';
import {
  type At,
  accountOf,
  defaultPortals,
  type ImportedTarget,
  type ImportedUnit,
  type ImportKind,
  keywordOf,
  type LeftOut,
  nobody,
  nobodyComes,
} from './imported.ts';

export const targetsConf: ImportKind = {
  name: "tgt's targets.conf",
  recognises: (text) => /^[ \t]*(<target\s+\S+\s*>|default-driver\s|include\s)/m.test(text),
  read(text, file) {
    const root = readBlocks(text, file);
    const left: LeftOut[] = [];
    const reading = new Reading(left);
    reading.globals(root);
    const targets = reading.targets(root.blocks);
    return { targets, discovery: { accounts: reading.discovery, outgoing: reading.outgoingDiscovery }, left };
  },
};

/** The keys that a target may have for all of its LUNs, and a LUN for itself. */
const unitKeys: readonly string[] = [
  ...['device-type', 'bs-type', 'bsopts', 'bsoflags', 'block-size', 'write-cache', 'lun', 'allow-in-use'],
  ...[
    'vendor_id',
    'product_id',
    'product_rev',
    'scsi_id',
    'scsi_sn',
    'sense_format',
    'removable',
    'online',
    'readonly',
  ],
  ...['mode_page', 'lbppbe', 'la_lba', 'optimal_xfer_gran', 'optimal_xfer_len', 'params', 'path'],
];
/** The keys that are parameters of `tgtadm --params` under the same name. */
const parameterKeys = unitKeys.slice(8, -1);
/** Text keys, with the name that they have at a TPG. */
const textKeys: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...['HeaderDigest', 'DataDigest', 'InitialR2T', 'MaxOutstandingR2T', 'ImmediateData', 'FirstBurstLength'],
      ...['MaxBurstLength', 'DataPDUInOrder', 'DataSequenceInOrder', 'ErrorRecoveryLevel', 'IFMarker', 'OFMarker'],
      ...['DefaultTime2Wait', 'DefaultTime2Retain', 'OFMarkInt', 'IFMarkInt', 'MaxConnections'],
    ].map((name) => [name, name]),
  ),
  MaxRecvDataSegmentLength: 'MaxXmitDataSegmentLength',
  MaxXmitDataSegmentLength: 'MaxRecvDataSegmentLength',
};

class Reading {
  readonly discovery: Account[] = [];
  outgoingDiscovery: Account | undefined;
  #driver = 'iscsi';
  readonly #left: LeftOut[];

  constructor(left: LeftOut[]) {
    this.#left = left;
  }

  #leave({ file, line }: At, what: string): void {
    this.#left.push({ file, line, what });
  }

  #leaveBlock(block: Block): void {
    this.#leave(block, `a block <${keywordOf(block.name, true)}>`);
  }

  globals({ options, blocks }: Block): void {
    for (const option of options) {
      const { key, value } = option;
      const account = accountOf(value);
      if (key === 'incomingdiscoveryuser' && account) this.discovery.push(account);
      else if (key === 'outgoingdiscoveryuser' && account) this.outgoingDiscovery ??= account;
      else if (key === 'default-driver') this.#driver = value;
      else this.#leave(option, keywordOf(key, value !== ''));
    }
    for (const block of blocks) if (block.name !== 'target') this.#leaveBlock(block);
  }

  /** The targets in the order of their names, numbered as tgt-admin numbers them. */
  targets(blocks: readonly Block[]): ImportedTarget[] {
    const byName = new Map<string, Block>();
    for (const block of blocks.filter(({ name }) => name === 'target')) {
      const known = byName.get(block.argument);
      // Two blocks of one target are one.
      const merged = known && {
        ...known,
        options: [...known.options, ...block.options],
        blocks: [...known.blocks, ...block.blocks],
      };
      byName.set(block.argument, merged ?? block);
    }
    let tid = 0;
    const numbers = new Set<number>();
    return [...byName]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, block]) => {
        const number = Number(last(block, 'controller_tid'));
        tid = Number.isInteger(number) && number > 0 ? number : tid + 1;
        const driver = last(block, 'driver') ?? this.#driver;
        if (driver !== 'iscsi') {
          this.#leave(block, `target ${name}: there is no driver ${driver} here`);
          return [];
        }
        // The identity of disks is made of the target's number, so two targets cannot have the same one.
        const wanted = tid;
        while (numbers.has(tid)) tid += 1;
        if (tid !== wanted)
          this.#leave(block, `number ${wanted} of ${name}: another target has it; this one is ${tid}`);
        numbers.add(tid);
        return [this.#target(name, block, tid)];
      });
  }

  #target(name: string, block: Block, tid: number): ImportedTarget {
    const addresses: string[] = [];
    const names: string[] = [];
    const accounts: Account[] = [];
    const parameters: Record<string, string> = {};
    let outgoing: Account | undefined;
    let enabled = true;
    for (const option of block.options) {
      const { key, value } = option;
      const account = accountOf(value);
      const textKey = entryOf(textKeys, key);
      if (key === 'initiator-address') addresses.push(value);
      else if (key === 'initiator-name') names.push(value);
      else if (key === 'incominguser' && account) accounts.push(account);
      else if (key === 'outgoinguser' && account) outgoing ??= account;
      else if (textKey !== undefined) parameters[textKey] ??= value === 'None' ? 'CRC32C,None' : value;
      else if (key === 'state') enabled = value !== 'offline';
      else if (!['driver', 'controller_tid', 'backing-store', 'direct-store', ...unitKeys].includes(key))
        this.#leave(option, keywordOf(key, value !== ''));
    }
    // With names alone tgt-admin lets every address in besides, against its own manual. Here only the names are let in, as the file means
    // it.
    const everybody = addresses.length + names.length === 0;
    const isBroken = accounts.length === 0 && block.options.some(({ key }) => key === 'incominguser');
    if (isBroken) this.#leave(block, nobodyComes);
    const accessList: AccessList = isBroken ? nobody : { addresses: everybody ? ['ALL'] : addresses, names };
    const { file, line } = block;
    const about = { file, line, tid, enabled, accounts, outgoing, parameters, accessList };
    return { ...about, wwn: name.toLowerCase(), units: this.#units(block, tid), portals: defaultPortals };
  }

  /** The units: backing stores, then direct stores, each in the order of their paths; LUNs without a number get the lowest free one. */
  #units(block: Block, tid: number): ImportedUnit[] {
    const stores = ['backing-store', 'direct-store'].flatMap((kind) => {
      const lines = block.options
        .filter(({ key }) => key === kind)
        .map((option) => ({ ...option, options: [] as BlockOption[], path: option.value }));
      const blocks = block.blocks.filter(({ name }) => name === kind).map((one) => ({ ...one, path: one.argument }));
      const all = [...new Map([...lines, ...blocks].map((one) => [one.path, one])).values()];
      return all
        .sort((a, b) => (a.path < b.path ? -1 : 1))
        .map((one) => ({ ...one, isDirect: kind === 'direct-store' }));
    });
    for (const one of block.blocks)
      if (one.name !== 'backing-store' && one.name !== 'direct-store') this.#leaveBlock(one);
    const wanted = new Set(stores.flatMap(({ options }) => last({ options }, 'lun') ?? []));
    const ofTarget = last(block, 'lun');
    const taken = new Set<number>();
    // A path that is both a backing-store and a direct-store has one number, and is the first of them alone.
    const numbers = new Map<string, number>();
    const units: ImportedUnit[] = [];
    for (const { path, options, file, line, isDirect } of stores) {
      let lun = Number(ofTarget ?? last({ options }, 'lun') ?? numbers.get(path) ?? 1);
      if (ofTarget === undefined && last({ options }, 'lun') === undefined && !numbers.has(path))
        while (wanted.has(String(lun)) || taken.has(lun)) lun += 1;
      numbers.set(path, lun);
      for (const option of options)
        if (!unitKeys.includes(option.key)) this.#leave(option, keywordOf(option.key, option.value !== ''));
      try {
        if (!Number.isInteger(lun) || lun < 1 || taken.has(lun))
          throw new Refusal('unitExists', `LUN ${lun} of target ${tid} is taken or no number`);
        units.push({ file, line, lun, ...this.#unit(path, options, block.options, isDirect, { file, line }) });
        taken.add(lun);
      } catch (error) {
        if (!(error instanceof Refusal || error instanceof OperatorError)) throw error;
        this.#leave({ file, line }, `${path}: ${error.message}`);
      }
    }
    return units;
  }

  #unit(path: string, own: readonly BlockOption[], ofTarget: readonly BlockOption[], isDirect: boolean, at: At) {
    const wordOf = (key: string) => last({ options: own }, key) ?? last({ options: ofTarget }, key);
    // Against its own manual, tgt-admin takes the block size of a LUN alone.
    const blockSize = last({ options: own }, 'block-size');
    const ofAll = ofTarget.find(({ key }) => key === 'block-size');
    if (blockSize === undefined && ofAll)
      this.#leave(ofAll, `block-size ${ofAll.value}: tgt serves blocks of another size unless the LUN itself says it`);
    const type = wordOf('device-type') ?? 'disk';
    if (type !== 'disk' && type !== 'cd' && type !== 'pt') throw new Refusal('unsupported', `there is no ${type} here`);
    const words: UnitWords = {
      type,
      path,
      storeType: wordOf('bs-type'),
      flags: wordOf('bsoflags') ?? '',
      blockSize: Number(blockSize ?? 0),
    };
    const store = storeOf(words);
    for (const key of ['bsopts', 'path']) if (wordOf(key) !== undefined) this.#leave(at, `${key} ${wordOf(key)}`);
    const said = parameterKeys.flatMap((key) => {
      const values = own.filter((option) => option.key === key);
      const all = values.length > 0 ? values : ofTarget.filter((option) => option.key === key);
      if (key === 'params') return all.flatMap(({ value }) => value.split(',').map((pair) => splitPair(pair)));
      return all.map(({ value }) => [key, value] as const);
    });
    const device = isDirect ? Object.entries(identityOfDevice(path)) : [];
    const { attributes, kept } = attributesOf({ blockSize: store.blockSize, isEmpty: false }, [...device, ...said]);
    for (const name of Object.keys(kept)) this.#leave(at, `${name} has no effect here`);
    const cache = wordOf('write-cache') === 'off' ? { emulate_write_cache: 0 } : {};
    return { store, attributes: { ...attributes, ...cache } };
  }
}

const splitPair = (pair: string): readonly [string, string] => {
  const at = pair.indexOf('=');
  return [pair.slice(0, at).trim(), pair.slice(at + 1)];
};

const last = ({ options }: { readonly options: readonly BlockOption[] }, key: string): string | undefined =>
  options.findLast((option) => option.key === key)?.value;
