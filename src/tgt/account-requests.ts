/** `--mode account`: CHAP accounts, and the targets and discovery that use them. */

import { setAttribute } from '../operations/labels.ts';
import type { Operation } from '../operations/operation.ts';
import type { Auth } from '../target/auth.ts';
import type { Tpg } from '../target/target.ts';
import { changeTree, type Desk, fabricName, stateOf } from './change.ts';
import { Refusal, type Request } from './protocol.ts';
import { showAccounts } from './show.ts';

const path = `/${fabricName}`;

export const accountRequests: Readonly<Record<string, (desk: Desk, request: Request) => Promise<string | undefined>>> =
  {
    async new(desk, { text }) {
      // The secret comes last, since it may have commas.
      const [, userid, password] = /^user=([^,]*),password=(.*)$/s.exec(text) ?? [];
      if (!userid || !password) throw new Refusal('invalid');
      if (stateOf(desk).accounts.has(userid)) throw new Refusal('accountExists');
      await changeTree(desk, [{ path, verb: 'add_account', params: { userid, password } }]);
      return undefined;
    },

    async delete(desk, request) {
      const userid = accountOf(desk, request);
      const places = placesOf(desk);
      const users = places.filter(({ taken }) => taken.includes(userid));
      const outgoing = places.filter(({ auth }) => auth.mutual_userid === userid);
      await changeTree(desk, [
        { path, verb: 'remove_account', params: { userid } },
        ...users.flatMap((one) => required(one, one.taken.length > 1 || one.auth.userid !== '')),
        ...outgoing.flatMap((one) => setOutgoing(one, '', '')),
      ]);
      return undefined;
    },

    async bind(desk, request) {
      const place = placeOf(desk, request);
      const userid = accountOf(desk, request);
      const { taken, auth } = place;
      if (request.outgoing) {
        if (auth.mutual_userid !== '') throw new Refusal('outgoingExists');
        await changeTree(desk, setOutgoing(place, userid, stateOf(desk).accounts.get(userid) ?? ''));
      } else {
        if (taken.includes(userid)) throw new Refusal('accountExists');
        await changeTree(desk, [take(place, [...taken, userid]), ...required(place, true)]);
      }
      return undefined;
    },

    async unbind(desk, request) {
      const place = placeOf(desk, request);
      const { taken, auth } = place;
      const userid = wordOfUser(request);
      if (request.outgoing) {
        if (auth.mutual_userid !== userid) throw new Refusal('noAccount');
        await changeTree(desk, setOutgoing(place, '', ''));
      } else {
        if (!taken.includes(userid)) throw new Refusal('noAccount');
        const left = taken.filter((name) => name !== userid);
        await changeTree(desk, [take(place, left), ...required(place, left.length > 0 || auth.userid !== '')]);
      }
      return undefined;
    },

    async show(desk) {
      return showAccounts([...stateOf(desk).accounts.keys()].toReversed());
    },
  };

const wordOfUser = ({ text }: Request): string => /(?:^|,)user=([^,]*)/.exec(text)?.[1] ?? '';

/** The account of a request. @throws Refusal */
function accountOf(desk: Desk, request: Request): string {
  const userid = wordOfUser(request);
  if (!stateOf(desk).accounts.has(userid)) throw new Refusal('noAccount');
  return userid;
}

/** A place that uses accounts: a target, or discovery. */
interface AccountPlace {
  readonly path: string;
  readonly group: 'auth' | 'discovery_auth';
  readonly auth: Auth;
  readonly taken: readonly string[];
  readonly tpg?: Tpg;
}

const ofTpg = (tpg: Tpg): AccountPlace => ({ path: tpg.path, group: 'auth', auth: tpg.auth, taken: tpg.accounts, tpg });

function ofDiscovery(desk: Desk): AccountPlace {
  const { discoveryAuth: auth, discoveryAccounts: taken } = stateOf(desk);
  return { path, group: 'discovery_auth', auth, taken };
}

/** The place of a request: discovery where it names no target. @throws Refusal */
const placeOf = (desk: Desk, { tid }: Request): AccountPlace =>
  tid < 0 ? ofDiscovery(desk) : ofTpg(desk.numbers.find(stateOf(desk), tid).tpg);

const placesOf = (desk: Desk): AccountPlace[] => [
  ofDiscovery(desk),
  ...desk.numbers.list(stateOf(desk)).map(({ tpg }) => ofTpg(tpg)),
];

const set = ({ path, group }: AccountPlace, name: string, value: string): Operation => ({
  path,
  verb: 'set',
  params: { group, name, value },
});

const take = (place: AccountPlace, names: readonly string[]): Operation => set(place, 'accounts', names.join());

const setOutgoing = (place: AccountPlace, userid: string, password: string): Operation[] => [
  set(place, 'mutual_userid', userid),
  set(place, 'mutual_password', password),
];

/** The operations by which a place with accounts requires one, and a place without requires none. */
const required = (place: AccountPlace, asks: boolean): Operation[] => [
  place.tpg ? setAttribute(place.path, 'authentication', asks ? 1 : 0) : set(place, 'enable', asks ? '1' : '0'),
];
