/** A TPG; where the fabric has no TPG nodes, the target shows as its one TPG. */

import { type Host, infoOf, isMutual, letsIn, schema, type Target, type Tpg, whoCannot } from '../../src/index.ts';
import { authGroup, filledGroup } from '../session/configuration-groups.ts';
import {
  type Commands,
  type ConfigurationGroup,
  child,
  commandOf,
  type NodeType,
  type ShellCommand,
  type Summary,
} from '../session/node.ts';
import { accessCommands, accountsSettings, describeAccessList } from './access.ts';
import { acls } from './acls.ts';
import { fenceCommands, fencesOf } from './fences.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { infoCommand } from './info.ts';
import { luns } from './luns.ts';
import { copyTarget, renameTarget } from './moving.ts';
import { portals } from './portals.ts';
import { secretCommands } from './renew-secret.ts';

const tpgCommands: Commands<Tpg> = {
  enable: switchCommand(true),
  disable: switchCommand(false),
  info: infoCommand<Tpg>(
    'Shows its number, whether it is enabled, its CHAP words, and where it sends initiators.',
    (one) => ({
      ...infoOf(schema.tpg, one),
      access_addresses: one.accessList?.addresses.join(', '),
      access_names: one.accessList?.names.join(', '),
    }),
  ),
};

export const tpg: NodeType<Tpg> = {
  doc: 'A target portal group: portals, and the LUNs and ACLs that are reached through them.',
  summary: summaryOf,
  children(one) {
    const { features } = one.target.fabric;
    return [
      ...(features.includes('acls') ? [child('acls', acls, one)] : []),
      child('luns', luns, one),
      ...(features.includes('nps') ? [child('portals', portals, one)] : []),
    ];
  },
  groups: groupsOf,
  commands: (one) => ({
    ...tpgCommands,
    ...(one.target.only && onlyCommands),
    ...(one.target.fabric.features.includes('auth') &&
      secretCommands<Tpg>('auth', ({ path, auth }) => ({ paths: [path], auth }))),
    ...(one.target.fabric.features.includes('nps') && { ...accessCommands, ...fenceCommands }),
  }),
};

/** The node of a target without TPG nodes is that of its TPG. */
const ofTarget = ({ run, json: _, ...command }: ShellCommand<Target>): ShellCommand<Tpg> => ({
  ...command,
  run: ({ target }, context, given) => run(target, context, given),
});
const onlyCommands: Commands<Tpg> = { rename: ofTarget(renameTarget), copy: ofTarget(copyTarget) };

/** The summary of a TPG's authentication, as targetcli shows it. */
function summaryOf(one: Tpg): Summary {
  const {
    enabled,
    nexusWwn,
    target: { fabric },
    auth,
    accounts,
    accessList,
    attributes: { values },
  } = one;
  if (!enabled) return { text: 'disabled', healthy: false };
  const demo = values['generate_node_acls'] === 1;
  const pieces = nexusWwn ? [nexusWwn] : [];
  if (fabric.features.includes('acls')) pieces.push(demo ? 'gen-acls' : 'no-gen-acls');
  let healthy: boolean | null = null;
  if (fabric.features.includes('auth')) {
    if (values['authentication'] !== 1) {
      pieces.push('no-auth');
      healthy = demo ? true : null;
    } else if (demo) {
      healthy = accounts.length > 0 || letsIn(auth);
      pieces.push('tpg-auth', !healthy ? 'admits nobody' : isMutual(auth) ? 'mutual auth' : '1-way auth');
    } else pieces.push('auth per-acl');
  }
  if (accessList) pieces.push(describeAccessList(accessList));
  const fences = fencesOf(one).length;
  if (fences > 0) pieces.push(`${fences} fenced off`);
  if (values['redirect']) pieces.push(`redirect to ${values['redirect']}`);
  return { text: pieces.join(', '), healthy };
}

function groupsOf(one: Tpg, { root }: Host): ConfigurationGroup[] {
  const {
    path,
    attributes,
    parameters,
    auth,
    accounts,
    target: { fabric },
  } = one;
  const state = root.tree.fabric(fabric.name);
  return [
    ...filledGroup('parameter', path, parameters),
    ...filledGroup('attribute', path, attributes).map((group) => ({
      ...group,
      advice: () => (fabric.features.includes('auth') ? whoCannot(state, one, Date.now()) : undefined),
    })),
    ...(fabric.features.includes('auth')
      ? [authGroup('auth', path, auth, () => accountsSettings(state, accounts))]
      : []),
  ];
}

function switchCommand(wanted: boolean): ShellCommand<Tpg> {
  const [verb, state] = wanted ? ['enable', 'enabled'] : ['disable', 'disabled'];
  return commandOf<Tpg>()({
    ...(!wanted && { takesAway: true as const }),
    doc: wanted
      ? 'Lets initiators log in.'
      : 'Ends the sessions of the TPG and lets nobody log in. What it contains stays.',
    seeAlso: [wanted ? 'disable' : 'enable', 'status'],
    parameters: [],
    examples: [{ line: verb!, does: wanted ? 'Opens its portals.' : 'Closes its portals.' }],
    async run(one, context) {
      const { enabled, path } = one;
      const { apply, info } = context;
      if (enabled === wanted) return info(`The TPGT is already ${state}.`);
      if (!wanted && !(await mayDelete(context, path, { sessions: sessionsIn([one]), act: 'Disable' }))) return;
      await apply(path, verb!, {});
      info(`The TPGT has been ${state}.`);
    },
  });
}
