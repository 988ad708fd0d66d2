/** `sessions` and `version` of the root. */

import manifest from '../../package.json' with { type: 'json' };
import { type Host, inUse, lunsOf, OperatorError, type SessionInfo, types, viewOf } from '../../src/index.ts';
import { commandOf, optional } from '../session/node.ts';
import { fenceOff, fenceWord, refuseFence } from './fences.ts';

export const programVersion: string = manifest.version;

export const version = commandOf<Host>()({
  doc: 'Shows the version of this program.',
  parameters: [],
  examples: [{ line: 'version', does: 'Shows the version.' }],
  run: (_host, { info }) => info(`tcli version ${programVersion}`),
  json: () => ({ version: programVersion }),
});

export const sessions = commandOf<Host>()({
  doc: 'Shows who is logged in, with an ACL of their own or in demo mode.',
  seeAlso: ['status'],
  parameters: [
    optional(
      'action',
      types.string,
      `What to show:
    - \`list\` has a line for each session
    - \`detail\` also has their LUNs and connections
    - \`kill\` ends one; its initiator may log in again, with fence=10m after ten minutes.`,
      {
        default: 'list',
        suggest: () => ['list', 'detail', 'kill'],
      },
    ),
    optional(
      'sid',
      types.string,
      'The number of the one session to show, or to end, as the list has it behind the word sid.',
      {
        suggest: ({ host }) => host.root.sessions().map(({ id, initiatorWwn }) => [String(id), initiatorWwn] as const),
      },
    ),
    fenceWord,
  ],
  examples: [
    { line: 'sessions', does: 'A line for each session.' },
    { line: 'sessions detail', does: 'What each initiator sees, and where it comes from.' },
  ],
  async run(host, context, { action = 'list', sid, fence }) {
    const { print, info, warn } = context;
    if (host.heldBy) warn(`Process ${host.heldBy.pid} serves this configuration; its sessions are not seen from here.`);
    else if (host.isOffline) warn('Nothing is served: no session can be open. To serve: tcli daemon start');
    const wanted = chosen(host, action, sid);
    if (fence !== undefined) refuseFenceAt(host, action, wanted);
    if (action === 'kill') {
      for (const one of wanted) {
        // A fence ends all sessions of its initiator at the TPG, and lets none begin.
        const tpg = fence === undefined ? undefined : tpgOf(one, host);
        if (tpg) await fenceOff(context, tpg, one.initiatorWwn, fence!);
        else await host.root.endSession(one.fabric, one.id);
      }
      return info(`Ended session ${sid}.`);
    }
    if (wanted.length === 0) return print('(no open sessions)');
    for (const session of wanted)
      print(action === 'list' ? inShort(session) : [inShort(session), ...detail(session, host)].join('\n'));
  },
  json(host, _context, { action = 'list', sid, fence }) {
    if (action === 'kill') throw new OperatorError('sessions kill has nothing to show as JSON');
    const wanted = chosen(host, action, sid);
    if (fence !== undefined) refuseFenceAt(host, action, wanted);
    return wanted.map((session) => ({
      ...session,
      luns: viewsOf(session, host).map(({ number, storageObject, writeProtected }) => ({
        number,
        storage_object: storageObject.path,
        write_protected: writeProtected,
      })),
    }));
  },
});

/** The sessions of a request. @throws OperatorError in targetcli's words */
function chosen(host: Host, action: string, sid: string | undefined): SessionInfo[] {
  if (action !== 'list' && action !== 'detail' && action !== 'kill')
    throw new OperatorError('action must be one of: list, detail', 'Besides, kill ends a session: sessions kill SID');
  if (action === 'kill' && sid === undefined)
    throw new OperatorError('Missing required parameter sid', 'Their numbers: sessions');
  if (action === 'kill' && host.heldBy) throw inUse(host.home, host.heldBy);
  const open = host.root.sessions();
  if (sid === undefined) return open;
  if (!/^\d{1,15}$/.test(sid)) throw new OperatorError(`sid must be a number, '${sid}' given`);
  const wanted = open.filter(({ id }) => id === Number(sid));
  if (wanted.length === 0) throw new OperatorError(`no session found with sid ${sid}`);
  return wanted;
}

/** @throws OperatorError where `fence` would be passed over */
function refuseFenceAt(host: Host, action: string, sessions: readonly SessionInfo[]): void {
  if (action !== 'kill') throw new OperatorError('fence stands behind kill', 'Syntax: sessions kill SID fence=10m');
  for (const session of sessions) refuseFence(tpgOf(session, host));
}

/** The TPG of a session; undefined for one of discovery. */
const tpgOf = ({ fabric, targetWwn, tpgTag }: SessionInfo, { root }: Host) =>
  root.tree.fabrics.get(fabric)?.targets.get(targetWwn)?.tpgs.get(tpgTag);

/** The LUNs that the initiator of a session sees. */
function viewsOf(session: SessionInfo, host: Host) {
  const tpg = tpgOf(session, host);
  const acl = session.acl ? tpg?.acls.get(session.initiatorWwn) : undefined;
  return (tpg ? lunsOf(tpg, acl) : []).flatMap((number) => {
    const view = tpg && viewOf(tpg, acl, number);
    return view ? [{ number, storageObject: view.storageObject, writeProtected: view.writeProtected }] : [];
  });
}

const inShort = ({ initiatorAlias, id, type, state }: SessionInfo): string =>
  `alias: ${initiatorAlias}\tsid: ${id} type: ${type} session-state: ${state}`;

function detail(session: SessionInfo, host: Host): string[] {
  const { initiatorWwn, authenticated, connections } = session;
  return [
    `    name: ${initiatorWwn} (${authenticated ? 'authenticated' : 'NOT AUTHENTICATED'})`,
    ...viewsOf(session, host).map(
      ({ number, storageObject: { backstore, name }, writeProtected }) =>
        `    mapped-lun: ${number} backstore: ${backstore.plugin}/${name} mode: ${writeProtected ? 'r' : 'rw'}`,
    ),
    ...connections.map(
      ({ address, transport, cid, state }) =>
        // LIO leaves the initiator's port out.
        `    address: ${address.replace(/:\d+$/, '')} (${transport})  cid: ${cid} connection-state: ${state}`,
    ),
  ];
}
