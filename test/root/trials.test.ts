// Changes on trial: taken back when nobody confirms them, whatever ends the process meanwhile, and whatever the clock says.

import { describe, expect, it, onTestFinished } from 'vitest';
import { problems } from '../../src/daemon/status.ts';
import { homeOf } from '../../src/durable/home.ts';
import type { LogRecord } from '../../src/log.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { newPart } from '../../src/root/options.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { trackedFiles } from '../support/power.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const begun = Date.parse('2026-11-20T18:15:00Z');
const minute = 60_000;
const iqn = (name: string) => `iqn.2003-01.org.example:${name}`;
const targets = ({ root }: Host) => [...root.tree.targets()].map(({ wwn }) => wwn.replace(/^.*:/, ''));

type Files = Parameters<typeof openHost>[0]['files'];
/** @param after how long after the beginning the clock says it is */
async function open(directory: string, after = 0, files?: Files, log?: (record: LogRecord) => void): Promise<Host> {
  const now = () => new Date(begun + after);
  const home = homeOf(directory, {}, 1);
  const host = await openHost({ home, role: 'command', now, ...(files && { files }), ...(log && { log }) });
  onTestFinished(() => host.close().catch(() => {}));
  return host;
}

/** @param ms how long it is on trial; absent: it is not */
async function create(host: Host, name: string, ms?: number): Promise<string> {
  const trial = ms !== undefined && { trial: { ms, until: new Date(begun + ms).toISOString() } };
  const part = newPart({ line: `create ${name}`, ...trial });
  await host.root.apply({ path: '/iscsi', verb: 'create', params: { wwn: iqn(name) } }, false, part);
  return part.of;
}

const by = { via: 'shell', user: 'alice' } as const;

describe('a process that ends in front of any system call', () => {
  /** The steps of a story, and the trees that are possible a day later, before and after each step was acknowledged. */
  const story = async (host: Host, reached: (what: 'kept' | 'tried' | 'confirmed') => void) => {
    await create(host, 'kept');
    reached('kept');
    const change = await create(host, 'tried', 5 * minute);
    reached('tried');
    await host.trials.confirm(change, by);
    reached('confirmed');
  };
  const day = 24 * 60 * minute;

  it.each([
    ['is killed', 'kill'],
    ['loses power', 'power'],
  ] as const)('%s: what was confirmed stays, what was not is taken back', async (_what, how) => {
    const run = async (at: number) => {
      const directory = temporaryDirectory(memoryFolder);
      const tracked = trackedFiles(directory);
      const faulty = faultyFiles('crash', at, how === 'power' ? tracked.files : undefined);
      let last = '';
      const host = await openHost({
        home: homeOf(directory, {}, 1),
        role: 'command',
        now: () => new Date(begun),
        files: faulty.files,
      }).catch(() => undefined);
      if (host) await story(host, (what) => (last = what)).catch(() => {});
      await host?.close().catch(() => {});
      const left = how === 'power' ? temporaryDirectory(memoryFolder) : directory;
      if (how === 'power') tracked.leave(left, { names: false, contents: false });
      // The confirmation was not acknowledged, so the change may be confirmed or not.
      const possible = {
        '': [[], ['kept']],
        kept: [['kept']],
        tried: [['kept'], ['kept', 'tried']],
        confirmed: [['kept', 'tried']],
      };
      const again = await open(left, day);
      expect(possible[last as keyof typeof possible], `call ${at}, after ${last}`).toContainEqual(targets(again));
      expect(again.trials.all).toEqual([]);
      await again.close();
      const third = await open(left, day);
      expect(targets(third), `call ${at}, once more`).toEqual(targets(again));
      await third.close();
      return faulty.calls.length;
    };
    const calls = await run(0);
    for (let at = 1; at <= calls; at += 1) await run(at);
  });

  it('while it takes one back, leaves it to the next process', async () => {
    const run = async (at: number) => {
      const directory = temporaryDirectory(memoryFolder);
      const host = await open(directory);
      await create(host, 'tried', 5 * minute);
      await create(host, 'later');
      await host.close();
      const faulty = faultyFiles('crash', at);
      await open(directory, day, faulty.files).then(
        (one) => one.close().catch(() => {}),
        () => {},
      );
      const last = await open(directory, day);
      expect([targets(last), last.trials.all], `call ${at}`).toEqual([['later'], []]);
      await last.close();
      return faulty.calls.length;
    };
    const calls = await run(0);
    for (let at = 1; at <= calls; at += 1) await run(at);
  });
});

it('in the process that made it, its time is over by the time that it ran; others’ later changes stay', async () => {
  const host = await open(temporaryDirectory(memoryFolder));
  const over = new Promise<void>((resolve) => {
    const forget = host.onlookers.add({
      changed(_operations, { by: author }) {
        if (author?.via !== 'trial') return;
        forget();
        resolve();
      },
    });
  });
  await create(host, 'tried', 300);
  await create(host, 'later');
  expect(host.trials.all).toMatchObject([{ line: 'create tried' }]);
  await over;
  await expect.poll(() => [targets(host), host.trials.all]).toEqual([['later'], []]);
});

it('a clock that went back does not make it longer, one that jumped ahead ends it at the next start', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const host = await open(directory);
  await create(host, 'tried', 5 * minute);
  await host.close();
  const back = await open(directory, -365 * 24 * 60 * minute);
  expect(targets(back)).toEqual(['tried']);
  expect(back.trials.all[0]!.until.getTime()).toBe(begun - 365 * 24 * 60 * minute + 5 * minute);
  await back.close();
  const near = await open(directory, 4 * minute);
  expect([targets(near), near.trials.all[0]!.until.getTime()]).toEqual([['tried'], begun + 5 * minute]);
  await near.close();
  expect(targets(await open(directory, 5 * minute))).toEqual([]);
});

it('where a later change stands on it, it stays, and who looks is told; once that is gone, it goes at the next start', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const host = await open(directory);
  const change = await create(host, 'tried', 5 * minute);
  await host.root.apply({ path: `/iscsi/${iqn('tried')}`, verb: 'create', params: { tag: 1 } }, false, newPart());
  await host.close();
  const logged: LogRecord[] = [];
  const again = await open(directory, 6 * minute, undefined, (record) => logged.push(record));
  expect(targets(again)).toEqual(['tried']);
  expect(logged).toMatchObject([{ event: 'trial not taken back', detail: { change, line: 'create tried' } }]);
  expect(problems(again)).toEqual([
    `${change}: on trial (create tried), and could not be taken back: What came after /iscsi create stands on it: No such path /iscsi/${iqn('tried')}`,
  ]);
  await again.history.take((await again.history.last())!);
  await again.close();
  expect(targets(await open(directory, 7 * minute))).toEqual([]);
});

it('a trial survives a save and a journal that is shortened; undo ends it, and redo keeps its changes', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const host = await open(directory);
  await create(host, 'tried', 5 * minute);
  for (const name of ['a', 'b', 'c']) await create(host, name);
  await host.save(undefined, 10);
  await host.history.shorten();
  await host.close();
  const again = await open(directory, 6 * minute);
  expect(targets(again)).toEqual(['a', 'b', 'c']);
  const other = await create(again, 'other', 60 * minute);
  await again.history.take((await again.history.last(other))!);
  expect(again.trials.all).toEqual([]);
  await again.history.take((await again.history.undone())!);
  await again.close();
  const last = await open(directory, 100 * minute);
  expect([targets(last), last.trials.all]).toEqual([['a', 'b', 'c', 'other'], []]);
});

it('where a journal does not say until when, its time is over', async () => {
  const directory = temporaryDirectory();
  const host = await open(directory);
  await create(host, 'kept');
  const part = newPart({ trial: { ms: 5 * minute, until: 'soon' } });
  await host.root.apply({ path: '/iscsi', verb: 'create', params: { wwn: iqn('tried') } }, false, part);
  await host.close();
  expect(targets(await open(directory))).toEqual(['kept']);
});
