// Writes whose data goes to its place as it comes: what else the commands around them see of it. That sockets receive
// into memory is tested in socket-transport.test.ts and engine.test.ts.

import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Volume } from '../../src/backstore/backstore.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { dataOut, scsiCommand, taskManagementRequest } from '../../src/iscsi/pdu.ts';
import type { LogRecord } from '../../src/log.ts';
import { setBugReporter } from '../../src/scsi/device-server.ts';
import { statistics } from '../../src/scsi/statistics.ts';
import { clearTaskSet } from '../../src/scsi/task-management.ts';
import { systemError } from '../../src/system/system-error.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../support/logical-unit.ts';
import { type MemoryVolume, memoryVolume } from '../support/memory-volume.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const blocks = 128;
const bytes = blocks * 512;
const half = bytes / 2;
const write10 = [0x2a, 0, 0, 0, 0, 0, 0, 0, blocks, 0];

/** A session whose transport and volume let data land. */
async function landing(
  keys: Record<string, string> = {},
  piece?: number,
  volume: Volume = memoryVolume(1 << 20, { lend: () => false }),
) {
  const unit = logicalUnit({ volume: volume as MemoryVolume });
  const target = new IscsiTarget(unit);
  target.tpg.parameters.set('DataPDUInOrder', keys['DataPDUInOrder'] ?? 'Yes');
  const { initiator, output } = await target.login(keys, piece);
  Object.assign(output, { lands: true });
  return { ...unit, target, initiator };
}

type Session = Awaited<ReturnType<typeof landing>>;

/** The first half of a write has come; the second is asked for. */
async function halfWay({ initiator }: Session, data: Uint8Array) {
  const tag = initiator.sendCommand(write10, { data, immediateData: half });
  const r2t = await initiator.next();
  expect(r2t).toMatchObject({ name: 'Ready To Transfer', values: { bufferOffset: half } });
  return { tag, r2t };
}

describe('data that lands', () => {
  it('is on the medium as it comes, and counted at the end', async () => {
    const session = await landing();
    const { initiator, volume, lu } = session;
    const data = pattern(bytes);
    const { tag, r2t } = await halfWay(session, data);
    expect([Buffer.from(volume.bytes.subarray(0, bytes)), statistics.of(lu).writeCommands]).toEqual([
      Buffer.concat([data.subarray(0, half), Buffer.alloc(half)]),
      0,
    ]);
    initiator.sendRequested(r2t, data);
    expect((await initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(volume.bytes.subarray(0, bytes))).toEqual(data);
    expect([statistics.of(lu).writeCommands, statistics.of(lu).blocksWritten, volume.calls.length]).toEqual([
      1,
      blocks,
      2,
    ]);
  });

  it('RFC 7143 11.6.1: changes nothing any more once ABORT TASK is answered', async () => {
    const session = await landing();
    const { initiator, volume } = session;
    const { tag, r2t } = await halfWay(session, pattern(bytes));
    initiator.send(taskManagementRequest, {
      ...initiator.number(true),
      final: true,
      function: 1,
      referencedTaskTag: tag,
      refCmdSn: initiator.cmdSn - 1,
      initiatorTaskTag: initiator.tag(),
    });
    expect((await initiator.next()).values['response']).toBe(0);
    const before = volume.calls.length;
    initiator.sendRequested(r2t, pattern(bytes));
    expect((await initiator.command([0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0])).status).toBe(0);
    expect(volume.calls.slice(before)).toEqual(['flush']);
  });

  it('SAM-5 5.6.2: is dropped when another nexus has cleared the task set, and answered TASK ABORTED', async () => {
    const session = await landing();
    const { initiator, target, volume } = session;
    const data = pattern(bytes);
    const { tag, r2t } = await halfWay(session, data);
    const other = await target.login({ InitiatorName: 'iqn.2026-01.com.example:other' });
    const nexus = [...target.sessionTable].find((one) => one.initiatorName.endsWith('other'))!.nexus!;
    await clearTaskSet(nexus, 0);
    initiator.sendRequested(r2t, data);
    expect((await initiator.finish(tag)).status).toBe(0x40);
    expect(volume.bytes.subarray(half, bytes)).toEqual(new Uint8Array(half));
    await other.initiator.logout();
  });

  it('SBC-3 5.2: COMPARE AND WRITE does not wait for what is still to come, and nothing lands while it is at work', async () => {
    const session = await landing();
    const { initiator, volume } = session;
    const data = Buffer.alloc(bytes, 7);
    const compare = [0x89, 0, 0, 0, 0, 0, 0, 0, 0, blocks - 1, 0, 0, 0, 1, 0, 0];
    const both = Buffer.concat([Buffer.alloc(512), Buffer.alloc(512, 9)]);
    const first = await halfWay(session, data);
    expect((await initiator.command(compare, { data: both, immediateData: both.length })).status).toBe(0);
    initiator.sendRequested(first.r2t, data);
    expect((await initiator.finish(first.tag)).status).toBe(0);

    const { read } = volume;
    let goOn = () => {};
    volume.read = async (...range) => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      return read(...range);
    };
    const second = await halfWay(session, data);
    const atomic = initiator.sendCommand(compare, { data: both.fill(7, 0, 512), immediateData: both.length });
    await new Promise((resolve) => setImmediate(resolve));
    initiator.sendRequested(second.r2t, data);
    const busy = 8;
    expect((await initiator.finish(second.tag)).status).toBe(busy);
    goOn();
    expect((await initiator.finish(atomic)).status).toBe(0);
    expect([volume.bytes[bytes - 513], volume.bytes[bytes - 512]]).toEqual([7, 9]);
  });

  it.each([1, 47, 512, 1000, 5000])(
    'no block is written in part, wherever its data is cut: pieces of %i bytes',
    async (piece) => {
      const session = await landing({}, piece);
      const { initiator, volume } = session;
      const data = Buffer.alloc(bytes, 7);
      const { tag, r2t } = await halfWay(session, data);
      const { values } = r2t;
      const sequence = {
        lun: values['lun']!,
        initiatorTaskTag: tag,
        targetTransferTag: values['targetTransferTag']!,
        expStatSn: initiator.expStatSn,
      };
      const cut = half + 3 * 512 + 100;
      initiator.send(dataOut, { ...sequence, bufferOffset: half }, data.subarray(half, cut));
      const written = (from: number, to: number) => volume.bytes.subarray(from, to).every((byte) => byte === 7);
      expect([written(0, half + 3 * 512), volume.bytes[half + 3 * 512]]).toEqual([true, 0]);
      initiator.send(dataOut, { ...sequence, final: true, dataSn: 1, bufferOffset: cut }, data.subarray(cut));
      expect((await initiator.finish(tag)).status).toBe(0);
      expect(written(0, bytes)).toBe(true);
    },
  );

  it('a medium that goes away in between: the command says so', async () => {
    const session = await landing();
    const { initiator, lu } = session;
    const { volume } = lu;
    const data = pattern(bytes);
    const { tag, r2t } = await halfWay(session, data);
    lu.volume = undefined;
    initiator.sendRequested(r2t, data);
    lu.volume = volume;
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: '2/04/01' });
  });

  it.each([
    ['EIO', '3/0c/00'],
    ['EROFS', '7/27/00'],
    ['ENOSPC', '7/27/07'],
    ['ERANGE', '5/21/00'],
  ])(
    'data that the volume does not take at once is written as on the general path, which reports the error: %s',
    async (code, expected) => {
      const session = await landing();
      const { initiator, volume } = session;
      const data = pattern(bytes);
      const { tag, r2t } = await halfWay(session, data);
      volume.writeNow = () => false;
      volume.write = () => Promise.reject(systemError(code, 'write'));
      initiator.sendRequested(r2t, data);
      expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: expected });
    },
  );

  it('data that the volume takes later is there when the command is answered, and ABORT TASK waits for it', async () => {
    const session = await landing();
    const { initiator, volume } = session;
    const write = volume.write.bind(volume);
    const release: (() => void)[] = [];
    const data = pattern(bytes);
    volume.writeNow = () => false;
    volume.write = async (from, position, durable) => {
      await new Promise<void>((resolve) => release.push(resolve));
      return write(from, position, durable);
    };
    const goOn = async () => {
      release.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const first = await halfWay(session, data);
    await goOn();
    initiator.sendRequested(first.r2t, data);
    await goOn();
    expect((await initiator.finish(first.tag)).status).toBe(0);
    expect(Buffer.from(volume.bytes.subarray(0, bytes))).toEqual(data);

    const second = await halfWay(session, data.fill(1));
    initiator.send(taskManagementRequest, {
      ...initiator.number(true),
      final: true,
      function: 1,
      referencedTaskTag: second.tag,
      refCmdSn: initiator.cmdSn - 1,
      initiatorTaskTag: initiator.tag(),
    });
    const answer = initiator.next();
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    await goOn();
    expect((await answer).values['response']).toBe(0);
    expect(volume.bytes[0]).toBe(1);
  });

  it('one part waits for the volume at a time: with a second one the command has to be sent again', async () => {
    const session = await landing();
    const { initiator, volume } = session;
    const data = pattern(bytes);
    let goOn = () => {};
    volume.writeNow = () => false;
    volume.write = () =>
      new Promise<void>((resolve) => {
        goOn = resolve;
      });
    const { tag, r2t } = await halfWay(session, data);
    initiator.sendRequested(r2t, data);
    goOn();
    const busy = 8;
    expect((await initiator.finish(tag)).status).toBe(busy);
  });

  it('on a file in memory that another process cut: a medium error, and no FUA write is GOOD any more', async () => {
    const folder = makeFolder(memoryFolder);
    onTestFinished(() => removeFolder(folder));
    const file_or_dev = join(folder, 'cut.img');
    const volume = await fileio.open((await fileio.settle({ file_or_dev, size: 1 << 20 }, new Map())).config);
    // A part that cannot be lent is put, with FFI and without.
    const session = await landing({}, undefined, Object.assign(volume, { lend: () => false }));
    const { initiator } = session;
    const data = pattern(bytes);
    const { tag, r2t } = await halfWay(session, data);
    truncateSync(file_or_dev, half);
    const log: LogRecord[] = [];
    setBugReporter((record) => log.push(record));
    initiator.sendRequested(r2t, data);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: '3/0c/00' });
    expect(statSync(file_or_dev).size).toBe(half);
    expect(log).toMatchObject([{ event: 'medium error', detail: { command: 'WRITE(10)', code: 'EIO' } }]);
    const fua = [0x2a, 8, 0, 0, 0, 0, 0, 0, 1, 0];
    expect(await initiator.command(fua, { data: pattern(512), immediateData: 512 })).toMatchObject({
      sense: '3/0c/00',
    });
    await volume.close();
  });

  it('with FUA on a volume that lends and is not flushed: it is flushed, and what fails there is told', async () => {
    const session = await landing();
    const { initiator, volume } = session;
    const data = pattern(bytes);
    const tag = initiator.sendCommand([0x2a, 8, 0, 0, 0, 0, 0, 0, blocks, 0], { data, immediateData: half });
    volume.flush = () => Promise.reject(systemError('EIO', 'fdatasync'));
    initiator.sendRequested(await initiator.next(), data);
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: '3/0c/00' });
  });
});

describe('data is gathered first', () => {
  it.each<[string, Record<string, string>, (session: Session) => void | Promise<void>]>([
    ['with a data digest: it has to be right', { DataDigest: 'CRC32C' }, () => {}],
    ['where it may come in any order', { DataPDUInOrder: 'No' }, () => {}],
    [
      'where initiators order their tasks',
      {},
      async ({ initiator }) => {
        await initiator.command([0, 0, 0, 0, 0, 0], { attribute: 2 });
      },
    ],
  ])('%s', async (_why, keys, prepare) => {
    const session = await landing(keys);
    await prepare(session);
    await halfWay(session, pattern(bytes));
    expect(session.volume.calls).toEqual([]);
  });

  it('when its command waits for its turn', async () => {
    const { initiator, volume } = await landing();
    const data = pattern(bytes);
    initiator.number();
    const tag = initiator.sendCommand(write10, { data, immediateData: half });
    expect(volume.calls).toEqual([]);
    initiator.send(scsiCommand, {
      cmdSn: initiator.cmdSn - 2,
      expStatSn: initiator.expStatSn,
      final: true,
      attribute: 1,
      initiatorTaskTag: initiator.tag(),
      cdb: new Uint8Array(16),
    });
    const answers = [await initiator.next(), await initiator.next()];
    const r2t = answers.find(({ name }) => name === 'Ready To Transfer')!;
    initiator.sendRequested(r2t, data);
    expect((await initiator.finish(tag)).status).toBe(0);
    expect(Buffer.from(volume.bytes.subarray(0, bytes))).toEqual(data);
  });

  it('RFC 7143 11.7: a Data-Out that is not what was asked for lands nowhere', async () => {
    const session = await landing();
    const { initiator, volume } = session;
    const { tag, r2t } = await halfWay(session, pattern(bytes));
    const before = volume.calls.length;
    initiator.send(
      dataOut,
      {
        final: true,
        lun: r2t.values['lun']!,
        initiatorTaskTag: tag,
        targetTransferTag: r2t.values['targetTransferTag']!,
        expStatSn: initiator.expStatSn,
        bufferOffset: half + 512,
      },
      pattern(half),
    );
    expect((await initiator.next()).name).toBe('Reject');
    expect((await initiator.finish(tag)).status).toBe(2);
    expect(volume.calls.length).toBe(before);
  });
});
