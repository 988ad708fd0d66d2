/**
 * The order of checks, unit attentions, sense, errors of the medium, REQUEST SENSE, REPORT SUPPORTED OPERATION CODES.
 * Does not test reservations: persistent-reservation.test.ts.
 */

import { describe, expect, test } from 'vitest';
import type { LogRecord } from '../../../src/log.ts';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { admitTask, executeTask, readFailed, setBugReporter } from '../../../src/scsi/device-server.ts';
import { establishNexus, loseNexus, nexusesOf } from '../../../src/scsi/nexus.ts';
import { opcodes } from '../../../src/scsi/opcode-table.ts';
import { sense } from '../../../src/scsi/sense.ts';
import { changeLunsOf, reportToAll } from '../../../src/scsi/unit-attention.ts';

import { cdbOf } from '../../support/cdb.ts';
import { answerOf, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const testUnitReady = [0x00];
const inquiry = [0x12, 0, 0, 0, 96];
const requestSense = [0x03, 0, 0, 0, 252];
const reportLuns = [0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1];

const fresh = () => new ScsiInitiator(logicalUnit().lu);
const systemError = (code: string) => Object.assign(new Error(`${code}: oops`), { code });

describe('order', () => {
  test('SPC-4 4.5.5 TEST UNIT READY: no logical unit is LOGICAL UNIT NOT SUPPORTED', async () => {
    expect((await fresh().send(testUnitReady, undefined, { lun: 9 })).sense).toBe('5/25/00');
  });

  test('SAM-5 5.14 an unknown operation code is reported before a unit attention, which stays', async () => {
    const initiator = fresh();
    establishNexus(initiator.nexus);
    expect((await initiator.send([0xff])).sense).toBe('5/20/00');
    expect((await initiator.send(testUnitReady)).sense).toBe('6/29/00');
  });

  test('SAM-5 5.14 a unit attention is reported before a wrong CDB, once', async () => {
    const initiator = fresh();
    establishNexus(initiator.nexus);
    expect((await initiator.send([0x28, 0x20])).sense).toBe('6/29/00');
    expect((await initiator.send([0x28, 0x20])).sense).toBe('5/24/00');
  });

  test('SPC-4 4.2.5.2 an unknown service action is an invalid field where others of its code are offered', async () => {
    const { sense, senseData } = await fresh().login().send([0x9e, 0x1f]);
    expect([sense, senseData.toString('hex', 15)]).toEqual(['5/24/00', 'cc0001']);
  });

  test('SAM-5 8.4 the ACA attribute is refused', async () => {
    expect((await fresh().login().send(read, undefined, { attribute: 'aca' })).sense).toBe('5/49/00');
  });
});

describe('unit attention', () => {
  test.each([
    ['INQUIRY', inquiry],
    ['REPORT LUNS', reportLuns],
  ])('SAM-5 5.14.2 %s runs with a unit attention pending, and leaves it', async (_name, cdb) => {
    const initiator = fresh();
    establishNexus(initiator.nexus);
    expect((await initiator.send(cdb)).status).toBe(0);
    expect((await initiator.send(testUnitReady)).sense).toBe('6/29/00');
  });

  test('SPC-4 6.39 REQUEST SENSE: gives a pending unit attention with status GOOD, then nothing', async () => {
    const initiator = fresh();
    establishNexus(initiator.nexus);
    const first = await initiator.send(requestSense);
    expect([first.status, first.data.toString('hex')]).toEqual([
      0,
      '70000600000000 0a000000002900000000 00'.replaceAll(' ', ''),
    ]);
    expect((await initiator.send(requestSense)).data.toString('hex')).toBe(`700000000000000a${'00'.repeat(10)}`);
  });

  test('SPC-4 6.39 REQUEST SENSE: DESC gives descriptor format; where no logical unit is, it says so', async () => {
    const initiator = fresh().login();
    expect((await initiator.send([0x03, 1, 0, 0, 252])).data.toString('hex')).toBe('7200000000000000');
    const { status, data } = await initiator.send(requestSense, undefined, { lun: 5 });
    expect([status, data[2], data[12]]).toEqual([0, 5, 0x25]);
  });

  test('SAM-5 6.3.4 a nexus that comes back is told I_T NEXUS LOSS, a new one POWER ON', async () => {
    const { lu } = logicalUnit();
    const first = new ScsiInitiator(lu);
    establishNexus(first.nexus);
    loseNexus(first.nexus);
    const again = new ScsiInitiator(lu);
    establishNexus(again.nexus);
    expect((await again.send(testUnitReady)).sense).toBe('6/29/07');
    const other = new ScsiInitiator(lu, 'b');
    establishNexus(other.nexus);
    expect((await other.send(testUnitReady)).sense).toBe('6/29/00');
    expect(nexusesOf(lu)).toEqual(new Set([again.nexus, other.nexus]));
  });

  test('SAM-5 6.2 a reset is told before what was pending, once, the most of it', async () => {
    const { lu } = logicalUnit();
    const a = new ScsiInitiator(lu).login();
    reportToAll(lu, sense.modeParametersChanged);
    reportToAll(lu, sense.nexusLoss);
    reportToAll(lu, sense.busDeviceReset);
    reportToAll(lu, sense.nexusLoss);
    expect((await a.send([0x00])).sense).toBe('6/29/03');
    expect((await a.send([0x00])).sense).toBe('6/2a/01');
    expect((await a.send([0x00])).sense).toBe('');
  });

  test('SPC-4 6.33 a change of LUNs is told at each, until REPORT LUNS has answered', async () => {
    const { lu } = logicalUnit();
    const initiator = new ScsiInitiator(lu).login();
    const added = logicalUnit({ name: 'disk1' }).lu;
    initiator.luns.set(1, added);
    changeLunsOf(initiator.nexus);
    expect((await initiator.send(testUnitReady)).sense).toBe('6/3f/0e');
    changeLunsOf(initiator.nexus);
    await initiator.send(reportLuns);
    expect((await initiator.send(testUnitReady)).status).toBe(0);
    expect((await initiator.send(testUnitReady, undefined, { lun: 1 })).sense).toBe('6/29/00');
  });

  test('SAM-5 5.14 a report goes to every nexus but the one that caused it, and is not repeated', async () => {
    const { lu } = logicalUnit();
    const [a, b] = [new ScsiInitiator(lu, 'a').login(), new ScsiInitiator(lu, 'b').login()];
    reportToAll(lu, sense.capacityDataChanged, a.nexus);
    reportToAll(lu, sense.capacityDataChanged, a.nexus);
    expect((await a.send(testUnitReady)).status).toBe(0);
    expect((await b.send(testUnitReady)).sense).toBe('6/2a/09');
    expect((await b.send(testUnitReady)).status).toBe(0);
  });

  test('SPC-4 7.5.8 UA_INTLCK_CTRL: only REQUEST SENSE clears it', async () => {
    const { lu } = logicalUnit({ attributes: { emulate_ua_intlck_ctrl: 1 } });
    const initiator = new ScsiInitiator(lu);
    establishNexus(initiator.nexus);
    await initiator.send(testUnitReady);
    expect((await initiator.send(testUnitReady)).sense).toBe('6/29/00');
    await initiator.send(requestSense);
    expect((await initiator.send(testUnitReady)).status).toBe(0);
  });
});

test('SPC-4 7.5.8 UA_INTLCK_CTRL 11b: a reservation conflict is told once more, as a unit attention', async () => {
  const { lu } = logicalUnit({ attributes: { emulate_ua_intlck_ctrl: 2 } });
  const [a, b] = [new ScsiInitiator(lu, 'a').login(), new ScsiInitiator(lu, 'b').login()];
  await a.send([0x16]);
  expect((await b.send(read)).status).toBe(0x18);
  await a.send([0x17]);
  expect((await b.send(read)).sense).toBe('6/2c/09');
  await b.send(requestSense);
  expect((await b.send(read)).status).toBe(0);
});

describe('medium', () => {
  test('SPC-4 6.47 TEST UNIT READY: GOOD while there is a medium', async () => {
    expect(await fresh().login().send(testUnitReady)).toMatchObject({ status: 0, sense: '' });
  });

  test('SBC-3 4.10 a medium without room for a block is INCOMPATIBLE MEDIUM INSTALLED', async () => {
    const { lu } = logicalUnit({ volume: memoryVolume(512), attributes: { block_size: 4096 } });
    const a = new ScsiInitiator(lu).login();
    for (const cdb of [[0x00], [0x25], [0x9e, 0x10, ...new Array(11).fill(0), 32]])
      expect((await a.send(cdb)).sense).toBe('2/30/00');
  });

  test('SBC-3 4.10 a medium that could not be opened is MEDIUM NOT PRESENT; INQUIRY still answers', async () => {
    const { lu } = logicalUnit();
    const initiator = new ScsiInitiator(lu).login();
    lu.volume = undefined;
    expect((await initiator.send(testUnitReady)).sense).toBe('2/04/01');
    lu.missing = '/srv/gone.img: no such file';
    expect((await initiator.send(read)).sense).toBe('2/3a/00');
    expect((await initiator.send(inquiry)).status).toBe(0);
  });

  test.each([
    ['a read-only volume', () => new ScsiInitiator(logicalUnit({ volume: memoryVolume(4096, { readOnly: true }) }).lu)],
    ['a write protected mapped LUN', () => new ScsiInitiator(logicalUnit().lu, 'a', { writeProtected: true })],
  ])('SBC-3 4.12 WRITE(10): %s is WRITE PROTECTED', async (_what, make) => {
    const initiator = make().login();
    expect((await initiator.send(write, pattern(512))).sense).toBe('7/27/00');
    expect((await initiator.send(read)).status).toBe(0);
  });

  test.each([
    ['ENOSPC', '7/27/07'],
    ['EIO', '3/0c/00'],
    ['EROFS', '7/27/00'],
    ['ENXIO', '2/04/00'],
  ])('SBC-3 4.18 WRITE(10): %s of the medium is sense %s', async (code, expected) => {
    const volume = memoryVolume(4096, { writeNow: undefined, write: () => Promise.reject(systemError(code)) });
    expect((await new ScsiInitiator(logicalUnit({ volume }).lu).login().send(write, pattern(512))).sense).toBe(
      expected,
    );
  });

  test('SBC-3 4.18 READ(10): what the transport could not read is UNRECOVERED READ ERROR', async () => {
    const task = fresh().login().task(read);
    admitTask(task);
    expect((await answerOf(readFailed(task, systemError('EIO')))).sense).toBe('3/11/00');
  });

  const cdb16 = (code: number, lba: number, blocks: number) => {
    const cdb = Buffer.alloc(16, 0);
    cdb[0] = code;
    cdb.writeBigUInt64BE(BigInt(lba), 2);
    cdb.writeUInt32BE(blocks, 10);
    return [...cdb];
  };
  const failing = (position?: number) => {
    const error = Object.assign(systemError('EIO'), position === undefined ? {} : { position });
    const fails = {
      size: 2 ** 43,
      writeNow: undefined,
      write: () => Promise.reject(error),
      read: () => Promise.reject(error),
    };
    const { lu } = logicalUnit({ volume: memoryVolume(4096, fails) });
    return { lu, error, initiator: new ScsiInitiator(lu).login() };
  };

  test.each([
    ['fixed', 0x1234, 'f0000300001234'],
    ['fixed, which has no place for more than 32 bits', 2 ** 33, '70000300000000'],
    ['descriptor', 0x1234, '720311000000000c000a80000000000000001234'],
    ['descriptor', 2 ** 33, '720311000000000c000a80000000000200000000'],
  ])(
    'SBC-3 4.18, SPC-4 4.5 the first block that could not be read is in the INFORMATION field: %s format',
    async (format, lba, bytes) => {
      const { lu, initiator, error } = failing(lba * 512 + 17);
      controlMode.set(lu, { descriptorSense: format === 'descriptor' });
      const task = initiator.task(cdb16(0x88, lba - 3, 8));
      admitTask(task);
      for (const answer of [await initiator.send(cdb16(0x8f, lba - 3, 8)), await answerOf(readFailed(task, error))])
        expect(answer.senseData.toString('hex')).toMatch(new RegExp(`^${bytes}`));
    },
  );

  test('SBC-3 4.18 WRITE(16): the block in error, also where the medium does not say it and there is only one; else none is named', async () => {
    const information = async (initiator: ScsiInitiator, blocks: number) => {
      const { sense: code, senseData } = await initiator.send(cdb16(0x8a, 7, blocks), pattern(blocks * 512));
      return [code, senseData[0], senseData.readUInt32BE(3)];
    };
    expect(await information(failing(9 * 512).initiator, 4)).toEqual(['3/0c/00', 0xf0, 9]);
    expect(await information(failing().initiator, 1)).toEqual(['3/0c/00', 0xf0, 7]);
    expect(await information(failing().initiator, 2)).toEqual(['3/0c/00', 0x70, 0]);
  });

  test('SPC-4 4.5.6 a bug is INTERNAL TARGET FAILURE, and is logged with its stack', async () => {
    const records: LogRecord[] = [];
    setBugReporter((record) => records.push(record));
    const volume = memoryVolume(4096, {
      writeNow: () => {
        throw new TypeError('oops');
      },
    });
    const answer = await new ScsiInitiator(logicalUnit({ volume }).lu).login().send(write, pattern(512));
    setBugReporter(() => {});
    expect(answer.sense).toBe('4/44/00');
    expect(records).toMatchObject([{ event: 'internal error', detail: { where: 'WRITE(10)' } }]);
    expect(records[0]?.detail?.['stack']).toContain('TypeError: oops');
  });
});

describe('REPORT SUPPORTED OPERATION CODES', () => {
  const ask = (option: number, code = 0, action = 0) => [0xa3, 0x0c, option, code, 0, action, 0, 0, 0xff, 0xff];

  test('SPC-4 6.35 REPORT SUPPORTED OPERATION CODES: all of them, with CDB lengths and service actions', async () => {
    const { data } = await fresh().login().send(ask(0));
    const listed = Array.from({ length: data.readUInt32BE(0) / 8 }, (_, i) => data.subarray(4 + i * 8, 12 + i * 8));
    expect(listed.find((entry) => entry[0] === 0x28)?.toString('hex')).toBe('280000000000000a');
    expect(listed.find((entry) => entry[0] === 0x9e)?.toString('hex')).toBe('9e00001000010010');
    expect(listed.map((entry) => entry[0])).not.toContain(0x42);
  });

  test('SPC-4 6.35 REPORT SUPPORTED OPERATION CODES: usage bits of one command', async () => {
    const initiator = fresh().login();
    expect((await initiator.send(ask(1, 0x28))).data.toString('hex')).toBe('0003000a2818ffffffff00ffff00');
    expect((await initiator.send(ask(2, 0x9e, 0x10))).data.toString('hex')).toBe(
      '000300109e10ffffffffffffffffffffffff0100',
    );
    expect((await initiator.send(ask(3, 0xa3, 0x0c))).data.toString('hex', 0, 6)).toBe('0003000ca30c');
  });

  test('SPC-4 6.35 REPORT SUPPORTED OPERATION CODES: what is not offered is said to be not supported', async () => {
    const initiator = fresh().login();
    expect((await initiator.send(ask(1, 0xff))).data.toString('hex')).toBe('00010000');
    expect((await initiator.send(ask(3, 0x9e, 0x1f))).data.toString('hex')).toBe('00010000');
    expect((await initiator.send(ask(1, 0x9e))).sense).toBe('5/24/00');
    expect((await initiator.send(ask(2, 0x28))).sense).toBe('5/24/00');
    expect((await initiator.send(ask(4))).sense).toBe('5/24/00');
  });

  test('SPC-4 6.35.4 REPORT SUPPORTED OPERATION CODES: RCTD adds a timeouts descriptor', async () => {
    const { data } = await fresh().login().send(ask(0x81, 0x00));
    expect(data.toString('hex')).toBe(`00830006${'000000000000'}000a${'00'.repeat(10)}`);
  });

  test('SPC-4 6.36 REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS', async () => {
    const { data } = await fresh().login().send([0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 16]);
    expect(data.toString('hex')).toBe('da000000');
  });

  test('SPC-4 6.35 emulate_rsoc 0 takes both away', async () => {
    const { lu } = logicalUnit({ attributes: { emulate_rsoc: 0 } });
    expect((await new ScsiInitiator(lu).login().send(ask(0))).status).toBe(2);
  });
});

test('SPC-4 6.35 every opcode refuses each bit that may not be set', async () => {
  const volume = memoryVolume(1024 * 1024, { atomicWriteBytesMax: 4096 });
  const initiator = new ScsiInitiator(logicalUnit({ volume, attributes: { emulate_tpu: 1 } }).lu).login();
  for (const row of opcodes) {
    for (let at = 1; at < row.cdbLength; at++) {
      for (let bit = 0; bit < 8; bit++) {
        if ((row.settable[at]! >> bit) & 1) continue;
        const cdb = cdbOf(row);
        cdb[at] = cdb[at]! ^ (1 << bit);
        expect((await initiator.send(cdb)).sense, `${row.name} byte ${at} bit ${bit}`).toBe('5/24/00');
      }
    }
  }
});

test('SAM-5 4.6 admit and execute never throw, whatever the CDB', async () => {
  const initiator = fresh().login();
  for (let i = 0; i < 5000; i++) {
    const cdb = Array.from({ length: 16 }, (_, at) => (at === 0 ? i % 256 : (i * 2654435761 * (at + 1)) >>> 24));
    const task = initiator.task(cdb);
    const done = admitTask(task) ?? (await executeTask(task));
    expect(done.status).toBeTypeOf('number');
  }
});
