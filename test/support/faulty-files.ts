/** The file system with a fault at one call: what the configuration goes through, composed, nothing mocked. */

import type { FileHandle } from 'node:fs/promises';
import { type Files, realFiles } from '../../src/durable/atomic-file.ts';
import { systemError } from '../../src/system/system-error.ts';

/** `crash`: this call and every later one fails, as if the process had ended in front of it. `short`: a write takes half. */
export const faults = ['ENOSPC', 'EIO', 'EINTR', 'EROFS', 'short', 'crash'] as const;
export type Fault = (typeof faults)[number];

export interface FaultyFiles {
  readonly files: Files;
  /** The calls so far, by name. */
  readonly calls: string[];
  readonly crashed: boolean;
}

/** Calls of a file handle that reach the disk; `close` is not one: a dead process has its files closed. */
const handleCalls: readonly string[] = ['write', 'sync', 'datasync', 'truncate', 'readFile'];

/** @param at the call that fails, from 1; 0: none. @param below the file system that it is a fault of */
export function faultyFiles(fault: Fault, at: number, below: Files = realFiles): FaultyFiles {
  const calls: string[] = [];
  const state = { files: below, calls, crashed: false };
  const before = (name: string): boolean => {
    if (state.crashed) throw systemError('EIO', name);
    calls.push(name);
    if (calls.length !== at) return false;
    state.crashed = fault === 'crash';
    if (fault === 'short') return name === 'write';
    throw systemError(fault === 'crash' ? 'EIO' : fault, name);
  };
  const handle = (file: FileHandle): FileHandle =>
    new Proxy(file, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (!handleCalls.includes(String(name))) return value.bind(target);
        return async (...words: unknown[]) => {
          const short = before(String(name));
          const [bytes, offset, length, position] = words as [Uint8Array, number, number, number];
          if (short) return target.write(bytes, offset, Math.ceil(length / 2), position);
          return value.apply(target, words);
        };
      },
    });
  state.files = new Proxy(below, {
    get(target, name) {
      const call = Reflect.get(target, name) as (...words: unknown[]) => Promise<unknown>;
      return async (...words: unknown[]) => {
        before(String(name));
        const result = await call(...words);
        return name === 'open' ? handle(result as FileHandle) : result;
      };
    },
  });
  return state;
}
