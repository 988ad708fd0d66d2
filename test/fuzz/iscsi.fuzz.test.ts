// Hostile input, seeded: login text, headers and whole streams of PDUs, beside a session that must never notice.
// It does not test what the answers say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pdus, scsiCommand } from '../../src/iscsi/pdu.ts';
import { parseText } from '../../src/wire/text.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { pattern } from '../support/logical-unit.ts';

const seed = 7143;
const read1 = [0x28, 0, 0, 0, 4, 0, 0, 0, 1, 0];

/** A target with a healthy session, and the check that it is still that. */
async function beside() {
  const target = new IscsiTarget();
  target.volume.bytes.set(pattern(512, 9));
  const { initiator } = await target.login();
  const healthy = async () => {
    const { status, data } = await initiator.command(read1, { read: true, length: 512 });
    expect([status, data.length]).toEqual([0, 512]);
    expect(target.logged.filter(({ level }) => level === 'error')).toEqual([]);
  };
  return { target, healthy };
}

const header = fc
  .record({
    bytes: fc.uint8Array({ minLength: 48, maxLength: 48 }),
    opcode: fc.oneof(fc.constantFrom(...pdus.keys()), fc.nat(63)),
    length: fc.oneof(fc.constant(0), fc.nat(600), fc.nat(0xffffff)),
    ahs: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(255)),
    cmdSn: fc.nat(8),
    tag: fc.nat(4),
    // READ, WRITE and INQUIRY come up often enough to leave commands open.
    cdb: fc.constantFrom(0x28, 0x2a, 0x12, 0x41, 0x93, 0x5f, 0xff),
  })
  .map(({ bytes, opcode, length, ahs, cmdSn, tag, cdb }) => {
    const head = Buffer.from(bytes);
    head[0] = (head[0]! & 0x40) | opcode;
    head[4] = ahs;
    head.writeUIntBE(length, 5, 3);
    head.writeUInt32BE(tag, 16);
    head.writeUInt32BE(cmdSn, 24);
    if (opcode === scsiCommand.opcode) {
      head.fill(0, 8, 16);
      head[32] = cdb;
    }
    return Buffer.concat([head, Buffer.alloc(ahs * 4), Buffer.alloc(length > 600 ? 0 : (length + 3) & ~3, 0x2c)]);
  });

describe('hostile input', () => {
  it('text parses or is refused, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(5), (bytes, pairsMax) => {
        const pairs = parseText(bytes, pairsMax);
        if (typeof pairs !== 'string') expect(pairs.length).toBeLessThanOrEqual(pairsMax);
      }),
      { seed, numRuns: 500 },
    );
  });

  it('anything before login', async () => {
    const { target, healthy } = await beside();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(header, fc.uint8Array({ maxLength: 200 })), { maxLength: 6 }),
        async (pieces) => {
          const { initiator, connection, output } = target.connect();
          output.onCommit = () => output.take();
          for (const piece of pieces) initiator.raw(piece);
          await connection.close('over');
          await healthy();
        },
      ),
      { seed, numRuns: 200 },
    );
  });

  it('login text: keys of all kinds with values of all kinds', async () => {
    const { target, healthy } = await beside();
    const key = fc.constantFrom(
      'MaxBurstLength',
      'HeaderDigest',
      'AuthMethod',
      'CHAP_A',
      'CHAP_N',
      'CHAP_C',
      'InitiatorName',
      'TargetName',
      'SessionType',
      'MaxConnections',
      'constructor',
      '__proto__',
    );
    const value = fc.oneof(
      fc.constantFrom('Yes', 'No', 'None', 'CHAP', '5', '0x', '0', '-1', 'Reject', ''),
      fc.string({ maxLength: 40 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(key, value), { maxLength: 8 }),
        fc.constantFrom(0, 1),
        async (pairs, stage) => {
          const { initiator, connection, output } = target.connect();
          initiator.isid = Uint8Array.of(0x80, 0, 0, 0, 1, 0);
          const clean = pairs.map(([name, text]) => [name, text.replaceAll('\0', '')] as const);
          output.onCommit = () => output.take();
          const { loginRequest } = await import('../../src/iscsi/pdu.ts');
          const { printText } = await import('../../src/wire/text.ts');
          const names = Object.entries(initiator.names);
          initiator.send(loginRequest, { ...initiator.loginValues(stage) }, printText([...names, ...clean]));
          initiator.send(
            loginRequest,
            { ...initiator.loginValues(stage), transit: true, nextStage: 3 },
            printText(clean),
          );
          await connection.close('over');
          await healthy();
        },
      ),
      { seed, numRuns: 200 },
    );
  });

  it('anything after login', async () => {
    const { target, healthy } = await beside();
    let isid = 1;
    await fc.assert(
      fc.asyncProperty(fc.array(header, { minLength: 1, maxLength: 12 }), async (pieces) => {
        const { initiator, connection, output } = target.connect(61);
        isid += 1;
        initiator.isid = Uint8Array.of(0x80, 0, 0, 0, isid >> 8, isid & 0xff);
        await initiator.login({ MaxRecvDataSegmentLength: '65536' });
        output.onCommit = () => output.take();
        for (const piece of pieces) initiator.raw(piece);
        await new Promise((resolve) => setImmediate(resolve));
        await connection.close('over');
        await healthy();
        expect([[...target.sessionTable].length, target.lu.tasks.size]).toEqual([1, 0]);
      }),
      { seed, numRuns: 300 },
    );
  });
});
