/**
 * CDBs and parameter lists made by hand, and what becomes of them when a bit is wrong, a field is full of ones, a list is
 * cut or longer than it should be: what is refused has left no trace, and no answer, then or to what is asked next, is a
 * bug of ours. What each refusal says is tested where its command is; noise of all kinds: test/fuzz/iscsi.fuzz.test.ts.
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LogRecord } from '../../../src/log.ts';
import { setBugReporter } from '../../../src/scsi/device-server.ts';
import { mediumWork } from '../../../src/scsi/medium-work.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import { bytesOf, type HostileCommand, hostileCommands } from '../../support/hostile-cdb.ts';
import { type Answer, be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const medium = pattern(16 * 512);
const attributes = { emulate_tpu: 1, emulate_tpws: 1, max_unmap_block_desc_count: 4 };

function fresh() {
  const volume = memoryVolume(medium.length, { atomicWriteBytesMax: 4096 });
  volume.bytes.set(medium);
  const { lu } = logicalUnit({ volume, attributes });
  lu.keep = async () => {};
  lu.clock.now = () => 1_000_000;
  return { lu, volume, initiator: new ScsiInitiator(lu).login() };
}

type Unit = ReturnType<typeof fresh>;

/** MODE SENSE of current and changed pages, port groups, the data buffer, the timestamp, the capacity, readiness. */
const questions = [
  ...['5a 08 3f ff 00 00 00 04 00 00', 'a3 0a 00 00 00 00 00 00 00 ff 00 00', '3c 02 00 00 00 00 00 00 40 00'],
  ...['a3 0f 00 00 00 00 00 00 00 ff 00 00', '9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00', '00 00 00 00 00 00'],
].map(bytesOf);

/** Everything that a command may leave behind. */
async function traces({ lu, volume, initiator }: Unit): Promise<string> {
  const changes = volume.calls.filter((call) => !call.startsWith('read'));
  const found: unknown[] = [changes, reservations.of(lu), mediumWork.of(lu).work, medium.compare(volume.bytes)];
  for (const cdb of questions) {
    const { status, sense, data } = await initiator.send(cdb);
    found.push(status, sense, data.toString('hex'));
  }
  return JSON.stringify(found, (key, value) => (key === 'reserved' ? value !== undefined : value));
}

const bugs: LogRecord[] = [];
beforeAll(() => setBugReporter((record) => bugs.push(record)));
afterAll(() => setBugReporter(() => {}));

/** One command to a unit of its own. @throws AssertionError */
async function attack({ before = [] }: HostileCommand, what: string, cdb: number[], list: number[]): Promise<Answer> {
  const unit = fresh();
  for (const [earlier, data] of before)
    expect((await unit.initiator.send(earlier, Uint8Array.from(data))).status).toBe(0);
  const untouched = await traces(unit);
  const answer = await unit.initiator.send(cdb, Uint8Array.from(list));
  const shown = `${what}: ${Buffer.from(cdb).toString('hex')} ${Buffer.from(list.slice(0, 100)).toString('hex')}`;
  expect([0, 2, 0x18], shown).toContain(answer.status);
  expect(answer.sense, shown).not.toBe('4/44/00');
  if (answer.status === 0) unit.lu.clock.now = () => 1_000_001;
  const after = await traces(unit);
  if (answer.status !== 0) expect(after, shown).toBe(untouched);
  expect(bugs, shown).toEqual([]);
  return answer;
}

const flipped = (bytes: readonly number[], at: number, bit: number): number[] =>
  bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
const filled = (bytes: readonly number[], at: number, length: number, value: number): number[] =>
  bytes.map((byte, i) => (i >= at && i < at + length ? value : byte));

const pages = await (async () => {
  const { initiator } = fresh();
  const found: number[][] = [];
  for (const page of [0x01, 0x08, 0x0a, 0x1a, 0x1c]) {
    const { status, data } = await initiator.send([0x5a, 0x08, page, 0, 0, 0, 0, 1, 0, 0]);
    if (status === 0) found.push([...data.subarray(8)]);
  }
  return found;
})();
const bases = hostileCommands(fresh().lu, pages).map((base) => [base.name, base] as const);

test.each(bases)('SPC-4 4.2 %s: as it is it runs', async (_name, base) => {
  const compares = base.name.startsWith('COMPARE') || base.name.endsWith('compared');
  const { status, sense } = await attack(base, 'as it is', [...base.cdb], [...base.list]);
  expect([status, sense]).toEqual(compares ? [2, 'e/1d/00'] : [0, '']);
});

test.each(bases)('SPC-4 4.2 %s: each bit of its CDB, and each of its fields full of ones', async (_name, base) => {
  for (let at = 1; at < base.cdb.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const answer = await attack(base, `bit ${at}.${bit}`, flipped(base.cdb, at, bit), [...base.list]);
      // The bit may make another service action of the CDB, of which other fields are wrong.
      if (answer.sense === '5/24/00' && at > 1 && base.cdb[0] !== 0x7f && (answer.senseData[15]! & 0x80) !== 0)
        expect(Math.abs(answer.senseData.readUInt16BE(16) - at), `pointer of bit ${at}.${bit}`).toBeLessThan(8);
    }
    await attack(base, `ones ${at}`, filled(base.cdb, at, 4, 0xff), [...base.list]);
  }
});

const listed = bases.filter(([, { list }]) => list.length > 0);

test.each(listed)('SPC-4 4.2 %s: its list cut, longer and wrong, at each byte', async (_name, base) => {
  const { cdb, list, length, whole = [] } = base;
  const saying = (bytes: number) => (length ? cdb.toSpliced(...length, ...be(bytes, length[1])) : [...cdb]);
  const isBlocks = list.length % 512 === 0;
  for (let at = 0; at < list.length; at += isBlocks ? 93 : 1) {
    const { sense, status } = await attack(base, `offered ${at}`, [...cdb], list.slice(0, at));
    expect([at, status === 0 ? 'no blocks' : sense]).toEqual([at, at === 0 && status === 0 ? 'no blocks' : '5/0e/03']);
    if (isBlocks) continue;
    if (length) {
      const cut = await attack(base, `cut to ${at}`, saying(at), list.slice(0, at));
      expect([at, cut.status]).toEqual([at, whole.includes(at) || (at === 0 && cut.status === 0) ? 0 : 2]);
    }
    await attack(base, `longer by ${at}`, saying(list.length + at), [...list, ...new Array(at).fill(0xff)]);
    for (let bit = 0; bit < 8; bit++) await attack(base, `bit ${at}.${bit}`, [...cdb], flipped(list, at, bit));
    for (const ones of [2, 8]) await attack(base, `ones ${at}+${ones}`, [...cdb], filled(list, at, ones, 0xff));
  }
});

/** Where CDBs have the protection field (its three upper bits) and GROUP NUMBER (its five lower ones). */
const places = new Map<number, readonly [protection: number, group: number]>([
  ...[0x28, 0x2a, 0x2e, 0x2f, 0x41].map((code) => [code, [1, 6]] as const),
  ...[0xa8, 0xaa, 0xae, 0xaf].map((code) => [code, [1, 10]] as const),
  ...[0x88, 0x8a, 0x8e, 0x8f, 0x93, 0x89, 0x8b, 0x9c].map((code) => [code, [1, 14]] as const),
  [0x7f, [10, 6]] as const,
]);

test.each(bases.filter(([, { cdb }]) => places.has(cdb[0]!)))(
  'SBC-3 4.22 %s: a protection field is refused, with a pointer; a group number changes nothing',
  async (_name, base) => {
    const [protect, group] = places.get(base.cdb[0]!)!;
    const plain = await attack(base, 'as it is', [...base.cdb], [...base.list]);
    for (let value = 1; value < 8; value++) {
      const cdb = base.cdb.map((byte, i) => (i === protect ? byte | (value << 5) : byte));
      const { sense, senseData } = await attack(base, `protection ${value}`, cdb, [...base.list]);
      expect([sense, senseData.readUInt16BE(16)]).toEqual(['5/24/00', protect]);
    }
    for (let value = 1; value < 32; value++) {
      const answer = await attack(base, `group ${value}`, filled(base.cdb, group, 1, value), [...base.list]);
      expect(answer).toEqual(plain);
    }
  },
);

test.each(bases.filter(([, { cdb }]) => cdb[0] === 0x7f))(
  'SPC-4 4.2.3 %s: a wrong ADDITIONAL CDB LENGTH, and fewer bytes than it says, are INVALID FIELD IN CDB there',
  async (_name, base) => {
    for (let additional = 0; additional < 256; additional++) {
      const { sense, senseData } = await attack(base, `${additional}`, filled(base.cdb, 7, 1, additional), [
        ...base.list,
      ]);
      if (additional !== 24) expect([sense, senseData.toString('hex', 15)]).toEqual(['5/24/00', 'cf0007']);
    }
    for (let length = 10; length < 32; length++)
      expect((await attack(base, `${length} bytes`, base.cdb.slice(0, length), [...base.list])).sense).toBe('5/24/00');
  },
);
