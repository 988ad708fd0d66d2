/**
 * The needs of a test besides Node: `it('…', needs('fish'), async () => …)`. Where the machine lacks one, the test is skipped, and the
 * reporter (skip-reporter.ts) says at the end of the run what was skipped and why. No test is skipped in another way (tidy test).
 */

import { execFileSync } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { ceph } from '../../src/backstore/librbd.ts';
import { reasonOf } from '../../src/errors.ts';
import { foreignCall } from '../../src/system/ffi.ts';
import { IoUring } from '../../src/system/io-uring.ts';
import { canReadCached, isInMemory } from '../../src/system/page-cache.ts';
import { type Program, packagesOf } from './programs.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** The things that the machine lacks for this test, by need. */
    lacks?: Lack[];
  }
}

/** A need that is not met, and why. */
export interface Lack {
  readonly need: Need;
  readonly why: string;
}

/** Where recordings of a kernel target lie: they are no part of this project. */
const recordings = resolve(process.env['TCLI_RECORDINGS'] ?? join(import.meta.dirname, '../../../shared'));

/** A file or folder of the recordings. */
export const recorded = (name: string): string => join(recordings, name);

/** Where Debian's package of tgt has them. */
export const tgtExamples = '/usr/share/doc/tgt/examples';

const notRoot = () => (process.getuid?.() === 0 ? undefined : 'the tests do not run as root');
const noLoopDevices = () =>
  notRoot() ?? (existsSync('/dev/loop-control') ? failing('losetup', '--find') : 'there is no /dev/loop-control');

/** Needs that are no programs: each says why it is not met, or nothing. */
const conditions = {
  root: notRoot,
  koffi: () => (foreignCall('getpid', 'int', [])() ? undefined : 'koffi cannot be loaded'),
  librbd: () => (ceph() ? undefined : 'librbd cannot be called (apt install librbd1)'),
  io_uring() {
    try {
      return void new IoUring().close();
    } catch (error) {
      return reasonOf(error);
    }
  },
  'loop devices': noLoopDevices,
  mounts: () => notRoot() ?? mounting(),
  fuse: () => notRoot() ?? (existsSync('/dev/fuse') ? undefined : 'there is no /dev/fuse'),
  'block devices of LUNs': () => {
    if (existsSync('/sys/block/nbd0')) return notRoot() ?? missing('nbd-client');
    return noLoopDevices() ?? (existsSync('/dev/fuse') ? missing('nbdfuse') : 'there is no /dev/fuse');
  },
  'temporary files on a disk': () =>
    inTemporaryFile((fd) => (isInMemory(fd) ? `${tmpdir()} lies in memory` : undefined)),
  'reads that never wait': () =>
    inTemporaryFile((fd) =>
      canReadCached(fd) ? undefined : `koffi or the file system of ${tmpdir()} lacks RWF_NOWAIT`,
    ),
  'port 3260': () =>
    ['/proc/net/tcp', '/proc/net/tcp6'].some((table) => / [0-9A-F]+:0CBC \S+ 0A /.test(readFileSync(table, 'latin1')))
      ? 'something listens on port 3260'
      : undefined,
  "tgt's examples": () =>
    existsSync(tgtExamples) ? undefined : `${tgtExamples} is not there (apt install tgt, with documentation)`,
  recordings: () =>
    existsSync(recordings) ? undefined : `${recordings} is not there (TCLI_RECORDINGS names the folder)`,
} satisfies Record<string, () => string | undefined>;

/** A need of a test. */
export type Need = Program | keyof typeof conditions;

/** The needs that CI does without, and why; any other that a test lacks there is an error. */
export const excusedInCi: Partial<Record<Need, string>> = {
  "tgt's examples": 'a CI machine may be a container without documentation of packages',
  recordings: "recordings of LIO are output of others' programs; who has them runs these tests with TCLI_RECORDINGS",
  'block devices of LUNs': 'a CI machine may be a container without /dev/fuse and loop devices',
  'loop devices': 'a CI machine may be a container that has none',
  io_uring: 'a CI machine may be a container whose seccomp profile forbids it',
  fuse: 'a CI machine may be a container without /dev/fuse',
  mounts: 'a CI machine may be a container that may not mount',
};

/** Options of a test or of a group: it is skipped where the machine lacks something. */
export function needs(...all: Need[]): { skip?: true; meta?: { lacks: Lack[] } } {
  const lacks = all.flatMap((need) => {
    const why = need in conditions ? conditions[need as keyof typeof conditions]() : missing(need as Program);
    return why === undefined ? [] : [{ need, why }];
  });
  return lacks.length > 0 ? { skip: true, meta: { lacks } } : {};
}

/** Whether a need is met, for what is prepared before the tests. */
export const has = (need: Need): boolean => needs(need).skip === undefined;

function missing(program: Program): string | undefined {
  // Where an administrator's programs are, too.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => executable(join(folder, program)))
    ? undefined
    : `${program} is not installed (apt install ${packagesOf[program]})`;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function failing(command: string, ...words: string[]): string | undefined {
  try {
    execFileSync(command, words, { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr || error).trim();
  }
}

function inTemporaryFile(ask: (fd: number) => string | undefined): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tcli-test-'));
  const fd = openSync(join(folder, 'file'), 'w+');
  try {
    return ask(fd);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

function mounting(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tcli-test-'));
  try {
    return failing('mount', '-t', 'tmpfs', 'tmpfs', folder) ?? failing('umount', folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
