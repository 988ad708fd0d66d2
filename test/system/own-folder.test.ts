// Folders that go with their process, also where it was killed. Not tested: a process of another user.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { keepFoldersIn, ownFolder } from '../../src/system/own-folder.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const source = new URL('../../src/system/own-folder.ts', import.meta.url).href;

/** Another process that makes a folder in `place`. @returns it with the folder's path */
async function another(place: string) {
  const program = `const { keepFoldersIn, ownFolder } = await import(process.argv[1]);
    keepFoldersIn(process.argv[2]); console.log(ownFolder('qemu')); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, source, place]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const [path] = await once(child.stdout.setEncoding('utf8'), 'data');
  const kill = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
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
  const own = ownFolder('qemu');
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
  const path = ownFolder('qemu');
  onTestFinished(() => rmSync(path, { recursive: true }));
  expect(path.startsWith(join(tmpdir(), 'tcli-qemu-'))).toBe(true);
  expect(existsSync(deep)).toBe(false);
});
