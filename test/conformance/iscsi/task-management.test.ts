// RFC 7143 11.5, 11.6: task management. It does not test what it means to a logical unit (test/scsi/task-management.test.ts).

import { describe, expect, it } from 'vitest';
import { noTag, taskManagementRequest } from '../../../src/iscsi/pdu.ts';
import { taskSet } from '../../../src/scsi/task-set.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const testUnitReady = [0, 0, 0, 0, 0, 0];
const write1 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];

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
    expect([initiator.inbox, taskSet.of(target.lu).size]).toEqual([[], 0]);
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
    expect(taskSet.of(target.lu).size).toBe(expected === 0 ? 0 : 1);
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

  it('requests that wait for a medium keep their place in the window; immediate ones are bounded', async () => {
    const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined }) });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    unit.volume.write = () => held;
    const { initiator } = await new IscsiTarget(unit).login();
    initiator.sendCommand(write1, { data: pattern(512), immediateData: 512 });
    const send = (immediate: boolean) =>
      initiator.send(taskManagementRequest, {
        ...initiator.number(immediate),
        final: true,
        function: 2,
        initiatorTaskTag: initiator.tag(),
        referencedTaskTag: noTag,
      });
    for (let count = 0; count < 17; count += 1) send(true);
    expect(initiator.inbox.map(({ values }) => values['reason'])).toEqual([6]);
    initiator.inbox.length = 0;
    for (let count = 0; count < 70; count += 1) send(false);
    release();
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    // 16 that were immediate, and the 63 that the window had room for beside the write.
    expect(initiator.inbox.length).toBe(16 + 63);
    expect(initiator.inbox.at(-1)?.values).toMatchObject({ response: 0, expCmdSn: 65, maxCmdSn: 128 });
  });

  it('RFC 7143 11.5.1: TARGET COLD RESET ends the sessions behind its answer', async () => {
    const target = new IscsiTarget();
    const { initiator, output } = await target.login();
    expect(await manage(initiator, 7)).toBe(0);
    expect((await initiator.next()).values['asyncEvent']).toBe(3);
    expect([output.ended, [...target.sessionTable].length]).toEqual([true, 0]);
  });
});
