/**
 * The library, the same over a configuration of its own and over one that another process serves. What it is to those who
 * install it (types, the README's lines): test/e2e/library.test.ts.
 */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { connectTcli, OperatorError, openTcli, type Tcli } from '../../src/library/index.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { freePort, serve, tcli as shell, temporaryDirectory } from '../support/tcli.ts';

/** From source, a thread of its own has nothing to begin with. */
const own = async (home: string, note?: (line: string) => void) => openTcli({ home, loops: 0, ...(note && { note }) });
const remote = async (home: string, note?: (line: string) => void) => {
  await serve(home);
  return connectTcli({ home, ...(note && { note }) });
};

describe.each([
  ['of its own', own],
  ['that another process serves', remote],
])('a configuration %s', (_, open) => {
  const opened = async (notes: string[] = []): Promise<{ tcli: Tcli; home: string }> => {
    const home = temporaryDirectory();
    const tcli = await open(home, (line) => void notes.push(line));
    onTestFinished(() => tcli.close());
    return { tcli, home };
  };

  it('new objects are typed, readable, served, and there after a restart', async () => {
    const { tcli, home } = await opened();
    const port = await freePort();
    const disk = await tcli.backstores.fileio.create({
      name: 'disk0',
      file_or_dev: join(home, 'disk0.img'),
      size: '8M',
      write_back: false,
    });
    expect(statSync(join(home, 'disk0.img')).size).toBe(8 << 20);
    const target = await tcli.iscsi.targets.create({ wwn: 'IQN.2003-01.org.example:disk0' });
    expect(target).toMatchObject({
      wwn: 'iqn.2003-01.org.example:disk0',
      path: '/iscsi/iqn.2003-01.org.example:disk0',
    });
    const tpg = await target.tpgs.create();
    const lun = await tpg.luns.create({ storage_object: disk });
    const portal = await tpg.portals.create({ ip_address: '127.0.0.1', ip_port: port });
    const acl = await tpg.acls.create({ wwn: 'iqn.1994-05.com.example:client' });
    await acl.mappedLuns.create({ mapped_lun: 3, tpg_lun: lun, write_protect: true });
    await acl.set('auth', { userid: 'fred', password: 'fredssecret1' });
    await tpg.set('attribute', { default_cmdsn_depth: 64 });
    await tpg.set('parameter', { MaxBurstLength: '65536' });
    await tpg.enable();
    expect([lun.index, portal.path, acl.path]).toEqual([
      0,
      `${tpg.path}/portals/127.0.0.1:${port}`,
      `${tpg.path}/acls/iqn.1994-05.com.example:client`,
    ]);
    const saved = await tpg.read();
    expectTypeOf(saved.attributes!.authentication).toEqualTypeOf<0 | 1>();
    expect(saved).toMatchObject({
      tag: 1,
      enable: true,
      attributes: { default_cmdsn_depth: 64 },
      parameters: { MaxBurstLength: '65536' },
      luns: [{ index: 0, storage_object: '/backstores/fileio/disk0' }],
      portals: [{ ip_address: '127.0.0.1', port }],
      node_acls: [
        {
          node_wwn: 'iqn.1994-05.com.example:client',
          chap_password: 'fredssecret1',
          mapped_luns: [{ index: 3, tpg_lun: 0, write_protect: true }],
        },
      ],
    });
    expect(await disk.read()).toMatchObject({ name: 'disk0', size: 8 << 20, write_back: false });
    expect((await tcli.configuration()).targets).toEqual([await target.read()]);
    await expect(connectInitiator(port, target.wwn, 'iqn.1994-05.com.example:other')).rejects.toThrow();
    await acl.set('attribute', { authentication: 0 });
    (await connectInitiator(port, target.wwn, 'iqn.1994-05.com.example:client')).close();
    expect(await tcli.status()).toMatchObject({ serving: true, targets: 1, storageObjects: 1, problems: [] });
    expect(await tcli.save()).toEqual({ path: join(home, 'saveconfig.json'), backup: false });
  });

  it('lists what is there, by objects that can be used; deleting takes all that stands in one', async () => {
    const { tcli } = await opened();
    const disks = ['a', 'b'].map((name) => tcli.backstores.ramdisk.create({ name, size: 1 << 20 }));
    const [a] = await Promise.all(disks);
    const tpg = await (await tcli.iscsi.targets.create()).tpgs.create({ tag: 7 });
    await tpg.luns.create({ storage_object: '/backstores/ramdisk/b', lun: 5 });
    await tpg.portals.create({ ip_address: '::1', ip_port: 0 });
    const portals = await tpg.portals.list();
    expect(portals.map(({ path }) => path)).toEqual([`${tpg.path}/portals/[::1]:0`]);
    await portals[0]!.delete();
    expect(await tpg.portals.list()).toEqual([]);
    expect((await tpg.luns.list()).map(({ index }) => index)).toEqual([5]);
    expect((await tcli.backstores.ramdisk.list()).map(({ name }) => name)).toEqual(['a', 'b']);
    const group = await a!.alua.create({ name: 'standby', tag: 2 });
    await group.set('alua', { alua_access_state: 2 });
    expect((await a!.alua.list()).map(({ name }) => name)).toEqual(['default_tg_pt_gp', 'standby']);
    expect(await group.read()).toMatchObject({ tg_pt_gp_id: 2, alua_access_state: 2 });
    await group.delete();
    await tcli.backstores.ramdisk.at('b').delete();
    expect(await tpg.luns.list()).toEqual([]);
    const [target] = await tcli.iscsi.targets.list();
    await target!.delete();
    expect(await tcli.iscsi.targets.list()).toEqual([]);
  });

  it('a target of a fabric without TPG nodes is its TPG', async () => {
    const { tcli } = await opened();
    const disk = await tcli.backstores.ramdisk.create({ name: 'a', size: '1M' });
    const target = await tcli.loopback.targets.create({ wwn: 'naa.5001405c81b9d906' });
    const lun = await target.luns.create({ storage_object: disk });
    expect(lun.path).toBe('/loopback/naa.5001405c81b9d906/luns/lun0');
    expect(await target.read()).toMatchObject({ tag: 1, luns: [{ storage_object: '/backstores/ramdisk/a' }] });
    expect((await tcli.loopback.targets.list()).map(({ path }) => path)).toEqual([target.path]);
  });

  it('a refusal is an OperatorError with advice, and nothing was changed', async () => {
    const { tcli, home } = await opened();
    const fileio = { name: 'disk0', file_or_dev: join(home, 'disk0.img') };
    await expect(tcli.backstores.fileio.create(fileio)).rejects.toThrow(OperatorError);
    await expect(tcli.backstores.fileio.create({ ...fileio, size: 'much' })).rejects.toThrow(
      'size: Cannot interpret size, wrong format: much',
    );
    await expect(tcli.backstores.fileio.create({ ...fileio, size: '1M', colour: 'red' } as never)).rejects.toThrow(
      "Unexpected keyword parameter 'colour'.",
    );
    expect(existsSync(fileio.file_or_dev)).toBe(false);
    const refused = tcli.iscsi.targets.at('iqn.2003-01.org.example:none').delete();
    await expect(refused).rejects.toMatchObject({ hint: '/iscsi has no targets.' });
    await expect(tcli.iscsi.targets.at('iqn.2003-01.org.example:none').read()).rejects.toThrow('No such path');
    expect((await tcli.configuration()).storage_objects).toEqual([]);
  });

  it('the lines that an operator would read are heard', async () => {
    const notes: string[] = [];
    const { tcli, home } = await opened(notes);
    const fileio = { name: 'disk0', file_or_dev: join(home, 'disk0.img'), size: '1M' };
    await (await tcli.backstores.fileio.create(fileio)).delete();
    await tcli.backstores.fileio.create({ ...fileio, size: '2M' });
    expect(notes).toEqual([`${home}/disk0.img exists, using its size (1048576 bytes) instead`]);
  });

  it('a configuration that was read is loaded again as a whole', async () => {
    const { tcli } = await opened();
    await tcli.backstores.ramdisk.create({ name: 'a', size: '1M' });
    const configuration = await tcli.configuration();
    await tcli.clearconfig();
    expect(await tcli.backstores.ramdisk.list()).toEqual([]);
    await tcli.restoreconfig({ configuration });
    expect((await tcli.configuration()).storage_objects).toEqual(configuration.storage_objects);
  });
});

it('one process has a configuration: others look, and are told how to reach it', async () => {
  const home = temporaryDirectory();
  const mine = await openTcli({ home, loops: 0 });
  onTestFinished(() => mine.close());
  await mine.backstores.ramdisk.create({ name: 'a', size: '1M' });
  await expect(openTcli({ home })).rejects.toMatchObject({ hint: expect.stringContaining('connectTcli') });
  expect((await shell(home, ['ls', '/backstores/ramdisk'])).stdout).toContain('o- a ');
  await mine.close();
  await expect(mine.backstores.ramdisk.create({ name: 'b', size: '1M' })).rejects.toThrow(OperatorError);
  const again = await openTcli({ home, loops: 0 });
  expect((await again.backstores.ramdisk.list()).map(({ name }) => name)).toEqual(['a']);
  await again.close();
});

it('a process that cannot be reached, or has gone, is an error that says so', async () => {
  const home = temporaryDirectory();
  await expect(connectTcli({ home })).rejects.toMatchObject({
    name: 'OperatorError',
    message: expect.stringMatching(/^No tcli can be reached at .*control\.sock: .*ENOENT/),
    hint: 'To start one: tcli daemon start',
  });
  const served = await serve(home);
  const tcli = await connectTcli({ socket: join(home, 'run/control.sock') });
  await served.kill();
  await expect(tcli.status()).rejects.toThrow(OperatorError);
  await tcli.close();
});
