/** CHAP credentials of a TPG, an ACL or discovery, under targetcli's names. Secrets: never logged. */

import { OperatorError } from '../errors.ts';

export const authKeys = ['userid', 'password', 'mutual_userid', 'mutual_password'] as const;
type AuthKey = (typeof authKeys)[number];
export type Auth = Record<AuthKey, string>;

export const emptyAuth = (): Auth => ({ userid: '', password: '', mutual_userid: '', mutual_password: '' });

const valueBytesMax = 255;

/** @throws OperatorError for a name that is none, for `NULL` and for more than 255 bytes (targetcli.md 6.7) */
function checkAuth(name: string, value: string): AuthKey {
  const key = authKeys.find((known) => known === name);
  if (!key) throw new OperatorError(`Unknown parameter ${name} in group 'auth'.`);
  if (value === 'NULL') throw new OperatorError("'NULL' is not a permitted value");
  if (Buffer.byteLength(value) > valueBytesMax)
    throw new OperatorError(`Value longer than maximum length of ${valueBytesMax}`);
  return key;
}

/** Sets a checked value. @returns what sets the old one again */
export function setAuth(auth: Auth, name: string, value: string): () => void {
  const key = checkAuth(name, value);
  const before = auth[key];
  auth[key] = value;
  return () => {
    auth[key] = before;
  };
}

/** One-way CHAP needs both words. */
export const hasCredentials = (auth: Auth): boolean => auth.userid !== '' && auth.password !== '';
/** The kernel's authenticate_target flag: both mutual words are set. */
export const isMutual = (auth: Auth): boolean => auth.mutual_userid !== '' && auth.mutual_password !== '';

/** Somebody can log in with these words. */
export const letsIn = (auth: Auth): boolean => hasCredentials(auth) && authProblem(auth) === undefined;

/** Why nobody can log in with these words, in a line; undefined when somebody can. */
export function authProblem(auth: Auth): string | undefined {
  if (!isMutual(auth) || auth.password !== auth.mutual_password) return undefined;
  return 'password and mutual_password are the same, and nobody is let in with them (RFC 7143 9.2.1): set another one';
}
