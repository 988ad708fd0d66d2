/** Prints the existing targets as a targets.conf without secrets, which tgtd tells nobody. */

import { isIP } from 'node:net';
import type { ShownTarget } from './tgt-commands.ts';

export function dumpTargets(targets: readonly ShownTarget[]): string {
  const drivers = new Set(targets.map(({ driver }) => driver));
  const common = drivers.size === 1 ? `default-driver ${[...drivers][0]}\n\n` : '';
  const blocks = targets.map(({ name, driver, paths, accounts, rules }) =>
    [
      `<target ${name}>`,
      ...(common === '' ? [`\tdriver ${driver}`] : []),
      ...paths.map((path) => `\tbacking-store ${path}`),
      ...accounts.map(accountLine),
      ...(rules.length === 1 && rules[0] === 'ALL' ? [] : rules.map((rule) => `\t${ruleKey(rule)} ${rule}`)),
      '</target>\n\n',
    ].join('\n'),
  );
  return common + blocks.join('');
}

function accountLine(account: string): string {
  const [, outgoing] = /^(.+) \(outgoing\)$/.exec(account) ?? [];
  return `\t${outgoing === undefined ? `incominguser ${account}` : `outgoinguser ${outgoing}`} PLEASE_CORRECT_THE_PASSWORD`;
}

/** Whether a rule is an address, a network or everybody; tgt-admin takes networks and IPv6 for names, and loses them. */
export const isAddressRule = (rule: string): boolean => rule === 'ALL' || isIP(rule.replace(/\/\d+$/, '')) > 0;

const ruleKey = (rule: string): string => (isAddressRule(rule) ? 'initiator-address' : 'initiator-name');
