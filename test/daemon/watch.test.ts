// The watch of the control socket, and the questions that a front end asks beside it. Not here: how figures come about
// (test/iscsi/transfer.test.ts), `top` (test/shell/ui/top.test.ts).

import { expect, it, onTestFinished } from 'vitest';
import { sessionsOf } from '../../shell/process/served-session.ts';
import { listenControl } from '../../src/daemon/control.ts';
import { learnRows, type SampleRow } from '../../src/daemon/topics.ts';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { type ControlMessage, openControl } from '../support/control-client.ts';
import { freePort, iqn, temporaryDirectory } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const lun = `${tpg}/luns/lun0`;
const known = 'iqn.1994-05.com.redhat:one';
const testUnitReady = [0, 0, 0, 0, 0, 0];

async function serve() {
  const [directory, port] = [temporaryDirectory(), await freePort()];
  const host = await openHost({ home: homeOf(directory, {}, undefined), role: 'serve' });
  onTestFinished(() => host.close());
  const apply = (path: string, verb: string, params: object = {}) =>
    host.root.apply({ path, verb, params: params as never });
  for (const name of ['rd0', 'rd1']) await apply('/backstores/ramdisk', 'create', { name, size: '1M' });
  await apply('/iscsi', 'create', { wwn: iqn });
  await apply(`/iscsi/${iqn}`, 'create', { tag: 1 });
  for (const name of ['rd0', 'rd1'])
    await apply(`${tpg}/luns`, 'create', { storage_object: `/backstores/ramdisk/${name}` });
  await apply(`${tpg}/acls`, 'create', { wwn: known });
  await apply(`${tpg}/acls/${known}`, 'create', { mapped_lun: 0, tpg_lun: 0 });
  await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port: port });
  await apply(tpg, 'set', { group: 'attribute', name: 'authentication', value: '0' });
  await apply(tpg, 'enable');
  await host.root.start();
  const { log } = host;
  const control = await listenControl({
    host,
    role: 'serve',
    startedBy: { what: 'hand' },
    version: '1',
    log,
    createSession: sessionsOf(host),
  });
  onTestFinished(() => control.close());
  const open = async (opening = {}) => {
    const client = await openControl(directory, opening);
    onTestFinished(() => client.close());
    return client;
  };
  return { host, apply, port, open };
}

const rowsIn = (message: ControlMessage, list: string) => message[list] as readonly SampleRow[];

it('a request that is not known, or whose keys are wrong, is answered with failed on every connection', async () => {
  const { open } = await serve();
  for (const opening of [{}, { session: {} }]) {
    const client = await open(opening);
    for (const request of [
      { do: 'dance' },
      { do: 'run', line: 7 },
      {},
      { do: 'watch' },
      { do: 'watch', of: ['dance'] },
    ])
      expect(await client.ask(request)).toMatchObject({ is: 'failed', error: expect.any(String) });
    expect(await client.ask({ do: 'status' })).toMatchObject({ is: 'status' });
  }
});

it('stats: a watch begins with all rows, then has those that changed, and names those that are gone', async () => {
  const { open, port, apply } = await serve();
  const { initiator, close } = await connectInitiator(port, iqn, known);
  onTestFinished(close);
  await initiator.command(testUnitReady);
  const client = await open();
  const rows = new Map<string, Map<string, SampleRow>>();
  expect(await client.ask({ do: 'watch', of: ['stats'], everyMs: 200 })).toMatchObject({
    is: 'watching',
    everyMs: 200,
  });
  const first = await client.hear('stats');
  expect(first).toMatchObject({
    id: 1,
    ways: [{ lun, initiator: known, number: 0, portal: `127.0.0.1:${port}`, commands: 1, outstanding: 0 }],
    storageObjects: [{ path: '/backstores/ramdisk/rd0' }, { path: '/backstores/ramdisk/rd1' }],
  });
  learnRows(rows, 'stats', first);
  await initiator.command([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { data: Buffer.alloc(4096, 1) });
  let next = await client.hear('stats');
  while (rowsIn(next, 'ways').length === 0) next = await client.hear('stats');
  expect(rowsIn(next, 'storageObjects')).toMatchObject([{ path: '/backstores/ramdisk/rd0', writtenBytes: 4096 }]);
  expect(Number(next['atMs'])).toBeGreaterThan(Number(first['atMs']));
  learnRows(rows, 'stats', next);
  expect([...rows.get('ways')!.values()]).toMatchObject([{ commands: 2, writtenBytes: 4096 }]);
  expect(rows.get('storageObjects')!.size).toBe(2);
  await apply(`${tpg}/luns`, 'delete', { lun: 1 });
  await apply('/backstores/ramdisk', 'delete', { name: 'rd1' });
  while (next['gone'] === undefined) next = await client.hear('stats');
  expect(next['gone']).toEqual({ storageObjects: [{ path: '/backstores/ramdisk/rd1' }] });
  learnRows(rows, 'stats', next);
  expect(rows.get('storageObjects')!.size).toBe(1);
  expect(await client.ask({ do: 'unwatch', watch: 1 })).toMatchObject({ id: 2, is: 'unwatched' });
  expect(await client.ask({ do: 'unwatch', watch: 1 })).toMatchObject({ id: 3, is: 'failed' });
});

it('a command that is not answered is outstanding on its way', async () => {
  const { open, port } = await serve();
  const { initiator, close } = await connectInitiator(port, iqn, known, { InitialR2T: 'Yes', ImmediateData: 'No' });
  onTestFinished(close);
  await initiator.command(testUnitReady);
  initiator.sendCommand([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { data: Buffer.alloc(4096) });
  await initiator.next();
  const client = await open();
  expect(await client.ask({ do: 'stats' })).toMatchObject({ is: 'stats', ways: [{ lun, outstanding: 1 }] });
  expect(await client.ask({ do: 'sessions' })).toMatchObject({ sessions: [{ initiatorWwn: known, outstanding: 1 }] });
});

it('objects: rows with sizes and counts as numbers, told again when something may have changed', async () => {
  const { open, port, apply } = await serve();
  const client = await open();
  await client.ask({ do: 'watch', of: ['objects'], everyMs: 200 });
  expect(await client.hear('objects')).toMatchObject({
    disks: [{ path: '/backstores/ramdisk/rd0', size: 1 << 20, luns: [lun] }, { name: 'rd1' }],
    luns: [{ path: lun, disk: '/backstores/ramdisk/rd0', mappedFor: [known], forEverybody: false, sessions: 0 }, {}],
    initiators: [{ name: known, hasAcl: true, chap: 'none', sessions: 0, luns: [{ lun: 0, writeProtected: false }] }],
    targets: [{ wwn: iqn, luns: 2, acls: 1, portals: [`127.0.0.1:${port}`] }],
    portals: [{ address: '127.0.0.1', port, up: true, problem: '' }],
  });
  const { close } = await connectInitiator(port, iqn, known);
  onTestFinished(close);
  const changed = await client.hear('objects');
  expect(changed).toMatchObject({ initiators: [{ name: known, sessions: 1, addresses: ['127.0.0.1'] }] });
  expect(rowsIn(changed, 'luns')).toMatchObject([{ path: lun, sessions: 1 }]);
  await apply(tpg, 'disable');
  let next = await client.hear('objects');
  while (rowsIn(next, 'portals').length === 0) next = await client.hear('objects');
  expect(next).toMatchObject({ portals: [{ up: false, problem: `${tpg} is disabled` }] });
});

it('log, changes and refusals are told as they happen, without secrets; refusals can be asked for later', async () => {
  const { open, port, apply } = await serve();
  const client = await open();
  await client.ask({ do: 'watch', of: ['log', 'changes', 'refusals'] });
  await apply(tpg, 'set', { group: 'auth', name: 'password', value: 'hidden-secret' });
  const change = await client.hear();
  expect(change['change']).toMatch(/^[0-9a-f]{8}$/);
  expect(change).toMatchObject({ is: 'changes', operations: [{ path: tpg, verb: 'set', params: { value: '***' } }] });
  expect(JSON.stringify(change)).not.toContain('hidden');
  const record = await client.hear('log');
  expect(record).toMatchObject({ event: 'changed', detail: { line: `${tpg} set auth password=***` } });
  const stranger = 'iqn.1994-05.com.redhat:two';
  const refusal = {
    ...{ event: 'iscsi login refused', initiator: stranger, target: iqn, address: '127.0.0.1' },
    portal: `127.0.0.1:${port}`,
    reason: `no ACL for ${stranger} in ${tpg}, and generate_node_acls=0`,
  };
  for (const count of [1, 2]) {
    await expect(connectInitiator(port, iqn, stranger)).rejects.toThrow('login refused: 2/2');
    expect(await client.hear('log')).toMatchObject({ level: 'warning', event: 'iscsi login refused' });
    expect(await client.hear('refusals')).toMatchObject({ refusal: { ...refusal, count } });
  }
  expect(await (await open()).ask({ do: 'refusals' })).toMatchObject({ refusals: [{ ...refusal, count: 2 }] });
});

it('a watch whose reader does not read costs bounded memory: it loses what comes, is told how much, and goes on', async () => {
  const { open, host } = await serve();
  const client = await open();
  await client.ask({ do: 'watch', of: ['log'] });
  const [records, what] = [2_000, 'x'.repeat(16_384)];
  for (let number = 0; number < records; number += 1)
    host.log({ level: 'warning', event: 'not served', detail: { number, what } });
  let [told, lost] = [0, 0];
  while (told + lost < records) {
    const message = await client.hear();
    if (message.is === 'lost') lost += (message['lost'] as { log: number }).log;
    else told += 1;
  }
  // The reader was offered 32 MiB in one turn, in which nobody could read: 1 MiB was kept, and the bytes that the kernel took.
  expect(told * what.length).toBeLessThan(4 << 20);
  expect(told).toBeGreaterThan(0);
  host.log({ level: 'warning', event: 'not served', detail: { number: records, what: '' } });
  expect(await client.hear()).toMatchObject({ is: 'log', detail: { number: records } });
});
