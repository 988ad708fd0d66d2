// RFC 7143 11.7, 11.17.1, 13.18: sequences of Data-Out, in order and out of it, and what is wrong with them. It does not
// test residuals nor which data may come unsolicited (data.test.ts).

import { describe, expect, it } from 'vitest';
import { dataOut, noTag, scsiCommand } from '../../../src/iscsi/pdu.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const write = (blocks: number) => [0x2a, 0, 0, 0, 0, 0, 0, 0, blocks, 0];
const testUnitReady = [0, 0, 0, 0, 0, 0];

/** A PDU of a sequence: where its data lies, how much it is, whether it is the last. */
type Piece = readonly [offset: number, length: number, final?: boolean];

/** A write of `blocks` whose data is asked for by one R2T, and what sends pieces of it. */
async function askedFor(blocks: number, target = new IscsiTarget(), keys: Record<string, string> = {}) {
  const parts = await target.login(keys);
  const { initiator } = parts;
  const data = pattern(blocks * 512, 7);
  const tag = initiator.sendCommand(write(blocks), { data });
  const { targetTransferTag } = (await initiator.next()).values;
  return { ...parts, target, tag, data, send: sender(initiator, tag, targetTransferTag!, data) };
}

function sender(initiator: Initiator, initiatorTaskTag: number, targetTransferTag: number, data: Uint8Array) {
  let dataSn = 0;
  return (...pieces: Piece[]) => {
    for (const [bufferOffset, length, final = false] of pieces) {
      const values = { final, initiatorTaskTag, targetTransferTag, bufferOffset, dataSn };
      initiator.send(dataOut, values, data.subarray(bufferOffset, bufferOffset + length));
      dataSn += 1;
    }
  };
}

const inbox = (initiator: Initiator) => initiator.inbox.map(({ name, values }) => [name, values['reason']]);

describe('a sequence', () => {
  it('RFC 7143 11.7: ends with the F bit, be it in a PDU without data; such PDUs may come in between', async () => {
    const { initiator, target, tag, data, send } = await askedFor(2);
    send([0, 512], [512, 0], [512, 512]);
    expect(initiator.inbox).toEqual([]);
    send([1024, 0, true]);
    expect((await initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(target.volume.bytes.subarray(0, 1024))).toEqual(data);
  });

  it('RFC 7143 11.17.1: what does not fit is rejected once, and the command ends when the sequence does', async () => {
    const { initiator, target, tag, send } = await askedFor(4);
    send([0, 512], [1024, 512], [1536, 512]);
    expect(inbox(initiator)).toEqual([['Reject', 9]]);
    initiator.inbox.length = 0;
    send([512, 512, true]);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: 'b/0c/0d' });
    expect(target.volume.calls.filter((call) => call.startsWith('write'))).toEqual([]);
  });

  it.each([
    ['unsolicited', noTag, 4, 'b/0c/0c'],
    ['for a transfer tag that is none', 4711, 9, 'b/0c/0d'],
  ])(
    'RFC 7143 11.17.1: data %s spoils the command, which ends when its own has come',
    async (_name, other, reason, sense) => {
      const { initiator, tag, data, send } = await askedFor(2);
      sender(initiator, tag, other, data)([0, 512, true]);
      expect(inbox(initiator)).toEqual([['Reject', reason]]);
      initiator.inbox.length = 0;
      send([0, 1024, true]);
      expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense });
      expect((await initiator.command(testUnitReady)).status).toBe(0);
    },
  );

  it('data for a command that is on its way to the medium is rejected and harms nothing', async () => {
    const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined }) });
    const { write: put } = unit.volume;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    unit.volume.write = (...args) => held.then(() => put(...args));
    const { initiator, target, tag, data, send } = await askedFor(2, new IscsiTarget(unit));
    send([0, 1024, true], [0, 512, true]);
    sender(initiator, tag, noTag, data)([0, 512, true]);
    expect(inbox(initiator)).toEqual([
      ['Reject', 9],
      ['Reject', 4],
    ]);
    initiator.inbox.length = 0;
    release();
    expect((await initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(target.volume.bytes.subarray(0, 1024))).toEqual(data);
  });

  it('RFC 7143 11.8: of several R2Ts the first is answered first', async () => {
    const target = new IscsiTarget();
    target.tpg.parameters.set('MaxOutstandingR2T', '2');
    const { initiator } = await target.login({ MaxOutstandingR2T: '2', MaxBurstLength: '512' });
    const data = pattern(1024);
    const tag = initiator.sendCommand(write(2), { data });
    const [first, second] = initiator.inbox.splice(0).map(({ values }) => values['targetTransferTag']!);
    sender(initiator, tag, second!, data)([512, 512, true]);
    expect(inbox(initiator)).toEqual([['Reject', 9]]);
    initiator.inbox.length = 0;
    sender(initiator, tag, first!, data)([0, 512, true]);
    sender(initiator, tag, second!, data)([512, 512, true]);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: 'b/0c/0d' });
  });
});

describe('RFC 7143 13.18: with DataPDUInOrder=No', () => {
  const anyOrder = async (blocks: number) => {
    const target = new IscsiTarget();
    target.tpg.parameters.set('DataPDUInOrder', 'No');
    return askedFor(blocks, target, { DataPDUInOrder: 'No' });
  };

  it.each<[string, Piece[]]>([
    [
      'backwards',
      [
        [1536, 512],
        [1024, 512],
        [512, 512],
        [0, 512, true],
      ],
    ],
    [
      'with the last in between',
      [
        [0, 512],
        [1536, 512],
        [512, 512],
        [1024, 512, true],
      ],
    ],
    [
      'some of it twice',
      [
        [0, 1024],
        [512, 1024],
        [1536, 512],
        [0, 512, true],
      ],
    ],
    [
      'in order',
      [
        [0, 1024],
        [1024, 1024, true],
      ],
    ],
  ])('data comes %s', async (_name, pieces) => {
    const { initiator, target, tag, data, send } = await anyOrder(4);
    send(...pieces);
    expect((await initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(target.volume.bytes.subarray(0, 2048))).toEqual(data);
  });

  it.each<[string, Piece[]]>([
    [
      'a gap',
      [
        [0, 512],
        [1024, 1024, true],
      ],
    ],
    [
      'as much as was asked for, and a gap',
      [
        [0, 1024],
        [0, 1024, true],
      ],
    ],
    ['no beginning', [[512, 1536, true]]],
  ])('a sequence with %s ends the command with CHECK CONDITION', async (_name, pieces) => {
    const { initiator, target, tag, send } = await anyOrder(4);
    send(...pieces);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: 'b/0c/0d' });
    expect(target.volume.calls.filter((call) => call.startsWith('write'))).toEqual([]);
  });

  it('pieces without end are no transfer', async () => {
    const { initiator, tag, send } = await anyOrder(8);
    for (let at = 0; at < 4096; at += 8) send([at, 4]);
    for (let at = 4; at < 4096; at += 8) send([at, 4, at === 4092]);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: 'b/0c/0d' });
  });

  it('unsolicited data comes in any order; an R2T asks for the rest', async () => {
    const target = new IscsiTarget();
    for (const key of ['DataPDUInOrder', 'InitialR2T']) target.tpg.parameters.set(key, 'No');
    const { initiator } = await target.login({ DataPDUInOrder: 'No', InitialR2T: 'No', FirstBurstLength: '1536' });
    const data = pattern(2048, 3);
    const tag = initiator.tag();
    const values = { ...initiator.number(), write: true, initiatorTaskTag: tag, expectedDataTransferLength: 2048 };
    initiator.send(scsiCommand, { ...values, cdb: Uint8Array.from(write(4)) }, data.subarray(0, 512));
    sender(initiator, tag, noTag, data)([1024, 512], [512, 512, true]);
    const outcome = await initiator.finish(tag, data);
    expect([outcome.status, outcome.pdus[0]?.values['bufferOffset']]).toEqual([0, 1536]);
    expect(Buffer.from(target.volume.bytes.subarray(0, 2048))).toEqual(data);
  });
});
