/** Disks of macOS, as `diskutil info -plist` tells of them. This file was never run on a Mac: only published outputs of diskutil were read. */

import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import type { BlockDevice } from './disk.ts';

/** A value of a property list (plist(5)). */
type PlistValue = string | number | boolean | readonly PlistValue[] | { readonly [key: string]: PlistValue };
type Plist = { readonly [key: string]: PlistValue };

/** Runs a program. @returns its output, or undefined when it fails */
export type RunProgram = (program: string, ...words: string[]) => string | undefined;

const runProgram: RunProgram = (program, ...words) => {
  try {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: programMs });
  } catch {
    return undefined;
  }
};
const programMs = 10_000;

/** The identifier in `/dev/disk2` or `/dev/rdisk2s1`; undefined for any other path. The second form goes past the cache. */
const identifierOf = (path: string): string | undefined => /^\/dev\/r?(disk\d+(?:s\d+)*)$/.exec(path)?.[1];

/** The disk, partition or volume at `path`, or undefined when there is none. */
export function macDisk(path: string, run: RunProgram = runProgram): BlockDevice | undefined {
  const id = identifierOf(path);
  const info = id === undefined ? undefined : infoOf(id, run);
  if (!info) return undefined;
  const number = (key: string) => (typeof info[key] === 'number' ? info[key] : 0);
  const block = number('DeviceBlockSize') || 512;
  return {
    name: String(info['DeviceIdentifier'] ?? id),
    folder: String(info['DeviceNode'] ?? `/dev/${id}`),
    disk: `/dev/${info['ParentWholeDisk'] ?? id}`,
    // Older systems have `Size` alone.
    size: number('Size') || number('TotalSize'),
    readOnly: info['WritableMedia'] === false,
    logicalBlockSize: block,
    physicalBlockSize: block,
    rotational: info['SolidState'] === false,
    // No output tells of a cache, so a volatile one is assumed, and flushed.
    volatileCache: true,
    transferBytesMax: 1024 * 1024,
    queueDepth: 128,
    discardBytesMax: 0,
    discardGranularity: 0,
    discardAlignment: 0,
    zeroBytesMax: 0,
  };
}

/** The user that has the disk or a part of it mounted, and the way to free it. */
export function usersOfMacDisk(path: string, run: RunProgram = runProgram): string[] {
  const id = identifierOf(path);
  if (id === undefined) return [];
  const lines = (run('/sbin/mount') ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, mounted = '', where = ''] = /^\/dev\/(disk\d+(?:s\d+)*) on (.*) \([^)]*\)$/.exec(line) ?? [];
    const info = mounted === '' ? undefined : infoOf(mounted, run);
    if (mounted === '' || !isOn(id, [mounted, ...mediaUnder(info ?? {})])) return [];
    return [where === '/' ? 'The running system is on it.' : `It is mounted on ${where}: diskutil unmount '${where}'`];
  });
}

/** The media under a volume: its disk, and the partitions that a container of APFS or Core Storage is made of. */
function mediaUnder(info: Plist): string[] {
  const stores = [info['APFSPhysicalStores'], info['CoreStoragePVs']].flatMap((list) =>
    Array.isArray(list) ? (list as readonly Plist[]) : [],
  );
  const parts = stores.flatMap((store) => [store['APFSPhysicalStore'], store['CoreStoragePVDisk']]);
  return [info['ParentWholeDisk'], ...parts].filter((part) => typeof part === 'string').map((part) => basename(part));
}

/** Whether one of `media` is the disk or a part of it. */
const isOn = (id: string, media: readonly string[]): boolean =>
  media.some((one) => one === id || (one.startsWith(`${id}s`) && /^disk\d+$/.test(id)));

function infoOf(id: string, run: RunProgram): Plist | undefined {
  const text = run('/usr/sbin/diskutil', 'info', '-plist', id);
  const value = text === undefined ? undefined : readPlist(text);
  return typeof value === 'object' && !Array.isArray(value) ? (value as Plist) : undefined;
}

/** Reads a property list in XML. @returns undefined for a text that is none */
function readPlist(text: string): PlistValue | undefined {
  const tags = [...text.replace(/^[\s\S]*?<plist[^>]*>/, '').matchAll(/<(\/?)(\w+)(\s*\/)?>([^<]*)/g)];
  let at = 0;
  const one = (): PlistValue | undefined => {
    const [, closing, name = '', empty, content = ''] = tags[at++] ?? [];
    if (closing !== '') return undefined;
    if (name === 'true' || name === 'false') return name === 'true';
    if (name === 'array' || name === 'dict') {
      if (empty !== undefined) return name === 'array' ? [] : {};
      const items: PlistValue[] = [];
      for (let item = one(); item !== undefined; item = one()) items.push(item);
      if (name === 'array') return items;
      const pairs = items.flatMap((item, index) =>
        index % 2 === 0 ? [[String(item), items[index + 1]] as const] : [],
      );
      return Object.fromEntries(pairs.filter((pair): pair is [string, PlistValue] => pair[1] !== undefined));
    }
    // The end of its own.
    if (empty === undefined) at += 1;
    return name === 'integer' || name === 'real' ? Number(content) : unescapedXml(content);
  };
  return one();
}

const unescapedXml = (text: string): string =>
  text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&');
