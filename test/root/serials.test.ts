// Unit serial numbers: every storage object has one, keeps it, and shares it with none. Not tested here: how pages show it
// (conformance/scsi/identity.test.ts).

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { harmIn, remarksOn } from '../../src/daemon/status.ts';
import { homeOf } from '../../src/durable/home.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { temporaryDirectory } from '../support/tcli.ts';

async function open(home: string): Promise<Host> {
  const host = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
  onTestFinished(() => host.close());
  return host;
}

const ramdisk = (name: string, more: object = {}) => ({ plugin: 'ramdisk', name, size: 1 << 20, ...more });
const write = (home: string, ...objects: object[]) =>
  writeFile(join(home, 'saveconfig.json'), JSON.stringify({ storage_objects: objects }));
const serialsIn = ({ root }: Host) => [...root.tree.allStorageObjects()].map(({ wwn }) => wwn);

describe('a storage object for which the saved file has no wwn', () => {
  it('gets one, which is said, and which is the same after every start, also when the file is written anew', async () => {
    const home = temporaryDirectory();
    await write(home, ramdisk('first'), ramdisk('second', { wwn: null }));
    const host = await open(home);
    const [first = '', second = ''] = serialsIn(host);
    expect(
      [first, second].map((one) => /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/.test(one)),
    ).toEqual([true, true]);
    expect(first).not.toBe(second);
    const said = (path: string, wwn: string) =>
      `/backstores/ramdisk/${path}: the saved file has no wwn; it is served with ${wwn}, which saveconfig adds`;
    expect(remarksOn(host.root.tree)).toEqual([said('first', first), said('second', second)]);
    await host.close();
    await write(home, ramdisk('between'), ramdisk('second'), ramdisk('first'));
    const again = await open(home);
    expect(serialsIn(again).slice(1)).toEqual([second, first]);
    await again.save(undefined, 1);
    expect(remarksOn(again.root.tree)).toEqual([]);
    await again.close();
    // Another machine with the same file has other disks.
    const other = temporaryDirectory();
    await write(other, ramdisk('first'));
    expect(serialsIn(await open(other))).not.toContain(first);
  });
});

describe('a serial number that another storage object has', () => {
  const create = ({ root }: Host, name: string, wwn: string) =>
    root.apply({ path: '/backstores/ramdisk', verb: 'create', params: { name, size: '1M', wwn } });
  const setCompany = ({ root }: Host, name: string, value: string) =>
    root.apply({
      path: `/backstores/ramdisk/${name}`,
      verb: 'set',
      params: { group: 'attribute', name: 'company_id', value },
    });

  it('is refused when one is made, also where only its name for initiators is the same', async () => {
    const host = await open(temporaryDirectory());
    await create(host, 'a', '11111111-2222-3333-4444-555555555555');
    await expect(create(host, 'b', '11111111-2222-3333-4444-555555555555')).rejects.toThrow(
      '/backstores/ramdisk/a has the wwn 11111111-2222-3333-4444-555555555555 already',
    );
    await expect(create(host, 'b', '1111111122223333444455555')).rejects.toThrow(
      'gives initiators the name naa.60014051111111122223333444455555, as that of /backstores/ramdisk/a does',
    );
    expect(serialsIn(host)).toEqual(['11111111-2222-3333-4444-555555555555']);
  });

  it('is refused when a company identifier would make it so', async () => {
    const host = await open(temporaryDirectory());
    await create(host, 'a', 'abcdef');
    await setCompany(host, 'a', 'aaaaaa');
    await create(host, 'b', 'ABCDEF');
    await expect(setCompany(host, 'b', 'AAAAAA')).rejects.toThrow('as that of /backstores/ramdisk/a does');
    expect(host.root.tree.storageObject('/backstores/ramdisk/b')?.attributes.values.company_id).toBe('001405');
  });

  it('is told when a file brings it: both are served, as LIO does', async () => {
    const home = temporaryDirectory();
    const digits = '1'.repeat(25);
    const [same, longer] = [
      [ramdisk('a', { wwn: 'abc' }), ramdisk('b', { wwn: 'abc' }), ramdisk('c', { wwn: 'abd' })],
      [ramdisk('d', { wwn: `${digits}2` }), ramdisk('e', { wwn: `${digits}3` })],
    ];
    await write(home, ...same, ...longer);
    const host = await open(home);
    const told = (naa: string, one: string, other: string) =>
      `/backstores/ramdisk/${other}: initiators know it as naa.${naa}, as they know /backstores/ramdisk/${one}, and take both for one disk: create it anew with another wwn`;
    expect(harmIn(host.root.tree)).toEqual([
      told(`6001405abc${'0'.repeat(22)}`, 'a', 'b'),
      told(`6001405${digits}`, 'd', 'e'),
    ]);
  });
});
