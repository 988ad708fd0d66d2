/** Reading a saved configuration that a person named: saveconfig.json, or a compressed backup of it. */

import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { OperatorError, parseConfiguration, reasonOf, systemErrorCode, type Value } from '../../src/index.ts';

/** The bytes of an unpacked backup, beyond which it is not read. */
const savedBytesMax = 256 << 20;

/** Reads a saved file, or a backup of one. @throws OperatorError when it is not there, or is no JSON */
export async function savedIn(path: string): Promise<Value> {
  try {
    const bytes = await readFile(path);
    const text = path.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: savedBytesMax }) : bytes;
    return parseConfiguration(text.toString('utf8'), path) as Value;
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    if (systemErrorCode(error) === 'ENOENT') throw new OperatorError(`Restore file ${path} not found`);
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}
