/** A shell for the test at hand: the one set-up of all tests that type lines. */

import { onTestFinished } from 'vitest';
import { openShell, removeHome, type TestShell, type TestShellOptions } from './shell.ts';

export type { TestShell } from './shell.ts';

/** Opens a shell on a home of its own. When the test ends, the shell is closed and its home removed. */
export async function ownShell(options?: TestShellOptions): Promise<TestShell> {
  const shell = await openShell(options);
  onTestFinished(async () => {
    await shell.close();
    removeHome(shell.directory);
  });
  return shell;
}
