/** `drain` and `undrain` of a portal: its initiators are to leave it, for work on its network. */

import {
  InventoryRows,
  OperatorError,
  type Portal,
  portalPath,
  type SessionInfo,
  type Tpg,
  types,
  until,
} from '../../src/index.ts';
import { type Commands, type Context, commandOf, optional } from '../session/node.ts';
import { durationType } from '../session/time-type.ts';

/** A portal, and the TPG that it leads to. */
export interface PortalOf {
  readonly tpg: Tpg;
  readonly portal: Portal;
}

/** The interval between two looks at who is left, and the time that it is looked for, where nobody says another. */
const lookMs = 250;
const waitMs = 30_000;

/** The value of the setting for a portal that sends nobody elsewhere. */
const refuse = 'refuse';

const sessionsThrough = ({ root }: Context['host'], { tpg, portal }: PortalOf): readonly SessionInfo[] =>
  new InventoryRows(root).sessionsThrough(tpg, portal);

const counted = (sessions: number): string => `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;

/** The commands of a portal. */
export const drainCommands: Commands<PortalOf> = {
  drain: commandOf<PortalOf>()({
    takesAway: true,
    doc: 'Empties the portal: nobody logs in through it any more, and who came through it is asked to leave.',
    details: [
      'New logins are refused for now, or sent to another address, and discovery does not name the portal. The initiators that are there are asked to log out; with a second path they go on over that one. Nobody is cut off: who does not leave is served until it does, and named at the end.',
      'It shows how many are left, until nobody is, or the time is over: the exit status is 1 then. Ctrl-C ends the waiting, not the drain; the same line again goes on with it.',
      'The portal stays drained until `undrain`, over restarts of tcli, too.',
    ],
    seeAlso: ['undrain'],
    parameters: [
      optional('to', types.string, 'Send new logins to this ADDRESS or ADDRESS:PORT; refuse them when absent.'),
      optional('wait', durationType, 'How long to wait for the last to leave; 30s when absent.'),
    ],
    examples: [
      { line: 'drain', does: 'Empties it.' },
      { line: 'drain to=192.0.2.2:3260 wait=2m', does: 'Sends new logins to another portal, and waits two minutes.' },
    ],
    async run({ tpg, portal }, context, { to, wait = waitMs }) {
      const path = portalPath(tpg, portal);
      if (to === refuse)
        throw new OperatorError(
          `${refuse} is no address that logins could be sent to.`,
          `To refuse them: ${path} drain`,
        );
      const drain = to ?? refuse;
      if (drain !== portal.drain) {
        await context.apply(path, 'set', { group: 'attribute', name: 'drain', value: drain });
        context.info(`${path} is drained: new logins are ${to === undefined ? 'refused' : `sent to ${to}`}.`);
        const isLast = tpg.portals.every((one) => one.drain !== '');
        if (isLast && to === undefined)
          context.warn(`No portal of ${tpg.path} is open now: its initiators have nowhere to go.`);
      }
      await context.settle();
      await untilEmpty({ tpg, portal }, context, wait);
    },
  }),
  undrain: commandOf<PortalOf>()({
    doc: 'Opens a drained portal again: initiators may log in through it.',
    seeAlso: ['drain'],
    parameters: [],
    examples: [{ line: 'undrain', does: 'Opens it.', after: ['set attribute drain=refuse'] }],
    async run({ tpg, portal }, { apply, info }) {
      const path = portalPath(tpg, portal);
      if (portal.drain === '') throw new OperatorError(`${path} is not drained.`);
      await apply(path, 'set', { group: 'attribute', name: 'drain', value: '' });
      info(`${path} is open again.`);
    },
  }),
};

/** Waits for the last session to leave, and shows how many there are. */
async function untilEmpty(where: PortalOf, context: Context, wait: number): Promise<void> {
  const { host, print, signal } = context;
  const path = portalPath(where.tpg, where.portal);
  let shown: number | undefined;
  const look = async () => {
    await host.root.observe();
    const left = sessionsThrough(host, where).length;
    if (left > 0 && left !== shown) print(`${counted(left)} left`);
    shown = left;
    return left === 0 || undefined;
  };
  if (await until(lookMs, wait, look, signal)) return print(`Nobody is left at ${path}.`);
  if (signal.aborted) return;
  const staying = sessionsThrough(host, where);
  print(
    [
      `${counted(staying.length)} did not leave within ${durationType.print(wait)}, and ${staying.length === 1 ? 'is' : 'are'} served on:`,
      ...staying.map(({ initiatorWwn, id }) => `  ${initiatorWwn}, sid ${id}`),
      'To go on waiting: the same line again. To end one: sessions kill SID',
    ].join('\n'),
  );
  context.fail();
}

/** The text that `ls` shows of a drained portal; undefined: it is open. */
export function describeDrain(where: PortalOf, host: Context['host']): string | undefined {
  const { drain } = where.portal;
  if (drain === '') return undefined;
  const left = sessionsThrough(host, where).length;
  const to = drain === refuse ? '' : ` to ${drain}`;
  return `drained${to}${left > 0 ? `, ${counted(left)} left` : ''}`;
}
