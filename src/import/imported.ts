/** The contents of a configuration of another target, whatever its form: targets, their disks, their access lists. */

import type { AccessList } from '../target/access-list.ts';
import type { Account } from '../target/auth.ts';
import type { BackingStore } from '../tgt/unit-making.ts';

/** A line of a file. */
export interface At {
  readonly file: string;
  readonly line: number;
}

/** A line that was not taken over, and the reason. */
export interface LeftOut extends At {
  readonly what: string;
}

/** A disk of a target, under its LUN. */
export interface ImportedUnit extends At {
  readonly lun: number;
  readonly store: BackingStore;
  /** Attributes of the storage object, besides the defaults of its kind. */
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** A target, with its disks and its access list. */
export interface ImportedTarget extends At {
  readonly wwn: string;
  /** The number that tgt gave; undefined for configurations of others. */
  readonly tid: number | undefined;
  readonly enabled: boolean;
  readonly units: readonly ImportedUnit[];
  /** The access list. Undefined: everybody may come. */
  readonly accessList: AccessList | undefined;
  readonly accounts: readonly Account[];
  readonly outgoing: Account | undefined;
  /** Text parameters of the TPG. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The portals: `ADDRESS:PORT`. */
  readonly portals: readonly string[];
}

/** All contents of a configuration. */
export interface Imported {
  readonly targets: readonly ImportedTarget[];
  readonly discovery: { readonly accounts: readonly Account[]; readonly outgoing: Account | undefined };
  readonly left: readonly LeftOut[];
}

/** A form of configuration. */
export interface ImportKind {
  readonly name: string;
  /** Whether a text is of this form. */
  recognises(text: string): boolean;
  /** Reads a text. @throws OperatorError for a text that cannot be read, with file and line */
  read(text: string, file: string): Imported;
}

/** The portals of targets whose configuration has none. */
export const defaultPortals: readonly string[] = ['0.0.0.0:3260', '[::]:3260'];

/**
 * The text that is shown of a line which is not taken over: its keyword alone. The rest may be a secret, and so may any line of a file
 * that is no configuration and that only root can read: a word that stands alone, or looks like no keyword, is not shown.
 */
export const keywordOf = (key: string, hasMore: boolean): string =>
  hasMore && /^[a-z][\w.-]{0,31}$/i.test(key) ? key : 'a line that is not understood';

/** The list that lets nobody come: for a target whose accounts cannot be read, which must not become open to everybody. */
export const nobody: AccessList = { addresses: [], names: [] };
export const nobodyComes = 'who may come: no account of it can be read, so nobody is let in (say who may with `allow`)';

/** Reads a secret's words, `USER SECRET`. */
export function accountOf(value: string): Account | undefined {
  const [, userid, password] = /^(\S+)\s+(\S+)$/.exec(value.trim()) ?? [];
  return userid !== undefined && password !== undefined ? { userid, password } : undefined;
}
