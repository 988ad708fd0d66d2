/** The tree as tgt sees it: targets with numbers and one TPG each, whose LUN 0 is a controller where there is no disk. */

import { labelsOf } from '../operations/labels.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { FabricState, Lun, Target, Tpg } from '../target/target.ts';
import { Refusal } from './protocol.ts';

export interface NumberedTarget {
  readonly tid: number;
  readonly target: Target;
  readonly tpg: Tpg;
}

/**
 * The numbers of targets: the number that a target was made with; a target of others gets one when it is first seen, for as long as this
 * process lives.
 */
export class TargetNumbers {
  readonly #given = new Map<string, number>();

  /** The targets by number. A target without a TPG is none to tgt. */
  list({ targets }: FabricState): NumberedTarget[] {
    const all = [...targets.values()].flatMap((target) => {
      const tpg = [...target.tpgs.values()].sort((a, b) => a.tag - b.tag)[0];
      return tpg ? [{ target, tpg, labelled: Number(labelsOf(tpg).get('tid') ?? 0) }] : [];
    });
    const taken = new Set(all.flatMap(({ labelled }) => labelled || []));
    const numbered = all.map(({ target, tpg, labelled }) => ({
      tid: this.#numberOf(target, labelled, taken),
      target,
      tpg,
    }));
    return numbered.sort((a, b) => a.tid - b.tid);
  }

  #numberOf({ wwn }: Target, labelled: number, taken: Set<number>): number {
    if (labelled > 0) return labelled;
    let tid = this.#given.get(wwn) ?? 1;
    while (taken.has(tid)) tid += 1;
    taken.add(tid);
    this.#given.set(wwn, tid);
    return tid;
  }

  /** The target of a number. @throws Refusal */
  find(state: FabricState, tid: number): NumberedTarget {
    const found = this.list(state).find((one) => one.tid === tid);
    if (!found) throw new Refusal('noTarget');
    return found;
  }
}

/** The LUNs in the order of their numbers. */
export const lunsIn = ({ luns }: Tpg): Lun[] => [...luns.values()].sort((a, b) => a.index - b.index);

/** The types of device, as `--op show` calls them. */
const shownTypes: Readonly<Record<string, string>> = { cd: 'cd/dvd', pt: 'passthrough' };

/** A unit in tgt's words. */
export interface UnitView {
  readonly type: string;
  readonly id: string;
  readonly serial: string;
  readonly bytes: number;
  readonly blockSize: number;
  readonly online: boolean;
  readonly removable: boolean;
  readonly readOnly: boolean;
  readonly thin: boolean;
  readonly storeType: string;
  /** The path of the medium; undefined: the unit is empty. */
  readonly path: string | undefined;
  readonly flags: string;
}

/** The view of a storage object. */
export function viewOfUnit(unit: StorageObject): UnitView {
  const { values } = unit.attributes;
  const labels = labelsOf(unit);
  const type = labels.get('type') ?? (unit.backstore.passesThrough ? 'pt' : 'disk');
  const empty = isEmpty(unit);
  return {
    type: shownTypes[type] ?? type,
    id: values.scsi_id || `naa.${unit.naa}`,
    serial: values.scsi_sn || unit.wwn,
    bytes: empty ? 0 : (unit.size ?? Number(unit.config['size'] ?? 0)),
    blockSize: empty && type === 'cd' ? 1 : unit.blockSize,
    online: values.online === 1 && unit.missing === undefined,
    removable: values.removable === 1,
    readOnly: values.read_only === 1 && type !== 'cd',
    thin: values.emulate_tpu === 1,
    storeType: labels.get('bstype') ?? storeTypes[unit.backstore.name] ?? unit.backstore.name,
    path: empty ? undefined : (labels.get('path') ?? String(unit.config['dev'] ?? unit.config['config'] ?? unit.name)),
    flags: labels.get('bsoflags') ?? '',
  };
}

/** A unit that was made without a medium. */
export const isEmpty = (unit: StorageObject): boolean => labelsOf(unit).get('medium') === 'none';

/** Whether a unit was made through tgt's socket, and goes with its last LUN. */
export const isOfTgt = (unit: StorageObject): boolean => labelsOf(unit).has('bstype');

const storeTypes: Readonly<Record<string, string>> = { fileio: 'rdwr', block: 'rdwr', pscsi: 'sg' };
