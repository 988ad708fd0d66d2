// A short round of test/torture: kill -9 in the middle of changes and writes. The long one: `npm run torture`.

import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { run } from '../support/tcli.ts';

it(
  'what was acknowledged outlives kill -9: configuration, flushed sectors, sectors written with FUA',
  needs('qemu-io'),
  async () => {
    const torture = resolve(import.meta.dirname, '../torture/torture.ts');
    const { status, stdout, stderr } = await run(process.execPath, [torture, '--kills', '12', '--minutes', '1']);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/12 kills, .* 0 losses/);
    expect(status).toBe(0);
  },
);
