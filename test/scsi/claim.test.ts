// The names by which we have a medium, and the names of threads that are gone. Not tested here: media that have a lock (test/e2e-engines).

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fileio } from '../../src/backstore/fileio.ts';
import { UnitStores } from '../../src/durable/unit-store.ts';
import { claimOf, claimOver } from '../../src/scsi/claim.ts';
import { StorageObject } from '../../src/scsi/logical-unit.ts';
import '../../src/scsi/opcode-table.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const wwn = 'c0ffee';
const unit = () => new StorageObject({ backstore: fileio, name: 'disk', config: { dev: '/none', size: 512 }, wwn });

async function adopted(state: string, log: (event: string) => void = () => {}) {
  const lu = unit();
  await new UnitStores(state, ({ event }) => log(event)).adopt([lu]);
  return lu;
}

it('a claim of a thread that lives is not one of an earlier thread; one of a thread that is gone is, until somebody else has the medium', async () => {
  const state = temporaryDirectory();
  const first = claimOf(await adopted(state));
  await first.keep('192.0.2.1:0/1');
  expect(claimOf(await adopted(state)).earlier).toEqual([]);
  const gone = { serial: wwn, claims: [{ client: '192.0.2.1:0/2', thread: { number: 1, since: 'never' } }] };
  writeFileSync(join(state, 'claims', `${wwn}.json`), JSON.stringify(gone));
  const second = claimOf(await adopted(state));
  expect(second.earlier).toEqual(['192.0.2.1:0/2']);
  await second.keep('192.0.2.1:0/3');
  await second.keep(undefined);
  expect(claimOf(await adopted(state)).earlier).toEqual([]);
});

it('an operator’s word about a holder that lives holds for one opening', () => {
  const lu = unit();
  claimOver(lu, 'anybody');
  expect(claimOf(lu).over).toBe('anybody');
  expect(claimOf(lu).over).toBeUndefined();
});

it('a damaged file is set aside and logged: record of claims lost', async () => {
  const state = temporaryDirectory();
  mkdirSync(join(state, 'claims'));
  writeFileSync(join(state, 'claims', `${wwn}.json`), JSON.stringify({ serial: wwn, claims: [{ client: 1 }] }));
  const events: string[] = [];
  expect(claimOf(await adopted(state, (event) => events.push(event))).earlier).toEqual([]);
  expect(events).toEqual(['record of claims lost']);
});
