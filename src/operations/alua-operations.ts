/** ALUA groups of a storage object: made, deleted, changed; and the group that a LUN is in. */

import { Attributes } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import { stateChanged } from '../scsi/alua.ts';
import {
  type AluaGroup,
  alteredByInitiator,
  alteredImplicitly,
  aluaGroup,
  aluaGroupTable,
  aluaStates,
  defaultAluaGroupName,
  implicitAccess,
  isAluaGroupName,
} from '../scsi/alua-group.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { sense } from '../scsi/sense.ts';
import { reportToAll } from '../scsi/unit-attention.ts';

import type { Lun } from '../target/target.ts';
import { operation } from './operation.ts';
import { groupOf } from './saved-form.ts';
import { schema } from './schema.ts';

const tagMax = 0xffff;

export const aluaOperations = [
  operation({
    at: 'alua',
    verb: 'create',
    doc: 'Makes a target port group.',
    params: { name: 'printable', tag: 'number' },
    apply(_tree, { storageObject }, params) {
      const { name, tag } = params;
      const { aluaGroups: before } = storageObject;
      if (before.length === 0) throw new OperatorError('Backend does not support ALUA setup');
      if (!Number.isInteger(tag) || tag < 1 || tag > tagMax)
        throw new OperatorError(`The TPG Tag must be between 1 and ${tagMax}`);
      if (!isAluaGroupName(name)) throw new OperatorError('Invalid ALUA group name');
      if (before.some((group) => group.name === name))
        throw new OperatorError(
          'This ALUATargetPortGroup already exists in configFS',
          `${storageObject.path}/alua/${name}`,
        );
      const taken = before.find((group) => group.tg_pt_gp_id === tag);
      if (taken)
        throw new OperatorError('Could not create ALUATargetPortGroup in configFS', `${taken.name} has tag ${tag}.`);
      return { params: { name, tag }, undo: replace(storageObject, [...before, aluaGroup(name, tag)]) };
    },
  }),
  operation({
    at: 'alua',
    verb: 'delete',
    doc: 'Removes a target port group; its LUNs go back to the default one.',
    params: { name: 'string' },
    apply(_tree, { storageObject }, params) {
      const { name } = params;
      const { aluaGroups: before } = storageObject;
      if (name === defaultAluaGroupName) throw new OperatorError(`Can not delete ${defaultAluaGroupName}`);
      if (!before.some((group) => group.name === name))
        throw new OperatorError(
          'Invalid ALUA group name',
          `Groups here: ${before.map((group) => group.name).join(', ') || 'none'}`,
        );
      // LIO puts the LUNs of a deleted group back into the default group.
      const members = ([...storageObject.exports] as Lun[]).filter((lun) => lun.aluaGroup === name);
      for (const lun of members) lun.aluaGroup = defaultAluaGroupName;
      const putBack = replace(
        storageObject,
        before.filter((group) => group.name !== name),
      );
      const undo = () => {
        putBack();
        for (const lun of members) lun.aluaGroup = name;
      };
      return { params, undo };
    },
  }),
  operation({
    at: 'alua group',
    verb: 'set',
    doc: 'Changes a setting of the group.',
    // `initiator`: SET TARGET PORT GROUPS asks for the state, and has checked that it may.
    params: { group: 'string', name: 'string', value: 'string', initiator: 'boolean?' },
    apply(_tree, { storageObject, group }, params) {
      const { name, value } = params;
      if (params.group !== 'alua') throw new OperatorError(`Unknown configuration group: ${params.group}`);
      const checked = new Attributes(aluaGroupTable).check(name, value, 'attribute');
      const byInitiator = params.initiator === true;
      if (name === 'alua_access_state' && !byInitiator) checkState(group, Number(checked));
      const status = name === 'alua_access_state' ? { alua_access_status: alteredImplicitly } : {};
      const changed = byInitiator
        ? alteredByInitiator(group, Number(checked))
        : { ...group, [name]: checked, ...status };
      const undo = replace(
        storageObject,
        storageObject.aluaGroups.map((one) => (one === group ? changed : one)),
      );
      const finish = async () => {
        if (name !== 'alua_access_state') reportToAll(storageObject, sense.asymmetricAccessStateChanged);
        // For SET TARGET PORT GROUPS the command itself reports the change.
        else if (!byInitiator && checked !== group[name]) stateChanged(storageObject, group.name);
      };
      return { params, undo, finish };
    },
  }),
  operation({
    at: 'lun',
    verb: 'set',
    doc: 'Changes a setting of the LUN: its target port group is `alua_tg_pt_gp_name` of the group `alua`.',
    params: { group: 'string', name: 'string', value: 'printable' },
    apply(_tree, { lun }, params) {
      const { group, name, value } = params;
      if (group !== 'alua') return { params, undo: groupOf(schema.lun, lun, group).set(name, value) };
      if (name !== 'alua_tg_pt_gp_name') throw new OperatorError(`Unknown parameter ${name} in group 'alua'.`);
      const groups = lun.storageObject.aluaGroups.map((one) => one.name);
      if (!groups.includes(value))
        throw new OperatorError(
          `Cannot set attribute ${name}: [Errno 19] No such device`,
          `Groups of ${lun.storageObject.path}: ${groups.join(', ') || 'none'}`,
        );
      const before = lun.aluaGroup;
      lun.aluaGroup = value;
      const undo = () => {
        lun.aluaGroup = before;
      };
      return { params, undo, finish: async () => reportToAll(lun.storageObject, sense.asymmetricAccessStateChanged) };
    },
  }),
];

/** Gives the object new groups. @returns a function that puts the old ones back */
function replace(storageObject: StorageObject, groups: readonly AluaGroup[]): () => void {
  const before = storageObject.aluaGroups;
  storageObject.aluaGroups = groups;
  return () => {
    storageObject.aluaGroups = before;
  };
}

/** SPC-4 5.15.2.8: refuses a state that the group cannot have, or that the target may not choose. */
function checkState(group: AluaGroup, state: number): void {
  const refused = (why: string) =>
    new OperatorError('Cannot set attribute alua_access_state: [Errno 22] Invalid argument', why);
  const supportedBy = aluaStates[state]?.supportedBy ?? '';
  if (Number(group[supportedBy] ?? 0) !== 1)
    throw refused(`The group does not have the state ${aluaStates[state]?.name}: ${supportedBy} is 0.`);
  if ((group.alua_access_type & implicitAccess) === 0)
    throw refused('Only initiators may change it: alua_access_type has no implicit access (1).');
}
