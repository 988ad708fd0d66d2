// RFC 7143 4.2.2, 4.2.3.2: what several connections of one session share, and what several sessions do to one another's
// command windows. It does not test how they end (ending.test.ts).

import { describe, expect, it } from 'vitest';
import { nopOut, noTag, taskManagementRequest } from '../../../src/iscsi/pdu.ts';
import { taskSet } from '../../../src/scsi/task-set.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { pattern } from '../../support/logical-unit.ts';

const testUnitReady = [0, 0, 0, 0, 0, 0];
const write1 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];

const turns = async (count = 10) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

function manage(initiator: Initiator, code: number): void {
  const values = { ...initiator.number(true), final: true, function: code, initiatorTaskTag: 900 };
  initiator.send(taskManagementRequest, { ...values, referencedTaskTag: noTag });
}

const answers = (initiator: Initiator) => initiator.inbox.map(({ name }) => name);

describe('several connections', () => {
  it('RFC 7143 11.6.1: ABORT TASK SET is answered when the other connection has all its responses', async () => {
    const { first, second } = await new IscsiTarget().loginTwice();
    expect((await second.initiator.command(testUnitReady)).status).toBe(0);
    first.initiator.cmdSn = 2;
    manage(first.initiator, 2);
    await turns();
    // The other connection is asked, by a NOP-In, which answers it has.
    expect([answers(first.initiator), answers(second.initiator)]).toEqual([[], ['NOP-In']]);
    const { targetTransferTag } = (await second.initiator.next()).values;
    const reply = { ...second.initiator.number(true), final: true, initiatorTaskTag: noTag };
    second.initiator.send(nopOut, { ...reply, targetTransferTag: targetTransferTag! });
    await turns();
    expect(answers(first.initiator)).toEqual(['Task Management Function Response']);
  });

  it('RFC 7143 11.6.1: a connection that is lost acknowledges nothing more, and is not waited for', async () => {
    const { first, second } = await new IscsiTarget().loginTwice();
    await second.initiator.command(testUnitReady);
    first.initiator.cmdSn = 2;
    manage(first.initiator, 5);
    await turns();
    expect(first.initiator.inbox).toEqual([]);
    await second.connection.close('lost');
    await turns();
    expect(answers(first.initiator)).toEqual(['Task Management Function Response']);
  });

  it('RFC 7143 11.14: what a lost connection sent before its turn may come again on another', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    second.initiator.cmdSn = 2;
    second.initiator.sendCommand(write1, { data: pattern(512, 1), immediateData: 512 });
    second.initiator.send(nopOut, { ...second.initiator.number(), final: true, initiatorTaskTag: 77 });
    await second.connection.close('lost');
    expect((await first.initiator.command(testUnitReady)).pdus[0]!.values).toMatchObject({ expCmdSn: 2, maxCmdSn: 65 });
    const again = await first.initiator.command(write1, { data: pattern(512, 2), immediateData: 512 });
    expect(again.pdus[0]!.values).toMatchObject({ status: 0, expCmdSn: 3, maxCmdSn: 66 });
    expect(Buffer.from(target.volume.bytes.subarray(0, 512))).toEqual(pattern(512, 2));
  });

  it('a function that waits for a gap to close is forgotten with its connection', async () => {
    const { target, first, second } = await new IscsiTarget().loginTwice();
    first.initiator.sendCommand(write1, { data: pattern(512) });
    second.initiator.cmdSn = 3;
    manage(second.initiator, 5);
    await turns();
    await second.connection.close('lost');
    await turns();
    expect([taskSet.of(target.lu).size, answers(first.initiator)]).toEqual([1, ['Ready To Transfer']]);
  });

  it('RFC 7143 4.2.2.1: each takes immediate commands, and a task management request beside them', async () => {
    const { first, second } = await new IscsiTarget().loginTwice();
    for (let count = 0; count < 16; count += 1)
      first.initiator.sendCommand(write1, { data: pattern(512), immediate: true });
    first.initiator.inbox.length = 0;
    first.initiator.sendCommand(testUnitReady, { immediate: true });
    expect((await first.initiator.next()).values['reason']).toBe(6);
    expect((await second.initiator.command(testUnitReady, { immediate: true })).status).toBe(0);
    manage(second.initiator, 2);
    manage(first.initiator, 2);
    await turns();
    expect(answers(first.initiator)).not.toContain('Reject');
  });
});

describe('several sessions', () => {
  it('RFC 7143 11.4.10: a window that opens without an answer is shown by a NOP-In', async () => {
    const target = new IscsiTarget();
    target.lu.attributes.set('emulate_tas', 0);
    const victim = await target.login();
    const other = target.connect();
    other.initiator.isid = Uint8Array.of(0x80, 0, 0, 0, 0, 2);
    await other.initiator.login();
    await other.initiator.command(testUnitReady);
    victim.output.blocked = true;
    victim.initiator.sendCommand(testUnitReady);
    manage(other.initiator, 5);
    await turns();
    victim.output.blocked = false;
    victim.connection.drained();
    expect(victim.initiator.inbox).toEqual([]);
    victim.connection.tick();
    victim.connection.tick();
    expect(victim.initiator.inbox.map(({ name, values }) => [name, values['maxCmdSn']])).toEqual([['NOP-In', 65]]);
    expect(victim.initiator.inbox[0]?.values).toMatchObject({ initiatorTaskTag: noTag, targetTransferTag: noTag });
  });
});

describe('task management', () => {
  it('RFC 7143 11.6.1: ABORT TASK at a LUN that is not there', async () => {
    const { initiator } = await new IscsiTarget().login();
    const values = { ...initiator.number(true), final: true, function: 1, initiatorTaskTag: 900 };
    const lun = Uint8Array.of(0, 9, 0, 0, 0, 0, 0, 0);
    initiator.send(taskManagementRequest, { ...values, lun, referencedTaskTag: 4711, refCmdSn: 0 });
    expect((await initiator.next()).values['response']).toBe(2);
  });
});
