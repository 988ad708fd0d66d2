// The figures that `top` makes of a watch, and its keys; its screens at three sizes. Not here: the real terminal and the subscription
// (test/shell/ui/top.test.ts).

import { expect, it } from 'vitest';
import { TopFigures, type TopView } from '../../shell/top/figures.ts';
import { shortNumber, sparkline } from '../../shell/top/picture.ts';
import { drawTop, pressKey, startReading, type TopReading } from '../../shell/top/reading.ts';
import { noTraffic, percentileMs, type WatchEvent } from '../../src/client.ts';
import { countCommand, type Traffic } from '../../src/target/traffic.ts';

const target = '/iscsi/iqn.2003-01.org.example:disk/tpg1';
const [one, two] = ['iqn.1994-05.com.redhat:one', 'iqn.1994-05.com.redhat:two'];

/** A process whose figures are made by hand. */
function served(luns = 3) {
  const ways = new Map<string, { row: object; traffic: Traffic }>();
  const figures = new TopFigures();
  let atMs = 1000;
  const disk = (at: number) => `/backstores/fileio/disk${at}`;
  const numbers = Array.from({ length: luns }, (_, at) => at);
  const sample = (is: string, lists: object) =>
    figures.hear({ is, at: '2026-11-30T10:00:00.000Z', atMs, ...lists } as WatchEvent);
  return {
    figures,
    /** Commands of one initiator at one LUN since the last look. */
    do(lun: number, initiator: string, count: number, ms: number, { good = true, bytes = 4096 } = {}) {
      const key = `${lun} ${initiator}`;
      const row = {
        lun: `${target}/luns/lun${lun}`,
        storageObject: disk(lun),
        initiator,
        number: lun,
        portal: '192.0.2.1:3260',
      };
      const way = ways.get(key) ?? { row, traffic: noTraffic() };
      ways.set(key, way);
      for (let at = 0; at < count; at += 1) countCommand(way.traffic, good, bytes, 0, ms);
    },
    look(seconds = 1) {
      atMs += seconds * 1000;
      const traffics = [one, two].map((name) => ({
        ...{ fabric: 'iscsi', id: name, initiatorWwn: name, outstanding: 0 },
        traffic: structuredClone(ways.get(`0 ${name}`)?.traffic ?? noTraffic()),
      }));
      sample('objects', {
        luns: numbers.map((at) => ({
          path: `${target}/luns/lun${at}`,
          disk: disk(at),
          problem: at === 2 ? 'gone' : '',
        })),
        disks: numbers.map((at) => ({ path: disk(at), problem: '' })),
        initiators: [one, two].map((name) => ({ path: `${target}/acls/${name}`, name })),
        portals: [{ path: `${target}/portals/192.0.2.1:3260`, address: '192.0.2.1', port: 3260, problem: '' }],
      });
      sample('sessions', { sessions: traffics });
      sample('loops', { loops: [{ number: 1, busy: 0.42 }] });
      return sample('stats', {
        ways: Array.from(ways.values(), ({ row, traffic }) => ({
          ...row,
          outstanding: 2,
          ...structuredClone(traffic),
        })),
      });
    },
    reset: () => ways.clear(),
  };
}

const rowsBy = (figures: TopFigures, view: TopView) => new Map(figures.rows(view).map((row) => [row.name, row]));

it('rates are what was added, by the clock of the samples; what was before the first look is none', () => {
  const world = served();
  world.do(0, one, 1000, 1);
  expect(world.look()).toBe(false);
  expect(world.figures.total()).toMatchObject({ iops: 0, p99Ms: null });
  world.do(0, one, 100, 0.3);
  world.do(0, two, 50, 30, { good: false });
  expect(world.look(2)).toBe(true);
  const row = rowsBy(world.figures, 'luns').get('disk lun0 fileio/disk0');
  expect(row).toMatchObject({
    iops: 75,
    errors: 25,
    readBytes: (150 * 4096) / 2,
    queue: 4,
  });
  expect(row!.meanMs).toBeCloseTo((100 * 0.3 + 50 * 30) / 150);
  expect(row!.p50Ms).toBeGreaterThan(0.25);
  expect(row!.p50Ms).toBeLessThan(0.5);
  expect(row!.p99Ms).toBeGreaterThan(16);
  expect(row!.p99Ms).toBeLessThan(32);
  expect(rowsBy(world.figures, 'initiators').get(two)).toMatchObject({ iops: 25, errors: 25 });
  expect(rowsBy(world.figures, 'portals').get('disk 192.0.2.1:3260')).toMatchObject({ iops: 75 });
  expect(rowsBy(world.figures, 'disks').get('fileio/disk1')).toMatchObject({ iops: 0, meanMs: null });
  world.look();
  expect(world.figures.total()).toMatchObject({ iops: 0, meanMs: null });
});

it('counts that begin again are not taken for less than nothing', () => {
  const world = served();
  world.do(0, one, 1000, 1);
  world.look();
  world.reset();
  world.do(0, one, 10, 1);
  world.look();
  expect(world.figures.total()).toMatchObject({ iops: 10, meanMs: 1 });
});

it('a percentile lies in the bin that has it; the first bin has only an end, the last one none', () => {
  const bins = noTraffic().latencyBins;
  expect(percentileMs(bins, 0.5)).toBeUndefined();
  bins[0] = 1;
  expect(percentileMs(bins, 0.99)).toBe(0.125);
  bins[4] = 99;
  expect(percentileMs(bins, 0.5)).toBeCloseTo(1 + 49 / 99);
  bins[15] = 100;
  expect(percentileMs(bins, 0.99)).toBe(Number.POSITIVE_INFINITY);
});

it('numbers are short, and a line of bars is as high as its highest', () => {
  expect([0, 0.25, 7.4, 999.4, 999.6, 12_345, 999_999, 4_560_000].map(shortNumber)).toEqual([
    '0',
    '0.3',
    '7.4',
    '999',
    '1.0k',
    '12.3k',
    '1.0M',
    '4.6M',
  ]);
  expect(sparkline([0, 1, 8, 4])).toBe('    ▁▂█▅');
  expect(sparkline([])).toBe('        ');
});

const key = (word: string) =>
  word.length === 1 ? { chord: 'text', text: word, sequence: word } : { chord: word, text: '', sequence: '' };

function loaded(luns = 3): { figures: TopFigures } {
  const world = served(luns);
  world.look();
  for (const rate of [500, 4000, 20_000]) {
    world.do(0, one, rate, 0.2, { bytes: 65_536 });
    world.do(1, two, rate / 100, 45);
    world.look();
  }
  return world;
}

it.each([
  [160, 50],
  [80, 24],
  [40, 15],
])('screen of %i columns and %i rows', (columns, rows) => {
  const { figures } = loaded(30);
  for (const hasColor of [true, false]) {
    const { lines, status } = drawTop(figures, startReading('luns', 'iops', ''), { columns, rows, hasColor });
    expect([...lines, status].join('\n').replaceAll('\x1b', '^')).toMatchSnapshot(hasColor ? 'colour' : 'no colour');
    expect(lines.length).toBeLessThanOrEqual(rows - 2);
  }
});

it('keys: views, sorting, filter, pause, into a row and back', () => {
  const { figures } = loaded();
  const size = { columns: 100, rows: 20, hasColor: false };
  let reading: TopReading = startReading('luns', 'iops', '');
  const press = (...words: string[]) => {
    for (const word of words) {
      const next = pressKey(figures, reading, key(word));
      if (next === undefined || next === 'leave') throw new Error(`${word}: ${next}`);
      reading = next;
    }
    return drawTop(figures, reading, size)
      .lines.slice(1)
      .map((line) =>
        line
          .slice(0, 42)
          .replace(/ {3,}.*/, '')
          .trimEnd(),
      );
  };
  expect(press('down')[2]).toBe('> disk lun1 fileio/disk1');
  expect(press('s', 's', 's')[1]).toBe('> disk lun1 fileio/disk1');
  expect(reading.sort).toBe('mean');
  expect(press('return')).toEqual([
    expect.stringContaining('ways to /iscsi/iqn.2003'),
    expect.stringContaining(`> ${two}`),
  ]);
  expect(press('escape')[1]).toBe('> disk lun1 fileio/disk1');
  expect(press('/', 'd', 'i', 's', 'k', '2', 'return')).toEqual(['  lun', '> ! disk lun2 fileio/disk2']);
  press('escape');
  expect(press('4')[1]).toBe('> disk 192.0.2.1:3260');
  expect(press('3')[1]).toMatch(/^> iqn/);
  press('p');
  expect(drawTop(figures, reading, size).status).toContain('paused');
  for (const word of ['q', 'C-c']) expect(pressKey(figures, reading, key(word))).toBe('leave');
  expect(pressKey(figures, reading, key('x'))).toBeUndefined();
});
