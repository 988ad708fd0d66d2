// RFC 7143 11.13.5, 13.8: a TPG that sends its initiators elsewhere. libiscsi following it: test/e2e/initiators.test.ts.

import { describe, expect, it } from 'vitest';
import { addAcl, IscsiTarget } from '../support/iscsi-target.ts';

const status = ({ values }: { values: Record<string, number> }) => [values['statusClass'], values['statusDetail']];

function redirecting(to: string): IscsiTarget {
  const target = new IscsiTarget();
  target.tpg.attributes.set('redirect', to);
  return target;
}

describe('the attribute redirect', () => {
  it.each<[string, string, number]>([
    ['192.0.2.9', '192.0.2.9:3260', 1],
    ['192.0.2.9:860', '192.0.2.9:860', 1],
    ['[2001:db8::9]', '[2001:db8::9]:3260', 1],
    ['[2001:db8::9]:3261,permanent', '[2001:db8::9]:3261', 2],
    ['storage.example.org,permanent', 'storage.example.org:3260', 2],
  ])('RFC 7143 11.13.5: %s sends a login to %s, and the connection ends', async (value, address, detail) => {
    const target = redirecting(value);
    const { initiator, output } = target.connect();
    const answer = await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'CHAP,None' });
    expect([status(answer), answer.text]).toEqual([[1, detail], { TargetAddress: address }]);
    expect(answer.values).toMatchObject({ transit: false, tsih: 0 });
    expect([output.ended, [...target.sessionTable]]).toEqual([true, []]);
    expect(target.logged.map(({ level, event }) => [level, event])).toContainEqual(['info', 'iscsi login redirected']);
  });

  it.each(['', '192.0.2.9', '[::1]:1', 'a-b.example,permanent'])('takes %j', (value) => {
    expect(new IscsiTarget().tpg.attributes.check('redirect', value, 'attribute')).toBe(value);
  });

  it.each([
    '192.0.2.300',
    '192.0.2.9:0',
    '192.0.2.9:65536',
    '::1',
    '[::g]',
    '-x',
    'a_b',
    '192.0.2.9,1',
    '192.0.2.9,now',
    'off',
  ])('refuses %s and says what it takes', (value) => {
    const { attributes } = new IscsiTarget().tpg;
    expect(() => attributes.check('redirect', value, 'attribute')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('redirect takes ADDRESS[:PORT]') }),
    );
  });

  it('an initiator that has come to that address is let in', async () => {
    const { initiator } = await redirecting('192.0.2.1:3260').login();
    expect((await initiator.command([0, 0, 0, 0, 0, 0])).status).toBe(0);
  });

  it('every initiator is redirected: access is for the other address to decide', async () => {
    const target = redirecting('192.0.2.9');
    target.tpg.attributes.set('generate_node_acls', 0);
    const { initiator } = target.connect();
    expect(status(await initiator.loginStep(1, 3, initiator.names))).toEqual([1, 1]);
  });

  it('sessions that are open stay, and may have further connections', async () => {
    const target = new IscsiTarget();
    target.tpg.parameters.set('MaxConnections', '2');
    const first = await target.login({ MaxConnections: '2' });
    target.tpg.attributes.set('redirect', '192.0.2.9');
    const second = target.connect();
    Object.assign(second.initiator, { cid: 1, tsih: first.initiator.tsih });
    await second.initiator.login();
    expect([first.output.ended, second.output.ended]).toEqual([false, false]);
  });
});

describe('the depth of an initiator', () => {
  const window = ({ values: v }: { values: Record<string, number> }) => v['maxCmdSn']! - v['expCmdSn']! + 1;

  it('RFC 7143 4.2.2.1: tcq_depth of its ACL is its window; 0 is default_cmdsn_depth', async () => {
    const target = new IscsiTarget();
    const acl = addAcl(target.tpg, 'iqn.2026-01.com.example:initiator');
    const widths: number[] = [];
    for (const depth of [3, 0]) {
      acl.attributes.set('tcq_depth', depth);
      const { initiator } = target.connect();
      widths.push(window(await initiator.login()));
    }
    expect(widths).toEqual([3, 64]);
  });

  it('RFC 7143 4.2.2.1: it changes while the session lives; what was shown of the window is not taken back', async () => {
    const target = new IscsiTarget();
    const acl = addAcl(target.tpg, 'iqn.2026-01.com.example:initiator');
    acl.attributes.set('tcq_depth', 4);
    const { initiator, connection } = await target.login();
    const widths: number[] = [];
    const resize = async (depth: number, commands: number) => {
      acl.attributes.set('tcq_depth', depth);
      for (const session of target.sessionTable) session.refresh();
      for (let count = 0; count < commands; count += 1)
        widths.push(window((await initiator.command([0, 0, 0, 0, 0, 0])).pdus[0]!));
    };
    await resize(2, 3);
    expect(widths.splice(0)).toEqual([3, 2, 2]);
    await resize(5, 1);
    expect(widths.splice(0)).toEqual([5]);
    // Down and up again before anything was answered.
    await resize(1, 0);
    await resize(5, 1);
    expect(widths.splice(0)).toEqual([5]);
    await resize(8, 0);
    connection.tick();
    expect(window(await initiator.next())).toBe(8);
  });
});
