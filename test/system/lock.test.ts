/** The lock that says who may change the configuration, kept by the kernel and, without koffi, by the file alone. */

import { readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { makeFolder, removeFolder } from '../support/scratch.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));
afterEach(() => vi.unstubAllEnvs());

type Lock = typeof import('../../src/system/lock.ts');

/** The module anew: with koffi or without. */
async function lockModule(ffi: 'on' | 'off'): Promise<Lock> {
  vi.resetModules();
  vi.stubEnv('TCLI_FFI', ffi);
  const lock: Lock = await import('../../src/system/lock.ts');
  const probe = lock.lockFile(join(folder, 'probe'), 'probe');
  if ('release' in probe) probe.release();
  return lock;
}

describe.each(['on', 'off'] as const)('koffi %s', (ffi) => {
  test('the first has it, in a private file; the second learns who', async () => {
    const { lockFile } = await lockModule(ffi);
    const path = join(folder, `lock-${ffi}`);
    const first = lockFile(path, '{"pid":1,"role":"daemon"}');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(lockFile(path, 'second')).toEqual({ heldBy: '{"pid":1,"role":"daemon"}' });
    if (!('release' in first)) throw new Error('the first must have it');
    first.release();
    expect(readdirSync(folder)).toEqual([]);
    const third = lockFile(path, 'third');
    if (!('release' in third)) throw new Error('it was given back');
    third.release();
  });

  test('a lock whose holder died is free, also when its number belongs to another process now', async () => {
    const { lockFile } = await lockModule(ffi);
    const path = join(folder, `stale-${ffi}`);
    for (const holder of ['4194305 1', `${process.pid} 1`, '', 'x y']) {
      writeFileSync(path, `gone\n${holder}\n`);
      const lock = lockFile(path, 'new');
      if (!('release' in lock)) throw new Error(`held by '${holder}'`);
      expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^new\n${process.pid} `));
      lock.release();
    }
  });

  test('no link is followed in its place, nor in that of what it is made of', async () => {
    const { lockFile } = await lockModule(ffi);
    const [path, victim] = [join(folder, `linked-${ffi}`), join(folder, 'victim')];
    writeFileSync(victim, 'root’s');
    symlinkSync(victim, path);
    symlinkSync(victim, `${path}.${process.pid}`);
    try {
      const lock = lockFile(path, 'me');
      if ('release' in lock) lock.release();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ELOOP' });
    }
    expect(readFileSync(victim, 'utf8')).toBe('root’s');
    for (const one of [path, `${path}.${process.pid}`, victim]) rmSync(one, { force: true });
  });

  test('where it cannot be made, the system error passes through', async () => {
    const { lockFile } = await lockModule(ffi);
    expect(() => lockFile(join(folder, 'missing/lock'), 'me')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

test('a lock whose file was removed by a mistake is held, and its holder is known', async () => {
  const { lockFile } = await lockModule('on');
  const path = join(folder, 'removed');
  const first = lockFile(path, 'first');
  rmSync(path);
  expect(lockFile(path, 'second')).toEqual({ heldBy: '', pid: process.pid });
  if (!('release' in first)) throw new Error('the first must have it');
  first.release();
  const third = lockFile(path, 'third');
  if (!('release' in third)) throw new Error('it was given back');
  third.release();
});

test.each([
  ['on', 'off'],
  ['off', 'on'],
] as const)('a process with koffi %s and one with koffi %s respect one another', async (one, other) => {
  const path = join(folder, 'mixed');
  const held = (await lockModule(one)).lockFile(path, 'one');
  expect((await lockModule(other)).lockFile(path, 'other')).toEqual({ heldBy: 'one' });
  if ('release' in held) held.release();
});
