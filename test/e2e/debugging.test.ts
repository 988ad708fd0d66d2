// The commands of docs/debugging.md, as they stand there. Not tested here: what they show (the tests of each command).

import { readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { run, temporaryDirectory } from '../support/tcli.ts';

it('every command that docs/debugging.md tells to type ends well', needs('port 3260'), async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/debugging.md'), 'utf8');
  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(2);
  const folder = temporaryDirectory();
  symlinkSync(resolve(import.meta.dirname, '../../shell/bin/tcli'), join(folder, 'tcli'));
  const script = ['set -e', 'trap "tcli daemon stop" EXIT', ...blocks, 'trap - EXIT'].join('\n');
  const env = { PATH: `${folder}:${process.env['PATH']}`, TMPDIR: folder };
  const { status, stdout, stderr } = await run('sh', ['-c', script], { env });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('"path":"/backstores/ramdisk","verb":"create"');
});
