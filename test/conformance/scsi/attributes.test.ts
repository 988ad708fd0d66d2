/**
 * The attributes of storage objects, walked by their table: each does what its record says, at once, and is refused where
 * LIO refuses it. Not tested: the shell's words.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Attribute } from '../../../src/attribute.ts';
import { diskAttributes } from '../../../src/scsi/attributes.ts';
import { withChangesReported } from '../../../src/scsi/changes.ts';
import type { StorageObject } from '../../../src/scsi/logical-unit.ts';
import { opcodes } from '../../../src/scsi/opcode-table.ts';
import type { PersistentReservations } from '../../../src/scsi/persistent-reservation.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import { sense } from '../../../src/scsi/sense.ts';
import { addUnitAttention } from '../../../src/scsi/unit-attention.ts';
import { vpdPages } from '../../../src/scsi/vpd-page.ts';

import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { type MemoryVolume, memoryVolume } from '../../support/memory-volume.ts';
import { has, needs, recorded } from '../../support/needs.ts';

const table: readonly (readonly [string, Attribute])[] = Object.entries<Attribute>(diskAttributes);

/** A thin unit with a write cache: there every attribute has something to show. */
function thin() {
  const volume = memoryVolume(1 << 20);
  const { lu } = logicalUnit({ volume, attributes: { emulate_tpu: 1, emulate_tpws: 1 } });
  return { lu, volume };
}

/** Everything that an initiator can tell a unit by. */
async function view(lu: StorageObject, volume: MemoryVolume): Promise<string[]> {
  const a = new ScsiInitiator(lu, 'viewer').login();
  const seen: string[] = [];
  const ask = async (cdb: readonly number[], dataOut?: Uint8Array) => {
    const { status, sense: code, data } = await a.send(cdb, dataOut);
    seen.push(`${Buffer.from(cdb).toString('hex')}: ${status} ${code} ${data.toString('hex')}`);
  };
  await ask([0x12, 0, 0, 0, 96]);
  for (const { code } of vpdPages) await ask([0x12, 1, code, 1, 0]);
  for (const control of [0, 1, 2]) await ask([0x5a, 0, (control << 6) | 0x3f, 0xff, 0, 0, 0, 4, 0]);
  await ask([0x25]);
  await ask([0x9e, 0x10, ...be(0, 8), ...be(32, 4)]);
  await ask([0x4d, 0, 0x40, 0xff, 0, 0, 0, 1, 0]);
  for (const { code, serviceAction } of opcodes)
    await ask([0xa3, 0x0c, 3, code, ...be(serviceAction ?? 0, 2), ...be(64, 4)]);
  // Where writes go, registrations, a condition that was told, a medium that is to be ejected.
  volume.calls.length = 0;
  const oneBlock = pattern(lu.blockSize);
  await ask([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], oneBlock);
  await ask([0x2a, 0x08, 0, 0, 0, 0, 0, 0, 1], oneBlock);
  seen.push(volume.calls.join());
  lu.keep = async (_subject, kept) =>
    void seen.push(`kept ${(kept as PersistentReservations | undefined)?.registrations.length}`);
  await ask([0x5f, 6, 0, 0, 0, ...be(24, 4)], Uint8Array.from([...be(0, 8), ...be(1, 8), ...be(0, 8)]));
  await ask([0x5e, 3, 0, 0, 0, 0, 0, 1, 0]);
  await ask([0x5f, 3, 0, 0, 0, ...be(24, 4)], Uint8Array.from([...be(1, 8), ...be(0, 16)]));
  reservations.set(lu, { persistent: { generation: 0, aptpl: false, registrations: [], reservation: null } });
  addUnitAttention(a.nexus, lu, sense.capacityDataChanged);
  for (const cdb of [[0x00], [0x00], [0x03, 0, 0, 0, 18]]) await ask(cdb);
  for (const how of [2, 3]) await ask([0x1b, 0, 0, 0, how]);
  a.logout();
  return seen;
}

/** A value that the attribute may have and has not here; undefined where there is no other. */
function another(name: string, { only, type, min = 0, max, refuse }: Attribute): number | string | undefined {
  const value = thin().lu.attributes.values[name as 'block_size'];
  if (only) return only.findLast((one) => one !== value);
  if (type.name !== 'number') return ['0055aa', 'X', '0123456789abcdef'].find((text) => !refuse?.(text as never));
  return [1 - value, value - 1].find((one) => one >= min && (max === undefined || one <= max));
}

describe.each(table)('%s', (name, attribute) => {
  const value = another(name, attribute);
  const set = (lu: StorageObject, text: string, exported = false) => {
    const checked = lu.attributes.check(name, text, 'attribute', exported);
    lu.attributes.checkLimit(name, checked, 'attribute');
    withChangesReported(lu, () => lu.attributes.set(name as never, checked));
  };

  if (attribute.readOnly || value === undefined) {
    test(`${name}: cannot be changed`, () => {
      expect(() => set(thin().lu, '1')).toThrow(attribute.readOnly ? 'read-only' : '[Errno 22]');
    });
    return;
  }

  const inert = attribute.effect.startsWith('none');
  test(`${name}: ${inert ? 'nothing of it is seen' : `seen at once in ${attribute.effect}`}`, async () => {
    const { lu, volume } = thin();
    const before = await view(lu, volume);
    set(lu, String(value));
    const after = await view(lu, volume);
    if (inert) expect(after).toEqual(before);
    else expect(after).not.toEqual(before);
  });

  const { notAbove } = attribute;
  if (notAbove !== undefined)
    test(`${name}: not above ${notAbove}`, () => {
      const { lu } = thin();
      const most = Number(lu.attributes.values[notAbove as 'hw_queue_depth']);
      expect(() => set(lu, String(most))).not.toThrow();
      expect(() => set(lu, String(most + 1))).toThrow('[Errno 22]');
    });

  test(`${name}: ${attribute.notWhileExported ? 'not ' : ''}while a LUN exports it`, () => {
    const change = () => set(thin().lu, String(value), true);
    if (attribute.notWhileExported) expect(change).toThrow('[Errno 22]');
    else expect(change).not.toThrow();
  });
});

// --- LIO's, as targetcli shows them ---

const reference = recorded('reference/targetcli.md');

/** The names that only kernels newer than the recorded ones have. */
const newer = /^(atomic_\*|complete_type|submit_type)/;
/** Refused while exported by the kernel, which the list does not say. */
const unlisted = ['unmap_zeroes_data'];

describe("LIO's attributes", needs('recordings'), () => {
  const section = !has('recordings')
    ? ''
    : readFileSync(reference, 'utf8')
        .split(/^##### /m)
        .find((one) => one.startsWith('Attributes of SBC'))!;
  const rows = section
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, name = '']) => /^[a-z]\w+\*?/.test(name) && !newer.test(name))
    .map(([, name = '', initial = '', rule = '', writable = '']) => ({ name, initial, rule, writable }));

  test('every one of them is here', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter(({ name }) => !(name in diskAttributes))).toEqual([]);
  });

  test.each(rows)('$name: default, read-only, refused while exported', ({ name, initial, rule, writable }) => {
    const attribute: Attribute = diskAttributes[name as 'block_size'];
    if (/^\d+/.test(initial)) expect(attribute.default).toBe(Number.parseInt(initial, 10));
    expect(attribute.readOnly ?? false).toBe(writable === 'ro');
    if (attribute.only?.length !== 1)
      expect(attribute.notWhileExported ?? false).toBe(rule.includes('¬exp') || unlisted.includes(name));
  });
});
