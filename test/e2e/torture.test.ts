// Short rounds of test/torture: kill -9 in the middle of changes and writes, and media that fail. The long ones: `npm run torture`.

import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { run } from '../support/tcli.ts';

it(
  'acknowledged changes outlive kill -9, and no flush is GOOD while a medium that fails may have lost something',
  needs('qemu-io', 'nbdkit'),
  async () => {
    const torture = resolve(import.meta.dirname, '../torture/torture.ts');
    const words = ['--kills', '12', '--rounds', '4', '--minutes', '1'];
    const { status, stdout, stderr } = await run(process.execPath, [torture, ...words]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/12 kills, .* 0 losses/);
    expect(status).toBe(0);
  },
);
