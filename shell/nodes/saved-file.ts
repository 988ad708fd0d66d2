/** Reading a saved configuration that a person named: saveconfig.json, or a compressed backup of it. */

import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { OperatorError, parseConfiguration, reasonOf, systemErrorCode, type Value } from '../../src/index.ts';

/** A backup that unpacks to more bytes is not read. */
const savedBytesMax = 256 << 20;

/** A saved file, or a backup of one. @throws OperatorError for what is not there, or holds no JSON */
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
