// The addresses and names of an access list. Its effect on discovery, logins and sessions: test/iscsi/access-list.test.ts.

import { expect, it } from 'vitest';
import { addressRuleProblem, isListed } from '../../src/target/access-list.ts';

const name = 'iqn.2026-01.com.example:initiator';
const listed = (rule: string, address: string) => isListed({ addresses: [rule], names: [] }, name, address);

it.each([
  ['192.0.2.7', '192.0.2.7', true],
  ['192.0.2.7', '192.0.2.70', false],
  ['192.0.2.0/24', '192.0.2.255', true],
  ['192.0.2.0/24', '192.0.3.0', false],
  ['192.0.2.8/29', '192.0.2.15', true],
  ['192.0.2.8/29', '192.0.2.16', false],
  ['192.0.2.7/32', '192.0.2.7', true],
  ['0.0.0.0/0', '198.51.100.1', true],
  ['0.0.0.0/0', '2001:db8::1', false],
  ['192.0.2.7', '::ffff:192.0.2.7', true],
  ['192.0.2.0/24', '::ffff:c000:207', true],
  ['::ffff:192.0.2.7', '192.0.2.7', true],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['2001:db8::/32', '2001:db9::1', false],
  ['2001:DB8:0::1', '2001:db8::1', true],
  ['2001:db8::1/128', '2001:db8::1', true],
  ['fe80::/10', 'fe80::1%eth0', true],
  ['::/0', '2001:db8::1', true],
  ['64:ff9b::/96', '64:ff9b::192.0.2.7', true],
  ['ALL', '192.0.2.7', true],
  ['ALL', '', true],
  // In tgt, too, these match nobody.
  ['192.0.2.7/24', '192.0.2.7', false],
  ['2001:db8::1/32', '2001:db8::1', false],
  ['192.0.2.0/33', '192.0.2.0', false],
  ['nonsense', '192.0.2.7', false],
  ['', '', false],
])('%s and %s: %s', (rule, address, matches) => {
  expect(listed(rule, address)).toBe(matches);
});

it('one match in either part is enough; an empty list has nobody', () => {
  const list = { addresses: ['192.0.2.7'], names: ['IQN.2026-01.com.example:Initiator'] };
  expect(isListed(list, name, '198.51.100.1')).toBe(true);
  expect(isListed(list, 'iqn.2026-01.com.example:other', '192.0.2.7')).toBe(true);
  expect(isListed(list, 'iqn.2026-01.com.example:other', '198.51.100.1')).toBe(false);
  expect(isListed({ addresses: [], names: [] }, name, '192.0.2.7')).toBe(false);
});

it('a rule that would match nobody has a reason', () => {
  for (const good of ['ALL', '192.0.2.7', '192.0.2.0/24', '::1', '2001:db8::/32'])
    expect(addressRuleProblem(good)).toBeUndefined();
  for (const wrong of ['all', 'host', '192.0.2.0/33', '192.0.2', '2001:db8::/129', '192.0.2.0/'])
    expect(addressRuleProblem(wrong)).toContain('is no IPv4 or IPv6 address');
  expect(addressRuleProblem('192.0.2.7/24')).toContain('bits beyond its prefix of 24');
});
