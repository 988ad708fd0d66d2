/** FreeBSD's ctl.conf (ctl.conf(5)): words, and blocks in braces, one line for each. */

import { OperatorError } from '../errors.ts';
import type { AccessList } from '../target/access-list.ts';
import type { Account } from '../target/auth.ts';
import { Refusal } from '../tgt/protocol.ts';
import { storeOf } from '../tgt/unit-making.ts';
import { wrongAt } from './apache-blocks.ts';
import {
  type At,
  defaultPortals,
  type ImportedTarget,
  type ImportedUnit,
  type ImportKind,
  keywordOf,
  type LeftOut,
  nobody,
  nobodyComes,
} from './imported.ts';

interface Statement extends At {
  readonly words: readonly string[];
  readonly inner: readonly Statement[] | undefined;
}

/** The depth of blocks in one another. */
const depthMax = 8;

export const ctlConf: ImportKind = {
  name: "FreeBSD's ctl.conf",
  recognises: (text) => /^[ \t]*(target|portal-group|auth-group|lun)\s+\S+\s*\{/m.test(text),
  read(text, file) {
    const all = parse(text, file);
    const left: LeftOut[] = [];
    const named = (kind: string) =>
      new Map(all.filter(({ words }) => words[0] === kind).map((one) => [one.words[1] ?? '', one] as const));
    const groups = { portalGroups: named('portal-group'), authGroups: named('auth-group'), units: named('lun') };
    const known = ['portal-group', 'auth-group', 'lun', 'target'];
    for (const one of all) if (!known.includes(one.words[0] ?? '')) leave(left, one);
    const targets = all.filter(({ words }) => words[0] === 'target').map((one) => targetOf(one, groups, left));
    if (targets.some((one) => one.units.length > 0))
      left.push({
        file,
        line: 1,
        what: 'the identities of disks that ctl.conf does not say, which ctld makes: initiators may see new disks',
      });
    return { targets, discovery: { accounts: [], outgoing: undefined }, left };
  },
};

const leave = (left: LeftOut[], { file, line, words, inner }: Statement): void => {
  left.push({ file, line, what: keywordOf(words[0] ?? '', words.length > 1 || inner !== undefined) });
};

const place = ({ file, line }: At): At => ({ file, line });

interface Groups {
  readonly portalGroups: ReadonlyMap<string, Statement>;
  readonly authGroups: ReadonlyMap<string, Statement>;
  readonly units: ReadonlyMap<string, Statement>;
}

interface Allowed {
  readonly accounts: Account[];
  readonly addresses: string[];
  readonly names: string[];
  outgoing: Account | undefined;
  /** Whether a secret of it cannot be read. */
  isBroken: boolean;
  /** Whether no line says how initiators prove themselves; ctld then lets nobody in. */
  denied: boolean;
}

function targetOf(target: Statement, groups: Groups, left: LeftOut[]): ImportedTarget {
  const allowed: Allowed = {
    accounts: [],
    addresses: [],
    names: [],
    outgoing: undefined,
    isBroken: false,
    denied: true,
  };
  const units: ImportedUnit[] = [];
  const portals: string[] = [];
  const parameters: Record<string, string> = {};
  for (const one of target.inner ?? []) {
    const [key = '', first = ''] = one.words;
    if (key === 'auth-group' && first === 'no-authentication') allowed.denied = false;
    else if (key === 'auth-group' && groups.authGroups.has(first))
      for (const rule of groups.authGroups.get(first)?.inner ?? []) allow(allowed, rule, left);
    else if (key === 'portal-group' && groups.portalGroups.has(first)) {
      for (const line of groups.portalGroups.get(first)?.inner ?? [])
        if (line.words[0] === 'listen') portals.push(portalOf(line.words[1] ?? ''));
        else leave(left, line);
    } else if (key === 'portal-group' && first === 'default') portals.push(...defaultPortals);
    else if (key === 'alias') parameters['TargetAlias'] = first;
    else if (key === 'lun') addUnit(units, one, groups, left);
    else if (/^(chap|chap-mutual|initiator-name|initiator-portal)$/.test(key)) allow(allowed, one, left);
    else leave(left, one);
  }
  const { accounts, addresses, names, outgoing, denied } = allowed;
  const narrow = addresses.length + names.length > 0;
  const isClosed = allowed.isBroken && accounts.length === 0;
  if (isClosed) left.push({ ...place(target), what: nobodyComes });
  const isDenied = isClosed || (denied && accounts.length === 0 && !narrow);
  const accessList: AccessList | undefined = isDenied ? nobody : narrow ? { addresses, names } : undefined;
  if (addresses.length > 0 && names.length > 0)
    left.push({ ...place(target), what: 'initiator-name and initiator-portal together: one of them is enough here' });
  const wwn = (target.words[1] ?? '').toLowerCase();
  return {
    ...place(target),
    ...{ wwn, tid: undefined, enabled: true, units, accessList, accounts, outgoing, parameters },
    portals: portals.length > 0 ? [...new Set(portals)] : defaultPortals,
  };
}

/** The number of words of statements with a secret: with another number it is not known which word is the secret. */
const wordsOf: ReadonlyMap<string, number> = new Map([
  ['chap', 3],
  ['chap-mutual', 5],
]);

function allow(to: Allowed, rule: Statement, left: LeftOut[]): void {
  const [key = '', first = '', second = '', third = '', fourth = ''] = rule.words;
  to.denied = false;
  if (key.startsWith('chap') && !(rule.words.length === wordsOf.get(key) && rule.words.every((word) => word !== ''))) {
    to.isBroken = true;
    leave(left, rule);
  } else if (key === 'chap') to.accounts.push({ userid: first, password: second });
  else if (key === 'chap-mutual') {
    to.accounts.push({ userid: first, password: second });
    to.outgoing ??= { userid: third, password: fourth };
  } else if (key === 'initiator-name') to.names.push(first);
  else if (key === 'initiator-portal') to.addresses.push(first.replace(/[[\]]/g, ''));
  else if (!(key === 'auth-type' && first === 'none')) leave(left, rule);
}

const portalOf = (text: string): string => {
  const [, address = '0.0.0.0', port = '3260'] = /^(\[[\da-fA-F:]+\]|[\d.]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return `${address}:${port}`;
};

/** Adds `lun 0 { path /x }`, or `lun 0 name` for a LUN that stands by itself. */
function addUnit(units: ImportedUnit[], statement: Statement, { units: named }: Groups, left: LeftOut[]): void {
  const [, number = '', name = ''] = statement.words;
  const said = statement.inner ?? named.get(name)?.inner;
  const values = new Map((said ?? []).map(({ words }) => [words[0] ?? '', words[1] ?? ''] as const));
  for (const one of said ?? [])
    if (!['path', 'size', 'blocksize', 'serial', 'backend'].includes(one.words[0] ?? '')) leave(left, one);
  try {
    if (!/^\d{1,5}$/.test(number) || !said) throw new Refusal('invalid', `lun ${number} ${name} is nowhere`);
    if (values.get('backend') === 'ramdisk')
      throw new Refusal('invalid', 'a ramdisk, whose contents do not come along');
    const path = values.get('path');
    if (!path) throw new Refusal('invalid', 'it has no path');
    const words = {
      type: 'disk',
      path,
      storeType: 'rdwr',
      flags: '',
      blockSize: Number(values.get('blocksize') ?? 0),
    } as const;
    const serial = values.get('serial');
    const attributes = serial ? { scsi_sn: serial.slice(0, 36) } : {};
    units.push({ ...place(statement), lun: Number(number), store: storeOf(words), attributes });
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof OperatorError)) throw error;
    left.push({ ...place(statement), what: `LUN ${number}: ${error.message}` });
  }
}

/** Parses. @throws OperatorError for braces that do not close, or open nothing */
function parse(text: string, file: string): Statement[] {
  const root: Statement[] = [];
  /** The block that statements go into at hand, and those around it. */
  let inside = { into: root, line: 1 };
  const around: (typeof inside)[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const at = { file, line: index + 1 };
    const words = [...raw.replace(/(^|\s)#.*$/, '').matchAll(/"((?:[^"\\]|\\.|\\$)*)(?:"|$)|[{};]|[^\s{};"]+/g)].map(
      ([word, quoted]) => ({ text: quoted ?? word, isQuoted: quoted !== undefined }),
    );
    let held: string[] = [];
    const end = () => {
      if (held.length > 0) inside.into.push({ ...at, words: held, inner: undefined });
      held = [];
    };
    for (const { text: word, isQuoted } of words) {
      if (isQuoted || !/^[{};]$/.test(word)) held.push(word);
      else if (word === ';') end();
      else if (word === '{') {
        if (held.length === 0 || around.length >= depthMax) throw wrongAt(at, 'a { has nothing before it');
        const inner: Statement[] = [];
        inside.into.push({ ...at, words: held, inner });
        around.push(inside);
        inside = { into: inner, line: at.line };
        held = [];
      } else {
        end();
        const outer = around.pop();
        if (!outer) throw wrongAt(at, 'a } closes nothing');
        inside = outer;
      }
    }
    end();
  }
  if (around.length > 0) throw wrongAt({ file, line: inside.line }, 'a { is not closed');
  return root;
}
