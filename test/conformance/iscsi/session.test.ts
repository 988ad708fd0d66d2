// RFC 7143 4.2.2, 6.3.5: command numbering; sessions and their connections. It does not test data phases (data.test.ts).

import { describe, expect, it } from 'vitest';
import { loginRequest, nopOut } from '../../../src/iscsi/pdu.ts';
import { nexusesOf } from '../../../src/scsi/nexus.ts';
import { taskSet } from '../../../src/scsi/task-set.ts';
import { clearUnitAttentions } from '../../../src/scsi/unit-attention.ts';
import type { Initiator } from '../../support/initiator.ts';
import { addLun, IscsiTarget } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';

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
    clearUnitAttentions([...target.sessionTable][0]!.nexus!);
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

describe('sessions', () => {
  it('RFC 7143 6.3.5: the same name and ISID reinstates: the old session ends, its tasks with it', async () => {
    const target = new IscsiTarget();
    const old = await target.login();
    old.initiator.sendCommand(write1, { data: pattern(512) });
    const fresh = target.connect();
    await fresh.initiator.login();
    expect([old.output.ended, fresh.output.ended, taskSet.of(target.lu).size, [...target.sessionTable].length]).toEqual(
      [true, false, 0, 1],
    );
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
    expect([[...target.sessionTable].length, nexusesOf(target.lu).size]).toEqual([2, 2]);
    expect((await first.initiator.command(testUnitReady)).status).toBe(0);
  });

  it('RFC 7143 4.2.2: two connections, one order of commands, allegiance of each to its connection', async () => {
    const { first, second, target } = await new IscsiTarget().loginTwice();
    expect([...target.sessionTable].length).toBe(1);
    second.initiator.cmdSn = 2;
    const late = second.initiator.sendCommand(read1, { read: true, length: 512 });
    expect(second.initiator.inbox).toEqual([]);
    expect((await first.initiator.command(testUnitReady)).status).toBe(0);
    expect((await second.initiator.finish(late)).status).toBe(0);
    expect(first.initiator.inbox).toEqual([]);
  });

  it('a write whose gap closes while its data is half here keeps its data', async () => {
    const { first, second, target } = await new IscsiTarget().loginTwice();
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
    const { target, first, second } = await new IscsiTarget().loginTwice();
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

  it('RFC 7143 7.6: one connection of two is lost: its commands end, the session goes on and is told', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    second.initiator.sendCommand(write1, { data: pattern(512) });
    await second.connection.close('lost');
    expect([taskSet.of(target.lu).size, [...target.sessionTable].length]).toEqual([0, 1]);
    first.initiator.cmdSn = 2;
    expect(await first.initiator.command(testUnitReady)).toMatchObject({ status: 2, sense: '6/47/7f' });
    expect((await first.initiator.command(testUnitReady)).status).toBe(0);
  });

  it('RFC 7143 6.3.4: the only connection of a session is replaced, and the session goes on', async () => {
    const target = new IscsiTarget();
    const old = await target.login();
    old.initiator.sendCommand(write1, { data: pattern(512) });
    const fresh = target.connect();
    Object.assign(fresh.initiator, { tsih: old.initiator.tsih, cmdSn: 2 });
    await fresh.initiator.login();
    expect([old.output.ended, taskSet.of(target.lu).size, [...target.sessionTable].length]).toEqual([true, 0, 1]);
    expect(await fresh.initiator.command(testUnitReady)).toMatchObject({ status: 2, sense: '6/47/7f' });
    expect((await fresh.initiator.command(testUnitReady)).status).toBe(0);
  });

  it('RFC 7143 7.7: a format error ends all connections of the session', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    const bytes = first.initiator.bytes(nopOut, { ...first.initiator.number(), final: true });
    bytes.writeUIntBE(0xffffff, 5, 3);
    first.initiator.raw(bytes);
    expect([first.output.ended, second.output.ended, [...target.sessionTable]]).toEqual([true, true, []]);
  });

  it('RFC 7143 11.9.1: LUNs that came are told of once for the session, and a unit attention says it too', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    const { initiator } = first;
    for (const session of target.sessionTable) session.refresh();
    expect(initiator.inbox).toEqual([]);
    addLun(target.tpg, 1, logicalUnit({ name: 'disk1' }).lu);
    for (const session of target.sessionTable) session.refresh();
    expect(second.initiator.inbox).toEqual([]);
    const { name, values, data } = await initiator.next();
    expect([name, values['asyncEvent'], values['lun']]).toEqual(['Asynchronous Message', 0, new Uint8Array(8)]);
    expect(data.toString('hex')).toBe('0012700006000000000a000000003f0e00000000');
    expect(await initiator.command(testUnitReady)).toMatchObject({ status: 2, sense: '6/3f/0e' });
    expect((await initiator.command(testUnitReady)).status).toBe(0);
    expect((await initiator.command(testUnitReady, { lun: 1 })).sense).toMatch(/^6\//);
  });

  it('a LUN that is taken away is gone for the next command, and the initiator is told', async () => {
    const target = new IscsiTarget();
    addLun(target.tpg, 1, logicalUnit({ name: 'disk1' }).lu);
    const { initiator } = await target.login();
    target.tpg.luns.delete(1);
    for (const session of target.sessionTable) session.refresh();
    expect((await initiator.next()).values['asyncEvent']).toBe(0);
    expect(await initiator.command(testUnitReady)).toMatchObject({ status: 2, sense: '6/3f/0e' });
    expect((await initiator.command(testUnitReady, { lun: 1 })).sense).toBe('5/25/00');
    expect((await initiator.command(testUnitReady)).status).toBe(0);
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
      expect([[...target.sessionTable].length, taskSet.of(target.lu).size, nexusesOf(target.lu).size]).toEqual([
        0, 0, 0,
      ]);
    }
  });
});
