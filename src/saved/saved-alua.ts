/** ALUA groups of a saved storage object, checked as an operator's are. */

import { Attributes } from '../attribute.ts';
import type { Raw } from '../operations/tree.ts';
import {
  type AluaGroup,
  aluaGroup,
  aluaGroupTable,
  defaultAluaGroupName,
  isAluaGroupName,
} from '../scsi/alua-group.ts';
import { textOf } from './saved-shape.ts';

export interface SavedAluaGroups {
  readonly groups: readonly AluaGroup[];
  /** What is none, for the file. */
  readonly refused: readonly Raw[];
  readonly errors: readonly string[];
}

/** SPC-4 6.37: TARGET PORT GROUP has 16 bits. */
const numberMax = 0xffff;

export function readAluaGroups(saved: readonly Raw[]): SavedAluaGroups {
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
  // Every storage object that has groups has this one; a file by hand may not say so.
  const hasDefault = groups.some(({ name }) => name === defaultAluaGroupName);
  return {
    groups: saved.length > 0 && !hasDefault ? [aluaGroup(defaultAluaGroupName, 0), ...groups] : groups,
    refused,
    errors,
  };
}

function refusal({ name, tg_pt_gp_id: id }: Raw, before: readonly AluaGroup[]): string | undefined {
  if (typeof name !== 'string' || !isAluaGroupName(name)) return 'that is no name';
  const isDefault = name === defaultAluaGroupName;
  if (!Number.isInteger(id) || Number(id) > numberMax || Number(id) < 0 || (id === 0) !== isDefault)
    return `tg_pt_gp_id must be ${isDefault ? '0' : `1 to ${numberMax}`}`;
  if (before.some((one) => one['name'] === name || one['tg_pt_gp_id'] === id)) return 'its name or its number is taken';
  return undefined;
}

function read(raw: Raw, errors: string[]): AluaGroup {
  const name = String(raw['name']);
  const checked = new Attributes(aluaGroupTable);
  // Keys that nobody knows stay in it.
  const group: Record<string, unknown> = { ...raw, ...aluaGroup(name, Number(raw['tg_pt_gp_id'])) };
  for (const [key, { readOnly }] of Object.entries(aluaGroupTable as Record<string, { readOnly?: boolean }>)) {
    if (raw[key] === undefined || readOnly) continue;
    try {
      group[key] = checked.check(key, textOf(raw[key]), 'attribute');
    } catch {
      errors.push(`Could not set attribute '${key}' for alua tpg '${name}'`);
    }
  }
  return group;
}
