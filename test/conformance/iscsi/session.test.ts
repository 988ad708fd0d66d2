// RFC 7143 4.2.2, 6.3.5, 11.5, 11.10, 11.14, 11.18: numbering, sessions and their connections, requests that are no commands.
// It does not test data phases (data.test.ts).

import { describe, expect, it } from 'vitest';
import {
  loginRequest,
  logoutRequest,
  nopOut,
  noTag,
  taskManagementRequest,
  textRequest,
} from '../../../src/iscsi/pdu.ts';
import type { Initiator } from '../../support/initiator.ts';
import { addAcl, addLun, IscsiTarget, targetName } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const testUnitReady = [0, 0, 0, 0, 0, 0];
const write1 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const read1 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];

describe('command numbering', () => {
  it('RFC 7143 4.2.2.1: ExpCmdSN and MaxCmdSN follow, the window is default_cmdsn_depth', async () => {
    const { initiator } = await new IscsiTarget().login();
    const { values } = (await initiator.command(testUnitReady)).pdus[0]!;
    expect([values['expCmdSn'], values['maxCmdSn']]).toEqual([2, 65]);
  });

  it('RFC 7143 4.2.2.1: the window shrinks while commands are open', async () => {
    const target = new IscsiTarget();
    target.tpg.attributes.set('default_cmdsn_depth', 2);
    const { initiator } = await target.login();
    initiator.sendCommand(write1, { data: pattern(512) });
    expect((await initiator.next()).values).toMatchObject({ expCmdSn: 2, maxCmdSn: 2 });
  });

  it('RFC 7143 4.2.2.1: commands before their turn wait for it', async () => {
    const { initiator } = await new IscsiTarget().login();
    initiator.cmdSn = 3;
    const third = initiator.sendCommand(testUnitReady);
    initiator.cmdSn = 2;
    const second = initiator.sendCommand(read1, { read: true, length: 512 });
    expect(initiator.inbox).toEqual([]);
    initiator.cmdSn = 1;
    const first = initiator.sendCommand(testUnitReady);
    expect(initiator.inbox.map(({ values }) => values['initiatorTaskTag'])).toEqual([first, second, third]);
  });

  it('a write before its turn keeps its immediate data', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login();
    initiator.cmdSn = 2;
    initiator.sendCommand(write1, { data: pattern(512), immediateData: 512 });
    initiator.cmdSn = 1;
    initiator.sendCommand(testUnitReady);
    expect(initiator.inbox.map(({ values }) => values['status'])).toEqual([0, 0]);
    expect(Buffer.from(target.volume.bytes.subarray(0, 512))).toEqual(pattern(512));
  });

  it.each([
    ['behind the window', 0],
    ['beyond the window', 65],
    ['far away', 0x80000000],
  ])('RFC 7143 4.2.2.1: a command %s is dropped without a word', async (_name, cmdSn) => {
    const { initiator } = await new IscsiTarget().login();
    initiator.cmdSn = cmdSn;
    initiator.sendCommand(write1, { data: pattern(512), immediateData: 512 });
    initiator.cmdSn = 1;
    expect((await initiator.command(testUnitReady)).status).toBe(0);
    expect(initiator.inbox).toEqual([]);
  });

  it('RFC 1982: numbers wrap', async () => {
    const target = new IscsiTarget();
    const { initiator } = target.connect();
    initiator.cmdSn = 0xffffffff;
    await initiator.login();
    for (const pending of [...target.sessionTable][0]!.nexus!.unitAttentions.values()) pending.length = 0;
    expect((await initiator.command(testUnitReady)).pdus[0]!.values).toMatchObject({ status: 0, expCmdSn: 0 });
    expect((await initiator.command(testUnitReady)).pdus[0]!.values).toMatchObject({ status: 0, expCmdSn: 1 });
  });

  it('RFC 7143 11.17.1: a task tag in use is rejected; too many immediate commands are', async () => {
    const { initiator } = await new IscsiTarget().login();
    for (let count = 0; count < 16; count += 1) initiator.sendCommand(write1, { data: pattern(512), immediate: true });
    initiator.inbox.length = 0;
    initiator.sendCommand(write1, { data: pattern(512), immediate: true });
    expect((await initiator.next()).values['reason']).toBe(6);
  });

  it('a LUN that is none answers LOGICAL UNIT NOT SUPPORTED', async () => {
    const { initiator } = await new IscsiTarget().login();
    expect(await initiator.command(testUnitReady, { lun: 7 })).toMatchObject({ status: 2, sense: '5/25/00' });
  });
});

describe('requests', () => {
  it('RFC 7143 11.18: a ping comes back with its data', async () => {
    const { initiator } = await new IscsiTarget().login();
    initiator.send(
      nopOut,
      { ...initiator.number(), final: true, initiatorTaskTag: 7, targetTransferTag: noTag },
      pattern(100),
    );
    const { name, values, data } = await initiator.next();
    expect([name, values['initiatorTaskTag'], values['targetTransferTag'], data]).toEqual([
      'NOP-In',
      7,
      noTag,
      pattern(100),
    ]);
  });

  it('RFC 7143 11.19: a silent initiator is pinged, an answer keeps it, silence ends it', async () => {
    const target = new IscsiTarget();
    const { initiator, connection, output } = await target.login();
    target.time += 15_001;
    connection.tick();
    connection.tick();
    const ping = await initiator.next();
    expect([ping.name, ping.values['initiatorTaskTag'], initiator.inbox.length]).toEqual(['NOP-In', noTag, 0]);
    const { targetTransferTag } = ping.values;
    initiator.send(nopOut, {
      ...initiator.number(true),
      final: true,
      initiatorTaskTag: noTag,
      targetTransferTag: targetTransferTag!,
    });
    target.time += 15_001;
    connection.tick();
    expect(initiator.inbox.map(({ name }) => name)).toEqual(['NOP-In']);
    target.time += 30_000;
    connection.tick();
    expect(output.ended).toBe(true);
  });

  it('data that was asked for and does not come ends the connection (dataout_timeout)', async () => {
    const target = new IscsiTarget();
    const { initiator, connection, output } = await target.login();
    initiator.sendCommand(write1, { data: pattern(512) });
    target.time += 15_000;
    connection.tick();
    expect(output.ended).toBe(false);
    target.time += 1;
    connection.tick();
    expect(output.ended).toBe(true);
    expect(target.lu.tasks.size).toBe(0);
  });

  it('RFC 7143 11.10: MaxRecvDataSegmentLength may change, what is fixed by login may not', async () => {
    const { initiator, connection } = await new IscsiTarget().login();
    const { text } = await initiator.text({ MaxRecvDataSegmentLength: '512', MaxBurstLength: '512', 'X-a': '1' });
    expect(text).toEqual({ MaxRecvDataSegmentLength: '262144', MaxBurstLength: 'Reject', 'X-a': 'NotUnderstood' });
    expect(connection.parameters.MaxRecvDataSegmentLength).toBe(512);
  });

  it.each([
    [0, 'closes the session'],
    [1, 'closes the connection'],
  ])('RFC 7143 11.14.1: reason %i %s, open commands with it', async (reason) => {
    const target = new IscsiTarget();
    const { initiator, output } = await target.login();
    initiator.sendCommand(write1, { data: pattern(512) });
    initiator.inbox.length = 0;
    expect(await initiator.logout(reason)).toMatchObject({ name: 'Logout Response', values: { response: 0 } });
    expect([output.ended, [...target.sessionTable].length, target.lu.tasks.size, target.lu.nexuses.size]).toEqual([
      true,
      0,
      0,
      0,
    ]);
  });

  it('RFC 7143 11.15.1: recovery is not supported, other CIDs are not found', async () => {
    const { initiator, output } = await new IscsiTarget().login();
    expect((await initiator.logout(2)).values['response']).toBe(2);
    initiator.send(logoutRequest, { ...initiator.number(), reason: 1, cid: 9, initiatorTaskTag: 3 });
    expect((await initiator.next()).values['response']).toBe(1);
    expect(output.ended).toBe(false);
  });
});

describe('discovery', () => {
  const discover = async (target: IscsiTarget, value = 'All') => {
    const { initiator } = target.connect();
    await initiator.login({ SessionType: 'Discovery' });
    return (await initiator.text({ SendTargets: value })).text;
  };

  it('RFC 7143 C: SendTargets=All names targets and addresses; a wildcard portal is where the initiator came', async () => {
    const target = new IscsiTarget();
    target.tpg.portals[0] = { ...target.tpg.portals[0]!, address: '0.0.0.0' };
    expect(await discover(target)).toEqual({ TargetName: targetName, TargetAddress: '192.0.2.1:3260,1' });
  });

  it('demo_mode_discovery=0 hides a target from those without an ACL', async () => {
    const target = new IscsiTarget();
    Object.assign(target.tpg.attributes.values, { generate_node_acls: 0, demo_mode_discovery: 0 });
    expect(await discover(target)).toEqual({});
    addAcl(target.tpg, 'iqn.2026-01.com.example:initiator');
    expect(Object.keys(await discover(target))).toEqual(['TargetName', 'TargetAddress']);
  });

  it('RFC 7143 C: in a normal session the empty value is its own target, All is rejected', async () => {
    const { initiator } = await new IscsiTarget().login();
    expect((await initiator.text({ SendTargets: '' })).text['TargetName']).toBe(targetName);
    expect((await initiator.text({ SendTargets: 'All' })).text).toEqual({ SendTargets: 'Reject' });
  });

  it('RFC 7143 11.11: an answer longer than the initiator takes comes in pieces', async () => {
    const target = new IscsiTarget();
    const { initiator } = target.connect();
    await initiator.login({ SessionType: 'Discovery', MaxRecvDataSegmentLength: '512' });
    for (let port = 1; port <= 40; port += 1)
      target.tpg.portals.push({ ...target.tpg.portals[0]!, address: `192.0.2.${port}` });
    const pieces = [await initiator.text({ SendTargets: 'All' })];
    for (let last = pieces[0]!; last.values['continue']; last = pieces.at(-1)!) {
      const { initiatorTaskTag, targetTransferTag } = last.values;
      const tags = { initiatorTaskTag: initiatorTaskTag!, targetTransferTag: targetTransferTag! };
      initiator.send(textRequest, { ...initiator.number(), ...tags, final: true });
      pieces.push(await initiator.next());
    }
    const whole = Buffer.concat(pieces.map(({ data }) => data)).toString();
    expect(whole.split('\0').filter((pair) => pair.startsWith('TargetAddress='))).toHaveLength(41);
    expect(pieces.at(-1)!.values).toMatchObject({ final: true, targetTransferTag: noTag });
  });

  it('RFC 7143 4.3: commands have no place in a discovery session', async () => {
    const { initiator } = new IscsiTarget().connect();
    await initiator.login({ SessionType: 'Discovery' });
    initiator.sendCommand(testUnitReady);
    expect((await initiator.next()).values['reason']).toBe(4);
  });
});

/** One task management request and its response code. */
async function manage(initiator: Initiator, code: number, values: Record<string, unknown> = {}): Promise<number> {
  initiator.send(taskManagementRequest, {
    ...initiator.number(true),
    final: true,
    function: code,
    initiatorTaskTag: initiator.tag(),
    referencedTaskTag: noTag,
    ...values,
  });
  for (;;) {
    const pdu = await initiator.next();
    if (pdu.name === 'Task Management Function Response') return pdu.values['response']!;
  }
}

describe('task management', () => {
  it('RFC 7143 11.6.1: ABORT TASK ends it without an answer, and gives its place in the window back', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login();
    const tag = initiator.sendCommand(write1, { data: pattern(512) });
    initiator.inbox.length = 0;
    expect(await manage(initiator, 1, { referencedTaskTag: tag, refCmdSn: 1 })).toBe(0);
    expect([initiator.inbox, target.lu.tasks.size]).toEqual([[], 0]);
    const { status, pdus } = await initiator.command(testUnitReady);
    expect([status, pdus[0]!.values['maxCmdSn']]).toEqual([0, 66]);
  });

  it('RFC 7143 11.6.1: a task that is not there', async () => {
    const { initiator } = await new IscsiTarget().login();
    expect(await manage(initiator, 1, { referencedTaskTag: 77, refCmdSn: 0 })).toBe(1);
  });

  it('RFC 7143 11.6.1 c): a task that is still to come counts as received', async () => {
    const { initiator } = await new IscsiTarget().login();
    const late = initiator.number();
    expect(await manage(initiator, 1, { referencedTaskTag: 77, refCmdSn: late.cmdSn })).toBe(0);
    expect((await initiator.command(testUnitReady)).status).toBe(0);
  });

  it.each([
    ['ABORT TASK SET', 2, 0],
    ['CLEAR ACA', 3, 5],
    ['CLEAR TASK SET', 4, 0],
    ['LOGICAL UNIT RESET', 5, 0],
    ['TARGET WARM RESET', 6, 0],
    ['TASK REASSIGN', 8, 4],
    ['a reserved function', 9, 5],
  ])('RFC 7143 11.5.1: %s', async (_name, code, expected) => {
    const target = new IscsiTarget();
    const { initiator } = await target.login();
    initiator.sendCommand(write1, { data: pattern(512) });
    initiator.inbox.length = 0;
    expect(await manage(initiator, code)).toBe(expected);
    expect(target.lu.tasks.size).toBe(expected === 0 ? 0 : 1);
  });

  it('RFC 7143 11.6.1: a LUN that is not there', async () => {
    const { initiator } = await new IscsiTarget().login();
    expect(await manage(initiator, 5, { lun: Uint8Array.of(0, 9, 0, 0, 0, 0, 0, 0) })).toBe(2);
  });

  it('the response waits for a write that is on its way to the medium', async () => {
    const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined }) });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    unit.volume.write = () => held;
    const { initiator } = await new IscsiTarget(unit).login();
    const tag = initiator.sendCommand(write1, { data: pattern(512), immediateData: 512 });
    const answer = manage(initiator, 1, { referencedTaskTag: tag, refCmdSn: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(initiator.inbox).toEqual([]);
    release();
    expect(await answer).toBe(0);
    expect((await initiator.command(testUnitReady)).status).toBe(0);
  });

  it('RFC 7143 11.5.1: TARGET COLD RESET ends the sessions behind its answer', async () => {
    const target = new IscsiTarget();
    const { initiator, output } = await target.login();
    expect(await manage(initiator, 7)).toBe(0);
    expect((await initiator.next()).values['asyncEvent']).toBe(3);
    expect([output.ended, [...target.sessionTable].length]).toEqual([true, 0]);
  });
});

describe('sessions', () => {
  it('RFC 7143 6.3.5: the same name and ISID reinstates: the old session ends, its tasks with it', async () => {
    const target = new IscsiTarget();
    const old = await target.login();
    old.initiator.sendCommand(write1, { data: pattern(512) });
    const fresh = target.connect();
    await fresh.initiator.login();
    expect([old.output.ended, fresh.output.ended, target.lu.tasks.size, [...target.sessionTable].length]).toEqual([
      true,
      false,
      0,
      1,
    ]);
    expect(await fresh.initiator.command(testUnitReady)).toMatchObject({ status: 2, sense: '6/29/07' });
  });

  it('RFC 7143 6.3.5: a login that fails reinstates nothing', async () => {
    const target = new IscsiTarget();
    const old = await target.login();
    const fresh = target.connect();
    await fresh.initiator.loginStep(1, undefined, fresh.initiator.names);
    await fresh.initiator.loginStep(3, undefined, {});
    expect([fresh.output.ended, old.output.ended]).toEqual([true, false]);
    expect((await old.initiator.command(testUnitReady)).status).toBe(0);
  });

  it('another ISID is another session', async () => {
    const target = new IscsiTarget();
    const first = await target.login();
    const second = target.connect();
    second.initiator.isid = Uint8Array.of(0x80, 0, 0, 0, 0, 2);
    await second.initiator.login();
    expect([[...target.sessionTable].length, target.lu.nexuses.size]).toEqual([2, 2]);
    expect((await first.initiator.command(testUnitReady)).status).toBe(0);
  });

  /** A session of two connections. */
  async function twoConnections() {
    const target = new IscsiTarget();
    target.tpg.parameters.set('MaxConnections', '2');
    const first = await target.login({ MaxConnections: '2' });
    const second = target.connect();
    Object.assign(second.initiator, { cid: 1, tsih: first.initiator.tsih, lastTag: 100 });
    await second.initiator.login();
    return { target, first, second };
  }

  it('RFC 7143 4.2.2: two connections, one order of commands, allegiance of each to its connection', async () => {
    const { first, second, target } = await twoConnections();
    expect([...target.sessionTable].length).toBe(1);
    second.initiator.cmdSn = 2;
    const late = second.initiator.sendCommand(read1, { read: true, length: 512 });
    expect(second.initiator.inbox).toEqual([]);
    expect((await first.initiator.command(testUnitReady)).status).toBe(0);
    expect((await second.initiator.finish(late)).status).toBe(0);
    expect(first.initiator.inbox).toEqual([]);
  });

  it('a write whose gap closes while its data is half here keeps its data', async () => {
    const { first, second, target } = await twoConnections();
    second.initiator.cmdSn = 2;
    const sent: Buffer[] = [];
    const { raw } = second.initiator;
    second.initiator.raw = (bytes) => sent.push(Buffer.from(bytes));
    const tag = second.initiator.sendCommand(write1, { data: pattern(512), immediateData: 512 });
    second.initiator.raw = raw;
    second.initiator.raw(sent[0]!.subarray(0, 200));
    await first.initiator.command(testUnitReady);
    second.initiator.raw(sent[0]!.subarray(200));
    expect((await second.initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(target.volume.bytes.subarray(0, 512))).toEqual(pattern(512));
  });

  it('RFC 7143 11.13.5: MaxConnections is kept, a TSIH that is none refused, a CID in use replaced', async () => {
    const { target, first, second } = await twoConnections();
    const third = target.connect();
    Object.assign(third.initiator, { cid: 2, tsih: first.initiator.tsih });
    expect((await third.initiator.loginStep(1, 3, third.initiator.names)).values['statusDetail']).toBe(6);
    const lost = target.connect();
    Object.assign(lost.initiator, { tsih: 0x7777 });
    expect((await lost.initiator.loginStep(1, 3, lost.initiator.names)).values['statusDetail']).toBe(0x0a);
    const again = target.connect();
    Object.assign(again.initiator, { cid: 1, tsih: first.initiator.tsih });
    await again.initiator.login();
    expect([second.output.ended, first.output.ended, again.output.ended]).toEqual([true, false, false]);
  });

  it('one connection of two is lost: its commands end, the session goes on', async () => {
    const { target, first, second } = await twoConnections();
    second.initiator.sendCommand(write1, { data: pattern(512) });
    await second.connection.close('lost');
    expect([target.lu.tasks.size, [...target.sessionTable].length]).toEqual([0, 1]);
    first.initiator.cmdSn = 2;
    expect((await first.initiator.command(testUnitReady)).status).toBe(0);
  });

  it('a session that is refreshed sees LUNs that came, and is told', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login();
    addLun(target.tpg, 1, logicalUnit({ name: 'disk1' }).lu);
    for (const session of target.sessionTable) session.refresh();
    expect(await initiator.command(testUnitReady)).toMatchObject({ status: 2, sense: '6/3f/0e' });
    expect((await initiator.command(testUnitReady)).status).toBe(0);
    expect((await initiator.command(testUnitReady, { lun: 1 })).sense).toMatch(/^6\//);
  });

  it('a login request in full feature phase is rejected', async () => {
    const { initiator, output } = await new IscsiTarget().login();
    initiator.send(loginRequest, { ...initiator.loginValues(1) });
    expect([(await initiator.next()).values['reason'], output.ended]).toEqual([4, false]);
  });

  it('a connection that is cut at each step leaves nothing behind', async () => {
    const steps: ((initiator: Initiator) => unknown)[] = [
      (initiator) => initiator.loginStep(0, undefined, initiator.names),
      (initiator) => initiator.login(),
      (initiator) => initiator.sendCommand(write1, { data: pattern(512) }),
      (initiator) => initiator.raw(initiator.bytes(nopOut, {}).subarray(0, 20)),
    ];
    for (let count = 0; count <= steps.length; count += 1) {
      const target = new IscsiTarget();
      const { initiator, connection } = target.connect();
      for (const step of steps.slice(count === 0 ? 0 : 1, count)) await step(initiator);
      await connection.close('cut');
      expect([[...target.sessionTable].length, target.lu.tasks.size, target.lu.nexuses.size]).toEqual([0, 0, 0]);
    }
  });
});
