// Folders that go with their process, also where it was killed. Not tested: a process of another user.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { keepFoldersIn, ownFolder } from '../../src/system/own-folder.ts';
import { needs } from '../support/needs.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const source = new URL('../../src/system/own-folder.ts', import.meta.url).href;

/** Another process that makes a folder in `place`. @returns it with the folder's path */
async function another(place: string, within: readonly string[] = []) {
  const program = `const { keepFoldersIn, ownFolder } = await import(process.argv[1]);
    keepFoldersIn(process.argv[2]); console.log(ownFolder('qemu').path); setInterval(() => {}, 1000);`;
  const words = [...within, process.execPath, '--input-type=module', '-e', program, source, place];
  const child = spawn(words[0]!, words.slice(1));
  onTestFinished(() => void child.kill('SIGKILL'));
  const [path] = await once(child.stdout.setEncoding('utf8'), 'data');
  const kill = async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  };
  return { path: String(path).trim(), kill };
}

test('folders of a killed process are removed by the next one; those of a living one stay', async () => {
  const place = join(temporaryDirectory(), 'run');
  const [dead, living] = await Promise.all([another(place), another(place)]);
  const stranger = join(place, 'tcli.sock.fuse');
  mkdirSync(stranger);
  await dead.kill();
  expect([dead.path, living.path].map(existsSync)).toEqual([true, true]);
  keepFoldersIn(place);
  expect([dead.path, living.path, stranger].map(existsSync)).toEqual([false, true, true]);
  const own = ownFolder('qemu').path;
  keepFoldersIn(place);
  expect(
    readdirSync(place)
      .map((name) => join(place, name))
      .sort(),
  ).toEqual([living.path, own, stranger].sort());
});

test('where a socket finds no room, it is the folder for temporary files', () => {
  const deep = join(temporaryDirectory(), 'x'.repeat(100));
  keepFoldersIn(deep);
  const { path, remove } = ownFolder('qemu');
  expect(path.startsWith(join(tmpdir(), 'tcli-qemu-'))).toBe(true);
  expect(existsSync(deep)).toBe(false);
  remove();
  expect(existsSync(path)).toBe(false);
});

test(
  'what a process of another container has stays, though nobody here sees the process, and goes when it has ended',
  needs('mounts', 'koffi'),
  async () => {
    const place = join(temporaryDirectory(), 'run');
    const { path, kill } = await another(place, ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']);
    keepFoldersIn(place);
    expect(existsSync(path)).toBe(true);
    await kill();
    keepFoldersIn(place);
    expect(existsSync(path)).toBe(false);
  },
);
