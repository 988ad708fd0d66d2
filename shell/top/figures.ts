/**
 * The figures of `top`, made of the messages of a watch: counts become rates, by the clock of the samples, for LUNs, disks, initiators
 * and portals. Knows no terminal and no socket.
 */

import {
  learnRows,
  noTraffic,
  percentileMs,
  type SampleRow,
  sumOf,
  type Traffic,
  trafficSince,
  type WatchEvent,
  type WatchTopic,
  type WayTraffic,
} from '../../src/client.ts';

/** The topics of a watch for it. */
export const topTopics: readonly WatchTopic[] = ['stats', 'sessions', 'loops', 'objects'];

/** The kinds of tables. */
export const topViews = ['luns', 'disks', 'initiators', 'portals'] as const;
/** A kind of table. */
export type TopView = (typeof topViews)[number];

/** The object that is looked into: the ways by which commands came to it. */
export interface TopInside {
  readonly view: TopView;
  readonly key: string;
}

/** The traffic of one object, in one interval. Plain data; rates are per second. */
export interface TopRow {
  readonly key: string;
  readonly name: string;
  readonly iops: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Milliseconds; null where nothing was answered. */
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** The number of commands that are not answered yet. */
  readonly queue: number;
  /** The commands a second whose status was not GOOD. */
  readonly errors: number;
  /** The IOPS of the last intervals, the latest last. */
  readonly trend: readonly number[];
  /** The reason why the object cannot be used; '' when it can. */
  readonly problem: string;
}

/** The number of intervals that are remembered of each object. */
const trendMax = 16;

/** The figures of an object without traffic. */
const still = {
  ...{ iops: 0, readBytes: 0, writtenBytes: 0, queue: 0, errors: 0 },
  ...{ meanMs: null, p50Ms: null, p99Ms: null },
} as const;

interface Share {
  readonly traffic: Traffic;
  readonly outstanding: number;
}

type WayRow = WayTraffic & SampleRow;
type SessionRow = SampleRow & { readonly traffic?: Traffic; readonly outstanding?: number };

/** The messages of a watch, and the figures of the last interval. */
export class TopFigures {
  readonly #rows = new Map<string, Map<string, SampleRow>>();
  /** The traffic that each way and session had in the last interval, by its row; those without any are absent. */
  #moved = new Map<string, Traffic>();
  #sessionsMoved = new Map<string, Traffic>();
  #sessionsAtMs: number | undefined;
  #sessionSeconds = 0;
  #sessionsHeard = false;
  readonly #trends = new Map<string, number[]>();
  readonly #names = new WeakMap<SampleRow, string>();
  #atMs: number | undefined;
  /** The length of the last interval. */
  seconds = 0;
  at = '';
  /** The number of samples that were lost, since the reader was late. */
  lost = 0;

  /** A copy, which later messages do not change. */
  copy(): TopFigures {
    const copy = new TopFigures();
    for (const [name, rows] of this.#rows) copy.#rows.set(name, new Map(rows));
    for (const [key, trend] of this.#trends) copy.#trends.set(key, trend);
    copy.#moved = this.#moved;
    copy.#sessionsMoved = new Map(this.#sessionsMoved);
    copy.#sessionSeconds = this.#sessionSeconds;
    const { seconds, at, lost } = this;
    return Object.assign(copy, { seconds, at, lost });
  }

  /** Takes a message. @returns whether an interval has ended */
  hear(event: WatchEvent): boolean {
    if (event.is === 'lost') {
      this.lost += event.lost.stats ?? 0;
      return false;
    }
    if (event.is !== 'stats' && event.is !== 'sessions' && event.is !== 'objects' && event.is !== 'loops') return false;
    if (event.is === 'stats') this.#moved = this.#additions('ways', event['ways'], wayKey, (row) => row as WayRow);
    if (event.is === 'sessions') {
      this.#sessionsMoved = this.#additions(
        'sessions',
        event['sessions'],
        sessionKey,
        (row) => (row as SessionRow).traffic,
      );
      this.#sessionSeconds = this.#sessionsAtMs === undefined ? 0 : (event.atMs - this.#sessionsAtMs) / 1000;
      // The traffic of sessions before the first sample is no rate.
      if (this.#sessionsAtMs === undefined) this.#sessionsMoved.clear();
      this.#sessionsHeard = true;
      this.#sessionsAtMs = event.atMs;
    }
    learnRows(this.#rows, event.is, event);
    if (event.is !== 'stats') return false;
    const isFirst = this.#atMs === undefined;
    this.seconds = isFirst ? 0 : (event.atMs - this.#atMs!) / 1000;
    this.#atMs = event.atMs;
    this.at = event.at;
    // Sessions that the sample does not have did nothing.
    if (!this.#sessionsHeard) this.#sessionsMoved = new Map();
    this.#sessionsHeard = false;
    if (isFirst) this.#moved = new Map();
    else this.#remember();
    return !isFirst;
  }

  /** The rows of one view, or of the ways to one object in it. */
  rows(view: TopView, inside?: TopInside): TopRow[] {
    if (inside) return this.#waysTo(inside).map(([key, name, ways]) => this.#row(key, name, '', this.#shares(ways)));
    if (view === 'initiators') return this.#initiators();
    const byKey = Map.groupBy(this.#ways(), keysOfWays[view]);
    return this.#list(view).map((object) => {
      const key = String(object['path']);
      return this.#row(
        key,
        this.#nameOf(view, object),
        String(object['problem'] ?? ''),
        this.#shares(byKey.get(key) ?? []),
      );
    });
  }

  /** The sum of all ways in the last interval. */
  total(): TopRow {
    return this.#row('', 'all', '', this.#shares(this.#ways()));
  }

  /** The load of the busiest thread, 0 to 1. */
  get busy(): number {
    return Math.max(0, ...[...(this.#rows.get('loops')?.values() ?? [])].map((loop) => Number(loop['busy'])));
  }

  get sessions(): number {
    return this.#rows.get('sessions')?.size ?? 0;
  }

  /** The names are made once: there may be many, and they are looked at over and over. */
  #nameOf(view: Exclude<TopView, 'initiators'>, object: SampleRow): string {
    const known = this.#names.get(object);
    if (known !== undefined) return known;
    const name = nameIn[view](object);
    this.#names.set(object, name);
    return name;
  }

  #list(name: string): SampleRow[] {
    return [...(this.#rows.get(name)?.values() ?? [])];
  }

  #ways(): WayRow[] {
    return this.#list('ways') as WayRow[];
  }

  /** The growth of the rows of a list since the last sample, before they are learnt. */
  #additions(
    list: string,
    told: unknown,
    keyOf: (row: SampleRow) => string,
    trafficOf: (row: SampleRow) => Traffic | undefined,
  ): Map<string, Traffic> {
    const before = new Map(this.#list(list).map((row) => [keyOf(row), trafficOf(row)]));
    const moved = new Map<string, Traffic>();
    for (const row of (told ?? []) as readonly SampleRow[]) {
      const now = trafficOf(row);
      if (now) moved.set(keyOf(row), trafficSince(now, before.get(keyOf(row))));
    }
    return moved;
  }

  #shares(ways: readonly WayRow[]): Share[] {
    return ways.flatMap((way) => {
      const traffic = this.#moved.get(wayKey(way));
      return traffic || way.outstanding > 0 ? [{ traffic: traffic ?? noTraffic(), outstanding: way.outstanding }] : [];
    });
  }

  #row(key: string, name: string, problem: string, shares: readonly Share[], seconds = this.seconds): TopRow {
    const trend = this.#trends.get(key) ?? [];
    if (shares.length === 0) return { key, name, problem, trend, ...still };
    const traffic = sumOf(shares.map((share) => share.traffic));
    const perSecond = (count: number) => (seconds > 0 ? count / seconds : 0);
    const { commands, latencyBins, latencyMs } = traffic;
    return {
      key,
      name,
      problem,
      iops: perSecond(commands),
      readBytes: perSecond(traffic.readBytes),
      writtenBytes: perSecond(traffic.writtenBytes),
      meanMs: commands > 0 ? latencyMs / commands : null,
      p50Ms: percentileMs(latencyBins, 0.5) ?? null,
      p99Ms: percentileMs(latencyBins, 0.99) ?? null,
      queue: shares.reduce((sum, { outstanding }) => sum + outstanding, 0),
      errors: perSecond(traffic.failed),
      trend,
    };
  }

  #initiators(): TopRow[] {
    const sessions = Map.groupBy(this.#list('sessions') as SessionRow[], (one) => String(one['initiatorWwn']));
    const known = this.#list('initiators').map((one) => String(one['name']));
    return [...new Set([...known, ...sessions.keys()])].map((name) => {
      const shares = (sessions.get(name) ?? []).map((one) => ({
        traffic: this.#sessionsMoved.get(sessionKey(one)) ?? noTraffic(),
        outstanding: one.outstanding ?? 0,
      }));
      return this.#row(name, name, '', shares, this.#sessionSeconds);
    });
  }

  /** The ways to one object, each with a name of its own. */
  #waysTo({ view, key }: TopInside): [key: string, name: string, ways: WayRow[]][] {
    const all = this.#ways().filter((way) =>
      view === 'initiators' ? way.initiator === key : keysOfWays[view](way) === key,
    );
    return all.map((way) => {
      const who = way.initiator || 'without an ACL';
      const lun = view === 'luns' ? '' : `${shortLun(way.lun)} `;
      return [
        `way ${wayKey(way)}`,
        `${lun}${view === 'initiators' ? '' : `${who} `}${way.portal && `by ${way.portal}`}`.trim(),
        [way],
      ];
    });
  }

  /** Remembers the last interval. Most objects never had traffic, and take no memory. */
  #remember(): void {
    const iops = new Map<string, number>();
    const add = (key: string, traffic: Traffic | undefined, seconds: number) => {
      if (traffic && seconds > 0) iops.set(key, (iops.get(key) ?? 0) + traffic.commands / seconds);
    };
    for (const way of this.#ways()) {
      const traffic = this.#moved.get(wayKey(way));
      if (!traffic) continue;
      for (const keyOf of Object.values(keysOfWays)) add(keyOf(way), traffic, this.seconds);
      add(`way ${wayKey(way)}`, traffic, this.seconds);
    }
    for (const one of this.#list('sessions'))
      add(String(one['initiatorWwn']), this.#sessionsMoved.get(sessionKey(one)), this.#sessionSeconds);
    for (const key of new Set([...this.#trends.keys(), ...iops.keys()])) {
      const trend = [...(this.#trends.get(key) ?? []), iops.get(key) ?? 0].slice(-trendMax);
      if (trend.some((value) => value > 0)) this.#trends.set(key, trend);
      else this.#trends.delete(key);
    }
  }
}

const wayKey = ({ lun, initiator, number, portal }: SampleRow): string => `${lun} ${initiator} ${number} ${portal}`;
const sessionKey = ({ fabric, id }: SampleRow): string => `${fabric} ${id}`;

/** The path of the object in a view that counts a way. */
const keysOfWays: Record<Exclude<TopView, 'initiators'>, (way: WayRow) => string> = {
  luns: ({ lun }) => lun,
  disks: ({ storageObject }) => storageObject,
  portals: ({ lun, portal }) => `${lun.slice(0, lun.lastIndexOf('/luns/'))}/portals/${portal}`,
};

/** A short name of a path: `disk0 tpg1 lun3`; a target's name is cut by the beginning that all have. */
const shortLun = (path: string): string => {
  const [, , wwn = '', ...more] = path.split('/');
  return [
    wwn.replace(/^iqn\.\d{4}-\d\d\.[^:]*:/, ''),
    ...more.filter((word) => word !== 'luns' && word !== 'tpg1'),
  ].join(' ');
};

const nameIn: Record<Exclude<TopView, 'initiators'>, (row: SampleRow) => string> = {
  luns: (row) => `${shortLun(String(row['path']))} ${String(row['disk']).replace('/backstores/', '')}`,
  disks: (row) => String(row['path']).replace('/backstores/', ''),
  portals: (row) => `${shortLun(String(row['path']).replace(/\/portals\/.*/, ''))} ${row['address']}:${row['port']}`,
};
