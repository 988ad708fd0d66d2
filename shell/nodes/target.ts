/** A target of a fabric whose targets have TPG nodes. */

import {
  bracketed,
  type Host,
  infoOf,
  OperatorError,
  schema,
  serviceOf,
  type Target,
  type Tpg,
  type ValueType,
} from '../../src/index.ts';
import { type Context, child, commandOf, given, type NodeType, optional, required } from '../session/node.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { type InfoEntries, infoCommand } from './info.ts';
import { copyTarget, renameTarget } from './moving.ts';
import { tpg } from './tpg.ts';

const defaultPortal = { ip_address: '0.0.0.0', ip_port: 3260 } as const;

const tagType: ValueType<number> = {
  name: 'number',
  wrong: '',
  refusal: () => 'Tag argument must be a number.',
  parse: (text) => (/^(tpg)?-?\d{1,9}$/.test(text) ? Number(text.replace('tpg', '')) : undefined),
  print: String,
};

export const target: NodeType<Target> = {
  doc: 'A target: a name that initiators log in to, with one TPG or more.',
  summary: ({ tpgs }) => ({ text: `TPGs: ${tpgs.size}`, healthy: null }),
  row: (one, rows) => rows.target(one),
  children: ({ tpgs }) => [...tpgs.values()].map((one) => child(`tpg${one.tag}`, tpg, one)),
  commands: {
    create: commandOf<Target>()({
      doc: 'Creates a TPG: a set of portals, LUNs and ACLs.',
      details: [
        'A target needs more than one only where initiators shall see other LUNs through other addresses. TPGs of one target cannot share a portal.',
        'The preferences auto_enable_tpgt and auto_add_default_portal say whether it is enabled and listens at once.',
      ],
      seeAlso: ['delete'],
      parameters: [optional('tag', tagType, 'Its number: N or tpgN; the lowest free one when absent.')],
      examples: [{ line: 'create', does: 'Creates the next TPG.' }],
      run: async (one, context, { tag }) => context.created(await createTpg(context, one, tag)),
    }),
    delete: commandOf<Target>()({
      takesAway: true,
      doc: 'Deletes a TPG with all that is in it: portals, LUNs and ACLs. Sessions that came in through it end.',
      seeAlso: ['create'],
      parameters: [
        required('tag', tagType, 'Its number: N or tpgN.', {
          ofChild: (name) => name.replace('tpg', ''),
          suggest: (node) =>
            node.children().map(({ name, ...other }) => [name.replace('tpg', ''), other.path] as const),
        }),
      ],
      examples: [{ line: 'delete 1', does: 'Deletes tpg1.' }],
      async run(one, context, { tag }) {
        const known = one.tpgs.get(tag);
        if (known && !(await mayDelete(context, known.path, { sessions: sessionsIn([known]) }))) return;
        await context.apply(one.path, 'delete', { tag });
        context.info(`Deleted TPGT ${tag}.`);
      },
    }),
    rename: renameTarget,
    copy: copyTarget,
    info: infoCommand<Target>(
      'Shows its fabric, its name, what serves it, and how a client of this machine reaches it.',
      (one, host) => ({
        ...infoOf(schema.target, one),
        ...clientLines(one, host),
        ...servedBy(host.root.loopOf(one)),
      }),
    ),
  },
};

/** The lines for clients of this machine: none where the target is reached over a network. */
export const clientLines = (one: Target, { home }: Host): InfoEntries =>
  serviceOf(one.fabric)?.clientLines?.(one, home.runDirectory) ?? {};

/**
 * The entries about the event loop that serves the target: its number, its load, and the lateness of its timers (the median, and one in a
 * hundred).
 */
const servedBy = (loop: ReturnType<Host['root']['loopOf']>): InfoEntries => {
  if (!loop) return {};
  const { busy, lagMs, lagMs99 } = loop.load;
  const rounded = (value: number, digits: number) => Number(value.toFixed(digits));
  return {
    loop: loop.number === 0 ? 'main' : loop.number,
    loop_busy: rounded(busy, 2),
    loop_lag_ms: rounded(lagMs, 1),
    loop_lag_ms_p99: rounded(lagMs99, 1),
  };
};

/** Makes a TPG as targetcli does: enabled, without authentication, with a portal, as the preferences say. @returns its path */
export async function createTpg(context: Context, one: Target, tag?: number): Promise<string> {
  const { apply, info, preferences } = context;
  const { operation } = await apply(one.path, 'create', given({ tag }));
  const made = one.tpgs.get(Number(operation.params['tag']))!;
  if (preferences.get('auto_enable_tpgt')) await apply(made.path, 'enable', {});
  if (one.fabric.features.includes('auth'))
    await apply(made.path, 'set', { group: 'attribute', name: 'authentication', value: '0' });
  info(`Created TPG ${made.tag}.`);
  if (one.fabric.features.includes('nps') && preferences.get('auto_add_default_portal'))
    await createDefaultPortal(context, made);
  return made.path;
}

async function createDefaultPortal(context: Context, { path, target: { tpgs } }: Tpg): Promise<void> {
  const { apply, settle, info, warn } = context;
  const { ip_address: address, ip_port: port } = defaultPortal;
  // A port that another process has fails the portal alone.
  await settle();
  try {
    await apply(`${path}/portals`, 'create', defaultPortal);
    await settle();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    const shared = [...tpgs.values()].some((one) =>
      one.portals.some((portal) => portal.address === address && portal.port === port),
    );
    if (shared) return info('Default portal not created, TPGs within a target cannot share ip:port.');
    return warn(`Default portal ${bracketed(address)}:${port} not created: ${error.hint ?? error.message}`);
  }
  info('Global pref auto_add_default_portal=true');
  info(`Created default portal listening on all IPs (${address}), port ${port}.`);
}
