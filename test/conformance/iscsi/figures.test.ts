/**
 * RFC 7143 11: the header of each PDU as its figure draws it, in bytes that were written by hand, beside what src/iscsi/pdu.ts reads
 * there and writes. All other tests read and write headers with pdu.ts itself: a field that it puts in a wrong place is found here.
 * Not tested here: which values a target or an initiator has to give.
 */

import { describe, expect, it } from 'vitest';
import { decodePdu, encodePdu, lunHalves, pdus } from '../../../src/iscsi/pdu.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';
import { answers } from './figures/answers.ts';
import { bytes, hex, lengths } from './figures/figure.ts';
import { requests } from './figures/requests.ts';

const figures = [...requests, ...answers];

describe.each(figures)('RFC 7143 $clause: $name', ({ pdu, header, values }) => {
  const all = { opcode: pdu.opcode, ...lengths, ...values };

  it('the bytes are read as the figure names them', () => {
    expect(decodePdu(pdu, bytes(header))).toEqual(all);
  });

  it('the fields are written where the figure has them, and nothing beside them', () => {
    expect(Buffer.from(encodePdu(pdu, all)).toString('hex')).toBe(hex(header));
  });
});

it('RFC 7143 11.2.1: the LUN of a header in two halves is the LUN of its figure', () => {
  const { header } = requests[0]!;
  expect([lunHalves.high.get(bytes(header), 0), lunHalves.low.get(bytes(header), 0)]).toEqual([0x000a0b0c, 0x0d0e0f10]);
});

it('RFC 7143 11: every PDU has its figure here', () => {
  expect(figures.map(({ pdu }) => pdu)).toEqual(expect.arrayContaining([...pdus.values()]));
});

/** Data of a PDU: the text, and NULs up to a multiple of four bytes. */
const padded = (text: string) => Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4, '\0'));

it('RFC 7143 11: a login, a READ(10) and a logout as the bytes that go over the wire', async () => {
  const target = new IscsiTarget();
  target.volume.bytes.fill(0x5a, 512, 1024);
  const { connection, output } = target.connect();
  const exchange = async (header: string, data: Uint8Array = new Uint8Array()) => {
    const answered = new Promise<void>((resolve) => {
      output.onCommit = resolve;
    });
    const request = Buffer.concat([bytes(header), data]);
    connection.feed(request, 0, request.length);
    await answered;
    const answer = Buffer.from(output.take());
    const length = answer.readUIntBE(5, 3);
    return {
      header: answer.toString('hex', 0, 48),
      data: answer.toString('hex', 48, 48 + length),
      text: answer.toString('latin1', 48, 48 + length),
    };
  };

  const keys = 'InitiatorName=iqn.a:b\0TargetName=iqn.2026-01.com.example:disks\0SessionType=Normal\0';
  const login = await exchange(
    `43 87 00 00 00 00 00 ${keys.length.toString(16)} 80 00 00 00
     00 01 00 00 00 00 00 10 00 00 00 00
     00 00 00 07 00 00 00 00 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00`,
    padded(keys),
  );
  expect(login.header).toBe(
    hex(`23 87 00 00 00 00 00 ${login.text.length.toString(16)} 80 00 00 00
         00 01 00 01 00 00 00 10 00 00 00 00
         00 00 00 00 00 00 00 07 00 00 00 46
         00 00 00 00 00 00 00 00 00 00 00 00`),
  );
  expect(login.text.split('\0')).toContain('TargetPortalGroupTag=1');

  const read = (tag: string, cmdSn: string, expStatSn: string) =>
    exchange(
      `01 c1 00 00 00 00 00 00 00 00 00 00
       00 00 00 00 00 00 00 ${tag} 00 00 02 00
       00 00 00 ${cmdSn} 00 00 00 ${expStatSn} 28 00 00 00
       00 01 00 00 01 00 00 00 00 00 00 00`,
    );
  // SPC-4 4.5.3: the sense data of POWER ON, RESET, OR BUS DEVICE RESET OCCURRED, behind its length (RFC 7143 11.4.7).
  expect(await read('11', '07', '01')).toMatchObject({
    header: hex(`21 82 00 02 00 00 00 14 00 00 00 00
                 00 00 00 00 00 00 00 11 00 00 00 00
                 00 00 00 01 00 00 00 08 00 00 00 47
                 00 00 00 00 00 00 00 00 00 00 02 00`),
    data: hex('00 12 70 00 06 00 00 00 00 0a 00 00 00 00 29 00 00 00 00 00'),
  });
  expect(await read('12', '08', '02')).toMatchObject({
    header: hex(`25 81 00 00 00 00 02 00 00 00 00 00
                 00 00 00 00 00 00 00 12 ff ff ff ff
                 00 00 00 02 00 00 00 09 00 00 00 48
                 00 00 00 00 00 00 00 00 00 00 00 00`),
    data: '5a'.repeat(512),
  });
  const logout = await exchange(
    `46 80 00 00 00 00 00 00 00 00 00 00
     00 00 00 00 00 00 00 13 00 00 00 00
     00 00 00 09 00 00 00 03 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00`,
  );
  expect(logout.header).toBe(
    hex(`26 80 00 00 00 00 00 00 00 00 00 00
         00 00 00 00 00 00 00 13 00 00 00 00
         00 00 00 03 00 00 00 09 00 00 00 48
         00 00 00 00 00 02 00 14 00 00 00 00`),
  );
});
