// RFC 7143 11.9.1, 11.14, 6.3.5, 7.4.2: how connections and sessions end. It does not test sockets (engine.test.ts).

import { describe, expect, it } from 'vitest';
import { dataOut, logoutRequest } from '../../../src/iscsi/pdu.ts';
import { taskSet } from '../../../src/scsi/task-set.ts';
import type { Initiator, ReceivedPdu } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const testUnitReady = [0, 0, 0, 0, 0, 0];
const write1 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];

const turns = async (count = 10) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const events = (inbox: readonly ReceivedPdu[]) =>
  inbox.map(({ name, values: v }) => [name, v['asyncEvent'], v['parameter1'], v['parameter2'], v['parameter3']]);

function sendLogout(initiator: Initiator, values: Record<string, unknown> = {}): void {
  const numbers = initiator.number(true);
  initiator.send(logoutRequest, { ...numbers, final: true, cid: initiator.cid, initiatorTaskTag: 99, ...values });
}

describe('a logout that we ask for', () => {
  it('RFC 7143 11.9.1: it names its time; what is under way is served, new commands wait for the logout', async () => {
    const target = new IscsiTarget();
    const { initiator, connection, output } = await target.login();
    const data = pattern(512);
    const tag = initiator.sendCommand(write1, { data });
    const { targetTransferTag } = (await initiator.next()).values;
    void connection.requestLogout('the TPG was disabled');
    void connection.requestLogout('twice');
    expect(events(initiator.inbox)).toEqual([['Asynchronous Message', 1, 0, 0, 3]]);
    expect(connection.state).toBe('LOGOUT_REQUESTED');
    initiator.inbox.length = 0;
    initiator.sendCommand(testUnitReady);
    expect((await initiator.next()).values).toMatchObject({ reason: 0x0c });
    initiator.send(
      dataOut,
      { final: true, initiatorTaskTag: tag, targetTransferTag: targetTransferTag!, bufferOffset: 0 },
      data,
    );
    expect((await initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(target.volume.bytes.subarray(0, 512))).toEqual(data);
    // Also one that comes behind the gap that the refused command has left.
    expect((await initiator.logout()).values['response']).toBe(0);
    expect([output.ended, connection.state, [...target.sessionTable]]).toEqual([true, 'FREE', []]);
  });

  it('RFC 7143 11.9.1: an initiator that does not obey is dropped when its time is over', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    const gone = Promise.all(
      [first, second].map(({ connection }) => connection.requestLogout('the session was ended')),
    );
    target.time += 2999;
    for (const { connection } of [first, second]) connection.tick();
    expect([first.output.ended, second.output.ended]).toEqual([false, false]);
    target.time += 1;
    for (const { connection, initiator, output } of [first, second]) {
      initiator.inbox.length = 0;
      connection.tick();
      expect(events(initiator.inbox)).toEqual([['Asynchronous Message', 2, initiator.cid, 2, 0]]);
      expect(output.ended).toBe(true);
    }
    await gone;
    expect([...target.sessionTable]).toEqual([]);
  });

  it('RFC 7143 7.4.3: a discovery session and a login are closed without a word', async () => {
    const target = new IscsiTarget();
    const discovery = target.connect();
    await discovery.initiator.login({ SessionType: 'Discovery' });
    const login = target.connect();
    await login.initiator.loginStep(1, undefined, login.initiator.names);
    for (const { connection, initiator, output } of [discovery, login]) {
      await connection.requestLogout('the target stops');
      expect([initiator.inbox, output.ended]).toEqual([[], true]);
    }
  });

  it('RFC 7143 8.1.3: a session that leaves may be reinstated meanwhile', async () => {
    const target = new IscsiTarget();
    const old = await target.login();
    const gone = old.connection.requestLogout('the session was ended');
    await target.login();
    await gone;
    expect([old.output.ended, old.connection.state, [...target.sessionTable].length]).toEqual([true, 'FREE', 1]);
  });
});

describe('logout', () => {
  it.each([
    ['closes the session', 0, 0, [true, true]],
    ['closes its own connection', 1, 0, [true, false]],
    ['closes another connection', 1, 1, [false, true]],
  ])('RFC 7143 11.14: of two connections, reason %s', async (_name, reason, cid, ended) => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    second.initiator.sendCommand(write1, { data: pattern(512) });
    sendLogout(first.initiator, { reason, cid });
    expect((await first.initiator.next()).values).toMatchObject({ response: 0, initiatorTaskTag: 99 });
    expect([first.output.ended, second.output.ended]).toEqual(ended);
    expect([...target.sessionTable].length).toBe(reason === 0 ? 0 : 1);
    expect(taskSet.of(target.lu).size).toBe(ended[1] ? 0 : 1);
  });

  it('RFC 7143 11.14: the answer waits for what is on its way to the medium, and nothing new begins', async () => {
    const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined }) });
    let release = () => {};
    unit.volume.write = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    const { initiator, output, connection } = await new IscsiTarget(unit).login();
    initiator.sendCommand(write1, { data: pattern(512), immediateData: 512 });
    sendLogout(initiator);
    await turns();
    expect([initiator.inbox, connection.state]).toEqual([[], 'IN_LOGOUT']);
    initiator.sendCommand(testUnitReady);
    expect((await initiator.next()).values['reason']).toBe(0x0c);
    release();
    expect((await initiator.next()).name).toBe('Logout Response');
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 11.14: writes that wait for their data are over with it, and what comes of that afterwards is not written', async () => {
    const unit = logicalUnit();
    const { initiator, output } = await new IscsiTarget(unit).login();
    const writes = Array.from({ length: 10 }, (_, i) =>
      initiator.sendCommand([0x2a, 0, 0, 0, 0, i, 0, 0, 1, 0], { data: pattern(512) }),
    );
    const asked: [tag: number, transferTag: number][] = [];
    for (const tag of writes) asked.push([tag, (await initiator.next()).values['targetTransferTag']!]);
    const send = ([initiatorTaskTag, targetTransferTag]: (typeof asked)[number]) =>
      initiator.send(dataOut, { final: true, initiatorTaskTag, targetTransferTag }, pattern(512));
    send(asked[0]!);
    expect((await initiator.next()).values).toMatchObject({ initiatorTaskTag: writes[0], status: 0 });
    sendLogout(initiator);
    expect((await initiator.next()).values).toMatchObject({ initiatorTaskTag: 99, response: 0 });
    for (const rest of asked.slice(1)) send(rest);
    await turns();
    expect([output.ended, unit.volume.calls, taskSet.of(unit.lu).size]).toEqual([true, ['write 0+512'], 0]);
  });

  it('RFC 7143 11.14.1: a reason that there is none of is rejected', async () => {
    const { initiator, output } = await new IscsiTarget().login();
    sendLogout(initiator, { reason: 3 });
    expect([(await initiator.next()).values['reason'], output.ended]).toEqual([9, false]);
  });

  it('RFC 7143 4.3: a discovery session closes as a whole', async () => {
    const { initiator, output } = new IscsiTarget().connect();
    await initiator.login({ SessionType: 'Discovery' });
    sendLogout(initiator, { reason: 1 });
    expect([(await initiator.next()).values['reason'], output.ended]).toEqual([4, false]);
    sendLogout(initiator, { reason: 0 });
    expect([(await initiator.next()).values['response'], output.ended]).toEqual([0, true]);
  });
});

describe('discovery sessions', () => {
  const discover = async (target: IscsiTarget, keys: Record<string, string> = {}, isid = 1) => {
    const parts = target.connect();
    parts.initiator.isid = Uint8Array.of(0x80, 0, 0, 0, 0, isid);
    await parts.initiator.login({ SessionType: 'Discovery', ...keys });
    return parts;
  };

  it('RFC 7143 7.4.2.1: the same name, ISID and address reinstates; another ISID does not', async () => {
    const target = new IscsiTarget();
    const old = await discover(target);
    const other = await discover(target, {}, 2);
    await discover(target);
    expect([old.output.ended, other.output.ended, [...target.sessionTable].length]).toEqual([true, false, 2]);
  });

  it('RFC 7143 7.4.2: without a target it leaves the normal session of that ISID alone', async () => {
    const target = new IscsiTarget();
    const normal = await target.login();
    await discover(target);
    expect([normal.output.ended, [...target.sessionTable].length]).toEqual([false, 2]);
  });

  it('RFC 7143 7.4.2.2: a session that names its target is reinstated by one to that target', async () => {
    const target = new IscsiTarget();
    const named = await discover(target, { TargetName: target.tpg.target.wwn });
    const unnamed = await discover(target);
    expect(named.output.ended).toBe(false);
    await target.login();
    expect([named.output.ended, unnamed.output.ended]).toEqual([true, false]);
  });
});
