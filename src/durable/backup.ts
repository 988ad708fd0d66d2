/** Earlier generations of saveconfig.json, as targetcli keeps them: `backup/saveconfig-20261120-18:15:00-json.gz`. */

import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Files, makePrivateDirectory, realFiles, replaceFile } from './atomic-file.ts';

const name = /^saveconfig-\d{8}-\d\d:\d\d:\d\d-json(\.gz)?$|^saveconfig-\d{8}-\d\d:\d\d:\d\d\.json$/;

/**
 * Keeps `content` as the newest generation unless the newest is the same; removes the oldest beyond `keep`.
 * @returns whether a backup was made. System errors pass through.
 */
export async function backUp(
  directory: string,
  content: Buffer,
  keep: number,
  now: Date,
  files = realFiles,
): Promise<boolean> {
  await makePrivateDirectory(directory, files);
  const generations = (await files.readdir(directory)).filter((file) => name.test(file)).sort();
  const newest = generations.at(-1);
  if (newest !== undefined && content.equals(await generation(join(directory, newest), files))) return false;
  const [date, time] = now.toISOString().slice(0, 19).split('T');
  const file = `saveconfig-${date?.replaceAll('-', '')}-${time}-json.gz`;
  await replaceFile(join(directory, file), gzipSync(content), files);
  const old = [...new Set([...generations, file])].slice(0, -keep);
  for (const extra of old) await files.rm(join(directory, extra), { force: true });
  return true;
}

async function generation(path: string, files: Files): Promise<Buffer> {
  const bytes = await files.readFile(path);
  try {
    return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  } catch {
    // A damaged backup equals nothing.
    return Buffer.alloc(0);
  }
}
