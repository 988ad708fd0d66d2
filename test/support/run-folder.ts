/** The place of everything that a run of tests puts into temporary folders: it goes when the run ends, whatever became of its tests. */

import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Every Linux has it (shm_overview(7)). */
const memory = '/dev/shm';

/** Makes a temporary folder for this process and for all that it starts, on the disk and in memory; both are gone when it ends. */
export function takeRunFolders(): void {
  process.env['TMPDIR'] = below(tmpdir());
  if (existsSync(memory)) process.env['TCLI_TEST_MEMORY'] = below(memory);
}

function below(base: string): string {
  // Short, since paths of sockets have a limit.
  const folder = mkdtempSync(join(base, 'tcli-'));
  // Tests have programs run as other users.
  chmodSync(folder, 0o755);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
