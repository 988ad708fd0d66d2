// Root in the home of another user: it is refused, and follows nothing that lies there.

import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startDaemon } from '../../shell/process/start-daemon.ts';
import { History } from '../../shell/session/history.ts';
import { homeOf } from '../../src/durable/home.ts';
import { refuseHomeOfOther } from '../../src/durable/owner.ts';
import { openHost } from '../../src/root/host.ts';
import { needs } from '../support/needs.ts';
import { temporaryDirectory } from '../support/tcli.ts';

it(
  'root is refused in the home of another user, with what to type; others are not, and root is not in its own',
  needs('root'),
  async () => {
    const directory = temporaryDirectory();
    const home = homeOf(directory, {}, undefined);
    refuseHomeOfOther(home);
    const victim = join(temporaryDirectory(), 'victim');
    writeFileSync(victim, 'root');
    mkdirSync(join(directory, 'run'));
    for (const name of ['lock', 'daemon.log', 'history.txt', 'journal']) symlinkSync(victim, join(directory, name));
    chownSync(directory, 65_534, 65_534);
    const before = readdirSync(directory);

    const refusal = { hint: expect.stringMatching(/^As that user: runuser -u nobody -- tcli --home /) };
    await expect(openHost({ home, role: 'command' })).rejects.toMatchObject(refusal);
    await expect(startDaemon(home, [], 'command')).rejects.toMatchObject(refusal);
    expect((await History.open(join(directory, 'history.txt'))).problem).toContain('another user');
    expect(readFileSync(victim, 'utf8')).toBe('root');
    expect(readdirSync(directory)).toEqual(before);
    expect(existsSync(join(directory, 'saveconfig.json'))).toBe(false);
    refuseHomeOfOther(home, 65_534);
    refuseHomeOfOther(homeOf(join(directory, 'not-there'), {}, undefined));
  },
);
