/** `acls` of a TPG. ACLs with the same tag are one node, named after it: a command there concerns each of them. */

import { type NodeAcl, OperatorError, type SessionInfo, type Tpg, types } from '../../src/index.ts';
import { child, commandOf, type NodeType, optional, required } from '../session/node.ts';
import type { AclGroup } from './acl-group.ts';
import { fenceOff, fenceWord, refuseFence } from './fences.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { nodeAcl } from './node-acl.ts';

/** The groups of ACLs: each ACL without a tag for itself, those with one by their tag. */
function aclGroups(tpg: Tpg): AclGroup[] {
  const groups = new Map<string, { tpg: Tpg; tag: string; members: NodeAcl[] }>();
  for (const acl of tpg.acls.values()) {
    const name = acl.tag || acl.wwn;
    const group = groups.get(name);
    if (group) group.members.push(acl);
    else groups.set(name, { tpg, tag: acl.tag, members: [acl] });
  }
  return [...groups.values()];
}

const nodeName = ({ tag, members }: AclGroup): string => tag || (members[0]?.wwn ?? '');
const wwnSuggestions = ({ subject }: { subject: unknown }) => (subject as Tpg).acls.keys();

export const acls: NodeType<Tpg> = {
  doc: 'Who may log in: node ACLs, by the name of the initiator.',
  summary: (tpg) => ({ text: `ACLs: ${aclGroups(tpg).length}`, healthy: null }),
  children: (tpg) => aclGroups(tpg).map((group) => child(nodeName(group), nodeAcl, group)),
  commands: {
    create: commandOf<Tpg>()({
      doc: 'Lets an initiator log in, and maps every LUN for it.',
      details: [
        'An initiator is known by its name: on Linux it stands in /etc/iscsi/initiatorname.iscsi. Capitals become small letters.',
        'Each LUN of the TPG is mapped under its own number. With add_mapped_luns=false the initiator sees none, until `create` at its node maps some; without the word it is as the preference auto_add_mapped_luns says.',
      ],
      seeAlso: ['delete'],
      parameters: [
        required('wwn', types.string, 'The name of the initiator.', { kind: 'wwn' }),
        optional('add_mapped_luns', types.bool, 'Map every LUN; else as auto_add_mapped_luns says.'),
      ],
      examples: [{ line: 'create iqn.1994-05.com.redhat:client1', does: 'Lets client1 log in.' }],
      async run(tpg, { apply, info, preferences, created }, { wwn: typed, add_mapped_luns }) {
        const { operation } = await apply(`${tpg.path}/acls`, 'create', { wwn: typed });
        const wwn = String(operation.params['wwn']);
        info(`Created Node ACL for ${wwn}`);
        if (add_mapped_luns ?? preferences.get('auto_add_mapped_luns'))
          // The newest LUN first, as configfs lists them to targetcli: scripts may read the lines.
          for (const index of [...tpg.luns.keys()].reverse()) {
            await apply(`${tpg.path}/acls/${wwn}`, 'create', { mapped_lun: index, tpg_lun: index });
            info(`Created mapped LUN ${index}.`);
          }
        await created(`${tpg.path}/acls/${wwn}`);
      },
    }),
    delete: commandOf<Tpg>()({
      takesAway: true,
      doc: 'Lets an initiator log in no more. Its sessions end.',
      details: [
        'With fence=10m it is refused for ten minutes even where generate_node_acls=1 lets in everybody, or somebody makes its ACL anew.',
      ],
      seeAlso: ['create'],
      parameters: [
        required('wwn', types.string, 'The name of the initiator.', {
          kind: 'wwn',
          suggest: wwnSuggestions,
          ofChild: String,
        }),
        fenceWord,
      ],
      examples: [
        {
          line: 'delete iqn.1994-05.com.redhat:client1',
          does: 'Takes the permission back.',
          after: ['create iqn.1994-05.com.redhat:client1'],
        },
        {
          line: 'delete iqn.1994-05.com.redhat:client1 fence=10m',
          does: 'And keeps it out for ten minutes, whatever else lets it in.',
          after: ['create iqn.1994-05.com.redhat:client1'],
        },
      ],
      async run(tpg, context, { wwn, fence }) {
        const { apply, info } = context;
        if (fence !== undefined) refuseFence(tpg);
        const sessions = (session: SessionInfo) =>
          sessionsIn([tpg])(session) && session.initiatorWwn === wwn.toLowerCase();
        if (!(await mayDelete(context, `${tpg.path}/acls/${wwn}`, { sessions }))) return;
        await apply(`${tpg.path}/acls`, 'delete', { wwn });
        info(`Deleted Node ACL ${wwn}.`);
        if (fence !== undefined) await fenceOff(context, tpg, wwn, fence);
      },
    }),
    tag: commandOf<Tpg>()({
      doc: 'Puts an ACL into the group of that name.',
      details: [
        'Initiators that shall be treated alike are one node then, called after the tag, and what is done there is done to each of them. A tag with one initiator is simply a better name for it.',
        'Who joins a group that is there takes over its mapped LUNs, credentials and attributes, and loses its own.',
        '`info` at the node shows which initiators it stands for.',
        'A tag has no dot in it.',
        '`untag` takes an initiator, or all of them, out again.',
      ],
      seeAlso: ['untag'],
      parameters: [
        required('wwn_or_tag', types.string, 'The initiator, or a group.', {
          suggest: wwnSuggestions,
          ofChild: String,
        }),
        required('new_tag', types.string, 'The name of the group.', {
          suggest: ({ subject }) => tagsOf(subject as Tpg),
        }),
      ],
      examples: [
        {
          line: 'tag iqn.1994-05.com.redhat:client1 web',
          does: 'Names a group of one.',
          after: ['create iqn.1994-05.com.redhat:client1'],
        },
      ],
      async run(tpg, { apply }, { wwn_or_tag: name, new_tag: tag }) {
        if (tag.includes('.')) throw new OperatorError("'.' not permitted in tag names.");
        const members = membersOf(tpg, name);
        if (members.length === 0) throw new OperatorError(`wwn_or_tag ${name} not found.`);
        for (const { wwn } of members) await apply(`${tpg.path}/acls`, 'tag', { wwn, tag });
      },
    }),
    untag: commandOf<Tpg>()({
      doc: 'Takes ACLs out of their group.',
      details: [
        'They keep what they have: mapped LUNs, credentials and attributes. In the tree they are nodes of their own again, called by the names of the initiators.',
      ],
      seeAlso: ['tag'],
      parameters: [
        required('wwn_or_tag', types.string, 'The initiator, or a group.', {
          suggest: ({ subject }) => tagsOf(subject as Tpg),
        }),
      ],
      examples: [
        {
          line: 'untag web',
          does: 'Ends the group.',
          after: ['create iqn.1994-05.com.redhat:client1', 'tag iqn.1994-05.com.redhat:client1 web'],
        },
      ],
      async run(tpg, { apply }, { wwn_or_tag: name }) {
        for (const { wwn } of membersOf(tpg, name)) await apply(`${tpg.path}/acls`, 'tag', { wwn, tag: '' });
      },
    }),
  },
};

const tagsOf = (tpg: Tpg): Set<string> => new Set([...tpg.acls.values()].flatMap(({ tag }) => tag || []));
const membersOf = (tpg: Tpg, name: string): NodeAcl[] =>
  [...tpg.acls.values()].filter(({ wwn, tag }) => wwn === name.toLowerCase() || tag === name);
