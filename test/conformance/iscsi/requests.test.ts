// RFC 7143 11.10, 11.14, 11.18, appendix C: requests that are no commands, and discovery.
// It does not test login (test/iscsi/login.test.ts).

import { describe, expect, it } from 'vitest';
import { dataOut, logoutRequest, nopOut, noTag, textRequest } from '../../../src/iscsi/pdu.ts';
import { nexusesOf } from '../../../src/scsi/nexus.ts';
import { taskSet } from '../../../src/scsi/task-set.ts';
import { addAcl, IscsiTarget, targetName } from '../../support/iscsi-target.ts';
import { pattern } from '../../support/logical-unit.ts';

const testUnitReady = [0, 0, 0, 0, 0, 0];
/** The answer of SendTargets about the only target. */
const own = { TargetName: targetName, TargetAddress: '127.0.0.1:3260,1' };
const write1 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];

describe('requests', () => {
  it.each([100, 8, 7, 1, 0])('RFC 7143 11.18: a ping comes back with its data, %i bytes', async (bytes) => {
    const { initiator } = await new IscsiTarget().login();
    initiator.send(
      nopOut,
      { ...initiator.number(), final: true, initiatorTaskTag: 7, targetTransferTag: noTag },
      pattern(bytes),
    );
    const { name, values, data } = await initiator.next();
    expect([name, values['initiatorTaskTag'], values['targetTransferTag'], data]).toEqual([
      'NOP-In',
      7,
      noTag,
      pattern(bytes),
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

  it('RFC 7143 11.19: an initiator that was not asked is not late, however long nobody looked', async () => {
    const target = new IscsiTarget();
    const { initiator, connection, output } = await target.login();
    target.time += 90_000;
    connection.tick();
    expect([initiator.inbox.map(({ name }) => name), output.ended]).toEqual([['NOP-In'], false]);
    target.time += 30_000;
    connection.tick();
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 11.19: an initiator that reads nothing cannot be asked: it is late with what was sent', async () => {
    const target = new IscsiTarget();
    const { connection, output } = await target.login();
    output.blocked = true;
    target.time += 44_999;
    connection.tick();
    expect(output.ended).toBe(false);
    target.time += 1;
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
    expect(taskSet.of(target.lu).size).toBe(0);
  });

  it.each([
    ['a byte at a time', 1, false],
    ['as fast as it must', 4096, true],
  ])('data that was asked for and comes %s in a second: %i bytes', async (_name, bytes, stays) => {
    const target = new IscsiTarget();
    const { initiator, connection, output } = await target.login();
    const data = pattern(128 * 512);
    initiator.sendCommand([0x2a, 0, 0, 0, 0, 0, 0, 0, 128, 0], { data });
    const { values } = await initiator.next();
    for (let second = 0; second * bytes < data.length && second < 16 && !output.ended; second += 1) {
      target.time += 1000;
      const at = second * bytes;
      const fields = { lun: values['lun']!, initiatorTaskTag: values['initiatorTaskTag']!, bufferOffset: at };
      const numbers = { dataSn: second, targetTransferTag: values['targetTransferTag']! };
      const final = at + bytes === data.length;
      initiator.send(dataOut, { ...fields, ...numbers, final }, data.subarray(at, at + bytes));
      connection.tick();
    }
    expect(output.ended).toBe(!stays);
    if (stays) expect((await initiator.next()).values['status']).toBe(0);
  });

  it('RFC 7143 11.19: pings and patience are those of the ACL; nopin_timeout=0 asks for none', async () => {
    const target = new IscsiTarget();
    const acl = addAcl(target.tpg, 'iqn.2026-01.com.example:initiator');
    const { initiator, connection, output } = await target.login();
    acl.attributes.set('nopin_timeout', 0);
    target.time += 3_600_000;
    connection.tick();
    expect([initiator.inbox, output.ended]).toEqual([[], false]);
    acl.attributes.set('nopin_timeout', 3);
    acl.attributes.set('nopin_response_timeout', 4);
    initiator.send(nopOut, { ...initiator.number(), final: true, initiatorTaskTag: 1, targetTransferTag: noTag });
    initiator.inbox.length = 0;
    target.time += 3001;
    connection.tick();
    expect(initiator.inbox.map(({ name }) => name)).toEqual(['NOP-In']);
    target.time += 4000;
    connection.tick();
    expect(output.ended).toBe(true);
  });

  it('dataout_timeout and its retries are those of the ACL', async () => {
    const target = new IscsiTarget();
    const acl = addAcl(target.tpg, 'iqn.2026-01.com.example:initiator');
    acl.attributes.set('dataout_timeout', 2);
    acl.attributes.set('dataout_timeout_retries', 1);
    const { initiator, connection, output } = await target.login();
    initiator.sendCommand(write1, { data: pattern(512) });
    target.time += 2000;
    connection.tick();
    expect(output.ended).toBe(false);
    target.time += 1;
    connection.tick();
    expect(output.ended).toBe(true);
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
    expect([
      output.ended,
      [...target.sessionTable].length,
      taskSet.of(target.lu).size,
      nexusesOf(target.lu).size,
    ]).toEqual([true, 0, 0, 0]);
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

  it('RFC 7143 C: a name asks for one target, and an unknown one gets nothing; what is no name is rejected', async () => {
    const target = new IscsiTarget();
    expect((await discover(target, targetName))['TargetName']).toBe(targetName);
    expect(await discover(target, 'iqn.2026-01.com.example:none')).toEqual({});
    for (const value of ['', 'Alle', 'A', 'aLL', 'disks'])
      expect(await discover(target, value)).toEqual({ SendTargets: 'Reject' });
  });

  it.each<[string, string, Record<string, string>]>([
    ['nothing', '', own],
    ['its own target', targetName, own],
    ['a target that there is none of', 'iqn.2026-01.com.example:none', {}],
    ['All, which a normal session must not support', 'All', { SendTargets: 'Reject' }],
    ['no name', 'Alle', { SendTargets: 'Reject' }],
    ['the beginning of one', 'A', { SendTargets: 'Reject' }],
    ['All in other letters', 'aLL', { SendTargets: 'Reject' }],
  ])('RFC 7143 C: a normal session is asked for %s, and goes on', async (_what, value, answer) => {
    const { initiator } = await new IscsiTarget().login();
    expect((await initiator.text({ SendTargets: value })).text).toEqual(answer);
    expect((await initiator.command(testUnitReady)).status).toBe(0);
  });

  it('RFC 7143 6.1: a key has its own letters: another one is not understood', async () => {
    const { initiator } = await new IscsiTarget().login();
    for (const key of ['SendTargetsPlease', 'sENDtARGETS'])
      expect((await initiator.text({ [key]: 'All' })).text).toEqual({ [key]: 'NotUnderstood' });
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
