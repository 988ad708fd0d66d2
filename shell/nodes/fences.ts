/** Fences of a TPG: an initiator is refused for a while, whatever else lets it in. */

import { type Fence, OperatorError, type SessionInfo, standingFences, type Tpg, types } from '../../src/index.ts';
import { type Commands, type Context, commandOf, optional, required } from '../session/node.ts';
import { durationType, printTime } from '../session/time-type.ts';
import { mayDelete, sessionsIn } from './in-use.ts';

/** The fences of a TPG whose time is not over. */
export const fencesOf = ({ fences }: Tpg): Fence[] => standingFences(fences, Date.now());

/** The word of a command that fences an initiator off as well. */
export const fenceWord = optional('fence', durationType, 'Refuse the initiator for that long, too: 90s, 5m, 2h.');

/** @throws OperatorError where a fence has no meaning: nobody logs in to the TPG, or there is none */
export function refuseFence(tpg: Tpg | undefined): void {
  if (tpg?.target.fabric.features.includes('nps')) return;
  throw new OperatorError(
    tpg
      ? `Initiators do not log in to ${tpg.path}, so a fence keeps nobody out.`
      : 'A fence is of a TPG, and this is a session of discovery.',
    'The same line without fence= does the rest.',
  );
}

/** Fences an initiator off from a TPG, as a part of the line's change. @param ms how long */
export async function fenceOff({ apply, info }: Context, { path }: Tpg, wwn: string, ms: number): Promise<void> {
  const until = new Date(Date.now() + ms);
  await apply(path, 'fence', { wwn, until: until.toISOString() });
  info(`${wwn.toLowerCase()} is refused until ${printTime(until)}. To let it in before: ${path} unfence ${wwn}`);
}

const known = ({ subject }: { subject: unknown }) => (subject as Tpg).acls.keys();

/** The commands of a TPG. */
export const fenceCommands: Commands<Tpg> = {
  fence: commandOf<Tpg>()({
    takesAway: true,
    doc: 'Refuses an initiator for a while, whatever else lets it in. Its sessions end.',
    details: [
      'The initiator is told that the target is not available, so that Linux goes on trying, and is back when the time is over. The fence goes by itself then, by the clock of this machine; it outlives restarts of tcli, and saveconfig.',
      'Without words it lists the fences. `acls/ delete INITIATOR fence=10m` and `sessions kill SID fence=10m` do the same for the one that they send away.',
    ],
    seeAlso: ['unfence'],
    parameters: [
      optional('wwn', types.string, 'The name of the initiator.', { kind: 'wwn', suggest: known }),
      optional('time', durationType, 'How long: 90s, 5m, 2h, 3d.'),
    ],
    examples: [
      { line: 'fence iqn.1994-05.com.redhat:client1 10m', does: 'Keeps client1 out for ten minutes.' },
      { line: 'fence', does: 'Who is kept out, and until when.' },
    ],
    async run(tpg, context, { wwn, time }) {
      if (wwn === undefined) return list(tpg, context);
      if (time === undefined)
        throw new OperatorError(`For how long is ${wwn} to be refused?`, `Type: ${tpg.path} fence ${wwn} 10m`);
      const sessions = (session: SessionInfo) =>
        sessionsIn([tpg])(session) && session.initiatorWwn === wwn.toLowerCase();
      if (!(await mayDelete(context, tpg.path, { sessions, act: `Fence ${wwn} off` }))) return;
      await fenceOff(context, tpg, wwn, time);
    },
    json: (tpg) => fencesOf(tpg).map(({ initiator, until }) => ({ initiator, until: new Date(until).toISOString() })),
  }),
  unfence: commandOf<Tpg>()({
    doc: 'Takes a fence off before its time: the initiator may log in again.',
    seeAlso: ['fence'],
    parameters: [
      required('wwn', types.string, 'The name of the initiator.', {
        suggest: ({ subject }) => fencesOf(subject as Tpg).map(({ initiator }) => initiator),
      }),
    ],
    examples: [
      {
        line: 'unfence iqn.1994-05.com.redhat:client1',
        does: 'Lets client1 in again.',
        after: ['fence iqn.1994-05.com.redhat:client1 10m'],
      },
    ],
    async run({ path }, { apply, info }, { wwn }) {
      await apply(path, 'unfence', { wwn });
      info(`No fence keeps ${wwn.toLowerCase()} out of ${path} any more.`);
    },
  }),
};

function list(tpg: Tpg, { print }: Context): void {
  const lines = fencesOf(tpg).map(({ initiator, until }) => `${initiator} until ${printTime(new Date(until))}`);
  print(lines.length > 0 ? lines.join('\n') : '(nobody is fenced off)');
}
