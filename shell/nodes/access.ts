/** The access list of a TPG, and the CHAP accounts of a fabric. */

import {
  type AccessList,
  addressRuleProblem,
  everyAddress,
  type FabricState,
  isListed,
  OperatorError,
  printAccessList,
  type SessionInfo,
  type Tpg,
  types,
} from '../../src/index.ts';
import { secretOf } from '../session/given-secret.ts';
import { type Commands, type Context, commandOf, given, optional, required, type Setting } from '../session/node.ts';
import { mayDelete, sessionsIn } from './in-use.ts';

const empty: AccessList = { addresses: [], names: [] };
const who = 'An address, a network (192.0.2.0/24, 2001:db8::/32), ALL for every address, or the name of an initiator.';
const details = [
  'A TPG without a list can be come to by everybody. With one, an initiator must be on it, by its address or by its name: others do not see the target, and their sessions end. Whoever is on it has to be let in by an ACL, or by generate_node_acls=1, as without a list.',
  'An address that comes as ::ffff:192.0.2.7 is 192.0.2.7.',
];
const seeAlso = ['allow', 'disallow', 'restrict', 'unrestrict'];

export const accessCommands: Commands<Tpg> = {
  allow: commandOf<Tpg>()({
    doc: 'Puts an address, a network or an initiator on the access list; begins one where there is none.',
    details,
    seeAlso,
    parameters: [required('who', types.string, who)],
    examples: [
      { line: 'allow 192.0.2.0/24', does: 'Only initiators of this network may come.' },
      { line: 'allow iqn.1994-05.com.redhat:client1', does: 'This initiator may come, from wherever.' },
    ],
    async run(tpg, context, { who: word }) {
      const { part, rule } = ruleOf(word);
      const { [part]: rules } = tpg.accessList ?? empty;
      if (rules.includes(rule)) return context.info(`${rule} is on the access list already.`);
      if (!(await change(tpg, context, (list) => ({ ...list, [part]: [...list[part], rule] })))) return;
      context.info(`${rule} may come to ${tpg.path}.`);
    },
  }),
  disallow: commandOf<Tpg>()({
    doc: 'Takes an address, a network or an initiator off the access list. The sessions of those that are on it no more end.',
    details: [
      'When the last one is taken off, the list is empty and lets nobody come; unrestrict takes the list away.',
    ],
    seeAlso,
    parameters: [
      required('who', types.string, who, {
        suggest: ({ subject }) => {
          const { addresses, names } = (subject as Tpg).accessList ?? empty;
          return [...addresses, ...names];
        },
      }),
    ],
    examples: [{ line: 'disallow 192.0.2.7', does: 'Takes it off.', after: ['allow 192.0.2.7'] }],
    async run(tpg, context, { who: word }) {
      const known = tpg.accessList ?? empty;
      const part = (['addresses', 'names'] as const).find((one) => known[one].includes(word));
      if (!part)
        throw new OperatorError(
          `${word} is not in the access list of ${tpg.path}`,
          tpg.accessList ? `On it: ${[...known.addresses, ...known.names].join(', ') || 'nobody'}` : 'It has none.',
        );
      const without = (list: AccessList) => ({ ...list, [part]: list[part].filter((one) => one !== word) });
      if (!(await change(tpg, context, without))) return;
      context.info(`${word} is not on the access list of ${tpg.path} any more.`);
    },
  }),
  restrict: commandOf<Tpg>()({
    doc: 'Sets the whole access list.',
    details: [...details, 'Without a word the list is empty, and nobody may come.'],
    seeAlso,
    parameters: [
      optional('addresses', types.string, 'Addresses and networks, separated by commas, or ALL.'),
      optional('names', types.string, 'Names of initiators, separated by commas.'),
    ],
    examples: [
      {
        line: 'restrict addresses=192.0.2.7,198.51.100.0/24 names=iqn.1994-05.com.redhat:client1',
        does: 'These may come, and nobody else.',
      },
      { line: 'restrict', does: 'Nobody may come.' },
    ],
    async run(tpg, context, { addresses, names }) {
      const listOf = (text = '') => text.split(',').filter(Boolean);
      for (const rule of listOf(addresses)) checkRule(rule);
      await change(tpg, context, () => ({ addresses: listOf(addresses), names: listOf(names) }));
    },
  }),
  unrestrict: commandOf<Tpg>()({
    doc: 'Takes the access list away: whoever the ACLs admit may come, from everywhere.',
    seeAlso,
    parameters: [],
    examples: [{ line: 'unrestrict', does: 'Ends the restriction.', after: ['allow 192.0.2.7'] }],
    async run(tpg, { apply, info }) {
      await apply(tpg.path, 'unrestrict', {});
      info(`${tpg.path} has no access list any more.`);
    },
  }),
};

/** Reads a rule. @throws OperatorError for a word that is neither an address nor the name of an initiator */
export function ruleOf(word: string): { part: keyof AccessList; rule: string } {
  if (/^(iqn|eui|naa)\./i.test(word)) return { part: 'names', rule: word.toLowerCase() };
  const rule = word.toUpperCase() === everyAddress ? everyAddress : word;
  checkRule(rule);
  return { part: 'addresses', rule };
}

function checkRule(rule: string): void {
  const problem = addressRuleProblem(rule);
  if (problem !== undefined)
    throw new OperatorError(problem, 'An initiator whose name has no type (iqn, eui, naa): restrict names=NAME');
}

/** Changes the list as it is when the change has its turn. @returns false when the person thought better of it */
async function change(tpg: Tpg, context: Context, next: (list: AccessList) => AccessList): Promise<boolean> {
  const after = next(tpg.accessList ?? empty);
  const sessions = (session: SessionInfo) => sessionsIn([tpg])(session) && !isStillListed(after, session);
  if (!(await mayDelete(context, tpg.path, { sessions, act: 'Change the access list' }))) return false;
  await context.begin();
  await context.apply(tpg.path, 'restrict', printAccessList(next(tpg.accessList ?? empty)));
  if (after.addresses.length + after.names.length === 0)
    context.warn(`Nobody may come to ${tpg.path} now. To take the list away: ${tpg.path} unrestrict`);
  return true;
}

const isStillListed = (list: AccessList, { initiatorWwn, connections }: SessionInfo): boolean =>
  connections.every(({ address }) => isListed(list, initiatorWwn, address.replace(/:\d+$/, '').replace(/[[\]]/g, '')));

/** The text of a list in `ls`. */
export function describeAccessList({ addresses, names }: AccessList): string {
  const count = (number: number, one: string, more: string) =>
    number === 0 ? [] : [`${number} ${number === 1 ? one : more}`];
  const parts = [...count(addresses.length, 'address', 'addresses'), ...count(names.length, 'name', 'names')];
  return `only ${parts.join(' and ') || 'nobody'}`;
}

/** The commands of a fabric for its accounts. */
export const accountCommands: Commands<FabricState> = {
  add_account: commandOf<FabricState>()({
    doc: 'Makes a CHAP account: a name and a secret that TPGs and discovery can take.',
    details: [
      'A TPG has one userid and password of its own, and takes as many accounts besides as `set auth accounts=NAME,NAME` names at it; discovery takes those of `set discovery_auth accounts=NAME`. They count for initiators without an ACL: one with an ACL has the words of its ACL.',
    ],
    seeAlso: ['remove_account'],
    parameters: [
      required('userid', types.string, 'The name that initiators give.'),
      required(
        'password',
        types.string,
        'The secret that they have to know; password=@FILE, @env:NAME, @ask or @generate.',
      ),
    ],
    examples: [{ line: 'add_account fred password=correct-horse-battery', does: 'Makes it; nobody takes it yet.' }],
    async run({ fabric }, context, { userid, password: text }) {
      const { apply, info } = context;
      const password = await secretOf('password', text, context);
      await apply(`/${fabric.name}`, 'add_account', given({ userid, password }));
      info(`Created account ${userid}.`);
    },
  }),
  remove_account: commandOf<FabricState>()({
    doc: 'Deletes a CHAP account. TPGs and discovery take it no more; sessions go on.',
    seeAlso: ['add_account'],
    parameters: [
      required('userid', types.string, 'Its name.', {
        suggest: ({ subject }) => (subject as FabricState).accounts.keys(),
      }),
    ],
    examples: [
      {
        line: 'remove_account fred',
        does: 'Deletes it.',
        after: ['add_account fred password=correct-horse-battery'],
      },
    ],
    async run({ fabric }, { apply, info }, { userid }) {
      await apply(`/${fabric.name}`, 'remove_account', { userid });
      info(`Deleted account ${userid}.`);
    },
  }),
};

/** The setting that lists the accounts which are accepted; none where there is no account. */
export const accountsSettings = ({ accounts }: FabricState, taken: readonly string[]): Setting[] =>
  accounts.size === 0 && taken.length === 0
    ? []
    : [
        {
          name: 'accounts',
          doc: 'Accounts that are taken besides, separated by commas.',
          type: types.string,
          value: taken.join(),
          readOnly: false,
          words: [...accounts.keys()],
        },
      ];
