/** `why`: the reason why an initiator is refused, the initiators that were refused lately, and the access of each to a LUN. */

import { isIP } from 'node:net';
import {
  type Host,
  hasOwnNexus,
  type LoginRefusal,
  type LoginWalk,
  type Lun,
  type LunVerdict,
  OperatorError,
  printableLine,
  type StorageObject,
  types,
  type Verdict,
  type WhyQuestion,
  whyAtLun,
  whyRefused,
} from '../../src/index.ts';
import { type Context, commandOf, type Node, optional } from '../session/node.ts';
import { tableOf } from '../session/table.ts';

/** The word before an address. */
const fromWord = 'from';

const initiatorsKnown = ({ host }: Node): Set<string> =>
  new Set(
    [
      ...host.onlookers.refusals.latest().map(({ initiator }) => initiator),
      ...[...host.root.tree.tpgs()].flatMap((tpg) => [...tpg.acls.keys()]),
      ...host.root.sessions().map(({ initiatorWwn }) => initiatorWwn),
    ].filter(Boolean),
  );

export const why = commandOf<Host>()({
  doc: 'Says why an initiator is refused, or does not see a disk, and the line that changes it. Alone: who was refused lately.',
  details: [
    'Every rule that a login meets is asked, as the configuration is now: whether anything is served, the portals, whether the TPG is enabled, its access list, where it sends logins, portals that are drained, how many connections there are, fences, the ACL or demo mode, CHAP in each direction, the LUNs, whether they are ready, and reservations held by others. `depends` stands where it depends on what only the initiator knows.',
    'Whether it gives the right secret cannot be known beforehand: that it did not is among the refusals.',
    'At a LUN or a storage object, why shows who holds it, who uses it, who may, and why not more.',
  ],
  seeAlso: ['sessions'],
  parameters: [
    optional('initiator', types.string, 'Its name: iqn.…', { suggest: (node) => initiatorsKnown(node) }),
    optional('target', types.string, 'The name of one target; all of them when absent.', {
      suggest: ({ host }) => [...Array.from(host.root.tree.targets(), ({ wwn }) => wwn), fromWord],
    }),
    optional('from', types.string, 'Where it comes from, behind the word from: why INITIATOR from ADDRESS.', {
      suggest: () => [fromWord],
    }),
    optional('address', types.string, 'The address, where the word from stands before it.'),
  ],
  examples: [
    { line: 'why', does: 'Who was refused lately, and why.' },
    {
      line: 'why iqn.1994-05.com.redhat:client1 from 192.0.2.7',
      does: 'What this initiator meets at each target.',
    },
  ],
  async run({ root, onlookers, heldBy }, { print, warn }, given) {
    if (heldBy) warn(`Process ${heldBy.pid} serves this configuration; what it refuses is not seen from here.`);
    const question = questionIn(given);
    if (!question) {
      const all = onlookers.refusals.latest();
      return print(
        all.length === 0 ? 'Nobody was refused since this process began.' : all.map(shownRefusal).join('\n'),
      );
    }
    const { initiator, walks, refusals } = await whyRefused(root, onlookers, question);
    const isOne = walks.length === 1 || question.target !== undefined;
    for (const walk of walks) print((isOne ? wholeWalk : shortWalk)(initiator, walk));
    if (refusals.length > 0) print(['', 'Refused lately:', ...refusals.slice(0, 3).map(shownRefusal)].join('\n'));
  },
  json({ root, onlookers }, _context, given) {
    const question = questionIn(given);
    return question ? whyRefused(root, onlookers, question) : onlookers.refusals.latest();
  },
});

/** The question that words mean: `INITIATOR [TARGET] [from ADDRESS]`. @throws OperatorError */
function questionIn(given: Readonly<Record<'initiator' | 'target' | 'from' | 'address', string | undefined>>) {
  const { initiator } = given;
  if (initiator === undefined) return undefined;
  if (initiator === fromWord)
    throw new OperatorError('The name of the initiator stands in front of from.', 'why INITIATOR from ADDRESS');
  const words = [given.target, given.from, given.address].filter((word) => word !== undefined);
  const at = words.indexOf(fromWord);
  const [target, from] = at === 0 ? [undefined, words[1]] : [given.target, words.at(-1)];
  const address = at >= 0 || given.from !== undefined ? from : undefined;
  if (at >= 0 && at === words.length - 1)
    throw new OperatorError('An address stands behind from.', `why ${initiator} from ADDRESS`);
  if (address !== undefined && !isIP(address.replace(/^\[(.*)\]$/, '$1')))
    throw new OperatorError(`'${address}' is no address.`, `why ${initiator} TARGET from 192.0.2.7`);
  return {
    initiator,
    ...(target !== undefined && { target }),
    ...(address !== undefined && { from: address.replace(/^\[(.*)\]$/, '$1') }),
  } satisfies WhyQuestion;
}

const heading = (initiator: string, { path, refusedBy }: LoginWalk): string =>
  `${initiator} at ${path}: ${refusedBy ? `refused (${refusedBy.rule})` : 'nothing here refuses it'}`;

const mendLine = ({ mend }: { readonly mend?: string }, indent = ''): string[] =>
  mend === undefined ? [] : [`${indent}To change it: ${mend}`];

const lines = (all: readonly string[]): string => all.map(printableLine).join('\n');

function shortWalk(initiator: string, walk: LoginWalk): string {
  const { refusedBy, luns } = walk;
  const says = refusedBy
    ? [`  ${refusedBy.says}`, ...mendLine(refusedBy, '  ')]
    : luns.flatMap((lun) => lunLines(lun, '  '));
  return lines([heading(initiator, walk), ...says]);
}

function wholeWalk(initiator: string, walk: LoginWalk): string {
  const { verdicts, luns, refusedBy } = walk;
  const rows = verdicts.map(({ rule, outcome, says }: Verdict) => ['', rule, outcome, says]);
  return [
    printableLine(heading(initiator, walk)),
    tableOf(rows, () => false),
    ...luns.flatMap((lun) => lunLines(lun, '  ').map(printableLine)),
    ...mendLine(refusedBy ?? {}).map(printableLine),
  ].join('\n');
}

const mayDo = ({ reads, writes }: LunVerdict): string =>
  writes ? 'reads and writes' : reads ? 'reads only' : 'nothing';

const lunLines = (lun: LunVerdict, indent: string): string[] => [
  `${indent}LUN ${lun.number}  ${lun.disk}  ${[mayDo(lun), ...lun.because].join(': ')}`,
  ...mendLine(lun, `${indent}    `),
];

/** A time in ISO 8601, without its fraction. */
const briefTime = (iso: string): string => iso.replace(/\.\d+/, '');

function shownRefusal({ at, since, count, initiator, target, address, portal, reason, event }: LoginRefusal): string {
  const who = initiator || 'somebody';
  const times = count > 1 ? `, ${count} times since ${briefTime(since)}` : '';
  const way = [target && `at ${target}`, address && `from ${address}`, portal && `to ${portal}`]
    .filter(Boolean)
    .join(' ');
  return lines([`${briefTime(at)}${times}  ${who} ${way}`.trimEnd(), `    ${event}: ${reason}`]);
}

/** The command of a LUN. */
export const lunWhy = commandOf<Lun>()({
  doc: 'Shows who holds it, who uses it, who may, and why not more.',
  parameters: [],
  examples: [{ line: 'why', does: 'Its reservation, its users, and what each initiator may do.' }],
  run: (lun, context) => void context.print(lunAnswer(lun, context)),
  json: (lun, { host }) => whyAtLun(host.root, lun),
});

/** The command of a storage object. */
export const diskWhy = commandOf<StorageObject>()({
  doc: 'Shows who holds it, who uses it, who may, and why not more, LUN by LUN.',
  parameters: [],
  examples: [{ line: 'why', does: 'What each initiator may do with it, at each LUN that exports it.' }],
  run({ exports }, context) {
    const luns = [...(exports as Set<Lun>)];
    if (luns.length === 0) return context.print('No LUN exports it: nobody sees it.');
    for (const lun of luns) context.print(lunAnswer(lun, context));
  },
  json: ({ exports }, { host }) => Array.from(exports as Set<Lun>, (lun) => whyAtLun(host.root, lun)),
});

function lunAnswer(lun: Lun, { host }: Context): string {
  const { path, disk, problem, reservation, registered, users, may } = whyAtLun(host.root, lun);
  const anybody = hasOwnNexus(lun.tpg) ? 'whoever reaches it on this machine' : 'everybody without an ACL';
  const list = (title: string, all: readonly string[], none: string) =>
    all.length > 0 ? [`  ${title}:`, ...all.map((one) => `    ${one}`)] : [`  ${title}: ${none}`];
  return lines([
    `${path} (${disk})${problem && `: ${problem}`}`,
    `  Reserved: ${reservation ? `${reservation.type}, by ${reservation.holders.join(', ')}` : 'by nobody'}`,
    ...(registered.length > 0 ? list('Registered', registered, '') : []),
    ...list(
      'Used by',
      users.map(({ initiator, session, addresses }) => `${initiator}, sid ${session}, from ${addresses.join(', ')}`),
      'nobody who is logged in',
    ),
    ...list(
      'Who may',
      may.flatMap((one) => [
        `${one.initiator === '*' ? anybody : one.initiator} as LUN ${one.number}: ${[mayDo(one), ...one.because].join(': ')}`,
        ...mendLine(one, '  '),
      ]),
      `nobody: no ACL maps it, and ${lun.tpg.path} has generate_node_acls=0`,
    ),
  ]);
}
