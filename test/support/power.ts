/**
 * A file system that remembers what would be left of it after a power cut: of a file what was synchronised, of a directory
 * the names that were there when it was. What was not may be there all the same, names and contents each by themselves.
 */

import { constants, mkdirSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Files, realFiles } from '../../src/durable/atomic-file.ts';

class File {
  now = Buffer.alloc(0);
  synced = Buffer.alloc(0);

  sync(): void {
    this.synced = Buffer.from(this.now);
  }

  write(bytes: Uint8Array, position: number): void {
    const length = Math.max(this.now.length, position + bytes.length);
    this.now = Buffer.concat([this.now, Buffer.alloc(length - this.now.length)]);
    this.now.set(bytes, position);
  }
}

class Directory {
  readonly now = new Map<string, File | Directory>();
  synced: ReadonlyMap<string, File | Directory> = new Map();

  sync(): void {
    this.synced = new Map(this.now);
  }
}

/** The unsynchronised changes that survive nevertheless. */
export interface Survives {
  readonly names: boolean;
  readonly contents: boolean;
}

export interface TrackedFiles {
  readonly files: Files;
  /** Makes the remains of `root` after a power cut in `into`, an empty directory. */
  leave(into: string, survives: Survives): void;
}

/** @param root an empty directory; what lies outside of it is not remembered */
export function trackedFiles(root: string): TrackedFiles {
  const top = new Directory();
  const locate = (path: string): { parent: Directory; name: string } | undefined => {
    const words = relative(root, path).split('/');
    if (words[0] === '..') return undefined;
    let parent = top;
    for (const word of words.slice(0, -1)) {
      const next = parent.now.get(word);
      if (!(next instanceof Directory)) return undefined;
      parent = next;
    }
    return { parent, name: words.at(-1) ?? '' };
  };
  const nodeAt = (path: string) => {
    const at = locate(path);
    return at && (at.name === '' ? top : at.parent.now.get(at.name));
  };

  const handle = (real: FileHandle, node: File | Directory | undefined): FileHandle =>
    new Proxy(real, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return async (...words: unknown[]) => {
          const result = await value.apply(target, words);
          if (name === 'sync' || name === 'datasync') node?.sync();
          if (node instanceof File && name === 'truncate') node.now = node.now.subarray(0, Number(words[0] ?? 0));
          if (node instanceof File && name === 'write') {
            const [bytes, offset, , position] = words as [Uint8Array, number, number, number];
            node.write(bytes.subarray(offset, offset + result.bytesWritten), position);
          }
          return result;
        };
      },
    });

  const files = {
    ...realFiles,
    async open(path: string, flags: number, mode?: number) {
      const real = await realFiles.open(path, flags, mode);
      const at = locate(path);
      if (at && flags & constants.O_CREAT && !at.parent.now.has(at.name)) at.parent.now.set(at.name, new File());
      return handle(real, nodeAt(path));
    },
    async mkdir(path: string, options: object) {
      await realFiles.mkdir(path, options);
      const at = locate(path);
      at?.parent.now.set(at.name, new Directory());
    },
    async rename(from: string, to: string) {
      await realFiles.rename(from, to);
      const [source, target] = [locate(from)!, locate(to)!];
      target.parent.now.set(target.name, source.parent.now.get(source.name)!);
      source.parent.now.delete(source.name);
    },
    async rm(path: string, options: object) {
      await realFiles.rm(path, options);
      const at = locate(path);
      at?.parent.now.delete(at.name);
    },
  } as unknown as Files;

  const make = (directory: Directory, into: string, survives: Survives): void => {
    for (const [name, node] of survives.names ? directory.now : directory.synced) {
      const path = join(into, name);
      if (node instanceof File) writeFileSync(path, survives.contents ? node.now : node.synced);
      else {
        mkdirSync(path);
        make(node, path, survives);
      }
    }
  };
  return { files, leave: (into, survives) => make(top, into, survives) };
}
