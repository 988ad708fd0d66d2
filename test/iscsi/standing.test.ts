// The facts that a login found out in its first request are asked again when they are used: by its later requests, at the moment the
// session is made, and when the tree changes. Not here: the answers of access (login.test.ts, chap.test.ts).

import { describe, expect, it } from 'vitest';
import { chapResponse, parseBinary } from '../../src/iscsi/chap.ts';
import { loginRequest } from '../../src/iscsi/pdu.ts';
import { addAcl, IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';

const name = 'iqn.2026-01.com.example:initiator';
const secret = 'a secret of ours';
const status = ({ values }: { values: Record<string, number> }) => [values['statusClass'], values['statusDetail']];

const changes: [string, number[], (target: IscsiTarget) => void][] = [
  ['its ACL is deleted', [2, 2], ({ tpg }) => tpg.acls.delete(name)],
  ['its ACL is made anew', [2, 2], ({ tpg }) => addAcl(tpg, name)],
  ['the TPG is disabled', [3, 1], ({ tpg }) => Object.assign(tpg, { enabled: false })],
  ['the target is deleted', [2, 3], ({ state }) => state.targets.clear()],
  ['CHAP is demanded', [3, 1], ({ tpg }) => tpg.acls.get(name)!.attributes.set('authentication', 1)],
  ['its words change', [3, 1], ({ tpg }) => Object.assign(tpg.acls.get(name)!.auth, { password: 'another one' })],
];

/** A target in which the initiator has an ACL of its own, and may say who it is. */
function targetWithAcl(unit = logicalUnit()): IscsiTarget {
  const target = new IscsiTarget(unit);
  target.tpg.attributes.set('generate_node_acls', 0);
  Object.assign(addAcl(target.tpg, name).auth, { userid: 'user', password: secret });
  return target;
}

/** A login that is complete and waits: the session that it replaces has a write on its way to the medium. */
async function replacing() {
  const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined }) });
  const { write } = unit.volume;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  unit.volume.write = (...args) => gate.then(() => write(...args));
  const target = targetWithAcl(unit);
  const first = await target.login();
  first.initiator.sendCommand([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0], { data: Buffer.alloc(512), immediateData: 512 });
  const { initiator } = target.connect();
  await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
  const numbers = { ...initiator.loginValues(1), transit: true, nextStage: 3 };
  initiator.send(loginRequest, numbers);
  return { target, initiator, release };
}

describe('RFC 7143 6.3: a login is not finished on an old answer', () => {
  it.each(changes)('when %s between two requests', async (_name, refused, change) => {
    const target = targetWithAcl();
    const { initiator, output } = target.connect();
    await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
    change(target);
    expect(status(await initiator.loginStep(1, 3, {}))).toEqual(refused);
    expect([output.ended, [...target.sessionTable]]).toEqual([true, []]);
  });

  it.each(changes)('when %s after CHAP was done', async (_name, refused, change) => {
    const target = targetWithAcl();
    const { initiator } = target.connect();
    await initiator.loginStep(0, undefined, { ...initiator.names, AuthMethod: 'CHAP' });
    const { text } = await initiator.loginStep(0, undefined, { CHAP_A: '7' });
    const bytes = parseBinary(text['CHAP_C']!, 1024)!;
    const response = chapResponse({ algorithm: '7', identifier: Number(text['CHAP_I']), bytes }, secret);
    const proof = { CHAP_N: 'user', CHAP_R: `0x${Buffer.from(response).toString('hex')}` };
    expect(status(await initiator.loginStep(0, 1, proof))).toEqual([0, 0]);
    change(target);
    expect(status(await initiator.loginStep(1, 3, {}))).toEqual(refused);
  });

  it.each(changes)('when %s while it waits for the session that it replaces', async (_name, refused, change) => {
    const { release, target, initiator } = await replacing();
    expect(initiator.inbox).toEqual([]);
    change(target);
    release();
    expect(status(await initiator.next())).toEqual(refused);
    expect([...target.sessionTable]).toEqual([]);
  });

  it.each(changes)('when %s and nothing more comes of it', async (_name, refused, change) => {
    const target = targetWithAcl();
    const { initiator, connection, output } = target.connect();
    await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
    connection.reconsider();
    expect(output.ended).toBe(false);
    change(target);
    connection.reconsider();
    expect([status(await initiator.next()), output.ended]).toEqual([refused, true]);
  });

  it('discovery: when CHAP is demanded', async () => {
    const target = new IscsiTarget();
    const { initiator } = target.connect();
    await initiator.loginStep(0, 1, { InitiatorName: name, SessionType: 'Discovery', AuthMethod: 'None' });
    target.state.discoveryAuthEnabled = true;
    expect(status(await initiator.loginStep(1, 3, {}))).toEqual([3, 1]);
  });
});

describe('RFC 7143 6.3.5: logins that end at the same time', () => {
  it('of one initiator port: there is one session afterwards', async () => {
    const { target, initiator, release } = await replacing();
    const other = target.connect().initiator;
    const asked = other.loginStep(1, 3, other.names);
    release();
    initiator.loggedIn(await initiator.next());
    other.loggedIn(await asked);
    expect(Array.from(target.sessionTable, ({ connections }) => connections.size)).toEqual([1]);
  });

  it('with further connections of one session: no more than it takes', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    await second.connection.close('lost');
    const late = [1, 2].map((cid) => {
      const { initiator } = target.connect();
      return Object.assign(initiator, { cid, tsih: first.initiator.tsih });
    });
    for (const one of late) await one.loginStep(0, 1, { ...one.names, AuthMethod: 'None' });
    const answers = [];
    for (const one of late) answers.push(status(await one.loginStep(1, 3, {})));
    expect(answers).toEqual([
      [0, 0],
      [2, 6],
    ]);
  });

  it('a session that was asked to go takes no further connection', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    await second.connection.close('lost');
    const { initiator } = target.connect();
    Object.assign(initiator, { cid: 1, tsih: first.initiator.tsih });
    await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
    target.sessionTable.dismiss(() => true, 'ended by the operator');
    expect(status(await initiator.loginStep(1, 3, {}))).toEqual([2, 6]);
  });
});
