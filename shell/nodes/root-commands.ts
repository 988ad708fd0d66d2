/** `sessions` and `version` of the root. */

import manifest from '../../package.json' with { type: 'json' };
import { type Host, lunsOf, OperatorError, type SessionInfo, types, viewOf } from '../../src/index.ts';
import { commandOf, optional } from '../node.ts';

export const programVersion: string = manifest.version;

export const version = commandOf<Host>()({
  doc: 'Shows the version of this program.',
  parameters: [],
  examples: [{ line: 'version', does: 'Shows the version.' }],
  run: (_host, { info }) => info(`tcli version ${programVersion}`),
});

export const sessions = commandOf<Host>()({
  doc: 'Shows who is logged in, with an ACL of their own or in demo mode.',
  parameters: [
    optional('action', types.string, 'list, a line for each; or detail, with LUNs and connections.', {
      default: 'list',
      suggest: () => ['list', 'detail'],
    }),
    optional('sid', types.string, 'The number of one session.', {
      suggest: ({ host }) => host.root.sessions().map(({ id, initiatorWwn }) => [String(id), initiatorWwn] as const),
    }),
  ],
  examples: [
    { line: 'sessions', does: 'A line for each session.' },
    { line: 'sessions detail', does: 'What each initiator sees, and where it comes from.' },
  ],
  run(host, { print, warn }, { action = 'list', sid }) {
    if (action !== 'list' && action !== 'detail') throw new OperatorError('action must be one of: list, detail');
    if (sid !== undefined && !/^\d{1,15}$/.test(sid)) throw new OperatorError(`sid must be a number, '${sid}' given`);
    if (host.heldBy) warn(`Process ${host.heldBy.pid} serves this configuration; its sessions are not seen from here.`);
    const open = host.root.sessions();
    const wanted = sid === undefined ? open : open.filter(({ id }) => id === Number(sid));
    if (sid !== undefined && wanted.length === 0) throw new OperatorError(`no session found with sid ${sid}`);
    if (wanted.length === 0) return print('(no open sessions)');
    for (const session of wanted)
      print(action === 'list' ? inShort(session) : [inShort(session), ...detail(session, host)].join('\n'));
  },
});

const inShort = ({ initiatorAlias, id, type, state }: SessionInfo): string =>
  `alias: ${initiatorAlias}\tsid: ${id} type: ${type} session-state: ${state}`;

function detail(session: SessionInfo, { root }: Host): string[] {
  const { initiatorWwn, authenticated, connections } = session;
  const target = root.tree.fabrics.get(session.fabric)?.targets.get(session.targetWwn);
  const tpg = target?.tpgs.get(session.tpgTag);
  const acl = session.acl ? tpg?.acls.get(initiatorWwn) : undefined;
  const views = tpg ? lunsOf(tpg, acl).map((number) => ({ number, view: viewOf(tpg, acl, number) })) : [];
  return [
    `    name: ${initiatorWwn} (${authenticated ? 'authenticated' : 'NOT AUTHENTICATED'})`,
    ...views.flatMap(({ number, view }) => {
      if (!view) return [];
      const { backstore, name } = view.storageObject;
      return `    mapped-lun: ${number} backstore: ${backstore.plugin}/${name} mode: ${view.writeProtected ? 'r' : 'rw'}`;
    }),
    ...connections.map(
      ({ address, transport, cid, state }) =>
        // LIO leaves the initiator's port out.
        `    address: ${address.replace(/:\d+$/, '')} (${transport})  cid: ${cid} connection-state: ${state}`,
    ),
  ];
}
