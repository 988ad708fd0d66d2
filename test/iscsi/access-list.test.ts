// An access list as initiators meet it: discovery, login, live sessions; and several CHAP accounts. Which addresses match:
// test/target/access-list.test.ts. How it is changed: test/shell/access.test.ts.

import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { chapResponse, parseBinary } from '../../src/iscsi/chap.ts';
import { whyAccessEnded } from '../../src/target/access.ts';
import { Initiator } from '../support/initiator.ts';
import { serveIscsi } from '../support/iscsi-server.ts';
import { addAcl, IscsiTarget, iscsiTree, targetName } from '../support/iscsi-target.ts';

/** Where `IscsiTarget` has its initiators come from. */
const address = '192.0.2.2';
const name = 'iqn.2026-01.com.example:initiator';
const status = ({ values }: { values: Record<string, number> }) => [values['statusClass'], values['statusDetail']];

async function login(target: IscsiTarget) {
  const { initiator } = target.connect();
  return status(await initiator.loginStep(1, 3, initiator.names));
}

async function discovered(target: IscsiTarget): Promise<boolean> {
  const { initiator } = target.connect();
  await initiator.login({ SessionType: 'Discovery' });
  const { text } = await initiator.text({ SendTargets: 'All' });
  return text['TargetName'] === targetName;
}

describe('an access list', () => {
  it.each([
    ['no list', undefined, true],
    ['an empty one', { addresses: [], names: [] }, false],
    ['one with its network', { addresses: ['192.0.2.0/24'], names: [] }, true],
    ['one with its name', { addresses: ['198.51.100.1'], names: [name] }, true],
    ['one with others', { addresses: ['198.51.100.0/24'], names: ['iqn.2026-01.com.example:other'] }, false],
  ])('%s: who is shown the target may log in to it', async (_what, accessList, comes) => {
    const target = new IscsiTarget();
    target.tpg.accessList = accessList;
    expect([await discovered(target), await login(target)]).toEqual([comes, comes ? [0, 0] : [2, 2]]);
  });

  it('only narrows: who is on it still needs an ACL where demo mode is off', async () => {
    const target = new IscsiTarget();
    target.tpg.accessList = { addresses: ['ALL'], names: [] };
    target.tpg.attributes.set('generate_node_acls', 0);
    expect(await login(target)).toEqual([2, 2]);
    addAcl(target.tpg, name);
    expect(await login(target)).toEqual([0, 0]);
  });

  it('an ACL does not help who is not on it; the refusal names the list, and neither does a redirection tell', async () => {
    const target = new IscsiTarget();
    target.tpg.accessList = { addresses: ['198.51.100.1'], names: [] };
    addAcl(target.tpg, name);
    target.tpg.attributes.set('redirect', '203.0.113.1');
    expect(await login(target)).toEqual([2, 2]);
    const reason = `neither ${address} nor ${name} is in the access list of ${target.tpg.path}`;
    expect(JSON.stringify(target.logged)).toContain(reason);
  });

  it('that changes during a login ends it', async () => {
    const target = new IscsiTarget();
    const { initiator } = target.connect();
    await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
    target.tpg.accessList = { addresses: [], names: [] };
    expect(status(await initiator.loginStep(1, 3, {}))).toEqual([2, 2]);
  });

  it('that changes ends the sessions of those that are not on it, and leaves the others', async () => {
    const { state, tpg } = iscsiTree();
    const engine = serveIscsi(state);
    onTestFinished(() => engine.stop());
    await engine.reconcile();
    const { address: host, port } = engine.address(tpg.portals[0]!)!;
    const socket = connect(port, host);
    const closed = once(socket, 'close');
    const initiator = new Initiator(targetName, (bytes) => socket.write(bytes));
    initiator.next = async () => {
      while (initiator.inbox.length === 0) await once(socket, 'data');
      return initiator.inbox.shift()!;
    };
    socket.on('data', (bytes) => initiator.receive(bytes));
    await initiator.login();
    tpg.accessList = { addresses: ['127.0.0.0/8'], names: [] };
    await engine.reconcile();
    expect(engine.sessions()).toHaveLength(1);
    tpg.accessList = { addresses: ['192.0.2.0/24'], names: [] };
    await engine.reconcile();
    await closed;
    expect(engine.sessions()).toEqual([]);
  });

  it('a session that has a connection from elsewhere falls', () => {
    const { state, tpg } = iscsiTree();
    tpg.accessList = { addresses: [address], names: [] };
    const standing = { initiatorName: name, tpg, acl: undefined };
    expect(whyAccessEnded(state, { ...standing, addresses: [address] }, 0)).toBeUndefined();
    expect(whyAccessEnded(state, { ...standing, addresses: [address, '198.51.100.1'] }, 0)).toContain('198.51.100.1');
  });
});

describe('several CHAP accounts', () => {
  async function chap(target: IscsiTarget, user: string, secret: string, names?: Record<string, string>) {
    const { initiator } = target.connect();
    const first = await initiator.loginStep(0, undefined, { ...(names ?? initiator.names), AuthMethod: 'CHAP' });
    if (status(first).join() !== '0,0') return status(first);
    const { text } = await initiator.loginStep(0, undefined, { CHAP_A: '7' });
    const challenge = {
      algorithm: '7',
      identifier: Number(text['CHAP_I']),
      bytes: parseBinary(text['CHAP_C']!, 1024)!,
    };
    const response = Buffer.from(chapResponse(challenge, secret)).toString('hex');
    return status(await initiator.loginStep(0, 1, { CHAP_N: user, CHAP_R: `0x${response}` }));
  }

  function withAccounts(): IscsiTarget {
    const target = new IscsiTarget();
    target.state.accounts.set('fred', 'the secret of fred');
    target.state.accounts.set('bill', 'the secret of bill');
    target.state.accounts.set('nobody', 'the secret of none');
    target.tpg.attributes.set('authentication', 1);
    target.tpg.accounts = ['fred', 'bill', 'deleted'];
    return target;
  }

  it.each([
    ['fred', 'the secret of fred', [0, 0]],
    ['bill', 'the secret of bill', [0, 0]],
    ['fred', 'the secret of bill', [2, 1]],
    ['nobody', 'the secret of none', [2, 1]],
    ['deleted', '', [2, 1]],
  ])('%s with "%s": %s', async (user, secret, answer) => {
    expect(await chap(withAccounts(), user, secret)).toEqual(answer);
  });

  it('stand beside the userid of the TPG, and not in place of the words of an ACL', async () => {
    const target = withAccounts();
    Object.assign(target.tpg.auth, { userid: 'own', password: 'the secret of own' });
    expect(await chap(target, 'own', 'the secret of own')).toEqual([0, 0]);
    expect(await chap(target, 'bill', 'the secret of bill')).toEqual([0, 0]);
    addAcl(target.tpg, name);
    expect(await chap(target, 'bill', 'the secret of bill')).toEqual([2, 1]);
  });

  it('discovery has its own', async () => {
    const target = withAccounts();
    target.state.discoveryAuthEnabled = true;
    target.state.discoveryAccounts = ['nobody'];
    const names = { InitiatorName: name, SessionType: 'Discovery' };
    expect(await chap(target, 'nobody', 'the secret of none', names)).toEqual([0, 0]);
    expect(await chap(target, 'fred', 'the secret of fred', names)).toEqual([2, 1]);
  });
});
