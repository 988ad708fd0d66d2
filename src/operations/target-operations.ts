/** Creating, deleting and changing fabrics' targets and their TPGs. */

import { syntaxError, types } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import { lowestFree } from '../target/access.ts';
import type { Fabric } from '../target/fabric.ts';

import { type FabricState, Target, Tpg } from '../target/target.ts';
import { generateWwn, normaliseWwn } from '../target/wwn.ts';
import { accountsSetting, setAccounts } from './access-operations.ts';
import { operation, type ParameterValues, type Surroundings } from './operation.ts';
import { groupOf } from './saved-form.ts';
import { schema } from './schema.ts';
import { removeLun } from './storage-object-operations.ts';
import type { Tree } from './tree.ts';

const tagMax = 0xffff;

export const targetOperations = [
  operation({
    at: 'fabric',
    verb: 'create',
    doc: 'Makes a target; without a name, one is made up.',
    params: { wwn: 'printable?', settled: 'object?' },
    apply(tree, { state }, params, around) {
      const given = params.wwn;
      const wwn =
        given === undefined || given === ''
          ? generateWwn(state.fabric.wwnTypes[0] ?? 'iqn', around)
          : newTargetName(state, given);
      const target = new Target(state.fabric, wwn, state.place);
      state.targets.set(wwn, target);
      const undo = () => void state.targets.delete(wwn);
      if (state.fabric.tpgNodes) return { params: { wwn }, undo };
      // The fabric has no TPG nodes: its one TPG is created and enabled with the target.
      const settled = addTpg(tree, target, 1, params.settled, around);
      target.tpgs.get(1)!.enabled = true;
      return { params: { wwn, settled }, undo };
    },
  }),
  operation({
    at: 'fabric',
    verb: 'delete',
    doc: 'Removes a target with all that it has.',
    params: { wwn: 'string' },
    apply(_tree, { state }, params) {
      const target = targetNamed(state, params.wwn);
      const putBack = [...target.tpgs.values()].flatMap(removeLuns);
      state.targets.delete(target.wwn);
      const undo = () => {
        state.targets.set(target.wwn, target);
        for (const put of putBack) put();
      };
      return { params: { wwn: target.wwn }, undo };
    },
  }),
  operation({
    at: 'fabric',
    verb: 'set',
    doc: 'Changes the CHAP words of discovery, or switches it on and off by `enable`.',
    params: { group: 'string', name: 'string', value: 'printable' },
    apply(_tree, { state }, params) {
      const { group, name, value } = params;
      const settings = groupOf(schema.fabric, state, group);
      if (name === 'enable') {
        const enable = types.onOff.parse(value);
        if (enable === undefined) throw new OperatorError(`Not setting enable! ${syntaxError(types.onOff, value)}`);
        const before = state.discoveryAuthEnabled;
        state.discoveryAuthEnabled = enable === 1;
        const undo = () => {
          state.discoveryAuthEnabled = before;
        };
        return { params, undo };
      }
      if (name === accountsSetting) return { params, undo: setAccounts(state, undefined, value) };
      return { params, undo: settings.set(name, value) };
    },
  }),
  operation({
    at: 'target',
    verb: 'create',
    doc: 'Makes a TPG, disabled; without a tag, with the lowest that is free.',
    params: { tag: 'number?', settled: 'object?' },
    apply(tree, { target }, params, around) {
      const tag = params.tag ?? lowestFree(target.tpgs, 1);
      if (tag < 0) throw new OperatorError('The TPG Tag must be >=0');
      if (!Number.isInteger(tag) || tag > tagMax)
        throw new OperatorError('Could not create TPG in configFS', `The TPG Tag must be between 0 and ${tagMax}.`);
      if (target.tpgs.has(tag))
        throw new OperatorError(
          'This TPG already exists in configFS',
          `/${target.fabric.name}/${target.wwn}/tpg${tag}`,
        );
      const settled = addTpg(tree, target, tag, params.settled, around);
      return { params: { tag, settled }, undo: () => void target.tpgs.delete(tag) };
    },
  }),
  operation({
    at: 'target',
    verb: 'delete',
    doc: 'Removes a TPG with all that it has.',
    params: { tag: 'number' },
    apply(_tree, { target }, params) {
      const tpg = target.tpgs.get(params.tag);
      if (!tpg)
        throw new OperatorError(
          `No such TPG in configfs: /sys/kernel/config/target/${target.fabric.name}/${target.wwn}/tpgt_${params.tag}`,
          `TPGs here: ${[...target.tpgs.keys()].join(', ') || 'none'}`,
        );
      const putBack = removeLuns(tpg);
      target.tpgs.delete(tpg.tag);
      const undo = () => {
        target.tpgs.set(tpg.tag, tpg);
        for (const put of putBack) put();
      };
      return { params, undo };
    },
  }),
];

function addTpg(tree: Tree, target: Target, tag: number, settled: unknown, around: Surroundings): ParameterValues {
  const earlier = (settled ?? {}) as { portId?: number; nexus?: string };
  const tpg = new Tpg(target, tag, tree.nextPortId(earlier.portId));
  if (target.fabric.features.includes('nexus'))
    tpg.nexusWwn = earlier.nexus ?? generateWwn(target.fabric.wwnTypes[0] ?? 'naa', around);
  target.tpgs.set(tag, tpg);
  return { portId: tpg.relativePortId, ...(tpg.nexusWwn && { nexus: tpg.nexusWwn }) };
}

/** Takes all LUNs out of a TPG. @returns functions that put them back */
const removeLuns = (tpg: Tpg): (() => void)[] => [...tpg.luns.values()].map(removeLun);

/** @throws OperatorError when there is none of that name */
export function targetNamed(state: FabricState, wwn: string): Target {
  const target = state.targets.get(targetWwn(wwn, state.fabric));
  if (target) return target;
  throw new OperatorError(
    `No such Target in configfs: /sys/kernel/config/target/${state.fabric.name}/${wwn}`,
    knownTargets(state),
  );
}

/** The name that a new target gets. @throws OperatorError for one that is none, or that another one has */
export function newTargetName(state: FabricState, given: string): string {
  const wwn = targetWwn(given, state.fabric);
  if (!state.targets.has(wwn)) return wwn;
  throw new OperatorError('This Target already exists in configFS', `/${state.fabric.name}/${wwn}`);
}

/** rtslib turns an naa.6 name into naa.5 for targets. */
const targetWwn = (wwn: string, fabric: Fabric): string =>
  normaliseWwn(
    wwn
      .trim()
      .toLowerCase()
      .replace(/^naa\.6/, 'naa.5'),
    fabric.wwnTypes,
  );

const knownTargets = (state: FabricState): string =>
  state.targets.size === 0
    ? `/${state.fabric.name} has no targets.`
    : `Targets here: ${[...state.targets.keys()].slice(0, 5).join(', ')}`;
