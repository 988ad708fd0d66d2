// RFC 7143 7.8, 11.2: PDUs cut at any byte, digests, additional header segments. What the PDUs say is tested in data.test.ts.

import { describe, expect, it } from 'vitest';
import { dataOut, nopOut, scsiCommand, snackRequest } from '../../../src/iscsi/pdu.ts';
import { slicedCrc32c } from '../../../src/wire/crc32c.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { pattern } from '../../support/logical-unit.ts';

const read10 = (lba: number, blocks: number) => [0x28, 0, 0, 0, lba >> 8, lba & 0xff, 0, blocks >> 8, blocks & 0xff, 0];
const write10 = (lba: number, blocks: number) => [0x2a, ...read10(lba, blocks).slice(1)];

describe('framing', () => {
  const both = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' };

  it.each([1, 2, 3, 7, 47, 48, 49, 53, 513])('PDUs cut every %i bytes, digests on', async (piece) => {
    const target = new IscsiTarget();
    const { initiator } = await target.login(both, piece);
    const data = pattern(2 * 512);
    expect((await initiator.command(write10(0, 2), { data, immediateData: 1021 })).status).toBe(0);
    expect((await initiator.command(read10(0, 2), { read: true, length: 1024 })).data).toEqual(data);
  });

  it('additional header segments are taken with the header', async () => {
    const { initiator } = await new IscsiTarget().login({ HeaderDigest: 'CRC32C' }, 5);
    initiator.headerDigest = false;
    const values = {
      ...initiator.number(),
      final: true,
      initiatorTaskTag: 9,
      totalAhsLength: 2,
      cdb: new Uint8Array(16),
    };
    const head = Buffer.concat([initiator.bytes(scsiCommand, values), Buffer.from([0, 5, 2, 0, 0, 0, 0, 0])]);
    const digest = Buffer.alloc(4);
    digest.writeUInt32LE(slicedCrc32c(head, 0, head.length));
    initiator.headerDigest = true;
    initiator.raw(Buffer.concat([head, digest]));
    expect((await initiator.finish(9)).status).toBe(0);
  });

  /** A SCSI Command with an additional header segment. */
  function withSegment(initiator: Initiator, values: Record<string, unknown>, segment: number[]): Buffer {
    const padded = [...segment, ...new Array(-segment.length & 3).fill(0)];
    const common = { ...initiator.number(), final: true, totalAhsLength: padded.length / 4 };
    return Buffer.concat([initiator.bytes(scsiCommand, { ...common, ...values }), Buffer.from(padded)]);
  }
  const read32 = [
    0x7f,
    0,
    0,
    0,
    0,
    0,
    0,
    24,
    0,
    0x09,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    2,
    ...new Array(8).fill(0),
    0,
    0,
    0,
    3,
  ];
  const reading = { read: true, expectedDataTransferLength: 3 * 512, initiatorTaskTag: 9 };

  it.each([1, 7, 47, 49, 64, 1000])(
    'RFC 7143 11.2.2.3: a CDB of 32 bytes comes in an Extended CDB segment, cut every %i bytes',
    async (piece) => {
      const target = new IscsiTarget();
      target.volume.bytes.set(pattern(8 * 512));
      const { initiator } = await target.login({}, piece);
      const cdb = Uint8Array.from(read32.slice(0, 16));
      initiator.raw(withSegment(initiator, { ...reading, cdb }, [0, 17, 1, 0, ...read32.slice(16)]));
      const { status, data } = await initiator.finish(9);
      expect([status, data.equals(pattern(8 * 512).subarray(1024, 5 * 512))]).toEqual([0, true]);
    },
  );

  it.each([
    ['longer than its header', [0, 21, 1, 0, ...read32.slice(16)]],
    ['of no length', [0, 0, 1, 0]],
    ['that comes twice', [0, 5, 1, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0]],
  ])(
    'RFC 7143 11.2.2.3: an Extended CDB segment %s is rejected, and the connection goes on',
    async (_what, segment) => {
      const { initiator } = await new IscsiTarget().login();
      const cdb = Uint8Array.from(read32.slice(0, 16));
      initiator.raw(withSegment(initiator, { ...reading, cdb }, segment));
      expect((await initiator.next()).values).toMatchObject({ reason: 9 });
      initiator.cmdSn -= 1;
      expect((await initiator.command(read10(0, 1), { read: true, length: 512 })).status).toBe(0);
    },
  );

  it('SPC-4 4.2.3: a CDB of 32 bytes without its segment is INVALID FIELD IN CDB', async () => {
    const { initiator } = await new IscsiTarget().login();
    expect((await initiator.command(read32.slice(0, 16), { read: true, length: 1536 })).sense).toBe('5/24/00');
  });

  it('RFC 7143 7.8: a wrong header digest ends the connection', async () => {
    const { initiator, output } = await new IscsiTarget().login(both);
    const bytes = initiator.bytes(nopOut, { ...initiator.number(), final: true, initiatorTaskTag: 1 });
    bytes[20]! ^= 1;
    initiator.raw(bytes);
    expect([output.ended, initiator.inbox]).toEqual([true, []]);
  });

  const spoil = (bytes: Buffer) => {
    bytes[bytes.length - 6]! ^= 1;
    return bytes;
  };

  it('RFC 7143 7.8: a wrong data digest of Data-Out is rejected, and the command ends when its data has come', async () => {
    const target = new IscsiTarget();
    const { initiator } = await target.login(both);
    const tag = initiator.sendCommand(write10(0, 1), { data: pattern(512) });
    const { targetTransferTag } = (await initiator.next()).values;
    const values = { final: true, initiatorTaskTag: tag, targetTransferTag: targetTransferTag! };
    initiator.raw(spoil(initiator.bytes(dataOut, values, pattern(512))));
    expect((await initiator.next()).values).toMatchObject({ reason: 2 });
    expect(await initiator.finish(tag)).toMatchObject({ status: 2, sense: 'b/47/05' });
    expect(target.volume.bytes[1]).toBe(0);
  });

  it('RFC 7143 7.8: a command lost to its data digest is rejected; nothing fills its gap, so the connection ends', async () => {
    const { initiator, output } = await new IscsiTarget().login(both);
    const values = {
      ...initiator.number(),
      final: true,
      write: true,
      initiatorTaskTag: 3,
      expectedDataTransferLength: 512,
    };
    initiator.raw(
      spoil(initiator.bytes(scsiCommand, { ...values, cdb: Uint8Array.from(write10(0, 1)) }, pattern(512))),
    );
    // 11.17.1: the command does not count as received.
    expect((await initiator.next()).values).toMatchObject({ reason: 2, expCmdSn: values.cmdSn });
    expect(output.ended).toBe(true);
  });

  it('a data segment longer than we declared ends the connection', async () => {
    const { initiator, output } = await new IscsiTarget().login();
    const bytes = initiator.bytes(nopOut, { ...initiator.number(), final: true, initiatorTaskTag: 1 });
    bytes.writeUIntBE(0xffffff, 5, 3);
    initiator.raw(bytes);
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 11.17: unknown opcodes and SNACK are rejected with their header, and the connection goes on', async () => {
    const { initiator } = await new IscsiTarget().login();
    const bytes = initiator.bytes(nopOut, { ...initiator.number(true), initiatorTaskTag: 1 });
    bytes[0] = 0x1c;
    initiator.raw(bytes);
    const unknown = await initiator.next();
    expect([unknown.values['reason'], unknown.data]).toEqual([5, bytes]);
    initiator.send(snackRequest, { final: true });
    expect((await initiator.next()).values['reason']).toBe(3);
    expect((await initiator.command(read10(0, 1), { read: true, length: 512 })).status).toBe(0);
  });
});
