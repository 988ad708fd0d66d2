// The environment of a process in the background: whatever the engine reads of it follows along, secrets of commands do not.

import { expect, it } from 'vitest';
import { followsAlong } from '../../../shell/process/start-daemon.ts';
import { isOfSystemd, variablesRead } from '../../support/variables-read.ts';

it('each variable that the engine reads is inherited by a process that was started in the background', () => {
  const read = variablesRead('src/**/*.ts');
  expect(read).toContain('TGT_IPC_SOCKET');
  // The places of a home are told by `--home-paths`.
  const toldOtherwise = (name: string) => name === 'TCLI_HOME' || isOfSystemd(name);
  expect(read.filter((name) => !followsAlong.test(name) && !toldOtherwise(name))).toEqual([]);
});

it('a secret that a command was given stays behind', () => {
  for (const name of [
    ...['TCLI_PASSWORD', 'CHAP_SECRET', 'SSH_AUTH_SOCK', 'NODE_OPTIONS'],
    // npm's ways to give a token.
    ...['NODE_AUTH_TOKEN', 'NPM_TOKEN', 'npm_config__authToken', 'NPM_CONFIG__AUTH'],
  ])
    expect(followsAlong.test(name)).toBe(false);
});
