/** What the page shows, by the lists of docs/protocol.md. */

import type { SampleReply } from '../../../src/daemon/control-protocol.ts';
import { learnRows, type SampleRow } from '../../../src/daemon/topics.ts';

export interface Disk {
  readonly path: string;
  readonly name: string;
  readonly kind: string;
  readonly size: number | null;
  readonly medium: string;
  readonly luns: readonly string[];
  readonly sessions: number;
  readonly problem: string;
}

export interface LunRow {
  readonly path: string;
  readonly target: string;
  readonly tpg: number;
  readonly lun: number;
  readonly disk: string;
  readonly size: number | null;
  readonly sessions: number;
  readonly problem: string;
}

export interface InitiatorRow {
  readonly path: string;
  readonly name: string;
  readonly target: string;
  readonly tpg: number;
  readonly hasAcl: boolean;
  readonly chap: 'none' | 'one-way' | 'mutual';
  readonly sessions: number;
  readonly addresses: readonly string[];
  readonly luns: readonly { readonly lun: number; readonly disk: string; readonly writeProtected: boolean }[];
}

export interface TargetRow {
  readonly path: string;
  readonly fabric: string;
  readonly wwn: string;
  readonly enabled: boolean;
  readonly tpgs: number;
  readonly luns: number;
  readonly sessions: number;
}

export interface PortalRow {
  readonly path: string;
  readonly target: string;
  readonly tpg: number;
  readonly address: string;
  readonly port: number;
  readonly up: boolean;
  readonly problem: string;
}

interface Way {
  readonly lun: string;
  readonly storageObject: string;
  readonly commands: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly latencyMs: number;
}

/** One moment of all storage objects together. */
export interface Rate {
  readonly atMs: number;
  readonly read: number;
  readonly written: number;
  readonly commands: number;
  /** Of the commands of this moment, in milliseconds; absent where there were none. */
  readonly latencyMs: number | undefined;
}

export interface Shown {
  readonly disks: readonly Disk[];
  readonly luns: readonly LunRow[];
  readonly initiators: readonly InitiatorRow[];
  readonly targets: readonly TargetRow[];
  readonly portals: readonly PortalRow[];
  readonly rates: readonly Rate[];
}

export const nothingShown: Shown = { disks: [], luns: [], initiators: [], targets: [], portals: [], rates: [] };

/** How many moments a plot has. */
const momentsMax = 120;

/** What is known, kept up by samples. */
export class Known {
  readonly #rows = new Map<string, Map<string, SampleRow>>();
  #rates: readonly Rate[] = [];
  #before: { readonly atMs: number; readonly sums: Sums } | undefined;

  /** @returns what is to be shown now */
  learn(sample: SampleReply): Shown {
    learnRows(this.#rows, sample.is, sample);
    if (sample.is === 'stats') this.#count(sample.atMs);
    const list = <T>(name: string) => [...(this.#rows.get(name)?.values() ?? [])] as unknown as readonly T[];
    return {
      disks: list('disks'),
      luns: list('luns'),
      initiators: list('initiators'),
      targets: list('targets'),
      portals: list('portals'),
      rates: this.#rates,
    };
  }

  #count(atMs: number): void {
    const sums = sumsOf([...(this.#rows.get('ways')?.values() ?? [])] as unknown as readonly Way[]);
    const before = this.#before;
    this.#before = { atMs, sums };
    if (!before || atMs <= before.atMs) return;
    const seconds = (atMs - before.atMs) / 1000;
    // Counts begin again at 0 after `stats reset`, and with another process.
    const since = (name: keyof Sums) => Math.max(0, sums[name] - before.sums[name]);
    const commands = since('commands');
    const rate = {
      atMs,
      read: since('readBytes') / seconds,
      written: since('writtenBytes') / seconds,
      commands: commands / seconds,
      latencyMs: commands > 0 ? since('latencyMs') / commands : undefined,
    };
    this.#rates = [...this.#rates, rate].slice(-momentsMax);
  }
}

type Sums = Readonly<Record<'commands' | 'readBytes' | 'writtenBytes' | 'latencyMs', number>>;

const sumsOf = (ways: readonly Way[]): Sums => {
  const sum = (of: (way: Way) => number) => ways.reduce((all, way) => all + of(way), 0);
  return {
    commands: sum(({ commands }) => commands),
    readBytes: sum(({ readBytes }) => readBytes),
    writtenBytes: sum(({ writtenBytes }) => writtenBytes),
    latencyMs: sum(({ latencyMs }) => latencyMs),
  };
};

/** `5 GiB` */
export function printBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const at = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** at).toFixed(at === 0 ? 0 : 1))} ${units[at]}`;
}
