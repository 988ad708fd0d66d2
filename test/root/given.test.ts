// A configuration that a file gives (serve --config): what it says is what is served, whoever else changes something is told where,
// and what initiators have set stays as long as the file says nothing else.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { problems } from '../../src/daemon/status.ts';
import { homeOf } from '../../src/durable/home.ts';
import { GivenConfiguration } from '../../src/root/given.ts';
import { openHost } from '../../src/root/host.ts';
import { newPart } from '../../src/root/options.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = 'iqn.2003-01.org.example:disks';

/** A description of a ramdisk behind a target, with what is added to each. */
const description = (size: string, more = '') => `
storage_objects:
  - {plugin: ramdisk, name: rd0, size: ${size}}
targets:
  - wwn: ${iqn}
    tpgs:
      - attributes: {authentication: 0${more}}
        luns: [{index: 0, storage_object: /backstores/ramdisk/rd0}]
`;

/** A home, and a file beside it; each process that opens them is closed before the next. */
function places(name = 'tcli.yaml') {
  const directory = temporaryDirectory();
  const file = join(directory, name);
  const say = (text: string) => writeFileSync(file, text);
  const open = async (withFile = true) => {
    const given = withFile ? new GivenConfiguration(file) : undefined;
    const host = await openHost({ home: homeOf(join(directory, 'home'), {}, 1), role: 'command', given });
    onTestFinished(() => host.close());
    return host;
  };
  return { file, say, open };
}

const sizeIn = (host: Awaited<ReturnType<typeof openHost>>) =>
  host.root.tree.storageObject('/backstores/ramdisk/rd0')?.config['size'];

it('is what the file says at every start, whatever the home has been told meanwhile', async () => {
  const { say, open } = places();
  say(description('4M'));
  let host = await open();
  expect(sizeIn(host)).toBe(4 << 20);
  await host.close();
  host = await open(false);
  await host.root.apply({ path: '/backstores/ramdisk', verb: 'create', params: { name: 'other', size: '1M' } });
  await host.close();
  // Memory is gone with the process that served it: a ramdisk may go, and be made anew.
  say(description('8M'));
  host = await open();
  expect([...host.root.tree.allStorageObjects()].map(({ name }) => name)).toEqual(['rd0']);
  expect(sizeIn(host)).toBe(8 << 20);
  await host.close();
  // The same again is no change.
  host = await open();
  expect((await host.history.all()).changes.filter(({ by }) => by?.via === 'config')).toHaveLength(2);
});

it('is a saved configuration as well, read back as restoreconfig reads it', async () => {
  const { file, say, open } = places('saved.json');
  say(description('4M'));
  await expect(open()).rejects.toThrow(`${file} is not valid JSON`);
  say('{"comment":"nothing"}');
  await expect(open()).rejects.toThrow(`${file} is no saved configuration`);
  const disk = { plugin: 'ramdisk', name: 'rd0', size: 4 << 20, wwn: 'c5887601-53cb-4030-8133-a895f2f05d13' };
  say(JSON.stringify({ storage_objects: [disk], targets: [], fabric_modules: [] }));
  const host = await open();
  expect(sizeIn(host)).toBe(4 << 20);
  expect(host.root.tree.storageObject('/backstores/ramdisk/rd0')?.wwn).toBe(disk.wwn);
});

it('refuses every change that comes from elsewhere, and names the file', async () => {
  const { file, say, open } = places();
  say(description('4M'));
  const host = await open();
  const resize = { path: '/backstores/ramdisk/rd0', verb: 'resize', params: { size: 8 << 20 } };
  const refused = expect.objectContaining({
    message: expect.stringContaining(file),
    hint: expect.stringContaining('HUP'),
  });
  await expect(host.root.apply(resize)).rejects.toEqual(refused);
  await expect(host.root.change(async (apply) => apply(resize))).rejects.toEqual(refused);
  await expect(host.history.take((await host.history.last())!)).rejects.toEqual(refused);
  await expect(host.save(undefined, 0)).rejects.toThrow(file);
  expect(sizeIn(host)).toBe(4 << 20);
  expect(host.unsavedOperations).toBe(0);
});

it('serves what the file said before when it says nothing that can be taken, and says so until it does', async () => {
  const { file, say, open } = places();
  say(description('4M'));
  const host = await open();
  await host.root.start();
  for (const [text, why] of [
    [description('4M', ', no_such: 1'), `${file}:7`],
    ['', 'describes nothing'],
    // A ramdisk that is served would lose what it holds.
    [`targets: [{wwn: ${iqn}}]`, 'would be lost'],
  ] as const) {
    say(text);
    await expect(host.takeGiven()).rejects.toThrow(why);
    expect(problems(host)).toEqual([expect.stringContaining(`${file} was not taken`)]);
    expect(sizeIn(host)).toBe(4 << 20);
  }
  say(description('8M'));
  await host.takeGiven();
  expect(problems(host)).toEqual([]);
  expect(sizeIn(host)).toBe(8 << 20);
});

it('leaves what initiators have set, until the file says something else', async () => {
  const { say, open } = places();
  say(description('4M'));
  let host = await open();
  const disk = '/backstores/ramdisk/rd0';
  const params = { group: 'alua', name: 'alua_access_state', value: '2', initiator: true };
  const state = () => host.root.tree.storageObject(disk)!.aluaGroups[0]!.alua_access_state;
  expect(state()).toBe(0);
  const path = `${disk}/alua/default_tg_pt_gp`;
  await host.root.apply({ path, verb: 'set', params }, false, newPart({ by: { via: 'initiator' } }));
  await host.close();
  host = await open();
  expect(state()).toBe(2);
  await host.close();
  say(description('4M', ', login_timeout: 20'));
  host = await open();
  expect([...host.root.tree.tpgs()][0]?.attributes.values['login_timeout']).toBe(20);
  expect(state()).toBe(0);
});

it('ends the trial of an earlier process: the file decides', async () => {
  const { say, open } = places();
  let host = await open(false);
  const trial = { ms: 3_600_000, until: new Date(Date.now() + 3_600_000).toISOString() };
  await host.root.apply({ path: '/iscsi', verb: 'create', params: { wwn: `${iqn}2` } }, false, newPart({ trial }));
  await host.close();
  say(description('4M'));
  host = await open();
  expect(host.trials.all).toEqual([]);
  expect([...host.root.tree.targets()].map(({ wwn }) => wwn)).toEqual([iqn]);
});

it('is refused at the start when its name does not say what it is, or it is no file', async () => {
  expect(() => new GivenConfiguration('/etc/tcli.conf')).toThrow('its name does not say what it is');
  const { file, open } = places();
  await expect(open()).rejects.toThrow(`Cannot read ${file}: no such file`);
});
