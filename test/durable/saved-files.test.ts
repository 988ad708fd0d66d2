// Where saveconfig.json and what is set aside go: links, files that are mounted by themselves, generations of backups.

import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { backUp } from '../../src/durable/backup.ts';
import { homeOf } from '../../src/durable/home.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { needs } from '../support/needs.ts';
import { temporaryDirectory } from '../support/tcli.ts';

async function open(home: string): Promise<Host> {
  const host = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
  onTestFinished(() => host.close());
  return host;
}

const create = ({ root }: Host, name: string) =>
  root.apply({ path: '/backstores/ramdisk', verb: 'create', params: { name, size: '1M' } });
const namesIn = (text: string) =>
  (JSON.parse(text) as { storage_objects: { name: string }[] }).storage_objects.map(({ name }) => name);
const empty = '{"fabric_modules":[],"storage_objects":[],"targets":[]}';

it('a saved file that is a link stays one: what is behind it is replaced, and that is said', async () => {
  const [home, shared] = [temporaryDirectory(), temporaryDirectory()];
  const [link, file] = [join(home, 'saveconfig.json'), join(shared, 'shared.json')];
  writeFileSync(file, empty);
  symlinkSync(file, link);
  const host = await open(home);
  await create(host, 'disk');
  expect(await host.save(undefined, 10)).toEqual({ path: link, backup: true, behind: file });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(namesIn(readFileSync(file, 'utf8'))).toEqual(['disk']);
  // A link whose end is not there yet.
  const other = join(home, 'other.json');
  symlinkSync('nosuch.json', other);
  const { behind } = await host.save(other, 10);
  expect([behind, lstatSync(other).isSymbolicLink()]).toEqual([join(home, 'nosuch.json'), true]);
});

it('a saved file that is mounted by itself is written in place, and that is said', needs('mounts'), async () => {
  const home = temporaryDirectory();
  const [file, outer] = [join(home, 'saveconfig.json'), join(temporaryDirectory(), 'outer.json')];
  writeFileSync(file, empty);
  writeFileSync(outer, empty);
  execFileSync('mount', ['--bind', outer, file]);
  onTestFinished(() => void execFileSync('umount', [file]));
  const host = await open(home);
  for (const name of ['a-first-disk', 'b']) await create(host, name);
  expect(await host.save(undefined, 10)).toEqual({ path: file, backup: true, inPlace: true });
  expect(namesIn(readFileSync(outer, 'utf8'))).toEqual(['a-first-disk', 'b']);
  await host.root.apply({ path: '/backstores/ramdisk', verb: 'delete', params: { name: 'a-first-disk' } });
  await host.save(undefined, 10);
  expect(namesIn(readFileSync(outer, 'utf8'))).toEqual(['b']);
  expect(readdirSync(home).filter((name) => name.endsWith('.temp'))).toEqual([]);
  await host.close();
  expect([...(await open(home)).root.tree.allStorageObjects()].map(({ name }) => name)).toEqual(['b']);
});

it('backups never write over one another: several in a second, and a clock that was ahead', async () => {
  const directory = join(temporaryDirectory(), 'backup');
  mkdirSync(directory);
  const ahead = (second: number) => `saveconfig-20371231-23:59:0${second}-json.gz`;
  for (let second = 0; second < 10; second += 1)
    writeFileSync(join(directory, ahead(second)), gzipSync(`ahead ${second}`));
  const now = new Date('2026-11-20T18:15:00Z');
  for (const text of ['one', 'two', 'three', 'three']) await backUp(directory, Buffer.from(text), 5, now);
  expect(
    readdirSync(directory)
      .sort()
      .map((name) => [name, gunzipSync(readFileSync(join(directory, name))).toString()]),
  ).toEqual([
    ['saveconfig-20261120-18:15:00-000001-json.gz', 'one'],
    ['saveconfig-20261120-18:15:00-000002-json.gz', 'two'],
    ['saveconfig-20261120-18:15:00-000003-json.gz', 'three'],
    [ahead(8), 'ahead 8'],
    [ahead(9), 'ahead 9'],
  ]);
});

it('journals that are set aside never write over one another', async () => {
  const home = temporaryDirectory();
  const wholes: string[] = [];
  for (const name of ['first', 'second', 'third']) {
    const host = await open(home);
    await create(host, name);
    await host.close();
    wholes.push(readFileSync(join(home, 'journal.jsonl'), 'utf8'));
    // Somebody else writes the file.
    writeFileSync(join(home, 'saveconfig.json'), `${empty}${' '.repeat(wholes.length)}`);
  }
  await open(home);
  const aside = readdirSync(home).filter((name) => /^journal-.*\.jsonl$/.test(name));
  expect(aside.map((name) => readFileSync(join(home, name), 'utf8')).sort()).toEqual(wholes.sort());
});

it('a byte order mark before the saved file is passed over', async () => {
  const home = temporaryDirectory();
  writeFileSync(join(home, 'saveconfig.json'), `\ufeff${empty}`);
  expect((await open(home)).warnings).toEqual([]);
});

it.each([
  ['cut', (text: string) => text.slice(0, 100)],
  ['no configuration', () => '[1, 2]'],
])(
  'a saved file that cannot be loaded (%s) costs nothing: with the old one in its place all is as it was',
  async (_, damaged) => {
    const home = temporaryDirectory();
    const file = join(home, 'saveconfig.json');
    const before = await open(home);
    await create(before, 'a');
    await before.save(undefined, 10);
    await create(before, 'b');
    await before.close();
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, damaged(good));
    await expect(open(home)).rejects.toThrow(file);
    writeFileSync(file, good);
    const after = await open(home);
    expect([...after.root.tree.allStorageObjects()].map(({ name }) => name)).toEqual(['a', 'b']);
    expect(after.warnings).toEqual([]);
  },
);
