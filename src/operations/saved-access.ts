/** Access lists and accounts in a saved file: parts of the schema. LIO has neither; rtslib passes over their keys. */

import type { AccessList } from '../target/access-list.ts';
import { checkAccount } from '../target/auth.ts';
import type { FabricState, Tpg } from '../target/target.ts';
import { leftOut, leftOutKey, listIn, type SavedPart, type Told } from './groups.ts';
import { isRaw, rawOf, textOf } from './raw.ts';

/** The CHAP accounts of a fabric. */
export const accountsPart = ({ accounts, fabric }: FabricState): SavedPart => ({
  keys: ['accounts'],
  saved: () =>
    accounts.size > 0 ? { accounts: [...accounts].sort().map(([userid, password]) => ({ userid, password })) } : {},
  restore(saved, told) {
    const where = `fabric ${fabric.name}`;
    for (const one of listIn(saved, 'accounts', where, told)) {
      const { userid, password } = rawOf(one);
      const account = { userid: textOf(userid ?? ''), password: textOf(password ?? '') };
      const take = () => {
        checkAccount(account);
        accounts.set(account.userid, account.password);
      };
      const why = rawOf(one)[leftOutKey] ? ` '${account.userid}': ${leftOut}` : '';
      told.attempt(take, () => `Could not restore an account of ${where}${why}`);
    }
    return {};
  },
});

/** The access list of a TPG. */
export const accessListPart = (tpg: Tpg): SavedPart => ({
  keys: ['access_list'],
  saved: () => (tpg.accessList ? { access_list: tpg.accessList } : {}),
  restore({ access_list: saved }, told) {
    if (saved !== undefined && saved !== null) tpg.accessList = readAccessList(saved, `TPG ${tpg.tag}`, told);
    return {};
  },
});

/** Reads an access list. An unreadable list becomes an empty one, which lets nobody come. */
function readAccessList(saved: unknown, where: string, told: Told): AccessList {
  if (!isRaw(saved)) told.error(`'access_list' of ${where} is no object; it lets nobody come`);
  const list = (key: keyof AccessList) => listIn(rawOf(saved), key, `the access list of ${where}`, told).map(textOf);
  return { addresses: list('addresses'), names: list('names') };
}
