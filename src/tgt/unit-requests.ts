/** `--mode logicalunit`: a LUN and the storage object that it owns, which unit-making.ts makes. */

import { labelOperation, setAttribute } from '../operations/labels.ts';
import type { Operation } from '../operations/operation.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { Lun } from '../target/target.ts';
import { areBusy, changeTree, type Desk, sessionsOf, stateOf } from './change.ts';
import { deviceTypes, Refusal, type Request } from './protocol.ts';
import { statisticsOf } from './statistics.ts';
import { wordOf } from './target-requests.ts';
import { makeUnit, sharedUnit, storeOf, UnitsThere } from './unit-making.ts';
import { attributesOf, replaceMedium } from './unit-parameters.ts';
import { isEmpty, isOfTgt } from './view.ts';

export const unitRequests: Readonly<Record<string, (desk: Desk, request: Request) => Promise<string | undefined>>> = {
  async new(desk, request) {
    const { tid, lun, text, deviceType } = request;
    const { tpg } = desk.numbers.find(stateOf(desk), tid);
    if (lun === undefined) throw new Refusal('invalid');
    // LUN 0 is tgt's controller.
    if (lun === 0 || tpg.luns.has(lun)) throw new Refusal('unitExists');
    const type = deviceTypes[deviceType];
    if (type !== 'disk' && type !== 'cd' && type !== 'pt')
      throw new Refusal('unsupported', `there is no ${type ?? deviceType} here`);
    const store = storeOf({
      type,
      path: wordOf(text, 'path'),
      storeType: wordOf(text, 'bstype'),
      flags: wordOf(text, 'bsoflags') ?? '',
      blockSize: Number(wordOf(text, 'blocksize') ?? 0),
    });
    const there = new UnitsThere(desk.host.root.tree);
    const shared = sharedUnit(there, store, tpg);
    const made = shared ? { operations: [], path: shared.path } : makeUnit(there, store, tid, lun);
    const create = { path: `${tpg.path}/luns`, verb: 'create', params: { storage_object: made.path, lun } };
    await changeTree(desk, [...made.operations, create]);
    return undefined;
  },

  async delete(desk, request) {
    const lun = await idleLun(desk, request);
    const { storageObject } = lun;
    const goes = isOfTgt(storageObject) && storageObject.exports.size === 1;
    await changeTree(desk, [
      { path: `${lun.tpg.path}/luns`, verb: 'delete', params: { lun: lun.index } },
      ...(goes ? [deletion(storageObject)] : []),
    ]);
    return undefined;
  },

  async update(desk, { tid, lun: number, text }) {
    const { tpg } = desk.numbers.find(stateOf(desk), tid);
    const lun = tpg.luns.get(number ?? -1);
    if (!lun) throw new Refusal('noUnit');
    const unit = lun.storageObject;
    const { blockSize } = unit;
    const { attributes, medium, kept } = attributesOf({ blockSize, isEmpty: isEmpty(unit) }, paramsOf(text));
    const labels = Object.keys(kept).length > 0 ? [labelOperation(unit, kept)] : [];
    const replaced = medium === undefined ? undefined : replaceMedium(desk.host.root.tree, unit, medium);
    const path = replaced?.path ?? unit.path;
    const settings = Object.entries(attributes).map(([name, value]) => setAttribute(path, name, value));
    const operations = [...(replaced?.operations ?? []), ...settings, ...labels];
    if (operations.length > 0) await changeTree(desk, whileUnexported(unit, operations, path));
    return undefined;
  },

  async stat(desk, { tid, lun, sid }) {
    const one = desk.numbers.find(stateOf(desk), tid);
    if (lun !== 0 && !one.tpg.luns.has(lun ?? -1)) throw new Refusal('noUnit');
    return statisticsOf(desk, [one], { lun, sid });
  },
};

const deletion = ({ backstore, name }: StorageObject): Operation => ({
  path: `/backstores/${backstore.name}`,
  verb: 'delete',
  params: { name },
});

/** The LUN of a request. @throws Refusal when there is none, or commands to it are under way */
async function idleLun(desk: Desk, { tid, lun: number = -1 }: Request): Promise<Lun> {
  const { tpg } = desk.numbers.find(stateOf(desk), tid);
  const lun = tpg.luns.get(number);
  if (!lun) throw new Refusal(number === 0 ? 'invalid' : 'noUnit');
  const sessions = await sessionsOf(desk, tpg);
  if (await areBusy(desk, tpg, sessions)) throw new Refusal('unitActive');
  return lun;
}

/** Reads `targetOps NAME=VALUE,NAME=VALUE,`. */
function paramsOf(text: string): readonly (readonly [string, string])[] {
  const [, words = ''] = /(?:^|,)targetOps (.*)$/s.exec(text) ?? [];
  return words
    .split(',')
    .filter(Boolean)
    .map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new Refusal('invalid');
      return [word.slice(0, at).trim(), word.slice(at + 1)] as const;
    });
}

/**
 * Takes a unit's LUNs away, changes the unit, and puts the LUNs back, in one change: operators may not change a unit's identity while it
 * is exported, and tgt's users may.
 */
function* whileUnexported(unit: StorageObject, operations: readonly Operation[], path: string): Generator<Operation> {
  const luns = [...unit.exports] as Lun[];
  const mapped = luns.flatMap(({ tpg, index }) =>
    [...tpg.acls.values()].flatMap((acl) =>
      [...acl.mappedLuns.values()].filter(({ lun }) => lun.index === index).map((one) => ({ acl, one })),
    ),
  );
  for (const { tpg, index } of luns) yield { path: `${tpg.path}/luns`, verb: 'delete', params: { lun: index } };
  yield* operations;
  for (const { tpg, index, alias } of luns) {
    const params = { storage_object: path, lun: index, settled: { alias } };
    yield { path: `${tpg.path}/luns`, verb: 'create', params };
  }
  for (const { acl, one } of mapped) {
    const { index, lun, writeProtect, alias } = one;
    const params = { mapped_lun: index, tpg_lun: lun.index, write_protect: writeProtect, settled: { alias } };
    yield { path: acl.path, verb: 'create', params };
  }
}
