// Two gateways of a cluster in this process: a real etcd, a real NBD server that both reach, and initiators on sockets. What a medium that
// fences does is tested with Ceph (test/e2e-engines), and whatever else can happen by the simulation (test/cluster).

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEtcd } from '../../src/cluster/etcd.ts';
import type { Store } from '../../src/cluster/store.ts';
import { Gateway } from '../../src/root/gateway.ts';
import { Root } from '../../src/root/root.ts';
import { type Connected, connectInitiator } from '../support/connect-initiator.ts';
import { EtcdCluster } from '../support/etcd.ts';
import type { CommandOutcome } from '../support/initiator.ts';
import { startNbdkit } from '../support/nbdkit.ts';
import { needs } from '../support/needs.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';
import { freePort } from '../support/tcli.ts';

const withPrograms = needs('etcd', 'nbdkit');
const target = 'iqn.2003-01.org.example:pair';
const path = '/backstores/user:nbd/disk0';
const serial = '8f7f4f6e-2f4b-4d0e-9d52-1d1a1c6f0f01';
const initiatorName = 'iqn.2003-01.org.example:host';

interface Member {
  readonly name: string;
  readonly root: Root;
  readonly gateway: Gateway;
  readonly store: Store;
  readonly port: number;
  /** Events that were logged. */
  readonly log: string[];
}

const folder = makeFolder();
let etcd: EtcdCluster;
let nbd: ChildProcess;
let uri: string;
const members: Member[] = [];
const connections: Connected[] = [];

async function gateway(name: string, token = name): Promise<Member> {
  const log: string[] = [];
  const root = new Root({ log: ({ event }) => log.push(event) });
  const store = openEtcd({ endpoints: etcd.endpoints });
  const joined = await Gateway.join({
    ...{ store, cluster: 'pair', name, token, log: ({ event }) => log.push(event) },
    storageObjects: () => root.tree.allStorageObjects(),
    share: (at, request) => root.share(at, request),
  });
  root.gateway = joined;
  const port = await freePort();
  const apply = async (at: string, verb: string, params: Record<string, string | number>) =>
    void (await root.apply({ path: at, verb, params }));
  const tpg = `/iscsi/${target}/tpg1`;
  await apply('/backstores/user:nbd', 'create', { name: 'disk0', size: 16 << 20, cfgstring: uri, wwn: serial });
  await apply('/iscsi', 'create', { wwn: target });
  await apply(`/iscsi/${target}`, 'create', { tag: 1 });
  await apply(tpg, 'set', { group: 'attribute', name: 'generate_node_acls', value: '1' });
  await apply(tpg, 'set', { group: 'attribute', name: 'demo_mode_write_protect', value: '0' });
  await apply(tpg, 'set', { group: 'attribute', name: 'authentication', value: '0' });
  await apply(tpg, 'enable', {});
  await apply(`${tpg}/luns`, 'create', { storage_object: path, lun: 0 });
  await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port: port });
  await root.start();
  const member = { name, root, gateway: joined, store, port, log };
  members.push(member);
  return member;
}

async function connect({ port }: Member): Promise<Connected['initiator']> {
  const connected = await connectInitiator(port, target, initiatorName);
  connections.push(connected);
  return connected.initiator;
}

/** A port as initiators are told of it: its address and tag by discovery, and the ports and names of VPD pages. */
async function portSeen({ port }: Member, initiator: Send) {
  const asking = await connectInitiator(port, target, initiatorName, { SessionType: 'Discovery' });
  const { text } = await asking.initiator.text({ SendTargets: 'All' });
  asking.close();
  const page = async (code: number) =>
    (await send(initiator, [0x12, 1, code, 0x4, 0, 0], { read: true, length: 0x400 })).data;
  const [own, ports] = [await page(0x83), await page(0x88)];
  return {
    found: text['TargetAddress'],
    own: own.toString('latin1').match(/,t,0x\w+/g),
    ports: ports.toString('hex'),
    names: ports.toString('latin1').match(/,t,0x\w+/g),
    groups: (await send(initiator, reportGroups, { read: true, length: 255 })).data.toString('hex', 4),
  };
}

/** Asks until the answer is what is waited for: who owns a unit changes by itself. */
async function until<T>(ask: () => T | Promise<T>, is: (answer: T) => boolean): Promise<T> {
  for (let waited = 0; ; waited += 50) {
    const answer = await ask();
    if (is(answer)) return answer;
    if (waited > 15_000) throw new Error(`it stays ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

const testUnitReady = [0, 0, 0, 0, 0, 0];
const readCapacity = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const reportGroups = [0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];

type Send = Connected['initiator'];
/** Past what is pending for the nexus. */
async function send(initiator: Send, cdb: readonly number[], options = {}): Promise<CommandOutcome> {
  for (;;) {
    const outcome = await initiator.command(cdb, options);
    if (!outcome.sense.startsWith('6/')) return outcome;
  }
}
const statesOf = ({ data }: CommandOutcome): Record<number, number> =>
  Object.fromEntries([4, 16].map((at) => [data.readUInt16BE(at + 2), data[at]! & 0x0f]));
const reserveOut = (initiator: Send, action: number, { key = 0n, to = 0n, type = 0 }) => {
  const data = Buffer.alloc(24);
  data.writeBigUInt64BE(key, 0);
  data.writeBigUInt64BE(to, 8);
  return send(initiator, [0x5f, action, type, 0, 0, 0, 0, 0, 24, 0], { data, write: true, length: 24 });
};
const reserveIn = async (initiator: Send, action: number) =>
  (await send(initiator, [0x5e, action, 0, 0, 0, 0, 0, 1, 0, 0], { read: true, length: 256 })).data.toString('hex');

beforeAll(async () => {
  etcd = await EtcdCluster.start({ folder: join(folder, 'etcd') });
  const port = await freePort();
  nbd = await startNbdkit(join(folder, 'nbdkit'), '-p', String(port), '-i', '127.0.0.1', 'memory', '16M');
  uri = `nbd://127.0.0.1:${port}`;
});

afterAll(async () => {
  for (const { close } of connections) close();
  for (const { root, store } of members) {
    await root.stop();
    store.close();
  }
  nbd?.kill('SIGKILL');
  await etcd?.stop();
  removeFolder(folder);
});

describe('a pair of gateways', withPrograms, () => {
  test('one serves a unit and the other shows it as Standby; a move, reservations and the end of a gateway', async () => {
    const [a, b] = [await gateway('a'), await gateway('b')];
    const of = (name: string) => (name === 'a' ? a : b);
    const first = await until(
      () => a.gateway.units()[0]?.owner,
      (owner) => owner !== undefined,
    );
    const [owner, other] = [of(first!), of(first === 'a' ? 'b' : 'a')];
    await until(
      () => owner.gateway.units()[0]?.here,
      (here) => here === 'active',
    );
    const [one, two] = [await connect(owner), await connect(other)];
    // SPC-4 5.15.2.4: the same unit, the same states through both, and a standby that runs what one may.
    expect(await send(one, testUnitReady)).toMatchObject({ status: 0 });
    await until(
      async () => (await send(two, testUnitReady)).sense,
      (sense) => sense === '2/04/0b',
    );
    const capacity = (await send(one, readCapacity, { read: true, length: 8 })).data;
    expect((await send(two, readCapacity, { read: true, length: 8 })).data).toEqual(capacity);
    const groups = async (initiator: Send) =>
      statesOf(await send(initiator, reportGroups, { read: true, length: 255 }));
    expect(await groups(one)).toEqual({ [owner.gateway.number]: 0, [other.gateway.number]: 2 });
    expect(await groups(two)).toEqual(await groups(one));
    // SPC-4 7.8.14, RFC 7143 4.4.1: ports of one device behind two gateways are two, and both gateways name both.
    const [seenAtA, seenAtB] = [await portSeen(a, owner === a ? one : two), await portSeen(b, owner === a ? two : one)];
    expect(seenAtA).toMatchObject({ found: `127.0.0.1:${a.port},1`, own: [',t,0x0001'] });
    expect(seenAtB).toMatchObject({ found: `127.0.0.1:${b.port},4097`, own: [',t,0x1001'] });
    expect(seenAtA.names).toEqual([',t,0x0001', ',t,0x1001']);
    expect(seenAtA.groups).toMatch(/^(.{4}0001.{6}01.{4}0001).{4}(0002).{6}01.{4}1001$/);
    for (const same of ['names', 'ports', 'groups'] as const) expect(seenAtB[same]).toEqual(seenAtA[same]);

    const data = Buffer.alloc(512, 0x11);
    expect(await send(one, write, { data, write: true, length: 512 })).toMatchObject({ status: 0 });

    // A registration and a reservation through one are seen through the other.
    expect(await reserveOut(one, 0, { to: 0xan })).toMatchObject({ status: 0 });
    expect(await reserveOut(two, 0, { to: 0xbn })).toMatchObject({ status: 0 });
    expect(await reserveIn(two, 0)).toBe(await reserveIn(one, 0));
    expect(await reserveIn(two, 0)).toContain('000000000000000b');
    expect(await reserveOut(two, 1, { key: 0xbn, type: 3 })).toMatchObject({ status: 0 });
    expect(await reserveIn(one, 1)).toContain('000000000000000b');
    expect(await send(one, write, { data, write: true, length: 512 })).toMatchObject({ status: 0x18 });

    // SET TARGET PORT GROUPS moves it (SPC-4 6.45); reservations go along, with their generation.
    const before = await reserveIn(two, 0);
    const set = Buffer.from([0, 0, 0, 0, 0, 0, 0, other.gateway.number]);
    // The unit has come to its owner a moment ago: an initiator moves nothing by the states before that.
    await until(
      () => send(two, [0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], { data: set, write: true, length: 8 }),
      ({ status }) => status === 0,
    );
    expect(await groups(two)).toEqual({ [owner.gateway.number]: 2, [other.gateway.number]: 0 });
    expect(await send(two, read, { read: true, length: 512 })).toMatchObject({ status: 0, data });
    expect(await reserveIn(two, 0)).toBe(before);
    await until(
      async () => (await send(one, testUnitReady)).sense,
      (sense) => sense === '2/04/0b',
    );

    // The gateway that has it ends, and the other one takes it.
    await other.root.stop();
    await until(
      () => owner.gateway.units()[0]?.here,
      (here) => here === 'active',
    );
    expect(await reserveIn(one, 0)).toBe(before);
    expect(await send(one, write, { data, write: true, length: 512 })).toMatchObject({ status: 0x18 });
    expect(await reserveOut(one, 4, { key: 0xan, to: 0xbn, type: 3 })).toMatchObject({ status: 0 });
    expect(await send(one, read, { read: true, length: 512 })).toMatchObject({ status: 0, data });

    // SPC-4 6.45: nobody can take it who is not there.
    const gone = Buffer.from([0, 0, 0, 0, 0, 0, 0, other.gateway.number]);
    const failed = await send(one, [0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], { data: gone, write: true, length: 8 });
    expect(failed.sense).toBe('5/67/0a');
    expect(owner.log).toEqual(expect.arrayContaining(['unit taken', 'unit given']));

    // Another gateway of the same name takes no part.
    const twin = await gateway(owner.name, 'another home');
    await until(
      () => twin.log,
      (log) => log.includes('gateway name taken'),
    );
    expect(owner.gateway.units()[0]?.here).toBe('active');

    // Where the medium is gone, nobody serves it: that is said, and what is put down wrongly is left alone.
    const third = await gateway('c');
    await until(
      () => third.gateway.gateways().length,
      (count) => count === 3,
    );
    nbd.kill('SIGKILL');
    await third.gateway.drain(owner.name, true);
    await until(
      () => third.log,
      (log) => log.includes('unit not opened'),
    );
    const put = (what: string) => ({ put: `/tcli/pair/units/${serial}/${what}`, value: '{}' });
    await third.store.transact({ when: [], do: [put('reservations'), put('owner')] });
    await until(
      () => third.log,
      (log) => log.includes('owner record damaged') && log.includes('shared reservations damaged'),
    );
  });
});
