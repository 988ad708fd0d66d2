// tcli share and unshare, from nothing to a served disk. Their words: test/shell/share.test.ts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { freePort, run, tcli, temporaryDirectory } from '../support/tcli.ts';

test('from nothing to a disk that an initiator with the right secret uses, and back', needs('iscsi-ls'), async () => {
  const folder = temporaryDirectory();
  const home = join(folder, 'home');
  const path = join(folder, 'disk.img');
  const port = await freePort();
  onTestFinished(async () => void (await tcli(home, ['daemon', 'stop', '--force'])));
  expect((await tcli(home, ['share', path])).stderr).toContain(`tcli share ${path} --size 5G`);
  expect((await tcli(home, ['daemon', 'status'])).status).toBe(3);
  const words = ['share', path, '--size', '20M', '--port', String(port), '--chap', 'fred'];
  const { status, stdout } = await tcli(home, words);
  expect(status).toBe(0);
  const [, secret = ''] = /secret (\S+)/.exec(stdout) ?? [];
  const url = (user: string) => `iscsi://${user}127.0.0.1:${port}`;
  const [, iqn = ''] = /LUN 0 of (\S+)\.\n/.exec(stdout) ?? [];
  expect((await run('iscsi-inq', [`${url(`fred%${secret}@`)}/${iqn}/0`])).stdout).toContain('Vendor:LIO-ORG');
  expect((await run('iscsi-inq', [`${url('fred%wrong-secret-here@')}/${iqn}/0`])).status).not.toBe(0);
  // Not asked for on a terminal: read from standard input.
  await tcli(home, ['share', path, '--chap', 'fred', '--ask'], 'another-secret-of-mine\n');
  expect((await run('iscsi-inq', [`${url('fred%another-secret-of-mine@')}/${iqn}/0`])).status).toBe(0);
  await tcli(home, ['share', path, '--allow', '192.0.2.0/24']);
  expect((await run('iscsi-ls', [url('fred%another-secret-of-mine@')])).stdout).toBe('');
  expect((await tcli(home, ['unshare', path])).stdout).toContain('is not shared any more');
  expect([existsSync(path), (await tcli(home, ['share'])).stdout]).toEqual([true, '(nothing is shared)\n']);
});
