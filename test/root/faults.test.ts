// Every system call of load, change, save and restore fails once, each in every way, and the power is cut in front of each:
// what was acknowledged comes back, what was refused does not, and saveconfig.json is the old one or the new one. The same
// for what is kept of logical units. Not here: kill -9 of the real program (test/torture).

import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Files, realFiles } from '../../src/durable/atomic-file.ts';
import { homeOf } from '../../src/durable/home.ts';
import { UnitStores } from '../../src/durable/unit-store.ts';
import { OperatorError } from '../../src/errors.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import type { PersistentReservations } from '../../src/scsi/persistent-reservation.ts';
import { reservationsName } from '../../src/scsi/reservation-conflict.ts';
import { type Fault, type FaultyFiles, faults, faultyFiles } from '../support/faulty-files.ts';
import { type Survives, trackedFiles } from '../support/power.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

/** In memory where that can be had: what is tested is the order of calls, not the disk. */
const makeHome = () => temporaryDirectory(memoryFolder);

const objects = ({ root }: Host): string[] => [...root.tree.allStorageObjects()].map(({ name }) => name).sort();

/** A step of a home's life, with the names of the objects that are there when it succeeds. */
interface Step {
  readonly run: (host: Host) => Promise<unknown>;
  readonly after: (names: readonly string[]) => string[];
}

const apply = (path: string, verb: string, params: object) => (host: Host) =>
  host.root.apply({ path, verb, params: params as never });
const create = (name: string): Step => ({
  run: apply('/backstores/ramdisk', 'create', { name, size: 1 << 20 }),
  after: (names) => [...names, name],
});
const remove = (name: string): Step => ({
  run: apply('/backstores/ramdisk', 'delete', { name }),
  after: (names) => names.filter((known) => known !== name),
});
const save: Step = { run: (host) => host.save(undefined, 2), after: (names) => [...names] };
const restore: Step = {
  run: apply('/', 'restoreconfig', {
    clear_existing: true,
    configuration: { storage_objects: [{ plugin: 'ramdisk', name: 'r', size: 1 << 20, wwn: '' }] },
  }),
  after: () => ['r'],
};

const script = [
  create('a'),
  save,
  create('b'),
  save,
  remove('a'),
  create('c'),
  save,
  restore,
  create('d'),
  save,
  create('a-longer-name'),
  create('e'),
];

interface Run {
  readonly acknowledged: string[];
  /** The objects that may be there as well: those of the step in which the process died. */
  readonly inFlight: string[] | undefined;
}

async function runScript(home: string, faulty: FaultyFiles): Promise<Run> {
  let acknowledged: string[] = [];
  let host: Host | undefined;
  try {
    host = await openHost({ home: homeOf(home, {}, 1), role: 'command', files: faulty.files });
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError);
    return { acknowledged, inFlight: undefined };
  }
  try {
    for (const step of script) {
      const next = step.after(acknowledged).sort();
      try {
        await step.run(host);
        acknowledged = next;
      } catch (error) {
        if (faulty.crashed) return { acknowledged, inFlight: next };
        // A step that depends on the one that failed has its own refusal.
        expect(error).toBeInstanceOf(OperatorError);
        expect(objects(host)).toEqual(acknowledged);
      }
      expect(objects(host)).toEqual(acknowledged);
    }
    return { acknowledged, inFlight: undefined };
  } finally {
    await host.close();
  }
}

async function comesBack(home: string, { acknowledged, inFlight }: Run, label: string): Promise<void> {
  const text = await readFile(join(home, 'saveconfig.json'), 'utf8').catch(() => '{}');
  expect(() => JSON.parse(text), label).not.toThrow();
  const host = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
  const found = objects(host);
  await host.close();
  if (inFlight) expect([acknowledged, inFlight], label).toContainEqual(found);
  else expect(found, label).toEqual(acknowledged);
  expect(host.warnings, label).toEqual([]);
}

async function callsOf(fault: Fault): Promise<string[]> {
  const faulty = faultyFiles(fault, 0);
  await runScript(makeHome(), faulty);
  return faulty.calls;
}

describe('a fault at every system call', () => {
  it.each(faults)('%s: acknowledged changes come back, refused ones do not', async (fault) => {
    const calls = await callsOf(fault);
    expect(calls.length).toBeGreaterThan(80);
    for (let at = 1; at <= calls.length; at += 1) {
      const home = makeHome();
      const run = await runScript(home, faultyFiles(fault, at));
      await comesBack(home, run, `${fault} at call ${at}: ${calls[at - 1]}`);
    }
  });
});

/** Names without contents is what a rename without fsync leaves; contents without names, what no fsync of a directory does. */
const survivals: Survives[] = [false, true].flatMap((names) => [false, true].map((contents) => ({ names, contents })));

describe('the power is cut in front of every system call', () => {
  it('acknowledged changes come back, whatever else survives', async () => {
    const calls = await callsOf('crash');
    for (let at = 1; at <= calls.length + 1; at += 1) {
      const parent = makeHome();
      const tracked = trackedFiles(parent);
      // The home itself is new, too.
      const run = await runScript(join(parent, 'etc/tcli'), faultyFiles('crash', at, tracked.files));
      for (const survives of survivals) {
        const left = makeHome();
        tracked.leave(left, survives);
        const label = `cut at call ${at}: ${calls[at - 1]}, ${JSON.stringify(survives)}`;
        await comesBack(join(left, 'etc/tcli'), run, label);
      }
    }
  });
});

describe('the kept state of a logical unit', () => {
  type State = PersistentReservations | undefined;
  const registered = (digit: string): State => ({
    generation: 0,
    aptpl: true,
    registrations: [{ initiator: 'iqn.x', port: 1, key: digit.repeat(16) }],
    reservation: null,
  });
  const states = [registered('1'), registered('2'), undefined, registered('3'), registered('4')];
  const directoryIn = (home: string) => join(home, 'var/tcli');

  /** @returns what may be found afterwards: what was acknowledged last, and what was refused or under way since */
  async function keep(home: string, files: Files): Promise<State[]> {
    let possible: State[] = [undefined];
    const kept = new UnitStores(directoryIn(home), () => {}, files).of(reservationsName);
    for (const state of states) {
      possible.push(state);
      await kept.save('serial', state).then(
        () => {
          possible = [state];
        },
        () => {},
      );
    }
    return possible;
  }

  async function comesBackAs(home: string, possible: State[], label: string): Promise<void> {
    const lost: string[] = [];
    const kept = new UnitStores(directoryIn(home), ({ event }) => void lost.push(event)).of(reservationsName);
    expect(possible, label).toContainEqual(await kept.load('serial'));
    expect(lost, label).toEqual([]);
  }

  it('comes back as it was acknowledged last, whatever fails', async () => {
    const { files, calls } = faultyFiles('crash', 0);
    await keep(makeHome(), files);
    expect(calls.length).toBeGreaterThan(25);
    for (const fault of faults)
      for (const [index, call] of calls.entries()) {
        const home = makeHome();
        const possible = await keep(home, faultyFiles(fault, index + 1).files);
        await comesBackAs(home, possible, `${fault} at call ${index + 1}: ${call}`);
      }
    for (const [index, call] of [...calls, 'the end'].entries()) {
      const home = makeHome();
      const tracked = trackedFiles(home);
      const possible = await keep(home, faultyFiles('crash', index + 1, tracked.files).files);
      for (const survives of survivals) {
        const left = makeHome();
        tracked.leave(left, survives);
        await comesBackAs(left, possible, `cut at call ${index + 1}: ${call}, ${JSON.stringify(survives)}`);
      }
    }
  });
});

describe('a saved file that somebody else changed', () => {
  const foreign = '{"storage_objects": [], "targets": []}';
  const opened = (home: string) => openHost({ home: homeOf(home, {}, 1), role: 'command' });

  it('is not overwritten before the operator was told; then it is kept as a backup', async () => {
    const home = makeHome();
    const host = await opened(home);
    await create('a').run(host);
    await host.save(undefined, 10);
    await writeFile(join(home, 'saveconfig.json'), foreign);
    await create('b').run(host);
    await expect(host.save(undefined, 10)).rejects.toThrow('was changed by somebody else');
    expect(await readFile(join(home, 'saveconfig.json'), 'utf8')).toBe(foreign);
    expect(await host.save(undefined, 10)).toMatchObject({ backup: true });
    await host.close();
    const again = await opened(home);
    expect(objects(again)).toEqual(['a', 'b']);
    await again.close();
  });

  it('restored, it is what stands: later changes come back on top of it', async () => {
    const home = makeHome();
    const host = await opened(home);
    await create('a').run(host);
    await host.save(undefined, 10);
    await writeFile(join(home, 'saveconfig.json'), foreign);
    const configuration = JSON.parse(foreign);
    await apply('/', 'restoreconfig', { configuration, clear_existing: true })(host);
    await create('b').run(host);
    await host.close();
    const again = await opened(home);
    expect([objects(again), again.warnings]).toEqual([['b'], []]);
    await again.save(undefined, 10);
    await again.close();
  });

  it('an empty configuration does not replace a richer one of which no backup can be made', async () => {
    const home = makeHome();
    const host = await opened(home);
    await create('a').run(host);
    await host.save(undefined, 10);
    await rm(join(home, 'backup'), { recursive: true, force: true });
    await writeFile(join(home, 'backup'), 'in the way');
    await apply('/', 'clearconfig', {})(host);
    await expect(host.save(undefined, 10)).rejects.toThrow('1 storage objects and 0 targets');
    await create('a').run(host);
    await expect(host.save(undefined, 10)).resolves.toMatchObject({ backup: false, backupProblem: expect.any(String) });
    await host.close();
  });
});

describe('a long journal', () => {
  it('is folded at the start, counts what it holds, and gives the same tree', async () => {
    const home = makeHome();
    const host = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
    for (let number = 0; number < 800; number += 1) {
      await create(`rd${number}`).run(host);
      if (number % 2) await remove(`rd${number - 1}`).run(host);
    }
    const [names, pending] = [objects(host), host.unsavedOperations];
    await host.close();
    const lines = async () => (await readFile(join(home, 'journal.jsonl'), 'utf8')).split('\n').length - 1;
    expect(await lines()).toBe(1201);
    const folded = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
    expect([objects(folded), folded.unsavedOperations, await lines()]).toEqual([names, pending, 502]);
    const last = await folded.history.last();
    expect(last?.change.operations).toMatchObject([{ verb: 'delete', params: { name: 'rd798' } }]);
    await folded.close();
  });

  it('that cannot be folded stays as it is, and the start succeeds', async () => {
    const home = makeHome();
    const host = await openHost({ home: homeOf(home, {}, 1), role: 'command' });
    for (let number = 0; number < 1_001; number += 1) await create(`rd${number}`).run(host);
    await host.close();
    const rename = () =>
      Promise.reject(Object.assign(new Error('EROFS: read-only file system, rename'), { code: 'EROFS' }));
    const again = await openHost({ home: homeOf(home, {}, 1), role: 'command', files: { ...realFiles, rename } });
    expect(objects(again)).toHaveLength(1_001);
    await create('more').run(again);
    await again.close();
    expect(await readdir(home)).not.toContain('journal.jsonl.temp');
  });
});
