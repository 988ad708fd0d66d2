// Every task management function in every state of a task (RFC 7143 11.5), a session cut after every few bytes, and PDUs
// split once at every byte (4.2, 7). It does not test what each answer says (the other files here).

import { describe, expect, it } from 'vitest';
import { nopOut, scsiCommand, taskManagementRequest, textRequest } from '../../../src/iscsi/pdu.ts';
import { nexusesOf } from '../../../src/scsi/nexus.ts';
import { taskSet } from '../../../src/scsi/task-set.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const testUnitReady = [0, 0, 0, 0, 0, 0];
const read1 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const write2 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 2, 0];
const digests = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' };

type Parts = Awaited<ReturnType<IscsiTarget['login']>>;

/** A target whose medium holds writes and reads until `release`. */
function heldTarget() {
  const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined, readNow: undefined }) });
  const { read, write } = unit.volume;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  unit.volume.write = (...args) => gate.then(() => write(...args));
  unit.volume.read = (...args) => gate.then(() => read(...args));
  const target = new IscsiTarget(unit);
  target.tpg.parameters.set('InitialR2T', 'No');
  return { target, release };
}

/** States of a task, each with the way there. @returns the task's tag */
const states: Record<string, (parts: Parts) => number> = {
  'waiting for unsolicited data': ({ initiator }) => {
    const tag = initiator.tag();
    const values = { ...initiator.number(), write: true, initiatorTaskTag: tag, expectedDataTransferLength: 1024 };
    initiator.send(scsiCommand, { ...values, cdb: Uint8Array.from(write2) }, pattern(512));
    return tag;
  },
  'waiting for data that it asked for': ({ initiator }) => initiator.sendCommand(write2, { data: pattern(1024) }),
  'writing to the medium': ({ initiator }) =>
    initiator.sendCommand(write2, { data: pattern(1024), immediateData: 1024 }),
  'reading from the medium': ({ initiator }) => initiator.sendCommand(read1, { read: true, length: 512 }),
  'waiting for the connection to take its answer': ({ initiator, output }) => {
    output.blocked = true;
    return initiator.sendCommand(testUnitReady);
  },
};

const functions = {
  'ABORT TASK': 1,
  'ABORT TASK SET': 2,
  'CLEAR TASK SET': 4,
  'LOGICAL UNIT RESET': 5,
  'WARM RESET': 6,
};

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('RFC 7143 11.5: task management', () => {
  it.each(Object.keys(states).flatMap((state) => Object.keys(functions).map((name) => [name, state] as const)))(
    '%s of a task that is %s: no answer to the task, one to the function, and the session goes on',
    async (name, state) => {
      const { target, release } = heldTarget();
      const parts = await target.login({ InitialR2T: 'No' });
      const { initiator, output, connection } = parts;
      const tag = states[state]!(parts);
      const refCmdSn = initiator.cmdSn - 1;
      await turns(2);
      initiator.inbox.length = 0;
      initiator.send(taskManagementRequest, {
        ...initiator.number(true),
        final: true,
        function: functions[name as keyof typeof functions],
        initiatorTaskTag: initiator.tag(),
        referencedTaskTag: tag,
        refCmdSn,
      });
      release();
      output.blocked = false;
      connection.drained();
      await turns();
      expect(initiator.inbox.map((pdu) => [pdu.name, pdu.values['response']])).toEqual([
        ['Task Management Function Response', 0],
      ]);
      expect([taskSet.of(target.lu).size, [...target.sessionTable][0]?.commands.size]).toEqual([0, 0]);
      initiator.inbox.length = 0;
      expect((await answerPastAttentions(initiator)).status).toBe(0);
    },
  );

  /** A session where command 2 has come and 1 has not, and an immediate function behind them. */
  async function behindGap(name: keyof typeof functions) {
    const { initiator } = await new IscsiTarget().login();
    initiator.cmdSn = 2;
    const tag = initiator.sendCommand(testUnitReady);
    initiator.send(taskManagementRequest, {
      ...initiator.number(true),
      final: true,
      function: functions[name],
      initiatorTaskTag: 99,
      referencedTaskTag: tag,
      refCmdSn: 2,
    });
    await turns();
    return { initiator, tag };
  }
  const answers = (initiator: Initiator) =>
    initiator.inbox.map(({ values }) => [values['initiatorTaskTag'], values['response'], values['expCmdSn']]);

  it.each(['ABORT TASK SET', 'CLEAR TASK SET', 'LOGICAL UNIT RESET'] as const)(
    '4.2.3.3: %s waits for the commands that are numbered before it',
    async (name) => {
      const { initiator, tag } = await behindGap(name);
      expect(initiator.inbox).toEqual([]);
      initiator.cmdSn = 1;
      const first = initiator.sendCommand(testUnitReady);
      await turns();
      expect(answers(initiator)).toEqual([
        [first, 0, 2],
        [tag, 0, 3],
        [99, 0, 3],
      ]);
    },
  );

  it('4.2.3.3: for WARM RESET the commands that are numbered before it count as received', async () => {
    const { initiator } = await behindGap('WARM RESET');
    expect(answers(initiator)).toEqual([[99, 0, 3]]);
    expect(initiator.inbox[0]?.values['maxCmdSn']).toBe(66);
    initiator.inbox.length = 0;
    initiator.cmdSn = 3;
    expect((await answerPastAttentions(initiator)).status).toBe(0);
  });

  it('11.6.1: ABORT TASK ends a command before its turn; its number counts as received', async () => {
    const { initiator } = await behindGap('ABORT TASK');
    expect(answers(initiator)).toEqual([[99, 0, 1]]);
    initiator.inbox.length = 0;
    initiator.cmdSn = 1;
    expect((await initiator.command(testUnitReady)).status).toBe(0);
    initiator.cmdSn = 3;
    expect((await initiator.command(testUnitReady)).pdus[0]!.values).toMatchObject({ status: 0, expCmdSn: 4 });
  });
});

/** A TEST UNIT READY, as often as there are unit attentions before it. */
async function answerPastAttentions(initiator: Initiator) {
  let outcome = await initiator.command(testUnitReady);
  for (let count = 0; count < 3 && outcome.sense.startsWith('6/'); count += 1)
    outcome = await initiator.command(testUnitReady);
  return outcome;
}

/** The bytes that an initiator sends in a session: login, a write with both kinds of data, a read, a ping, a text, logout. */
async function recorded(): Promise<Buffer[]> {
  const target = new IscsiTarget();
  const { initiator } = target.connect();
  const sent: Buffer[] = [];
  const { raw } = initiator;
  initiator.raw = (bytes) => {
    sent.push(Buffer.from(bytes));
    raw.call(initiator, bytes);
  };
  await initiator.loginStep(0, undefined, { ...initiator.names, AuthMethod: 'None' });
  await initiator.loginStep(0, 1, {});
  initiator.loggedIn(await initiator.loginStep(1, 3, digests));
  await initiator.command(testUnitReady);
  await initiator.command(write2, { data: pattern(1024), immediateData: 512 });
  await initiator.command(read1, { read: true, length: 512 });
  initiator.send(nopOut, { ...initiator.number(), final: true, initiatorTaskTag: initiator.tag() }, pattern(13));
  await initiator.next();
  await initiator.text({ MaxRecvDataSegmentLength: '4096' });
  await initiator.logout();
  return sent;
}

describe('RFC 7143 7: a connection', () => {
  it('that is cut after any byte of a session leaves nothing behind', async () => {
    const stream = Buffer.concat(await recorded());
    for (let end = 0; end <= stream.length; end += 7) {
      const target = new IscsiTarget();
      const { initiator, connection } = target.connect();
      // The target counts its transfer tags and identifiers from 1 each time: the recorded bytes fit.
      await feed(initiator, stream.subarray(0, end));
      await connection.close('cut');
      expect([[...target.sessionTable].length, taskSet.of(target.lu).size, nexusesOf(target.lu).size]).toEqual([
        0, 0, 0,
      ]);
    }
  });

  it('that brings its bytes in two pieces, cut anywhere, is answered as one that brings them whole', async () => {
    const sent = await recorded();
    const whole = await answers(sent);
    expect(whole).toContain('Logout Response');
    const stream = Buffer.concat(sent);
    for (let at = 1; at < stream.length; at += 1) {
      // Only the PDU that the cut falls into comes in pieces.
      let begin = 0;
      const pieces = sent.flatMap((pdu) => {
        const cut = at - begin;
        begin += pdu.length;
        return cut > 0 && cut < pdu.length ? [pdu.subarray(0, cut), pdu.subarray(cut)] : [pdu];
      });
      expect(await answers(pieces)).toEqual(whole);
    }
  });

  it.each([
    ['a text request', 'Text Response', textRequest],
    ['a ping', 'NOP-In', nopOut],
  ])(
    'RFC 7143 7.8: a data digest of %s that is wrong is rejected; an immediate one costs no more',
    async (_name, answer, pdu) => {
      const target = new IscsiTarget();
      const { initiator, output } = await target.login(digests);
      const request = (immediate: boolean) =>
        initiator.bytes(
          pdu,
          {
            ...initiator.number(immediate),
            final: true,
            initiatorTaskTag: initiator.tag(),
            targetTransferTag: 0xffffffff,
          },
          Buffer.from('X-a=b\0'),
        );
      const spoiled = request(true);
      spoiled[spoiled.length - 1]! ^= 1;
      initiator.raw(spoiled);
      expect((await initiator.next()).values['reason']).toBe(2);
      initiator.raw(request(true));
      expect([(await initiator.next()).name, output.ended]).toEqual([answer, false]);
    },
  );
});

/** Feeds bytes as they would come: what the target does with a PDU is done before the next piece. */
async function feed(initiator: Initiator, ...pieces: Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    initiator.raw(piece);
    await Promise.resolve();
  }
}

/** Names of the answers to a recorded session. */
async function answers(pieces: readonly Uint8Array[]): Promise<string[]> {
  const target = new IscsiTarget();
  const { initiator, output } = target.connect();
  const { onCommit } = output;
  output.onCommit = () => {
    onCommit();
    // Digests begin behind the last answer of the login.
    if (initiator.inbox.at(-1)?.values['nextStage'] === 3) initiator.headerDigest = initiator.dataDigest = true;
  };
  for (const piece of pieces) {
    initiator.raw(piece);
    await turns(1);
  }
  return initiator.inbox.map(({ name }) => name);
}
