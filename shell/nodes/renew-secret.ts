/** `renew_secret` and `end_overlap`: a new CHAP secret, while those that have the old one may still use that. */

import {
  type Auth,
  type authGroups,
  hasCredentials,
  livingAuth,
  OperatorError,
  takesOld,
  types,
  untilTold,
} from '../../src/index.ts';
import { secretOf, secretWords } from '../session/given-secret.ts';
import { type Commands, type Context, commandOf, optional, type ShellCommand } from '../session/node.ts';
import { durationType, printTime } from '../session/time-type.ts';

type Group = (typeof authGroups)[number];

/** The place of CHAP words: the objects that have the same, and the group that sets them. */
interface Words {
  readonly paths: readonly string[];
  readonly group: Group;
  readonly auth: Auth;
}

/** The commands. @param wordsOf the words of the object */
export const secretCommands = <S>(
  group: Group,
  wordsOf: (subject: S) => Pick<Words, 'paths' | 'auth'>,
): Commands<S> => {
  const words = (subject: S) => ({ group, ...wordsOf(subject) });
  const first = `set ${group} userid=user password=the-first-secret`;
  return { renew_secret: renewSecret(words, first), end_overlap: endOverlap(words, first) };
};

const set = async ({ apply }: Context, { paths, group }: Words, values: Partial<Auth>): Promise<void> => {
  for (const path of paths)
    for (const [name, value] of Object.entries(values)) await apply(path, 'set', { group, name, value });
};

const renewSecret = <S>(wordsOf: (subject: S) => Words, first: string): ShellCommand<S> =>
  commandOf<S>()({
    doc: 'Sets a new CHAP secret, and goes on taking the old one for a while.',
    details: [
      'Hosts that still have the old secret get in with it until its time is over, or until `end_overlap`. `doctor` and `why` say until when, and who used it last. Only the secret by which initiators prove themselves can overlap: of mutual_password the target has one.',
    ],
    seeAlso: ['end_overlap', 'set'],
    parameters: [
      optional('password', types.string, 'The new one: @FILE, @env:NAME, @ask; one is made and shown when absent.'),
      optional('overlap', durationType, 'How long the old one is taken: 2h, 7d; until end_overlap when absent.'),
    ],
    examples: [
      {
        line: 'renew_secret overlap=7d',
        does: 'Makes a new secret and shows it; the old one is taken for a week.',
        after: [first],
      },
    ],
    async run(subject, context, { password: text = secretWords.generate, overlap }) {
      // Nobody is asked for a secret, and none is shown, where it could not be set.
      refuseFirst(wordsOf(subject));
      const password = await secretOf('password', text, context);
      await context.begin();
      const words = wordsOf(subject);
      refuseFirst(words);
      const { auth } = words;
      if (auth.password === password) throw new OperatorError('That is the secret that it has already.');
      const isTaken = takesOld(auth, Date.now());
      const until = overlap === undefined ? untilTold : new Date(Date.now() + overlap).toISOString();
      await set(context, words, { old_password: auth.password, old_until: until, password });
      const end = overlap === undefined ? 'until you say: end_overlap' : `until ${printTime(new Date(until))}`;
      context.info(`The secret is renewed; the old one is taken as well, ${end}.`);
      if (isTaken) context.warn('The one before the old one is not taken any more.');
    },
  });

/** @throws OperatorError where there is no secret that a new one could replace */
function refuseFirst({ auth, group, paths }: Words): void {
  if (hasCredentials(auth)) return;
  throw new OperatorError(
    'There is no secret that could be renewed.',
    `To set the first: ${paths[0]} set ${group} userid=NAME password=@ask`,
  );
}

const endOverlap = <S>(wordsOf: (subject: S) => Words, first: string): ShellCommand<S> =>
  commandOf<S>()({
    doc: 'Takes the old CHAP secret no more. Sessions go on.',
    seeAlso: ['renew_secret'],
    parameters: [],
    examples: [{ line: 'end_overlap', does: 'Ends it.', after: [first, 'renew_secret'] }],
    async run(subject, context) {
      const words = wordsOf(subject);
      if (livingAuth(words.auth, Date.now()).old_password === '')
        throw new OperatorError('No old secret is taken here.', 'To renew the secret: renew_secret');
      await set(context, words, { old_password: '', old_until: '' });
      context.info('The old secret is not taken any more.');
    },
  });
