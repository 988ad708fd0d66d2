/**
 * Serial numbers for storage objects of a saved file that has none for them: the same at every start, and on no other machine. A serial
 * number is made of a seed of this home and of the words that describe the storage object.
 */

import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Files, replaceFile } from '../durable/atomic-file.ts';
import { systemErrorCode } from '../errors.ts';

/** @param directory where the seed is kept. @returns a function from a text to a UUID; the UUID is random where there can be no seed */
export function serialMaker(directory: string, files: Files): (of: string) => Promise<string> {
  let seed: string | undefined;
  return async (of) => {
    seed ??= await seedIn(join(directory, 'serial-seed'), files).catch(() => undefined);
    if (seed === undefined) return randomUUID();
    const digits = createHash('sha256').update(`${seed}\n${of}`).digest('hex');
    // RFC 9562 5.8: a UUID made in a way of one's own.
    const parts = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(12, 15)}`, `8${digits.slice(15, 18)}`];
    return [...parts, digits.slice(18, 30)].join('-');
  };
}

async function seedIn(path: string, files: Files): Promise<string> {
  try {
    return await files.readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    const seed = randomUUID();
    await replaceFile(path, seed, files);
    return seed;
  }
}
