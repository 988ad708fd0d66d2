/** Operations on access lists of TPGs, and on the CHAP accounts that TPGs and discovery share. */

import { OperatorError } from '../errors.ts';
import type { AccessList } from '../target/access-list.ts';
import { checkAccount } from '../target/auth.ts';
import { tpgFields } from '../target/fields.ts';
import type { FabricState, Tpg } from '../target/target.ts';
import { operation, type ParameterValues } from './operation.ts';

/** The name of the setting, in a group of CHAP words, that lists the accounts which are accepted besides. */
export const accountsSetting = tpgFields.chap_accounts.setBy.name;

/** The operations on access lists and accounts. */
export const accessOperations = [
  operation({
    at: 'tpg',
    verb: 'restrict',
    doc: 'Begins the access list of the TPG, or replaces it: nobody else sees it and may come to it.',
    // Addresses and names are lists, separated by commas. With both empty nobody may come.
    params: { addresses: 'printable?', names: 'printable?' },
    apply(_tree, { tpg }, params) {
      if (!tpg.target.fabric.features.includes('nps'))
        throw new OperatorError(`Initiators of ${tpg.target.fabric.name} come from no address`);
      return { params, undo: setAccessList(tpg, accessListOf(params)) };
    },
  }),
  operation({
    at: 'tpg',
    verb: 'unrestrict',
    doc: 'Ends the access list: whoever ACLs or demo mode admit may come.',
    params: {},
    apply(_tree, { tpg }, params) {
      if (!tpg.accessList)
        throw new OperatorError(`${tpg.path} has no access list`, 'Whoever its ACLs admit may come to it.');
      return { params, undo: setAccessList(tpg, undefined) };
    },
  }),
  operation({
    at: 'fabric',
    verb: 'add_account',
    doc: 'Makes a CHAP account, which TPGs and discovery take by its name.',
    params: { userid: 'printable', password: 'printable' },
    apply(_tree, { state }, params) {
      const { userid, password } = params;
      if (!state.fabric.features.includes('auth'))
        throw new OperatorError(`Initiators of ${state.fabric.name} do not log in with accounts`);
      checkAccount({ userid, password });
      if (state.accounts.has(userid)) throw new OperatorError(`There is an account ${userid} already`);
      state.accounts.set(userid, password);
      return { params, undo: () => void state.accounts.delete(userid) };
    },
  }),
  operation({
    at: 'fabric',
    verb: 'remove_account',
    doc: 'Removes a CHAP account, from all that take it, too.',
    params: { userid: 'string' },
    apply(_tree, { state }, params) {
      const { userid } = params;
      const before = [...state.accounts];
      const without = (names: readonly string[]) => names.filter((name) => name !== userid);
      if (!state.accounts.delete(userid)) throw noAccount(state, userid);
      const { discoveryAccounts } = state;
      state.discoveryAccounts = without(discoveryAccounts);
      const holders = [...state.targets.values()]
        .flatMap(({ tpgs }) => [...tpgs.values()])
        .map((tpg) => ({ tpg, accounts: tpg.accounts }));
      for (const { tpg, accounts } of holders) tpg.accounts = without(accounts);
      const undo = () => {
        state.accounts.clear();
        for (const [name, password] of before) state.accounts.set(name, password);
        state.discoveryAccounts = discoveryAccounts;
        for (const { tpg, accounts } of holders) tpg.accounts = accounts;
      };
      return { params, undo };
    },
  }),
];

function setAccessList(tpg: Tpg, list: AccessList | undefined): () => void {
  const before = tpg.accessList;
  tpg.accessList = list;
  return () => {
    tpg.accessList = before;
  };
}

/** Prints an access list as operations and lines have it. */
export const printAccessList = ({ addresses, names }: AccessList): ParameterValues => ({
  ...(addresses.length > 0 && { addresses: addresses.join() }),
  ...(names.length > 0 && { names: names.join() }),
});

const accessListOf = ({ addresses, names }: ParameterValues): AccessList => ({
  addresses: listOf(addresses),
  names: listOf(names),
});

const listOf = (value: unknown): string[] => [
  ...new Set(
    String(value ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  ),
];

/**
 * Accepts the accounts that `value` lists, for a TPG or (undefined) for discovery. @throws OperatorError @returns a function that sets
 * the old accounts again
 */
export function setAccounts(state: FabricState, tpg: Tpg | undefined, value: string): () => void {
  const names = listOf(value);
  const unknown = names.find((name) => !state.accounts.has(name));
  if (unknown !== undefined) throw noAccount(state, unknown);
  const take = (accounts: readonly string[]) => {
    if (tpg) tpg.accounts = accounts;
    else state.discoveryAccounts = accounts;
  };
  const before = tpg ? tpg.accounts : state.discoveryAccounts;
  take(names);
  return () => take(before);
}

const noAccount = ({ accounts, fabric }: FabricState, userid: string) =>
  new OperatorError(
    `There is no account ${userid}`,
    accounts.size === 0
      ? `To make it: /${fabric.name} add_account ${userid} password=SECRET`
      : `Accounts: ${[...accounts.keys()].slice(0, 5).join(', ')}`,
  );
