// `list`, `users` and `disks`, and the typed values of `ls --json`. Jobs 5 (who uses which LUN) and 10 (disks by size) of an
// administrator's day: one line each.

import { expect, it, onTestFinished } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import { ownShell } from '../support/own-shell.ts';
import { freePort, iqn } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const one = 'iqn.1994-05.com.redhat:one';

async function served() {
  const port = await freePort();
  const shell = await ownShell();
  await shell.run(
    ...['rd9 2M', 'rd10 1G', 'rd2 16M'].map(
      (words) => `/backstores/ramdisk create ${words} wwn=w-${words.split(' ')[0]}`,
    ),
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd9`,
    `${tpg}/luns create /backstores/ramdisk/rd10`,
    `${tpg}/acls create ${one}`,
    `${tpg}/portals delete 0.0.0.0 3260`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    `${tpg} set attribute authentication=0`,
  );
  await shell.host.root.start();
  const run = async (line: string) => (await shell.run(line)).replaceAll(String(port), 'PORT');
  const data = async (line: string) => JSON.parse(await shell.run(`${line} --json`)).data;
  return { run, data, port };
}

it('list disks sort=-size: by bytes and not by their text', async () => {
  const { run, data } = await served();
  expect(await run('list disks sort=-size')).toMatchInlineSnapshot(`
    "disk                         size  medium  mode        luns  sessions
    /backstores/ramdisk/rd10   1.0GiB          write-thru     1         0
    /backstores/ramdisk/rd2   16.0MiB          write-thru     0         0
    /backstores/ramdisk/rd9    2.0MiB          write-thru     1         0
    "
  `);
  expect((await data('list disks sort=size')).map((row: { size: number }) => row.size)).toEqual([
    2 << 20,
    16 << 20,
    1 << 30,
  ]);
  expect(await run('list disks sort=disk columns=disk,luns')).toMatchInlineSnapshot(`
    "disk                      luns
    /backstores/ramdisk/rd2      0
    /backstores/ramdisk/rd9      1
    /backstores/ramdisk/rd10     1
    "
  `);
  expect(await run('list disks rd9 columns=disk')).toBe('disk\n/backstores/ramdisk/rd9\n');
  expect(await run('list disks nosuch')).toBe('(no disks with nosuch)\n');
  expect(await run('list disks sort=sise')).toMatch(/^E\| There is no column sise\.\nE\| .*size/);
  expect(await run('list disc')).toContain('is none of: disks, luns, initiators, targets, portals.');
});

it('the users of a LUN: at the LUN, at the disk, and from the initiator', async () => {
  const { run, data, port } = await served();
  const { close } = await connectInitiator(port, iqn, one);
  onTestFinished(close);
  const mask = (text: string) => text.replace(/127\.0\.0\.1:(?!PORT)\d+/g, '127.0.0.1:CLIENT');
  for (const kind of ['luns', 'initiators', 'targets', 'portals'])
    expect(mask(await run(`list ${kind}`))).toMatchSnapshot(kind);
  const users = mask(await run(`${tpg}/luns/lun0 users`)).replace(/\s+\d+\s+/, ' SID ');
  expect(users).toContain(`${one} SID ${tpg}/luns/lun0  127.0.0.1:CLIENT\n`);
  expect(await data('/backstores/ramdisk/rd10 users')).toMatchObject([{ initiator: one, lun: `${tpg}/luns/lun1` }]);
  expect(await run('/backstores/ramdisk/rd2 users')).toBe('(nobody who is logged in sees it)\n');
  expect(await run(`${tpg}/acls/${one} disks`)).toMatchInlineSnapshot(`
    "lun  disk                        size  mode
      0  /backstores/ramdisk/rd9   2.0MiB  rw
      1  /backstores/ramdisk/rd10  1.0GiB  rw
    "
  `);
  // LUNs of one initiator, wherever they are.
  expect(await data(`list luns ${one}`)).toHaveLength(2);
});

it('ls --json says sizes and counts as numbers, beside the texts', async () => {
  const { data } = await served();
  const tree = await data('ls /');
  const rows: object[] = [];
  const walk = ({ object, children = [] }: { object?: object; children?: [] }) => {
    if (object) rows.push(object);
    for (const child of children) walk(child);
  };
  walk(tree);
  expect(rows).toContainEqual(expect.objectContaining({ path: '/backstores/ramdisk/rd10', size: 1 << 30 }));
  expect(rows).toContainEqual(expect.objectContaining({ path: `${tpg}/luns/lun0`, lun: 0, size: 2 << 20 }));
  expect(rows).toContainEqual(expect.objectContaining({ name: one, hasAcl: true, sessions: 0 }));
  expect(rows).toContainEqual(expect.objectContaining({ path: `/iscsi/${iqn}`, luns: 2, enabled: true }));
  expect(rows).toContainEqual(expect.objectContaining({ address: '127.0.0.1', up: true }));
});
