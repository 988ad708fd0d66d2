/**
 * The verdict of each rule of a login on an initiator, as the configuration is now: the very rules that a login goes through (access.ts,
 * redirection.ts, credentials.ts) are asked, and nobody logs in.
 */

import { accessRules } from '../target/access.ts';
import { isMutual } from '../target/auth.ts';
import type { Comer, Verdict } from '../target/service.ts';
import { type FabricState, type NodeAcl, portalPath, printPortal, type Tpg } from '../target/target.ts';
import { credentialsOf, methodsOf, whyNobodyCan } from './credentials.ts';
import { connectionsMax } from './limits.ts';
import { drainOf, redirectionOf, whyDrained } from './redirection.ts';

/** The verdicts in the order of a login. The rules behind an ACL that is missing have no verdict. */
export function examineLogin(state: FabricState, tpg: Tpg, comer: Comer): Verdict[] {
  const { initiatorName } = comer;
  const verdictsOf = (name: (typeof accessRules)[number]['name']) =>
    accessRules.filter((rule) => rule.name === name).map((rule) => accessVerdict(rule, tpg, comer));
  const acl = verdictsOf('acl');
  const entered = [
    ...verdictsOf('enabled'),
    ...verdictsOf('access list'),
    redirectVerdict(tpg),
    ...drainVerdicts(tpg),
    limitVerdict(comer),
    ...verdictsOf('fence'),
    ...acl,
  ];
  if (acl.some(({ outcome }) => outcome === 'refuses')) return entered;
  return [...entered, ...chapVerdicts(state, tpg, tpg.acls.get(initiatorName), comer)];
}

function accessVerdict(
  { name, refusal }: (typeof accessRules)[number],
  tpg: Tpg,
  { initiatorName, address, date }: Comer,
): Verdict {
  const because = refusal(tpg, initiatorName, address ?? '', date);
  const { says, mend } = accessWords[name](tpg, initiatorName);
  if (because === undefined) return { rule: name, outcome: 'passes', says };
  const rules = tpg.accessList?.addresses ?? [];
  if (name === 'access list' && address === undefined && rules.length > 0) {
    return { rule: name, outcome: 'depends', says: `it may come from ${rules.join(', ')} only: say where from` };
  }
  const said =
    name === 'access list' && address === undefined
      ? `${initiatorName} is not in the access list of ${tpg.path}`
      : because;
  return { rule: name, outcome: 'refuses', says: said, mend };
}

/** The words for a rule that lets in, and the line to type that makes it do so. */
const accessWords: Record<
  (typeof accessRules)[number]['name'],
  (tpg: Tpg, name: string) => { says: string; mend: string }
> = {
  enabled: ({ path }) => ({ says: `${path} is enabled`, mend: `${path} enable` }),
  'access list': ({ path, accessList }, name) => ({
    says: accessList ? 'it is on the access list' : 'there is no access list: everybody may come',
    mend: `${path} allow ${name}`,
  }),
  fence: ({ path }, name) => ({ says: 'no fence keeps it out', mend: `${path} unfence ${name}` }),
  acl: ({ path, acls }, name) => ({
    says: acls.has(name) ? 'it has an ACL' : 'generate_node_acls=1 lets in who has no ACL',
    mend: `${path}/acls create ${name}`,
  }),
};

/** The verdict of redirection. Each portal is a way in of its own. */
function redirectVerdict(tpg: Tpg): Verdict {
  const rule = 'redirect';
  const sent = tpg.portals.filter((portal) => redirectionOf(tpg, printPortal(portal)));
  const [first] = sent;
  const to = first && redirectionOf(tpg, printPortal(first))?.message;
  if (to === undefined) return { rule, outcome: 'passes', says: 'logins stay here' };
  if (sent.length < tpg.portals.length)
    return { rule, outcome: 'depends', says: `who comes to ${sent.map(printPortal).join(', ')} is sent ${to}` };
  return { rule, outcome: 'refuses', says: `every login is sent ${to}`, mend: `${tpg.path} set attribute redirect=` };
}

/** The verdict of drained portals; none where no portal is drained. */
function drainVerdicts(tpg: Tpg): Verdict[] {
  const rule = 'drain';
  const drained = tpg.portals.filter(({ drain }) => drain !== '');
  const [first] = drained;
  if (!first) return [];
  const refusal = drainOf(tpg, first)!;
  const says = refusal.isRedirection
    ? `${whyDrained(tpg, first)}: logins are sent ${refusal.message}`
    : drained.map((portal) => whyDrained(tpg, portal)).join('; ');
  if (drained.length < tpg.portals.length)
    return [{ rule, outcome: 'depends', says: `${says}; other portals are open` }];
  return [{ rule, outcome: 'refuses', says, mend: `${portalPath(tpg, first)} undrain` }];
}

function limitVerdict({ connections }: Comer): Verdict {
  const says = `${connections} of ${connectionsMax} connections are open in its thread`;
  const isFull = connections >= connectionsMax;
  return { rule: 'limits', outcome: isFull ? 'refuses' : 'passes', says, ...(isFull && { mend: 'sessions' }) };
}

function chapVerdicts(state: FabricState, tpg: Tpg, acl: NodeAcl | undefined, { date }: Comer): Verdict[] {
  const credentials = credentialsOf(state, tpg, acl, date);
  const { owner, accounts, auth, setBy } = credentials;
  const nobody = whyNobodyCan(credentials);
  const rule = 'chap';
  if (nobody !== undefined)
    return [{ rule, outcome: 'refuses', says: nobody, mend: `${setBy} userid=NAME password=SECRET` }];
  const methods = methodsOf(credentials);
  if (methods.length === 0)
    return [
      {
        ...{
          rule,
          outcome: 'refuses',
          says: `AuthMethod of ${tpg.path} asks for CHAP, and ${owner} has no userid and password`,
        },
        mend: `${setBy} userid=NAME password=SECRET`,
      },
    ];
  const names = [...new Set(accounts.map(({ userid }) => userid))].join(' or ');
  if (!methods.includes('CHAP')) return [{ rule, outcome: 'passes', says: 'no CHAP is asked for, or possible' }];
  const required = !methods.includes('None');
  const inward: Verdict = {
    rule,
    outcome: required ? 'depends' : 'passes',
    says: required
      ? `it has to give the name ${names} and the secret of ${owner}`
      : `it may give the name ${names} and the secret of ${owner}, or nothing`,
  };
  const outward: Verdict = isMutual(auth)
    ? {
        ...{ rule: 'chap back', outcome: 'depends' },
        says: `asked for it, the target proves itself as ${auth.mutual_userid}: the initiator must expect that secret, and another than its own`,
      }
    : {
        ...{ rule: 'chap back', outcome: 'depends' },
        says: `the target cannot prove itself: an initiator that asks for it is refused (${setBy} mutual_userid=NAME mutual_password=SECRET)`,
      };
  return [inward, outward];
}
