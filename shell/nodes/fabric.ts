/** A fabric: its targets, and the rules for their names. */

import {
  discoveryCredentials,
  type FabricState,
  isMutual,
  letsIn,
  nobodyGetsIn,
  serviceOf,
  types,
  whyNobodyCan,
} from '../../src/index.ts';
import { authGroup } from '../session/configuration-groups.ts';
import {
  type Commands,
  type ConfigurationGroup,
  child,
  commandOf,
  given,
  type NodeType,
  optional,
  required,
} from '../session/node.ts';
import { accountCommands, accountsSettings } from './access.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { secretCommands } from './renew-secret.ts';
import { programVersion } from './root-commands.ts';
import { clientLines, createTpg, target } from './target.ts';
import { tpg } from './tpg.ts';

const fabricCommands: Commands<FabricState> = {
  create: commandOf<FabricState>()({
    doc: 'Creates a target, with a first TPG.',
    details: [
      'What the target can be called depends on the fabric: `info` shows the types. iSCSI takes an iqn (iqn.YYYY-MM.DOMAIN:NAME), an naa or an eui; other fabrics take an naa. Capitals become small letters.',
      'Without a name one is made, of the first of these types, from the name of this machine and from chance.',
      'Nobody sees a disk yet: create LUNs in the TPG; in iSCSI also an ACL for each initiator, or set attribute generate_node_acls=1 there.',
    ],
    seeAlso: ['info'],
    parameters: [optional('wwn', types.string, 'Its name; one is made when absent.', { kind: 'wwn' })],
    examples: [{ line: 'create', does: 'Creates a target with a name that is made for it.' }],
    async run(state, context, { wwn }) {
      const { operation } = await context.apply(`/${state.fabric.name}`, 'create', given({ wwn }));
      const name = String(operation.params['wwn']);
      const path = `/${state.fabric.name}/${name}`;
      context.info(`Created target ${name}.`);
      const one = state.targets.get(name)!;
      const made = state.fabric.tpgNodes ? await createTpg(context, one) : path;
      const { socket } = clientLines(one, context.host);
      if (socket !== undefined) context.info(`Its socket is ${socket}.`);
      await context.created(made);
    },
  }),
  delete: commandOf<FabricState>()({
    takesAway: true,
    doc: 'Deletes a target with all that is in it: TPGs, LUNs, ACLs and portals. Sessions end. Storage objects stay as they are.',
    seeAlso: ['create'],
    parameters: [
      required('wwn', types.string, 'Its name.', {
        kind: 'wwn',
        suggest: (node) => node.children().map(({ name }) => name),
        ofChild: String,
      }),
    ],
    examples: [
      {
        line: 'delete naa.5001405c81b9d906',
        does: 'Deletes the target of that name.',
        after: ['/iscsi create naa.5001405c81b9d906', '/loopback create naa.5001405c81b9d906'],
      },
    ],
    async run(state, context, { wwn }) {
      const path = `/${state.fabric.name}`;
      const known = state.targets.get(wwn);
      const sessions = sessionsIn([...(known?.tpgs.values() ?? [])]);
      if (known && !(await mayDelete(context, `${path}/${wwn}`, { sessions }))) return;
      await context.apply(path, 'delete', { wwn });
      context.info(`Deleted Target ${wwn}.`);
    },
  }),
  info: commandOf<FabricState>()({
    doc: 'Shows what the fabric is and what its targets may be called.',
    details: [
      'The features are the parts that its targets have: acls, portals (nps), TPGs with numbers (tpgts), CHAP (auth) and so on.',
    ],
    parameters: [],
    examples: [{ line: 'info', does: 'Shows it.' }],
    run({ fabric }, { info }) {
      const { name, wwnTypes, features } = fabric;
      info(`Fabric module name: ${name}`);
      info('ConfigFS path: none');
      info(`Allowed WWN types: ${wwnTypes.join(', ')}`);
      info(`Fabric module features: ${features.join(', ')}`);
      info(`Corresponding kernel module: none, ${serviceOf(fabric) ? 'tcli serves it' : 'it is kept and not served'}`);
    },
    json: ({ fabric }) => ({
      name: fabric.name,
      wwn_types: fabric.wwnTypes,
      features: fabric.features,
      served: serviceOf(fabric) !== undefined,
    }),
  }),
  version: commandOf<FabricState>()({
    doc: 'Shows the version of what serves the fabric.',
    parameters: [],
    examples: [{ line: 'version', does: 'Shows it.' }],
    run: ({ fabric: { name } }, { info }) => info(`Fabric module ${name}: tcli version ${programVersion}`),
    json: ({ fabric: { name } }) => ({ fabric: name, version: programVersion }),
  }),
};

export const fabric: NodeType<FabricState> = {
  doc: 'A fabric: a way in which initiators reach targets.',
  summary({ targets, discoveryAuth, discoveryAuthEnabled, discoveryAccounts }) {
    const text = `Targets: ${targets.size}`;
    if (!discoveryAuthEnabled) return { text, healthy: null };
    const healthy = discoveryAccounts.length > 0 || letsIn(discoveryAuth);
    const way = !healthy ? 'disc auth admits nobody' : `${isMutual(discoveryAuth) ? 'mutual' : '1-way'} disc auth`;
    return { text: `${way}, ${text}`, healthy };
  },
  children: (state) =>
    [...state.targets.values()].map((one) => {
      const only = state.fabric.tpgNodes ? undefined : one.tpgs.get(1);
      return only ? child(one.wwn, tpg, only) : child(one.wwn, target, one);
    }),
  groups: (state) => (state.fabric.features.includes('discovery_auth') ? [discoveryAuthGroup(state)] : []),
  commands: ({ fabric: { features } }) => ({
    ...fabricCommands,
    ...(features.includes('discovery_auth') && {
      ...accountCommands,
      ...secretCommands<FabricState>('discovery_auth', ({ fabric, discoveryAuth: auth }) => ({
        ...{ paths: [`/${fabric.name}`], auth },
      })),
    }),
  }),
};

const discoveryAuthGroup = (state: FabricState): ConfigurationGroup => {
  const group = discoveryWords(state);
  return {
    ...group,
    advice() {
      const credentials = discoveryCredentials(state, Date.now());
      const why = whyNobodyCan({ ...credentials, owner: 'Discovery' });
      return why === undefined ? group.advice?.() : nobodyGetsIn(why, credentials.setBy);
    },
  };
};

const discoveryWords = (state: FabricState): ConfigurationGroup =>
  authGroup('discovery_auth', `/${state.fabric.name}`, state.discoveryAuth, () => [
    {
      name: 'enable',
      doc: 'Ask for these credentials before telling which targets there are.',
      type: types.onOff,
      value: state.discoveryAuthEnabled ? 'True' : 'False',
      readOnly: false,
    },
    ...accountsSettings(state, state.discoveryAccounts),
  ]);
