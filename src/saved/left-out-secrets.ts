/** Saved configurations without secrets, for git and for other eyes: each object says which of its secrets the file leaves out. */

import { leftOutKey } from '../operations/groups.ts';
import { isRaw, type Raw, rawOf } from '../operations/raw.ts';
import { isSecret } from '../target/auth.ts';

/** A value of a saved file without the secrets in it, however deep. An object that had some names them under a key of its own. */
export function withoutSecretValues(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecretValues);
  if (!isRaw(value)) return value;
  const isLeftOut = (key: string) => isSecret(key) && value[key] !== '';
  const out = Object.keys(value).filter(isLeftOut);
  const rest = Object.entries(value).flatMap(([key, inner]) =>
    isLeftOut(key) ? [] : [[key, withoutSecretValues(inner)] as const],
  );
  return Object.fromEntries([...rest, ...(out.length > 0 ? [[leftOutKey, out] as const] : [])]);
}

/** The lists of objects that have secrets in them, and the keys by which an object of each is found again. */
const lists = {
  fabric_modules: ['name'],
  targets: ['fabric', 'wwn'],
  tpgs: ['tag'],
  node_acls: ['node_wwn'],
  accounts: ['userid'],
} as const;

/**
 * A saved file with those of the secrets it leaves out that `now` has for the same object and the same CHAP name. Those that nobody has
 * stay named in the file, and the restore says so.
 * @param now the configuration of now; asked for only where the file leaves something out, which few do
 */
export const withKnownSecrets = (saved: unknown, now: () => unknown): unknown =>
  leavesOut(saved) ? filled(saved, now()) : saved;

const leavesOut = (saved: unknown): boolean =>
  isRaw(saved) &&
  (Array.isArray(saved[leftOutKey]) ||
    Object.keys(lists).some((key) => {
      const parts = saved[key];
      return Array.isArray(parts) && parts.some(leavesOut);
    }));

function filled(saved: unknown, now: unknown): unknown {
  if (!isRaw(saved)) return saved;
  const known = rawOf(now);
  const parts = Object.entries(saved).map(([key, value]) => {
    if (!Object.hasOwn(lists, key) || !Array.isArray(value)) return [key, value] as const;
    return [key, filledList(value, known[key], lists[key as keyof typeof lists])] as const;
  });
  const { [leftOutKey]: names, ...rest } = Object.fromEntries(parts) as Raw;
  if (!Array.isArray(names)) return Object.fromEntries(parts);
  const found = names.filter((name) => typeof name === 'string' && isKnown(name, saved, known));
  const left = names.filter((name) => !found.includes(name));
  return {
    ...rest,
    ...Object.fromEntries(found.map((name) => [name, known[name]])),
    ...(left.length > 0 && { [leftOutKey]: left }),
  };
}

function filledList(parts: readonly unknown[], now: unknown, keys: readonly string[]): unknown[] {
  const identity = (one: unknown) => JSON.stringify(keys.map((key) => rawOf(one)[key]));
  const known = new Map((Array.isArray(now) ? now : []).map((one) => [identity(one), one] as const));
  return parts.map((one) => filled(one, known.get(identity(one))));
}

/** Whether the object of now has this secret, for the name that the file has with it: a secret belongs to a name. */
function isKnown(secret: string, saved: Raw, now: Raw): boolean {
  const userid = secret.replace(/(old_)?password$/, 'userid');
  return isSecret(secret) && typeof now[secret] === 'string' && saved[userid] === now[userid];
}
