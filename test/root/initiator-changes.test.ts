// Changes of initiators that have to outlive the process: reservations, modes, ALUA states. Every answer is acknowledged before the home
// is copied as a crash would leave it. Not tested here: the meaning of the commands (test/conformance/scsi).

import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { LogRecord } from '../../src/log.ts';
import { openHost } from '../../src/root/host.ts';
import { mediumWork } from '../../src/scsi/medium-work.ts';
import { targetPortsOf } from '../../src/scsi/nexus.ts';
import { reservations } from '../../src/scsi/reservation-conflict.ts';
import { port, ScsiInitiator } from '../support/logical-unit.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const serial = 'c5887601-53cb-4030-8133-a895f2f05d13';
const iqn = 'iqn.2003-01.org.example:disk';

async function open(directory: string) {
  const records: LogRecord[] = [];
  const host = await openHost({ home: homeOf(directory, {}, 0), role: 'serve', log: (record) => records.push(record) });
  await host.root.start();
  onTestFinished(() => host.close());
  const storageObject = host.root.tree.storageObject('/backstores/ramdisk/rd0')!;
  return { directory, host, records, storageObject };
}

/** A served home with one ramdisk behind one TPG, and an initiator. */
async function served() {
  const directory = temporaryDirectory();
  const host = await openHost({ home: homeOf(directory, {}, 0), role: 'serve' });
  const apply = (path: string, verb: string, params: Record<string, string | number>) =>
    host.root.apply({ path, verb, params });
  await apply('/backstores/ramdisk', 'create', { name: 'rd0', size: '1M', wwn: serial });
  await apply('/iscsi', 'create', { wwn: iqn });
  await apply(`/iscsi/${iqn}`, 'create', { tag: 1 });
  await apply(`/iscsi/${iqn}/tpg1/luns`, 'create', { storage_object: '/backstores/ramdisk/rd0', lun: 0 });
  await host.close();
  const running = await open(directory);
  return { ...running, initiator: new ScsiInitiator(running.storageObject, 'a', { port }).login() };
}

/** The home that a crash now would leave, opened by the next process. */
async function afterCrash(directory: string) {
  const copy = temporaryDirectory();
  await cp(directory, copy, { recursive: true, filter: (path) => !path.endsWith('/lock') && !path.endsWith('.sock') });
  return open(copy);
}

const key = (digit: number) => [0, 0, 0, 0, 0, 0, 0, digit];
const persistentOut = (
  initiator: ScsiInitiator,
  action: number,
  type: number,
  reservation: number,
  service: number,
  aptpl: 0 | 1,
) =>
  initiator.send(
    [0x5f, action, type, 0, 0, 0, 0, 0, 24],
    Uint8Array.from([...key(reservation), ...key(service), 0, 0, 0, 0, aptpl, 0, 0, 0]),
  );
const readReservation = async (initiator: ScsiInitiator) =>
  (await initiator.send([0x5e, 0x01, 0, 0, 0, 0, 0, 0, 255])).data.toString('hex');

it('SPC-4 5.12.5 a reservation with APTPL is there after a crash, for the same initiator', async () => {
  const { directory, initiator } = await served();
  expect((await persistentOut(initiator, 0x06, 0, 0, 7, 1)).status).toBe(0);
  expect((await persistentOut(initiator, 0x01, 5, 7, 0, 0)).status).toBe(0);
  const { storageObject } = await afterCrash(directory);
  const [same, other] = ['a', 'b'].map((name) => new ScsiInitiator(storageObject, name).login());
  expect(await readReservation(same!)).toBe('00000000000000100000000000000007' + '0000000000050000');
  expect((await other!.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], Buffer.alloc(512))).status).toBe(0x18);
  expect((await same!.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], Buffer.alloc(512))).status).toBe(0);
});

it('SPC-4 5.12.5 a registration without APTPL takes back what was kept', async () => {
  const { directory, initiator } = await served();
  await persistentOut(initiator, 0x06, 0, 0, 7, 1);
  const folder = join(directory, 'reservations');
  expect((await stat(join(folder, `${serial}.json`))).mode & 0o777).toBe(0o600);
  await persistentOut(initiator, 0x06, 0, 0, 8, 0);
  expect(await readdir(folder)).toEqual([]);
  const { storageObject } = await afterCrash(directory);
  expect(reservations.of(storageObject).persistent.registrations).toEqual([]);
});

it.each([
  ['that is torn', '{"serial":"c588'],
  ['of another unit', '{"serial":"other","registrations":[],"reservation":null}'],
  [
    'with a holder that is not registered',
    `{"serial":"${serial}","registrations":[],"reservation":{"type":1,"holder":{"initiator":"a","port":1,"key":"0000000000000007"}}}`,
  ],
  [
    'with a key that is none',
    `{"serial":"${serial}","registrations":[{"initiator":"a","port":1,"key":"7"}],"reservation":null}`,
  ],
])('a file of reservations %s is reported and set aside', async (_what, text) => {
  const { directory, initiator } = await served();
  await persistentOut(initiator, 0x06, 0, 0, 7, 1);
  await writeFile(join(directory, 'reservations', `${serial}.json`), text);
  const { directory: copy, storageObject, records } = await afterCrash(directory);
  expect(reservations.of(storageObject).persistent.registrations).toEqual([]);
  expect(records).toContainEqual(expect.objectContaining({ level: 'error', event: 'reservations lost' }));
  expect(await readFile(join(copy, 'reservations', `${serial}.json.damaged`), 'utf8')).toBe(text);
});

const overwriteOnce = (initiator: ScsiInitiator) =>
  initiator.send([0x48, 0x81, 0, 0, 0, 0, 0, 0, 5], Uint8Array.of(1, 0, 0, 1, 7));

it('SBC-4 4.11.2 a SANITIZE goes on after a crash, and is over then', async () => {
  const { directory, initiator, storageObject } = await served();
  storageObject.volume!.write = () => new Promise(() => {});
  expect((await overwriteOnce(initiator)).status).toBe(0);
  const later = await afterCrash(directory);
  expect(later.records).toContainEqual(expect.objectContaining({ event: 'medium work resumed' }));
  await expect.poll(() => mediumWork.of(later.storageObject).work).toBe(undefined);
  const read = await new ScsiInitiator(later.storageObject, 'a').login().send([0x28, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(read.data).toEqual(Buffer.alloc(512, 7));
  expect(await readdir(join(later.directory, 'medium-work'))).toEqual([]);
});

it('SBC-4 4.11.2 a SANITIZE that failed is one after a crash, until another one succeeds', async () => {
  const { directory, initiator, storageObject } = await served();
  storageObject.volume!.write = () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
  await overwriteOnce(initiator);
  await expect.poll(() => mediumWork.of(storageObject).work?.failed).toBe(true);
  const later = await afterCrash(directory);
  const again = new ScsiInitiator(later.storageObject, 'a').login();
  expect((await again.send([0x00])).sense).toBe('3/31/03');
  await overwriteOnce(again);
  await expect.poll(() => mediumWork.of(later.storageObject).work).toBe(undefined);
});

it.each([
  ['that is torn', '{"serial":"c588'],
  ['that does nothing we know', `{"serial":"${serial}","does":"melt","exit":true,"failed":false,"medium":{}}`],
  [
    'with a pattern that is none',
    `{"serial":"${serial}","does":"overwrite","count":1,"invert":false,"pattern":"7","exit":true,"failed":false,"medium":{}}`,
  ],
  ['without a medium', `{"serial":"${serial}","does":"format","exit":true,"failed":false}`],
])('a file of work on a medium %s is reported and set aside', async (_what, text) => {
  const { directory, initiator, storageObject } = await served();
  storageObject.volume!.write = () => new Promise(() => {});
  await overwriteOnce(initiator);
  await writeFile(join(directory, 'medium-work', `${serial}.json`), text);
  const { directory: copy, storageObject: later, records } = await afterCrash(directory);
  expect(mediumWork.of(later).work).toBe(undefined);
  expect(records).toContainEqual(expect.objectContaining({ level: 'error', event: 'medium work lost' }));
  expect(await readFile(join(copy, 'medium-work', `${serial}.json.damaged`), 'utf8')).toBe(text);
});

it('SPC-4 6.11 MODE SELECT of WCE is an operation: journaled, and there after a crash, although the unit is exported', async () => {
  const { directory, host, initiator } = await served();
  const before = host.unsavedOperations;
  const control = [0x0a, 0x0a, 0x02, 0x10, 0, 0x00, 0, 0, 0xff, 0xff, 0, 0x1e];
  const caching = [0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0];
  const list = [0, 0, 0, 0, ...caching, ...control];
  expect((await initiator.send([0x15, 0x10, 0, 0, list.length], Uint8Array.from(list))).status).toBe(0);
  expect((await initiator.send([0x00])).status).toBe(0);
  expect(host.unsavedOperations).toBe(before + 2);
  const { storageObject } = await afterCrash(directory);
  expect(storageObject.attributes.values).toMatchObject({ emulate_write_cache: 1, emulate_tas: 0 });
});

it('SPC-4 6.45 SET TARGET PORT GROUPS is an operation, and the state says that an initiator asked for it', async () => {
  const { directory, initiator, storageObject } = await served();
  const other = new ScsiInitiator(storageObject, 'b', { port }).login();
  expect(
    (await initiator.send([0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8], Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0))).status,
  ).toBe(0);
  expect((await initiator.send([0x00])).status).toBe(0);
  expect((await other.send([0x00])).sense).toBe('6/2a/06');
  const { storageObject: later } = await afterCrash(directory);
  expect(later.aluaGroups[0]).toMatchObject({ alua_access_state: 1, alua_access_status: 1 });
});

it('SPC-4 5.14 an attribute that changes what initiators have read is told to all of them', async () => {
  const { host, initiator } = await served();
  const set = (name: string, value: string) =>
    host.root.apply({ path: '/backstores/ramdisk/rd0', verb: 'set', params: { group: 'attribute', name, value } });
  await set('emulate_write_cache', '1');
  expect((await initiator.send([0x00])).sense).toBe('6/2a/01');
  await set('is_nonrot', '0');
  expect((await initiator.send([0x00])).sense).toBe('6/3f/03');
  await set('emulate_rsoc', '0');
  expect((await initiator.send([0x00])).status).toBe(0);
});

it('SPC-4 7.8.14 the target ports are those of all TPGs that export the unit, whoever uses them', async () => {
  const { host, storageObject, initiator } = await served();
  await host.root.apply({ path: `/iscsi/${iqn}`, verb: 'create', params: { tag: 2 } });
  await host.root.apply({
    path: `/iscsi/${iqn}/tpg2/luns`,
    verb: 'create',
    params: { storage_object: '/backstores/ramdisk/rd0', lun: 5 },
  });
  expect(targetPortsOf(storageObject).map(({ portName }) => portName)).toEqual([`${iqn},t,0x0001`, `${iqn},t,0x0002`]);
  const { data } = await initiator.send([0x12, 1, 0x88, 0, 255]);
  expect(data.toString('latin1').match(/,t,0x000\d/g)).toEqual([',t,0x0001', ',t,0x0002']);
});
