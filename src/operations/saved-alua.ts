/** ALUA groups of a saved storage object, checked as an operator's are: a part of the schema. */

import { Attributes } from '../attribute.ts';
import {
  type AluaGroup,
  aluaGroup,
  aluaGroupTable,
  defaultAluaGroup,
  defaultAluaGroupName,
  isAluaGroupName,
} from '../scsi/alua-group.ts';
import { freshAluaGroups, type StorageObject } from '../scsi/logical-unit.ts';
import { listIn, type SavedPart } from './groups.ts';
import { isRaw, type Raw, textOf } from './raw.ts';

/** The key of a saved storage object that has them. */
export const aluaGroupsKey = 'alua_tpgs';

/** The ALUA groups of a storage object, as the file has them. @param label the beginning of lines about them */
export const aluaGroupsPart = (storageObject: StorageObject, label: string): SavedPart => ({
  keys: [aluaGroupsKey],
  saved({ [aluaGroupsKey]: refused }, extent) {
    if (extent === 'changes' && storageObject.aluaGroups === freshAluaGroups(storageObject.backstore)) return {};
    return { [aluaGroupsKey]: [...storageObject.aluaGroups, ...((refused as Raw[] | undefined) ?? [])] };
  },
  restore({ [aluaGroupsKey]: saved }, told) {
    if (saved === undefined || saved === null) return {};
    const list = listIn({ [aluaGroupsKey]: saved }, aluaGroupsKey, label.slice(0, -2), told);
    const { groups, refused, errors } = readAluaGroups(list.filter(isRaw));
    const fresh = freshAluaGroups(storageObject.backstore);
    const isFresh = groups.length === fresh.length && groups.every((group, at) => group === fresh[at]);
    storageObject.aluaGroups = isFresh ? fresh : groups;
    for (const line of errors) told.error(`${label}${line}`);
    return refused.length > 0 ? { [aluaGroupsKey]: refused } : {};
  },
});

interface SavedAluaGroups {
  readonly groups: readonly AluaGroup[];
  /** The entries that are no valid groups, as they go back to the file. */
  readonly refused: readonly Raw[];
  readonly errors: readonly string[];
}

/** SPC-4 6.37: TARGET PORT GROUP has 16 bits. */
const numberMax = 0xffff;

function readAluaGroups(saved: readonly Raw[]): SavedAluaGroups {
  const groups: AluaGroup[] = [];
  const refused: Raw[] = [];
  const errors: string[] = [];
  for (const raw of saved) {
    const why = refusal(raw, groups);
    if (why === undefined) groups.push(read(raw, errors));
    else {
      refused.push(raw);
      errors.push(`Could not create alua tpg '${textOf(raw['name'] ?? '')}': ${why}`);
    }
  }
  // Every storage object that has groups has the default group; a file that was written by hand may not say so.
  const hasDefault = groups.some(({ name }) => name === defaultAluaGroupName);
  return {
    groups: saved.length > 0 && !hasDefault ? [defaultAluaGroup, ...groups] : groups,
    refused,
    errors,
  };
}

function refusal({ name, tg_pt_gp_id: id }: Raw, before: readonly AluaGroup[]): string | undefined {
  if (typeof name !== 'string' || !isAluaGroupName(name)) return 'that is no name';
  const isDefault = name === defaultAluaGroupName;
  if (!Number.isInteger(id) || Number(id) > numberMax || Number(id) < 0 || (id === 0) !== isDefault)
    return `tg_pt_gp_id must be ${isDefault ? '0' : `1 to ${numberMax}`}`;
  if (before.some((one) => one.name === name || one.tg_pt_gp_id === id)) return 'its name or its number is taken';
  return undefined;
}

/** Whether a saved group is the one that every new storage object has: ten thousand may have it, and share it. */
const isDefaultGroup = (raw: Raw): boolean =>
  Object.keys(raw).length === defaultKeys.length && defaultKeys.every((key) => raw[key] === defaultAluaGroup[key]);
const defaultKeys = Object.keys(defaultAluaGroup);

function read(raw: Raw, errors: string[]): AluaGroup {
  if (isDefaultGroup(raw)) return defaultAluaGroup;
  const name = String(raw['name']);
  const checked = new Attributes(aluaGroupTable);
  const read: Record<string, number | string> = {};
  for (const [key, { readOnly }] of Object.entries(aluaGroupTable as Record<string, { readOnly?: boolean }>)) {
    if (raw[key] === undefined || readOnly) continue;
    try {
      read[key] = checked.check(key, textOf(raw[key]), 'attribute');
    } catch {
      errors.push(`Could not set attribute '${key}' for alua tpg '${name}'`);
    }
  }
  // Keys that nobody knows stay in the group.
  return { ...raw, ...aluaGroup(name, Number(raw['tg_pt_gp_id'])), ...read };
}
