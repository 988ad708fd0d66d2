// The end of a thread is not the end of the process, whatever the thread waited for in the kernel.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/tcli.ts';

test('a thread that ends in whatever way takes nobody along, though a socket, an event and a foreign call have something for it', () => {
  const program = fileURLToPath(new URL('../support/dying-threads.ts', import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, [program, join(temporaryDirectory(), 's')], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ stdout, stderr }).toEqual({ stdout: 'by another thread: 1\nby itself: 7\nby an error: 1\n', stderr: '' });
});
