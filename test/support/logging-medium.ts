/**
 * A medium that writes down what it gets: nbdkit's log filter, below whatever carries the I/O there. As an NBD export by
 * itself, as a file through nbdfuse, or as a loop device over that file.
 */

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nbdkitOn } from './nbdkit.ts';
import { attachLoopDevice, detachLoopDevice, makeFile } from './scratch.ts';

export type MediumKind = 'NBD export' | 'file' | 'block device';

export interface LoggingMedium {
  /** The path of the file or device, or the URI of the export. */
  readonly name: string;
  /** The requests that the medium got so far. */
  events(): MediumEvents;
  close(): Promise<void>;
}

/** @param folder an empty one @param filters of nbdkit, above the log @param settings theirs */
export async function loggingMedium(
  kind: MediumKind,
  folder: string,
  bytes: number,
  filters: readonly string[] = [],
  settings: readonly string[] = [],
): Promise<LoggingMedium> {
  const log = join(folder, 'log');
  const socket = join(folder, 'socket');
  const image = makeFile(join(folder, 'image'), bytes);
  const undo: (() => unknown)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  const server = await nbdkitOn(socket, ...filters, '--filter=log', 'file', image, `logfile=${log}`, ...settings);
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  undo.push(() => {
    server.kill('SIGTERM');
    return ended;
  });
  const events = () => new MediumEvents(readFileSync(log, 'latin1'));
  const uri = `nbd+unix:///?socket=${socket}`;
  if (kind === 'NBD export') return { name: uri, events, close };
  const file = join(folder, 'medium');
  writeFileSync(file, '');
  undo.push(() => void execFileSync('umount', [file]));
  await startNbdfuse(file, uri, bytes);
  if (kind === 'file') return { name: file, events, close };
  const device = attachLoopDevice(file);
  undo.push(() => detachLoopDevice(device));
  return { name: device, events, close };
}

async function startNbdfuse(file: string, uri: string, bytes: number): Promise<void> {
  const child = spawn('nbdfuse', [file, uri], { stdio: 'ignore' });
  for (let waited = 0; statSync(file).size !== bytes; waited += 10) {
    if (waited > 10_000 || child.exitCode !== null) throw new Error(`nbdfuse ${file} ${uri} does not serve`);
    await sleep(10);
  }
}

/** A range of bytes, first and first behind. */
interface Extent {
  readonly from: number;
  readonly to: number;
}

const line =
  /connection=(\d+) (\.\.\.)?(Write|Zero|Trim|Flush) id=(\d+)(?: offset=0x([\da-f]+) count=0x([\da-f]+) .*?fua=(\d))?/;

/** The contents of the log: the changes, and those that no later flush has covered. */
class MediumEvents {
  /** How long the log is, to look at what comes after it. */
  readonly end: number;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.end = text.length;
  }

  /** Ranges that changes have been answered for since `begin`. */
  changed(begin = 0): Extent[] {
    return this.#walk(begin).changed;
  }

  /** Ranges whose change began and which are not known to be stable: no FUA, and no flush that began after its answer and was answered. */
  unstable(): Extent[] {
    return this.#walk(0).unstable;
  }

  #walk(begin: number): { changed: Extent[]; unstable: Extent[] } {
    const changed: Extent[] = [];
    const underWay = new Map<string, { extent: Extent; fua: boolean }>();
    const flushes = new Map<string, ReadonlySet<Extent>>();
    const pending = new Set<Extent>();
    let at = 0;
    for (const text of this.#text.split('\n')) {
      const isNew = at >= begin;
      at += text.length + 1;
      const match = line.exec(text);
      if (!match) continue;
      const [, connection, isAnswer, action, id, offset, count, fua] = match;
      const key = `${connection} ${id}`;
      const failed = isAnswer !== undefined && !text.endsWith(' return=0');
      if (!isAnswer && action === 'Flush') flushes.set(key, new Set(pending));
      else if (!isAnswer) {
        const from = Number.parseInt(offset!, 16);
        underWay.set(key, { extent: { from, to: from + Number.parseInt(count!, 16) }, fua: fua === '1' });
      } else if (action === 'Flush') {
        if (!failed) for (const covered of flushes.get(key) ?? []) pending.delete(covered);
        flushes.delete(key);
      } else {
        const change = underWay.get(key);
        underWay.delete(key);
        if (!change || failed) continue;
        if (isNew) changed.push(change.extent);
        if (!change.fua) pending.add(change.extent);
      }
    }
    return { changed, unstable: [...pending, ...Array.from(underWay.values(), ({ extent }) => extent)] };
  }
}

/** Whether ranges cover all bytes from `from` to before `to`. */
export function covers(extents: readonly Extent[], { from, to }: Extent): boolean {
  let end = from;
  for (const one of [...extents].sort((a, b) => a.from - b.from)) if (one.from <= end && one.to > end) end = one.to;
  return end >= to;
}
