// RFC 7143 4.2.4, 11.3, 11.4, 11.7, 11.8: data both ways, residuals, numbers. It does not test what SCSI commands mean, nor
// how PDUs are framed (framing.test.ts).

import { describe, expect, it } from 'vitest';
import { dataOut, noTag, scsiCommand } from '../../../src/iscsi/pdu.ts';
import type { Initiator, ReceivedPdu } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { logicalUnit, pattern } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const read10 = (lba: number, blocks: number) => [0x28, 0, 0, 0, lba >> 8, lba & 0xff, 0, blocks >> 8, blocks & 0xff, 0];
const write10 = (lba: number, blocks: number) => [0x2a, ...read10(lba, blocks).slice(1)];
const names = (pdus: readonly ReceivedPdu[]) => pdus.map(({ name }) => name);

/** One Data-Out, as wrong as `values` say. */
function sendDataOut(initiator: Initiator, tag: number, values: Record<string, unknown>, data: Uint8Array): void {
  initiator.send(
    dataOut,
    { final: true, initiatorTaskTag: tag, targetTransferTag: noTag, bufferOffset: 0, dataSn: 0, ...values },
    data,
  );
}

describe('reads', () => {
  it('RFC 7143 11.7: Data-In cut to MaxRecvDataSegmentLength and MaxBurstLength, status in the last one', async () => {
    const target = new IscsiTarget();
    target.volume.bytes.set(pattern(16 * 512));
    const { initiator } = await target.login({ MaxRecvDataSegmentLength: '1024', MaxBurstLength: '3000' });
    const { data, pdus, status } = await initiator.command(read10(0, 16), { read: true, length: 8192 });
    expect(status).toBe(0);
    expect(data).toEqual(pattern(8192));
    expect(pdus.map(({ values: v }) => [v['bufferOffset'], v['dataSn'], v['final'], v['hasStatus']])).toEqual([
      [0, 0, false, false],
      [1024, 1, false, false],
      [2048, 2, true, false],
      [3000, 3, false, false],
      [4024, 4, false, false],
      [5048, 5, true, false],
      [6000, 6, false, false],
      [7024, 7, false, false],
      [8048, 8, true, true],
    ]);
  });

  it('RFC 7143 11.7.6: Data-In PDUs are whole words, but for the last', async () => {
    const { initiator } = await new IscsiTarget().login({ MaxRecvDataSegmentLength: '515' });
    const { pdus } = await initiator.command(read10(0, 2), { read: true, length: 1023 });
    expect(pdus.map(({ values }) => values['dataSegmentLength'])).toEqual([512, 511]);
  });

  it.each([
    ['more expected than given', 1024, { underflow: true, overflow: false, residual: 512 }, 512],
    ['less expected than given', 100, { underflow: false, overflow: true, residual: 412 }, 100],
    ['nothing expected', 0, { underflow: false, overflow: true, residual: 512 }, 0],
    ['just right', 512, { underflow: false, overflow: false, residual: 0 }, 512],
  ])('RFC 7143 11.4.5: %s', async (_name, length, residual, sent) => {
    const { initiator } = await new IscsiTarget().login();
    const outcome = await initiator.command(read10(0, 1), { read: true, length });
    expect(outcome).toMatchObject({ status: 0, ...residual });
    expect(outcome.data.length).toBe(sent);
  });

  it('RFC 7143 11.4.7: sense data comes in a SCSI Response, with its length', async () => {
    const { initiator } = await new IscsiTarget().login();
    const outcome = await initiator.command(read10(9999, 1), { read: true, length: 512 });
    expect(outcome).toMatchObject({ status: 2, sense: '5/21/00', underflow: true, residual: 512 });
  });

  it('a volume that has to be waited for answers as well, and one that fails half way says so', async () => {
    const slow = logicalUnit({ volume: memoryVolume(4 << 20, { readNow: undefined }) });
    slow.volume.bytes.set(pattern(3 << 20));
    const { initiator } = await new IscsiTarget(slow).login({ MaxRecvDataSegmentLength: '262144' });
    const whole = await initiator.command(read10(0, 6144), { read: true, length: 3 << 20 });
    expect(whole.data.equals(pattern(3 << 20))).toBe(true);
    const volume = slow.volume.read;
    slow.volume.read = (into, position) =>
      position >= 2 << 20 ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : volume(into, position);
    const half = await initiator.command(read10(0, 6144), { read: true, length: 3 << 20 });
    expect(half).toMatchObject({ status: 2, sense: '3/11/00', underflow: true, residual: 1 << 20 });
  });

  it('an initiator that does not read costs no memory: commands wait, and go on when it does', async () => {
    const target = new IscsiTarget();
    const { initiator, output, connection } = await target.login();
    output.blocked = true;
    const tags = [
      initiator.sendCommand(read10(0, 8), { read: true, length: 4096 }),
      initiator.sendCommand(read10(8, 8), { read: true, length: 4096 }),
    ];
    expect(initiator.inbox).toEqual([]);
    output.blocked = false;
    connection.drained();
    expect((await initiator.finish(tags[0]!)).data.length).toBe(4096);
    expect((await initiator.finish(tags[1]!)).data.length).toBe(4096);
  });
});

describe('writes', () => {
  it.each([
    ['WRITE(10)', write10(0, 1), 512],
    ['MODE SELECT(6)', [0x15, 0x10, 0, 0, 24, 0], 24],
  ])(
    'RFC 7143 11.3.1: %s that comes with the R bit and not the W bit is asked for no data',
    async (_name, cdb, length) => {
      const target = new IscsiTarget();
      const { initiator } = await target.login();
      const { pdus } = await initiator.command(cdb, { read: true, write: false, length });
      expect([names(pdus), target.volume.calls]).toEqual([['SCSI Response'], []]);
    },
  );

  it('RFC 7143 13.10, 13.11: immediate data, then an R2T for each burst', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login({ MaxBurstLength: '2048', FirstBurstLength: '1024' });
    const data = pattern(8 * 512);
    const outcome = await initiator.command(write10(4, 8), { data, immediateData: 1024 });
    expect(names(outcome.pdus)).toEqual(['Ready To Transfer', 'Ready To Transfer', 'SCSI Response']);
    expect(outcome.pdus[2]?.values).toMatchObject({ status: 0, expDataSn: 0, residualCount: 0 });
    expect(Buffer.from(target.volume.bytes.subarray(2048, 6144))).toEqual(data);
  });

  it('RFC 7143 13.17: MaxOutstandingR2T of them at a time', async () => {
    const target = new IscsiTarget();
    target.tpg.parameters.set('MaxOutstandingR2T', '3');
    const { initiator } = await target.login({ MaxBurstLength: '512', MaxOutstandingR2T: '3' });
    initiator.sendCommand(write10(0, 8), { data: pattern(4096) });
    expect(initiator.inbox.map(({ values }) => [values['r2tSn'], values['bufferOffset']])).toEqual([
      [0, 0],
      [1, 512],
      [2, 1024],
    ]);
  });

  it('RFC 7143 11.7: unsolicited Data-Out up to FirstBurstLength when InitialR2T is No', async () => {
    const target = new IscsiTarget();
    target.tpg.parameters.set('InitialR2T', 'No');
    const { initiator } = await target.login({ InitialR2T: 'No', FirstBurstLength: '2048', MaxBurstLength: '4096' });
    const data = pattern(4096, 3);
    const tag = initiator.tag();
    const values = { ...initiator.number(), write: true, initiatorTaskTag: tag, expectedDataTransferLength: 4096 };
    initiator.send(scsiCommand, { ...values, cdb: Uint8Array.from(write10(0, 8)) }, data.subarray(0, 512));
    sendDataOut(initiator, tag, { final: false, bufferOffset: 512 }, data.subarray(512, 1024));
    sendDataOut(initiator, tag, { dataSn: 1, bufferOffset: 1024 }, data.subarray(1024, 2048));
    const outcome = await initiator.finish(tag, data);
    expect(names(outcome.pdus)).toEqual(['Ready To Transfer', 'SCSI Response']);
    expect(Buffer.from(target.volume.bytes.subarray(0, 4096))).toEqual(data);
  });

  it('RFC 7143 11.4.5.1: of more than the CDB asks for the rest is a residual', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login();
    const outcome = await initiator.command(write10(0, 1), { data: pattern(1024), immediateData: 1024 });
    expect(outcome).toMatchObject({ status: 0, underflow: true, residual: 512 });
    expect(Buffer.from(target.volume.bytes.subarray(0, 512))).toEqual(pattern(512));
    expect(target.volume.bytes[512]).toBe(0);
  });

  describe.each([
    ['a part of a block', 1, 200],
    ['a block and a part', 2, 700],
    ['a long write without its last byte', 128, 128 * 512 - 1],
  ])('%s', (what, blocks, length) => {
    it.each([
      ['immediate', 'Yes', (data: Buffer) => data.length],
      ['solicited', 'Yes', () => 0],
      ['unsolicited', 'No', (data: Buffer) => data.length >> 1],
    ])(
      `RFC 7143 11.4.5.1: ${what} than the CDB asks for, %s, is refused, and none of it is written`,
      async (how, InitialR2T, immediate) => {
        const unit = logicalUnit({ volume: memoryVolume(1 << 20, { lend: () => false }) });
        const target = new IscsiTarget(unit);
        target.tpg.parameters.set('InitialR2T', InitialR2T);
        const { initiator, output } = await target.login({ InitialR2T, MaxRecvDataSegmentLength: '262144' });
        Object.assign(output, { lands: true });
        const data = pattern(length);
        const tag = initiator.sendCommand(write10(0, blocks), {
          data,
          immediateData: immediate(data),
          final: how !== 'unsolicited',
        });
        if (how === 'unsolicited')
          sendDataOut(initiator, tag, { bufferOffset: length >> 1, final: true }, data.subarray(length >> 1));
        const outcome = await initiator.finish(tag, data);
        expect([names(outcome.pdus), outcome]).toMatchObject([
          ['SCSI Response'],
          { status: 2, sense: '5/0e/03', overflow: true, residual: blocks * 512 - length },
        ]);
        expect(unit.volume.calls).toEqual([]);
        expect((await initiator.command(write10(0, 1), { data: pattern(512) })).status).toBe(0);
      },
    );
  });

  it.each([
    ['fewer blocks, landing', 128, 127],
    ['fewer blocks', 2, 1],
    ['no block', 1, 0],
  ])(
    'RFC 7143 11.4.5.1: %s than the CDB asks for are written, and the rest is a residual',
    async (_what, blocks, sent) => {
      const unit = logicalUnit({ volume: memoryVolume(1 << 20, { lend: () => false }) });
      const target = new IscsiTarget(unit);
      const { initiator, output } = await target.login({ MaxRecvDataSegmentLength: '262144' });
      Object.assign(output, { lands: true });
      const outcome = await initiator.command(write10(0, blocks), { data: pattern(sent * 512) });
      expect(outcome).toMatchObject({ status: 0, overflow: true, residual: (blocks - sent) * 512 });
      expect(Buffer.from(unit.volume.bytes.subarray(0, sent * 512))).toEqual(pattern(sent * 512));
      expect(unit.volume.bytes.subarray(sent * 512).every((byte) => byte === 0)).toBe(true);
    },
  );

  it('a refused write takes its unsolicited data and answers once', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login();
    const outcome = await initiator.command(write10(9999, 1), { data: pattern(512), immediateData: 512 });
    expect(outcome).toMatchObject({ status: 2, sense: '5/21/00' });
    expect((await initiator.command(read10(0, 1), { read: true, length: 512 })).status).toBe(0);
  });

  it.each<[string, Record<string, unknown>, number, string]>([
    ['a wrong offset', { bufferOffset: 512 }, 512, 'b/0c/0d'],
    ['more than the R2T', {}, 1536, 'b/0c/0d'],
    ['an end before all has come', {}, 512, 'b/0c/0d'],
    ['a wrong DataSN', { dataSn: 7 }, 1024, 'b/47/05'],
  ])(
    'RFC 7143 7.9, 11.4.7.2: Data-Out with %s ends the command with CHECK CONDITION',
    async (_name, values, length, sense) => {
      const target = new IscsiTarget();
      const { initiator, output } = await target.login();
      const tag = initiator.sendCommand(write10(0, 2), { data: pattern(1024) });
      const request = (await initiator.next()).values;
      sendDataOut(initiator, tag, { targetTransferTag: request['targetTransferTag'], ...values }, pattern(length));
      if (initiator.inbox[0]?.name === 'Reject') initiator.inbox.shift();
      expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense });
      expect(target.volume.calls.filter((call) => call.startsWith('write'))).toEqual([]);
      expect(output.ended).toBe(false);
    },
  );

  it.each<[string, Record<string, string>, Record<string, unknown>, number]>([
    ['immediate data that was not agreed on', { ImmediateData: 'No' }, {}, 512],
    ['immediate data above FirstBurstLength', { FirstBurstLength: '512' }, {}, 1024],
    ['immediate data above the expected length', {}, { expectedDataTransferLength: 512 }, 1024],
    ['unsolicited data announced where InitialR2T is Yes', {}, { final: false }, 0],
    ['data with a command that does not write', {}, { write: false }, 512],
  ])('RFC 7143 11.3: %s is rejected as a protocol error', async (_name, keys, values, length) => {
    const { initiator } = await new IscsiTarget().login(keys);
    const command = {
      ...initiator.number(),
      final: true,
      write: true,
      initiatorTaskTag: 5,
      expectedDataTransferLength: 4096,
    };
    initiator.send(scsiCommand, { ...command, ...values, cdb: Uint8Array.from(write10(0, 2)) }, pattern(length));
    const { name, values: answer, data } = await initiator.next();
    expect([name, answer['reason'], data.length]).toEqual(['Reject', 4, 48]);
  });

  it('writes beyond the memory of a session wait for it instead of taking more', async () => {
    const big = logicalUnit({
      volume: memoryVolume(64 << 20),
      attributes: { hw_max_sectors: 65535, optimal_sectors: 65535 },
    });
    const target = new IscsiTarget(big);
    target.tpg.parameters.set('MaxBurstLength', '16776704');
    const { initiator } = await target.login({ MaxBurstLength: '16776704' });
    const size = 16384 * 512;
    for (let count = 0; count < 10; count += 1) initiator.sendCommand(write10(0, 16384), { write: true, length: size });
    expect(initiator.inbox.map(({ name }) => name)).toEqual(Array(8).fill('Ready To Transfer'));
    // One ends, one goes on.
    const { initiatorTaskTag, targetTransferTag } = initiator.inbox[0]!.values;
    initiator.inbox.length = 0;
    for (let at = 0; at < size; at += 1 << 18)
      sendDataOut(
        initiator,
        initiatorTaskTag!,
        {
          targetTransferTag,
          bufferOffset: at,
          dataSn: at >> 18,
          final: at + (1 << 18) >= size,
        },
        new Uint8Array(1 << 18),
      );
    expect(new Set(names(initiator.inbox))).toEqual(new Set(['SCSI Response', 'Ready To Transfer']));
  });
});
