/** What the page shows, by the lists of docs/protocol.md. */

import type { SampleReply } from '../../../src/daemon/control-protocol.ts';
import { learnRows, type SampleRow } from '../../../src/daemon/topics.ts';
import type { Inventory } from '../../../src/root/inventory.ts';

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

export interface Shown extends Inventory {
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
