// Writes and verifications that are longer than the memory for them: their data comes a piece at a time. What a write means
// is tested in conformance/scsi, data that needs no memory in landing.test.ts.

import { describe, expect, it } from 'vitest';
import { dataOut, noTag, taskManagementRequest } from '../../src/iscsi/pdu.ts';
import { mediumWork } from '../../src/scsi/medium-work.ts';
import { dataOutBytesMax } from '../../src/scsi/opcode.ts';
import { statistics } from '../../src/scsi/statistics.ts';
import { clearTaskSet } from '../../src/scsi/task-management.ts';
import { taskSet } from '../../src/scsi/task-set.ts';
import type { ReceivedPdu } from '../support/initiator.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { be, logicalUnit, pattern } from '../support/logical-unit.ts';
import { type MemoryVolume, memoryVolume } from '../support/memory-volume.ts';

const MiB = 1 << 20;
const piece = dataOutBytesMax;
const length = 2 * piece + 4 * MiB;
const data = pattern(length);
const cdb16 = (code: number, flags = 0, bytes = length) => [code, flags, ...be(0, 8), ...be(bytes / 512, 4), 0, 0];
const write = cdb16(0x8a);

/** A session with a medium of 24 MiB that advises transfers of 1 MiB at most. */
async function fresh(differing: Partial<MemoryVolume> = {}, keys: Record<string, string> = {}) {
  const unit = logicalUnit({
    volume: memoryVolume(24 * MiB, { writeNow: undefined, ...differing }),
    attributes: { hw_max_sectors: 2048 },
  });
  const target = new IscsiTarget(unit);
  for (const [name, value] of Object.entries(keys)) target.tpg.parameters.set(name, value);
  const parts = await target.login(keys);
  return { ...unit, target, ...parts };
}

type Session = Awaited<ReturnType<typeof fresh>>;

/** Sends a command and its data until an R2T asks for byte `until`, which is returned. */
async function asFarAs({ initiator }: Session, cdb: readonly number[], until: number) {
  const tag = initiator.sendCommand(cdb, { write: true, length });
  for (;;) {
    const r2t = await initiator.next();
    if (r2t.values['bufferOffset']! >= until) return { tag, r2t };
    initiator.sendRequested(r2t, data);
  }
}

const writes = ({ volume }: Session) => volume.calls.filter((call) => call.startsWith('write'));
const pieces = [`write 0+${piece}`, `write ${piece}+${piece}`, `write ${2 * piece}+${length - 2 * piece}`];

describe('a long transfer', () => {
  it.each([
    ['in order', {}],
    ['in any order', { DataPDUInOrder: 'No' }],
    ['many bursts at once', { MaxOutstandingR2T: '16', MaxBurstLength: '262144' }],
  ])('is written in pieces, %s, and is there as a whole; what is advised refuses nothing', async (_how, keys) => {
    const session = await fresh({}, keys);
    const outcome = await session.initiator.command(write, { data });
    expect([outcome.status, outcome.residual]).toEqual([0, 0]);
    expect(writes(session)).toEqual(pieces);
    expect(Buffer.compare(session.volume.bytes.subarray(0, length), data)).toBe(0);
    const read = await session.initiator.command(cdb16(0x88), { read: true, length });
    expect(read.data.equals(data)).toBe(true);
    expect([statistics.of(session.lu).writeCommands, statistics.of(session.lu).blocksWritten]).toEqual([
      1,
      length / 512,
    ]);
  });

  it('has as much unsolicited as was agreed on, also when that is more than a piece', async () => {
    const burst = String(10 * MiB);
    const session = await fresh({}, { InitialR2T: 'No', FirstBurstLength: burst, MaxBurstLength: burst });
    const { initiator, volume } = session;
    const tag = initiator.sendCommand(write, { data, final: false });
    initiator.sendData({ initiatorTaskTag: tag, targetTransferTag: noTag }, data, 0, 10 * MiB);
    expect((await initiator.finish(tag, data)).status).toBe(0);
    expect(writes(session)).toEqual([`write 0+${2 * piece}`, `write ${2 * piece}+${4 * MiB}`]);
    expect(Buffer.compare(volume.bytes.subarray(0, length), data)).toBe(0);
  });

  it('takes the memory of a piece, not of all its data', async () => {
    const session = await fresh();
    // 64 MiB in all: eight at a time, and the others wait.
    for (let count = 0; count < 9; count += 1) session.initiator.sendCommand(write, { write: true, length });
    expect(session.initiator.inbox.map(({ name }) => name)).toEqual(Array(8).fill('Ready To Transfer'));
  });

  it('SBC-3 5.35: FUA holds for every piece', async () => {
    const session = await fresh();
    await session.initiator.command(cdb16(0x8a, 0x08), { data });
    expect(writes(session)).toEqual(pieces.map((call) => `${call} durable`));
  });

  it('SBC-3 5.35: is refused before its first byte when its last block is beyond the end', async () => {
    const session = await fresh();
    const cdb = [0x8a, 0, ...be((24 * MiB - length) / 512 + 1, 8), ...be(length / 512, 4), 0, 0];
    const outcome = await session.initiator.command(cdb, { data });
    expect([outcome.sense, outcome.pdus.length, session.volume.calls]).toEqual(['5/21/00', 1, []]);
  });

  it('SBC-3 5.31 VERIFY(16): compares all of it, and says where it differs, counted from its beginning', async () => {
    const session = await fresh();
    session.volume.bytes.set(data);
    expect((await session.initiator.command(cdb16(0x8f, 0x02), { data })).status).toBe(0);
    session.volume.bytes[piece + 700]! ^= 1;
    const { sense, pdus } = await session.initiator.command(cdb16(0x8f, 0x02), { data });
    expect([sense, pdus.at(-1)!.data.readUInt32BE(2 + 3)]).toEqual(['e/1d/00', piece + 700]);
  });

  it('SBC-3 5.39 WRITE AND VERIFY(16): each piece is read again once it is written', async () => {
    const session = await fresh();
    expect((await session.initiator.command(cdb16(0x8e, 0x02), { data })).status).toBe(0);
    expect(writes(session)).toEqual(pieces.map((call) => `${call} durable`));
    const order = session.volume.calls.map((call) => call.split(' ')[0]).join(' ');
    expect(order).toBe(`write ${'read '.repeat(8)}write ${'read '.repeat(8)}write ${'read '.repeat(4)}`.trim());
  });

  it('SBC-3 5.5 ORWRITE(16): what cannot be split is refused, and no memory is taken for it', async () => {
    const session = await fresh();
    expect((await session.initiator.command(cdb16(0x8b), { data })).sense).toBe('5/24/00');
    const most = { data: data.subarray(0, piece) };
    expect((await session.initiator.command(cdb16(0x8b, 0, piece), most)).status).toBe(0);
  });
});

describe('between two pieces', () => {
  it('RFC 7143 11.6.1: ABORT TASK is answered at once, and nothing of what still comes is written', async () => {
    const session = await fresh();
    const { initiator } = session;
    const { tag, r2t } = await asFarAs(session, write, piece);
    initiator.send(taskManagementRequest, {
      ...initiator.number(true),
      final: true,
      function: 1,
      referencedTaskTag: tag,
      refCmdSn: initiator.cmdSn - 1,
      initiatorTaskTag: initiator.tag(),
    });
    const answer = await initiator.next();
    expect([answer.name, answer.values['response']]).toEqual(['Task Management Function Response', 0]);
    initiator.sendRequested(r2t, data);
    expect((await initiator.command([0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0])).status).toBe(0);
    expect(writes(session)).toEqual(pieces.slice(0, 1));
  });

  it('SAM-5 5.6.2: a task set that another nexus clears waits for nobody; TASK ABORTED comes behind the data', async () => {
    const session = await fresh();
    const { initiator, target } = session;
    const { tag, r2t } = await asFarAs(session, write, piece);
    await target.login({ InitiatorName: 'iqn.2026-01.com.example:other' });
    const nexus = [...target.sessionTable].find((one) => one.initiatorName.endsWith('other'))!.nexus!;
    await clearTaskSet(nexus, 0);
    expect(initiator.inbox).toEqual([]);
    initiator.sendRequested(r2t, data);
    expect((await initiator.finish(tag, data)).status).toBe(0x40);
    expect(writes(session)).toEqual(pieces.slice(0, 1));
  });

  it('a connection that ends leaves nothing behind', async () => {
    const session = await fresh();
    await asFarAs(session, write, piece);
    await session.connection.close('the test wants it');
    expect([taskSet.of(session.lu).size, writes(session)]).toEqual([0, pieces.slice(0, 1)]);
  });

  it.each<[string, (r2t: ReceivedPdu, session: Session) => void, string]>([
    [
      'less data than the R2T asked for',
      (r2t, { initiator }) => {
        const { initiatorTaskTag, targetTransferTag } = r2t.values;
        initiator.sendData(
          { initiatorTaskTag: initiatorTaskTag!, targetTransferTag: targetTransferTag! },
          data,
          piece,
          piece + 512,
        );
      },
      'b/0c/0d',
    ],
    [
      'a medium that another one has taken the place of',
      (r2t, { initiator, lu }) => {
        lu.volume = memoryVolume(24 * MiB);
        initiator.sendRequested(r2t, data);
      },
      '2/04/00',
    ],
    [
      'a medium that has become smaller',
      (r2t, { initiator, volume }) => {
        volume.write = () => Promise.reject(Object.assign(new Error('ERANGE'), { code: 'ERANGE' }));
        initiator.sendRequested(r2t, data);
      },
      '5/21/00',
    ],
    [
      'a SANITIZE that has begun',
      (r2t, { initiator, lu }) => {
        mediumWork.set(lu, { work: { does: 'block erase', exit: false, failed: false, medium: {} } });
        initiator.sendRequested(r2t, data);
      },
      '2/04/1b',
    ],
  ])('%s ends the command with CHECK CONDITION', async (_what, harm, sense) => {
    const session = await fresh();
    const { tag, r2t } = await asFarAs(session, write, piece);
    harm(r2t, session);
    const outcome = await session.initiator.finish(tag, data);
    expect([outcome.status, outcome.sense, writes(session)]).toEqual([2, sense, pieces.slice(0, 1)]);
    expect([...session.target.sessionTable]).toHaveLength(1);
  });

  it('RFC 7143 7.8: a wrong data digest in a later piece ends the command', async () => {
    const session = await fresh({}, { DataDigest: 'CRC32C' });
    const { initiator } = session;
    const { tag, r2t } = await asFarAs(session, write, piece);
    const { initiatorTaskTag, targetTransferTag, bufferOffset, desiredDataTransferLength } = r2t.values;
    const values = { final: true, initiatorTaskTag: initiatorTaskTag!, targetTransferTag: targetTransferTag! };
    const part = data.subarray(piece, piece + desiredDataTransferLength!);
    const damaged = initiator.bytes(dataOut, { ...values, bufferOffset: bufferOffset! }, part);
    damaged[damaged.length - 1]! ^= 1;
    initiator.raw(damaged);
    expect((await initiator.next()).name).toBe('Reject');
    expect((await initiator.finish(tag, data)).sense).toBe('b/47/05');
    expect(writes(session)).toEqual(pieces.slice(0, 1));
  });
});
