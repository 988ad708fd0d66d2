/**
 * CHAP credentials of a TPG, an ACL or discovery, under targetcli's names. The table says which of them are secrets, and all code that
 * shows settings, operations, log records or typed lines asks here: a secret is shown by `get`, asked for by its name, and by nothing
 * else.
 */

import { OperatorError } from '../errors.ts';
import { hidden } from '../printable.ts';
import { isTime, timeIn } from './time-word.ts';

interface AuthWord {
  readonly doc: string;
  readonly secret: boolean;
  /** Set for a state that passes, as in `SavedField`; it is shown while there is one. */
  readonly passing?: true;
}

/** The words of one group, in targetcli's order. */
export const authTable = {
  userid: { doc: 'CHAP name that an initiator must give.', secret: false },
  password: { doc: 'CHAP secret that an initiator must know.', secret: true },
  mutual_userid: { doc: 'CHAP name that the target gives to the initiator.', secret: false },
  mutual_password: { doc: 'CHAP secret by which the target proves itself to the initiator.', secret: true },
  old_password: { doc: 'The secret before `password`, taken as well until `old_until`.', secret: true, passing: true },
  old_until: {
    doc: 'The end of `old_password`: a time in ISO 8601, or `told` for until somebody ends it.',
    secret: false,
    passing: true,
  },
} as const satisfies Record<string, AuthWord>;

/** The groups of settings that hold them. */
export const authGroups = ['auth', 'discovery_auth'] as const;

type AuthKey = keyof typeof authTable;
/** The words of CHAP credentials. */
export const authKeys = Object.keys(authTable) as AuthKey[];
/** The words of a state that passes: a secret that was renewed, and whose predecessor is taken as well. */
export const passingAuthKeys = authKeys.filter((key) => Object.hasOwn(authTable[key], 'passing'));
/** The words that are secrets. */
export const secretKeys = authKeys.filter((key) => authTable[key].secret);

/** Whether the setting, or the key of a saved file (`chap_password`), of this name is a secret. */
export const isSecret = (name: string): boolean =>
  secretKeys.some((secret) => name === secret || name.endsWith(`_${secret}`));

/** The value of a setting or key, as it may be shown; an empty secret counts as none. */
export const shownValue = <V>(name: string, value: V): V | typeof hidden =>
  isSecret(name) && value !== '' ? hidden : value;

/** Credentials; the word '' means "none". */
export type Auth = Record<AuthKey, string>;

/** No credentials. */
export const emptyAuth = (): Auth => ({
  ...{ userid: '', password: '', mutual_userid: '', mutual_password: '' },
  ...{ old_password: '', old_until: '' },
});

const valueBytesMax = 255;

/** Checks a word. @throws OperatorError for an unknown name, for `NULL` and for more than 255 bytes */
function checkAuth(name: string, value: string): AuthKey {
  const key = authKeys.find((known) => known === name);
  if (!key) throw new OperatorError(`Unknown parameter ${name} in group 'auth'.`);
  if (value === 'NULL') throw new OperatorError("'NULL' is not a permitted value");
  if (Buffer.byteLength(value) > valueBytesMax)
    throw new OperatorError(`Value longer than maximum length of ${valueBytesMax}`);
  if (key === 'old_until' && value !== '' && value !== untilTold && !isTime(value))
    throw new OperatorError(`'${value}' is neither ${untilTold} nor a time in ISO 8601, as 2026-11-30T14:30:00Z`);
  return key;
}

/** The end of an old secret that is taken until somebody says otherwise. */
export const untilTold = 'told';

/** Whether the secret before the present one is taken as well. Without an end that can be read, it is not. @param date in milliseconds since 1970 */
export const takesOld = ({ old_password, old_until }: Auth, date: number): boolean =>
  old_password !== '' && (old_until === untilTold || date < timeIn(old_until));

/** The words without an old secret whose time is over. @param date in milliseconds since 1970 */
export const livingAuth = (auth: Auth, date: number): Auth =>
  takesOld(auth, date) ? auth : { ...auth, old_password: '', old_until: '' };

/** Sets a checked value. @returns a function that sets the old one again */
export function setAuth(auth: Auth, name: string, value: string): () => void {
  const key = checkAuth(name, value);
  const before = auth[key];
  auth[key] = value;
  return () => {
    auth[key] = before;
  };
}

/** The name and secret by which an initiator proves itself. */
export type Account = Pick<Auth, 'userid' | 'password'>;

/** Checks an account. @throws OperatorError for what can be none */
export function checkAccount({ userid, password }: Account): void {
  if (userid === '' || password === '') throw new OperatorError('An account has a userid and a password');
  if (/[\s,]/.test(userid)) throw new OperatorError("An account's userid has no blanks and no commas");
  checkAuth('userid', userid);
  checkAuth('password', password);
}

/** One-way CHAP needs both words. */
export const hasCredentials = (auth: Auth): boolean => auth.userid !== '' && auth.password !== '';
/** The kernel's authenticate_target flag: both mutual words are set. */
export const isMutual = (auth: Auth): boolean => auth.mutual_userid !== '' && auth.mutual_password !== '';

/** Microsoft's initiator takes 12 to 16 bytes; RFC 7143 9.2.1 asks for 96 bits that cannot be guessed. */
export const secretBytesMin = 12;
/** Whether a secret is one that can be guessed. */
export const isWeak = (secret: string): boolean => secret !== '' && Buffer.byteLength(secret) < secretBytesMin;

/** Advice about these words, in a line; undefined: there is none. */
export function authAdvice(auth: Auth): string | undefined {
  const weak = secretKeys.find((key) => key !== 'old_password' && isWeak(auth[key]));
  return (
    weak &&
    `${weak} has fewer than ${secretBytesMin} bytes: it can be guessed, and Windows refuses it. A new one: ${weak}=@generate`
  );
}

/** Whether somebody can log in with these words. */
export const letsIn = (auth: Auth): boolean => hasCredentials(auth) && authProblem(auth) === undefined;

/** The reason, in a line, why nobody can log in with these words; undefined when somebody can. */
export function authProblem(auth: Auth): string | undefined {
  if (!isMutual(auth) || auth.password !== auth.mutual_password) return undefined;
  return 'password and mutual_password are the same, and nobody is let in with them (RFC 7143 9.2.1): set another one';
}
