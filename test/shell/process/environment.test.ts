// The environment of a process in the background: whatever the engine reads of it follows along, secrets of commands do not.

import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { followsAlong } from '../../../shell/process/start-daemon.ts';

const project = resolve(import.meta.dirname, '../../..');

/** Variables that are told to the process in other ways: `--home-paths` has the places, systemd sets its own. */
const toldOtherwise = new Set([
  'TCLI_HOME',
  'NOTIFY_SOCKET',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
]);

it('each variable that the engine reads is inherited by a process that was started in the background', () => {
  const read = globSync('src/**/*.ts', { cwd: project })
    .flatMap((file) => [
      ...readFileSync(join(project, file), 'utf8').matchAll(/\b(?:env|environment)(?:\['|\.)([A-Z][A-Z_]+)\b/g),
    ])
    .map(([, name = '']) => name);
  expect(read).toContain('TGT_IPC_SOCKET');
  expect([...new Set(read)].filter((name) => !followsAlong.test(name) && !toldOtherwise.has(name))).toEqual([]);
});

it('a secret that a command was given stays behind', () => {
  for (const name of [
    ...['TCLI_PASSWORD', 'CHAP_SECRET', 'SSH_AUTH_SOCK', 'NODE_OPTIONS'],
    // npm's ways to give a token.
    ...['NODE_AUTH_TOKEN', 'NPM_TOKEN', 'npm_config__authToken', 'NPM_CONFIG__AUTH'],
  ])
    expect(followsAlong.test(name)).toBe(false);
});
