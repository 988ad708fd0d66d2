// Hostile input, seeded: login text, headers and whole streams of PDUs, beside a session that must never notice.
// It does not test what the answers say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loginRequest } from '../../src/iscsi/pdu.ts';
import { taskSet } from '../../src/scsi/task-set.ts';
import { parseText, printText } from '../../src/wire/text.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { pattern } from '../support/logical-unit.ts';
import { dataOut, loginPairs, noisyCdb, noisyPdu } from './inputs.ts';

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
        fc.array(fc.oneof(noisyPdu, fc.uint8Array({ maxLength: 200 })), { maxLength: 6 }),
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
    await fc.assert(
      fc.asyncProperty(loginPairs, fc.constantFrom(0, 1), async (pairs, stage) => {
        const { initiator, connection, output } = target.connect();
        initiator.isid = Uint8Array.of(0x80, 0, 0, 0, 1, 0);
        output.onCommit = () => output.take();
        const names = Object.entries(initiator.names);
        initiator.send(loginRequest, { ...initiator.loginValues(stage) }, printText([...names, ...pairs]));
        initiator.send(
          loginRequest,
          { ...initiator.loginValues(stage), transit: true, nextStage: 3 },
          printText(pairs),
        );
        await connection.close('over');
        await healthy();
      }),
      { seed, numRuns: 200 },
    );
  });

  it('anything after login', async () => {
    const { target, healthy } = await beside();
    let isid = 1;
    await fc.assert(
      fc.asyncProperty(fc.array(noisyPdu, { minLength: 1, maxLength: 12 }), async (pieces) => {
        const { initiator, connection, output } = target.connect(61);
        isid += 1;
        initiator.isid = Uint8Array.of(0x80, 0, 0, 0, isid >> 8, isid & 0xff);
        await initiator.login({ MaxRecvDataSegmentLength: '65536' });
        output.onCommit = () => output.take();
        for (const piece of pieces) initiator.raw(piece);
        await new Promise((resolve) => setImmediate(resolve));
        await connection.close('over');
        await healthy();
        expect([[...target.sessionTable].length, taskSet.of(target.lu).size]).toEqual([1, 0]);
      }),
      { seed, numRuns: 300 },
    );
  });

  it('commands: CDBs of every opcode with parameter lists of all kinds', async () => {
    const target = new IscsiTarget();
    const { initiator, output } = await target.login({ MaxRecvDataSegmentLength: '65536', FirstBurstLength: '65536' });
    await fc.assert(
      fc.asyncProperty(noisyCdb, dataOut, fc.boolean(), async (cdb, data, reads) => {
        const options = reads ? { read: true, length: 4096 } : { data, immediateData: data.length };
        const { status } = await initiator.command([...cdb], options);
        expect([0, 2, 0x18]).toContain(status);
        expect([output.ended, target.logged.filter(({ level }) => level === 'error')]).toEqual([false, []]);
      }),
      { seed, numRuns: 1500 },
    );
  });
});
