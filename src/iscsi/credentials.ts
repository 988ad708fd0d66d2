/** The credentials that a login needs: those of discovery, of a TPG, or of its ACL. */

import { type Account, type Auth, authProblem, hasCredentials, takesOld } from '../target/auth.ts';
import { aclNode, type FabricState, type NodeAcl, type Tpg } from '../target/target.ts';

/** The proof that a login needs of either side. */
export interface Credentials {
  /** Whether a login without CHAP is refused. */
  readonly required: boolean;
  /** The methods of the TPG's AuthMethod. */
  readonly methods: readonly string[];
  /** The words by which the target proves itself. */
  readonly auth: Auth;
  /** The accounts, of which an initiator may prove any. */
  readonly accounts: readonly (Account & { readonly isOld?: true })[];
  /** The path of the object that the credentials belong to, for the log: `/iscsi/…/tpg1`. */
  readonly owner: string;
  /** The line of the shell that sets them, up to the words: `/iscsi/…/tpg1 set auth`. */
  readonly setBy: string;
}

/** An explicit ACL has credentials of its own; the TPG's are those of demo mode. @param date in milliseconds since 1970 */
export function credentialsOf(state: FabricState, tpg: Tpg, acl: NodeAcl | undefined, date: number): Credentials {
  const own = acl ? Number(acl.attributes.values['authentication'] ?? -1) : -1;
  return {
    ...accountsOf(state, acl?.auth ?? tpg.auth, acl ? [] : tpg.accounts, date),
    required: (own === -1 ? tpg.attribute('authentication') : own) === 1,
    methods: tpg.parameter('AuthMethod').split(','),
    owner: (acl ?? tpg).path,
    setBy: `${acl ? aclNode(acl) : tpg.path} set auth`,
  };
}

/** The credentials of discovery. @param date in milliseconds since 1970 */
export const discoveryCredentials = (state: FabricState, date: number): Credentials => ({
  ...accountsOf(state, state.discoveryAuth, state.discoveryAccounts, date),
  required: state.discoveryAuthEnabled,
  methods: ['CHAP', 'None'],
  owner: 'discovery_auth',
  setBy: `/${state.fabric.name} set discovery_auth`,
});

/** The words of a TPG, an ACL or discovery, and the accounts that it takes besides. */
function accountsOf({ accounts }: FabricState, auth: Auth, names: readonly string[], date: number) {
  const others = names.flatMap((userid) => {
    const password = accounts.get(userid);
    return password ? [{ userid, password }] : [];
  });
  const own = hasCredentials(auth) ? [auth] : [];
  const { userid, old_password: password } = auth;
  const old = own.length > 0 && takesOld(auth, date) ? [{ userid, password, isOld: true as const }] : [];
  return { auth, accounts: [...own, ...old, ...others] };
}

/** The methods that an initiator may choose from (RFC 7143 12.1). */
export function methodsOf({ required, methods, accounts }: Credentials): readonly string[] {
  if (required) return ['CHAP'];
  return methods.filter((method) => method !== 'CHAP' || accounts.length > 0);
}

/** The reason, in a line, why no initiator can give the proof, whatever it knows; undefined when one can, or need not. */
export function whyNobodyCan(credentials: Credentials): string | undefined {
  const { required, accounts, auth, owner } = credentials;
  if (required && accounts.length === 0) return `${owner} requires CHAP and has no userid and password`;
  const problem =
    methodsOf(credentials).includes('None') || accounts.some((one) => one !== auth) ? undefined : authProblem(auth);
  return problem && `${owner}: ${problem}`;
}

/**
 * The first of those that a TPG lets in by CHAP who cannot get in, whatever he knows, and the line that changes it.
 * @param date in milliseconds since 1970
 */
export function whoCannot(state: FabricState, tpg: Tpg, date: number): string | undefined {
  const demo = tpg.attribute('generate_node_acls') === 1 ? [undefined] : [];
  for (const acl of [...demo, ...tpg.acls.values()]) {
    const credentials = credentialsOf(state, tpg, acl, date);
    const why = whyNobodyCan(credentials);
    if (why !== undefined) return nobodyGetsIn(why, credentials.setBy);
  }
  return undefined;
}

/** @param set the line that sets the words, up to them */
export const nobodyGetsIn = (why: string, set: string): string =>
  `${why}: nobody gets in. To change it: ${set} userid=NAME password=@ask`;
