// The engine on real sockets: listeners and sessions that follow the tree. It does not test the protocol itself.

import { once } from 'node:events';
import { truncateSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Volume } from '../../src/backstore/backstore.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { ramdisk } from '../../src/backstore/ramdisk.ts';

import type { FabricState, Portal, Tpg } from '../../src/target/target.ts';
import { Initiator } from '../support/initiator.ts';
import { type IscsiServer, serveIscsi } from '../support/iscsi-server.ts';
import { addAcl, iscsiTree, targetName } from '../support/iscsi-target.ts';
import { listeningSocket } from '../support/listening-socket.ts';
import { logicalUnit, pattern } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { below, randomOf } from '../support/random.ts';
import { makeFile, makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const open: { engine?: IscsiServer; sockets: Socket[] } = { sockets: [] };

afterEach(async () => {
  for (const socket of open.sockets.splice(0)) socket.destroy();
  await open.engine?.stop();
});

async function start(tree: { state: FabricState; tpg: Tpg } = iscsiTree(), sockets: readonly number[] = []) {
  const engine = serveIscsi(tree.state, sockets);
  open.engine = engine;
  await engine.reconcile();
  return { ...tree, engine, portal: tree.tpg.portals[0]! };
}

/** An initiator on a socket of its own; `closed` resolves when the target hangs up. */
async function initiatorAt(engine: IscsiServer, portal: Portal, host?: string) {
  const { address, port } = engine.address(portal)!;
  const socket = connect(port, host ?? address);
  open.sockets.push(socket);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  const initiator = new Initiator(targetName, (bytes) => socket.write(bytes));
  socket.on('data', (bytes) => initiator.receive(bytes));
  socket.on('error', () => {});
  return { initiator, socket, closed };
}

const read10 = (blocks: number) => [0x28, 0, 0, 0, 0, 0, 0, blocks >> 8, blocks & 0xff, 0];

/** The next PDU of that name, waited for as long as the test may run. */
async function next(initiator: Initiator, name: string): Promise<void> {
  while (!initiator.inbox.some((pdu) => pdu.name === name)) await new Promise((resolve) => setImmediate(resolve));
}

async function loggedIn(engine: IscsiServer, portal: Portal, host?: string, keys: Record<string, string> = {}) {
  const parts = await initiatorAt(engine, portal, host);
  const { initiator } = parts;
  initiator.next = async () => {
    while (initiator.inbox.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return initiator.inbox.shift()!;
  };
  await initiator.login({ MaxRecvDataSegmentLength: '262144', ...keys });
  await initiator.command([0, 0, 0, 0, 0, 0]);
  return parts;
}

const volumeOf = async (kind: string): Promise<Volume> => {
  if (kind === 'ramdisk') return ramdisk.open({ size: 16 << 20 });
  return kind === 'fileio' ? (await fileOf(16 << 20)).volume : memoryVolume(16 << 20);
};

async function fileOf(size: number): Promise<{ path: string; volume: Volume }> {
  const folder = makeFolder(memoryFolder);
  onTestFinished(() => removeFolder(folder));
  const path = makeFile(join(folder, `disk-${size}.img`), size);
  return { path, volume: await fileio.open({ dev: path, size }) };
}

describe('listeners', () => {
  it('serve the portals of enabled TPGs, each address once', async () => {
    const { engine, tpg, portal, state } = await start();
    expect(engine.address(portal)!.port).toBeGreaterThan(0);
    tpg.enabled = false;
    await engine.reconcile();
    expect(engine.address(portal)).toBeUndefined();
    tpg.enabled = true;
    await engine.reconcile();
    expect(engine.portalProblem(portal)).toBeUndefined();
    state.targets.clear();
    await engine.reconcile();
    expect(engine.address(portal)).toBeUndefined();
  });

  it('say why a portal cannot be opened, and try again at the next change', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const tree = iscsiTree();
    const portal = { ...tree.tpg.portals[0]!, port: (other.address() as AddressInfo).port };
    tree.tpg.portals[0] = portal;
    const { engine } = await start(tree);
    expect(engine.portalProblem(portal)).toContain('address already in use');
    other.close();
    await once(other, 'close');
    await engine.reconcile();
    expect([engine.portalProblem(portal), engine.address(portal)?.port]).toEqual([undefined, portal.port]);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
  ])('a portal takes over the socket that was passed on for %s, and leaves it open', async (host, address) => {
    const tree = iscsiTree();
    const passed = await listeningSocket(host);
    if (!passed) return;
    const { fd, port } = passed;
    const portal = { ...tree.tpg.portals[0]!, address, port };
    tree.tpg.portals[0] = portal;
    const { engine } = await start(tree, [fd]);
    expect([engine.portalProblem(portal), engine.address(portal)]).toEqual([undefined, { address, port }]);
    tree.tpg.portals.pop();
    await engine.reconcile();
    tree.tpg.portals.push(portal);
    await engine.reconcile();
    await loggedIn(engine, portal, host);
    expect(engine.sessions()).toHaveLength(1);
  });

  it('IPv6', async () => {
    const tree = iscsiTree();
    tree.tpg.portals[0] = { ...tree.tpg.portals[0]!, address: '::1' };
    const { engine, portal } = await start(tree);
    if (engine.portalProblem(portal)) return;
    await loggedIn(engine, portal);
    expect(engine.sessions()[0]?.connections[0]?.address).toMatch(/^\[::1\]:\d+$/);
  });

  it('IPv6: its wildcard takes IPv4 as well, and shows the address as what it is', async () => {
    const tree = iscsiTree();
    tree.tpg.portals[0] = { ...tree.tpg.portals[0]!, address: '::0' };
    const { engine, portal } = await start(tree);
    if (engine.portalProblem(portal)) return;
    await loggedIn(engine, portal, '127.0.0.1');
    expect(engine.sessions()[0]?.connections[0]?.address).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe('connections that do not log in', () => {
  it('make room for those that do, however many there are: the oldest that has said nothing goes first', async () => {
    const { engine, portal } = await start();
    const { initiator: inside } = await loggedIn(engine, portal);
    const talking = await initiatorAt(engine, portal);
    Object.assign(talking.initiator, { remote: true, isid: Uint8Array.of(0x80, 0, 0, 0, 0, 8) });
    await talking.initiator.loginStep(0, 1, { ...talking.initiator.names, AuthMethod: 'None' });
    const first = await initiatorAt(engine, portal);
    let dropped = false;
    void first.closed.then(() => {
      dropped = true;
    });
    for (let count = 0; count < 300; count += 1) await initiatorAt(engine, portal);
    expect(dropped).toBe(true);
    talking.initiator.loggedIn(await talking.initiator.loginStep(1, 3, {}));
    const late = await initiatorAt(engine, portal);
    Object.assign(late.initiator, { remote: true, isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9) });
    await late.initiator.login();
    expect((await inside.command(read10(1), { read: true, length: 512 })).status).toBe(0);
  });
});

describe('sessions', () => {
  it('are shown as they are, and leave when their socket does', async () => {
    const { engine, portal } = await start();
    const { socket } = await loggedIn(engine, portal);
    expect(engine.sessions()).toMatchObject([
      {
        id: 1,
        targetWwn: targetName,
        tpgTag: 1,
        type: 'Normal',
        state: 'LOGGED_IN',
        acl: false,
        connections: [{ cid: 0, state: 'LOGGED_IN' }],
      },
    ]);
    socket.destroy();
    while (engine.sessions().length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it.each<[string, (tpg: Tpg, state: FabricState) => void]>([
    ['the TPG is disabled', (tpg) => Object.assign(tpg, { enabled: false })],
    ['demo mode ends', (tpg) => tpg.attributes.set('generate_node_acls', 0)],
    ['the target is deleted', (_tpg, state) => state.targets.clear()],
    ['an ACL of its own is made', (tpg) => addAcl(tpg, 'iqn.2026-01.com.example:initiator')],
  ])('are asked to log out when %s', async (_name, change) => {
    const { engine, portal, tpg, state } = await start();
    const { initiator, closed } = await loggedIn(engine, portal);
    change(tpg, state);
    await engine.reconcile();
    await next(initiator, 'Asynchronous Message');
    initiator.inbox.length = 0;
    expect((await initiator.logout()).name).toBe('Logout Response');
    await closed;
    expect(engine.sessions()).toEqual([]);
  });

  it.each<[string, (tpg: Tpg, state: FabricState) => void]>([
    ['its portal is removed', (tpg) => void tpg.portals.pop()],
    ['the target is deleted', (_tpg, state) => state.targets.clear()],
  ])('one that is being made is not, when %s meanwhile', async (_name, change) => {
    const { engine, portal, tpg, state } = await start();
    const { initiator, closed } = await initiatorAt(engine, portal);
    initiator.remote = true;
    await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
    change(tpg, state);
    await engine.reconcile();
    await closed;
    expect(engine.sessions()).toEqual([]);
  });

  it('a change that is none of theirs leaves them alone', async () => {
    const { engine, portal, tpg } = await start();
    const { initiator } = await loggedIn(engine, portal);
    addAcl(tpg, 'iqn.2026-01.com.example:other');
    await engine.reconcile();
    expect((await initiator.command(read10(1), { read: true, length: 512 })).status).toBe(0);
  });

  it('SAM-5 8.6 an ordered write does not change what the read before it has read, however late that is taken', async () => {
    const { volume } = await fileOf(1 << 20);
    await volume.write(Buffer.alloc(32_768, 5), 0, false);
    const { lu } = logicalUnit();
    lu.volume = volume;
    const { engine, portal } = await start(iscsiTree(lu));
    const { initiator, socket } = await loggedIn(engine, portal);
    const ordered = { attribute: 2, length: 32_768 };
    socket.pause();
    const read = initiator.sendCommand(read10(64), { ...ordered, read: true });
    const data = Buffer.alloc(32_768, 7);
    const write = initiator.sendCommand([0x2a, ...read10(64).slice(1)], {
      ...ordered,
      data,
      immediateData: data.length,
    });
    const first = Buffer.alloc(1);
    while (first[0] !== 7) {
      await new Promise((resolve) => setImmediate(resolve));
      await volume.read(first, 0);
    }
    socket.resume();
    expect((await initiator.finish(read)).data).toEqual(Buffer.alloc(32_768, 5));
    expect((await initiator.finish(write)).status).toBe(0);
  });

  it.each([
    ['ramdisk', 'None'],
    ['ramdisk', 'CRC32C'],
    ['fileio', 'None'],
    ['fileio', 'CRC32C'],
  ])(
    '%s, header digest %s: writes cut anywhere by their sockets, reads of all lengths, beside each other',
    async (kind, HeaderDigest) => {
      const size = 16 << 20;
      const volume = await volumeOf(kind);
      const model = pattern(size);
      await volume.write(model, 0, false);
      const { lu } = logicalUnit({ attributes: { hw_max_sectors: 65535 } });
      lu.volume = volume;
      const tree = iscsiTree(lu);
      tree.tpg.parameters.set('HeaderDigest', HeaderDigest);
      const { engine, portal } = await start(tree);
      const { initiator, socket } = await loggedIn(engine, portal, undefined, { HeaderDigest });
      const chance = randomOf(7143);
      const random = (bound: number) => below(chance, bound);
      // The initiator's bytes go out in pieces, some of them by themselves.
      const said: Buffer[] = [];
      const write = socket.write.bind(socket);
      socket.write = (bytes) => said.push(Buffer.from(bytes as Uint8Array)) > 0;
      const utter = async () => {
        const all = Buffer.concat(said.splice(0));
        for (let at = 0; at < all.length; ) {
          const piece = [1, 47, 48, 512, 700, 20_000, 70_000, 300_000][random(8)]!;
          write(all.subarray(at, at + piece));
          at += piece;
          if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      };
      for (let round = 0; round < 16; round += 1) {
        // Each has a sixteenth of the medium to itself.
        const commands = Array.from({ length: 1 + random(8) }, (_, part) => {
          const blocks = 1 + random(random(2) === 0 ? 16 : 1024);
          const lba = part * 2048 + random(2048 - blocks);
          const cdb = [
            0x28,
            0,
            ...[24, 16, 8, 0].map((shift) => (lba >>> shift) & 0xff),
            0,
            blocks >> 8,
            blocks & 0xff,
            0,
          ];
          if (random(2) === 0) return { lba, tag: initiator.sendCommand(cdb, { read: true, length: blocks * 512 }) };
          const data = pattern(blocks * 512, round * 8 + part);
          data.copy(model, lba * 512);
          const options = { data, immediateData: Math.min(data.length, random(3) * 30_000) };
          return { lba, data, tag: initiator.sendCommand([0x2a, ...cdb.slice(1)], options) };
        });
        await utter();
        const found = new Map(commands.map(({ tag }) => [tag, [] as Buffer[]]));
        for (let left = commands.length; left > 0; ) {
          const { name, values, data, ...rest } = await initiator.next();
          const tag = values['initiatorTaskTag']!;
          const command = commands.find((one) => one.tag === tag)!;
          if (name === 'Ready To Transfer') initiator.sendRequested({ name, values, data, ...rest }, command.data!);
          if (name === 'SCSI Data-In') found.get(tag)!.push(data);
          await utter();
          if (name !== 'SCSI Response' && !values['hasStatus']) continue;
          expect(values['status']).toBe(0);
          left -= 1;
        }
        for (const { lba, tag, data } of commands) {
          const got = Buffer.concat(found.get(tag)!);
          if (!data) expect(got.equals(model.subarray(lba * 512, lba * 512 + got.length))).toBe(true);
        }
      }
      const whole = Buffer.alloc(size);
      await volume.read(whole, 0);
      expect(whole.equals(model)).toBe(true);
    },
  );

  it.each(['ramdisk', 'fileio'])(
    'SAM-5 8.6 %s: an ordered write that comes together with a read does not change what that has read',
    async (kind) => {
      const volume = await volumeOf(kind);
      await volume.write(Buffer.alloc(8192, 5), 0, false);
      const { lu } = logicalUnit();
      lu.volume = volume;
      const { engine, portal } = await start(iscsiTree(lu));
      const { initiator, socket } = await loggedIn(engine, portal);
      socket.cork();
      const read = initiator.sendCommand(read10(16), { read: true, length: 8192 });
      const data = Buffer.alloc(8192, 7);
      const write = initiator.sendCommand([0x2a, ...read10(16).slice(1)], { attribute: 2, data, immediateData: 8192 });
      socket.uncork();
      expect((await initiator.finish(read)).data).toEqual(Buffer.alloc(8192, 5));
      expect((await initiator.finish(write)).status).toBe(0);
    },
  );

  it.each(['a volume that is copied', 'ramdisk', 'fileio'])(
    '%s: big data both ways, more of it than sockets hold, by an initiator that reads late',
    async (kind) => {
      const volume = await volumeOf(kind);
      await volume.write(pattern(1 << 20), 0, false);
      const { lu } = logicalUnit({ attributes: { hw_max_sectors: 65535 } });
      lu.volume = volume;
      const { engine, portal } = await start(iscsiTree(lu));
      const { initiator, socket } = await loggedIn(engine, portal);
      socket.pause();
      const tags = Array.from({ length: 24 }, () =>
        initiator.sendCommand(read10(2048), { read: true, length: 1 << 20 }),
      );
      await new Promise((resolve) => setImmediate(resolve));
      socket.resume();
      for (const tag of tags) expect((await initiator.finish(tag)).data.equals(pattern(1 << 20))).toBe(true);
      const data = pattern(1 << 20, 5);
      const written = await initiator.command([0x2a, ...read10(2048).slice(1)], { data, immediateData: 65536 });
      const kept = Buffer.alloc(1 << 20);
      await volume.read(kept, 0);
      expect([written.status, kept.equals(data)]).toEqual([0, true]);
    },
  );

  it('a file that was cut off meanwhile: what was promised comes as zeros, and MEDIUM ERROR with it', async () => {
    const { path, volume } = await fileOf(1 << 20);
    const { lu } = logicalUnit();
    lu.volume = volume;
    const { engine, portal } = await start(iscsiTree(lu));
    const { initiator } = await loggedIn(engine, portal);
    truncateSync(path, 65536);
    const outcome = await initiator.command(read10(256), { read: true, length: 131072 });
    expect(outcome).toMatchObject({ status: 2, sense: '3/11/00' });
    expect((await initiator.command(read10(1), { read: true, length: 512 })).status).toBe(0);
  });

  it('a file in memory that was cut off in the middle of a page: MEDIUM ERROR, and no zeros', async () => {
    const { path, volume } = await fileOf(1 << 20);
    await volume.write(Buffer.alloc(1 << 20, 5), 0, false);
    const { lu } = logicalUnit();
    lu.volume = volume;
    const { engine, portal } = await start(iscsiTree(lu));
    const { initiator } = await loggedIn(engine, portal);
    const read = (block: number) =>
      initiator.command([0x28, 0, 0, 0, block >> 8, block & 0xff, 0, 0, 8, 0], { read: true, length: 4096 });
    expect((await read(128)).data).toEqual(Buffer.alloc(4096, 5));
    truncateSync(path, 65536 + 512);
    expect(await read(128)).toMatchObject({ status: 2, sense: '3/11/00' });
    expect((await read(0)).data).toEqual(Buffer.alloc(4096, 5));
  });
});
