/** gotgt's config.json: portals, targets and storages, which name one another by numbers. */

import { OperatorError, parseJson, reasonOf } from '../errors.ts';
import { type Raw, rawOf } from '../operations/raw.ts';
import { Refusal } from '../tgt/protocol.ts';
import { storeOf } from '../tgt/unit-making.ts';
import type { ImportedTarget, ImportedUnit, ImportKind, LeftOut } from './imported.ts';

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const gotgtJson: ImportKind = {
  name: "gotgt's config.json",
  recognises: (text) => /^\s*\{/.test(text) && /"iscsitargets"|"iscsiportals"/.test(text),
  read(text, file) {
    let saved: unknown;
    try {
      saved = parseJson(text);
    } catch (error) {
      throw new OperatorError(`${file} is not valid JSON: ${reasonOf(error)}`);
    }
    const { iscsiportals, iscsitargets, storages } = rawOf(saved);
    const left: LeftOut[] = [];
    const lineOf = (word: string) => text.slice(0, Math.max(0, text.indexOf(word))).split('\n').length;
    const portals = new Map(
      listOf(iscsiportals).map((one) => [String(rawOf(one)['id']), String(rawOf(one)['portal'] ?? '')] as const),
    );
    const devices = new Map(listOf(storages).map((one) => [String(rawOf(one)['deviceID']), rawOf(one)] as const));
    const targets = Object.entries(rawOf(iscsitargets)).map(([wwn, raw]): ImportedTarget => {
      const { tpgts, luns, ...others } = rawOf(raw);
      const at = { file, line: lineOf(`"${wwn}"`) };
      for (const key of Object.keys(others)) left.push({ ...at, what: `${key} of ${wwn}` });
      const groups = Object.entries(rawOf(tpgts));
      if (groups.length > 1) left.push({ ...at, what: `${wwn}: its portal groups become one` });
      const ids = new Set(groups.flatMap(([, numbers]) => listOf(numbers).map(String)));
      const units = Object.entries(rawOf(luns)).flatMap(([number, id]): ImportedUnit[] => {
        try {
          return [{ ...at, lun: Number(number), ...unitOf(devices.get(String(id)), String(id)) }];
        } catch (error) {
          if (!(error instanceof Refusal || error instanceof OperatorError)) throw error;
          left.push({ ...at, what: `LUN ${number} of ${wwn}: ${error.message}` });
          return [];
        }
      });
      return {
        ...at,
        wwn: wwn.toLowerCase(),
        tid: undefined,
        enabled: true,
        units,
        accessList: undefined,
        accounts: [],
        outgoing: undefined,
        parameters: {},
        portals: [...ids].flatMap((id) => portalOf(portals.get(id) ?? '')),
      };
    });
    if (targets.some(({ units }) => units.length > 0))
      left.push({
        file,
        line: 1,
        what: 'the identities of disks (GOSTOR GOTGT, and names that gotgt makes): initiators see new disks',
      });
    return { targets, discovery: { accounts: [], outgoing: undefined }, left };
  },
};

/** Reads a portal: `127.0.0.1:3260`, `:3260`. */
const portalOf = (text: string): string[] => {
  const [, address = '', port = '3260'] = /^(\[[\da-fA-F:]+\]|[\d.]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return text === '' ? [] : [`${address || '0.0.0.0'}:${port}`];
};

/** The unit of a storage. @throws Refusal */
function unitOf(storage: Raw | undefined, id: string): Pick<ImportedUnit, 'store' | 'attributes'> {
  if (!storage) throw new Refusal('invalid', `there is no storage ${id}`);
  const [, kind = '', path = ''] = /^(\w+):(.*)$/s.exec(String(storage['path'])) ?? [];
  if (kind !== 'file' && kind !== 'blk') throw new Refusal('invalid', `there is no ${storage['path']} here`);
  const shift = Number(storage['blockShift'] ?? 9);
  const store = storeOf({ type: 'disk', path, storeType: 'rdwr', flags: '', blockSize: 2 ** shift });
  const thin = storage['thinProvisioning'] === true ? { emulate_tpu: 1, emulate_tpws: 1 } : {};
  return { store, attributes: { ...thin, ...(storage['online'] === false && { online: 0 }) } };
}
