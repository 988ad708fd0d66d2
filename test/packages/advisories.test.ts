// `npm run advisories` beside a registry that knows an advisory, knows none, or has no such service.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { run, temporaryDirectory } from '../support/tcli.ts';

const project = resolve(import.meta.dirname, '../..');

/** Runs it beside a registry that answers every question with these. */
async function advisories(status: number, answer: string) {
  const registry = createServer((request, response) => {
    request.resume();
    response.writeHead(request.method === 'POST' ? status : 404, { 'content-type': 'application/json' }).end(answer);
  });
  await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done));
  onTestFinished(() => void registry.close());
  const { port } = registry.address() as AddressInfo;
  return run(process.execPath, [join(project, 'packaging/build/advisories.ts')], {
    env: {
      npm_config_registry: `http://user:password@127.0.0.1:${port}/`,
      npm_config_cache: temporaryDirectory(),
      npm_config_fetch_retries: '0',
    },
  });
}

it('an advisory is named with its address, status 1', async () => {
  const advisory = {
    id: 1,
    url: 'https://example.org/1',
    title: 'Bad \u001b[2J',
    severity: 'low',
    vulnerable_versions: '*',
  };
  const { status, stdout } = await advisories(200, JSON.stringify({ yaml: [advisory] }));
  expect(stdout).toMatch(/^package-lock\.json: yaml: low: Bad .*\(https:\/\/example\.org\/1\)$/m);
  expect(stdout).not.toContain('\u001b');
  expect(status).toBe(1);
});

it('where there is none, the number of packages is said, status 0', async () => {
  const { status, stdout } = await advisories(200, '{}');
  expect(stdout).toMatch(/^package-lock\.json: no advisory is open against its \d{2,} packages$/m);
  expect(stdout).toContain('packaging/cockpit/package-lock.json: no advisory');
  expect(status).toBe(0);
});

it.each([405, 500])(
  'a registry without the service (%i) is said aloud, status 2, and its password is not',
  async (code) => {
    const { status, stdout, stderr } = await advisories(code, '');
    expect(stdout.match(/advisories NOT CHECKED: \S/g)?.length).toBe(stdout.trim().split('\n').length);
    expect(stdout + stderr).not.toContain('password');
    expect(status).toBe(2);
  },
);
