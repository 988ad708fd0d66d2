// docs/session.svg, the picture in the README, is what a real terminal shows of this session. To draw it anew:
// npx vitest run test/e2e/picture.test.ts -u

import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { temporaryDirectory } from '../support/tcli.ts';
import { TestTerminal } from '../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const iqn = 'iqn.2003-01.org.example:disk0';

/** A machine's network and /srv of its own, so that the picture shows plain names. */
const alone = `ip link set lo up && mount -t tmpfs tmpfs /srv && cd /srv && printf '\\033[32m$\\033[0m tcli\\n' && exec "$@"`;

it('the picture in the README is what the terminal shows', needs('mounts', 'ip'), async () => {
  const home = temporaryDirectory();
  const shell = [process.execPath, program, '--home', home, '--no-daemon'];
  const terminal = new TestTerminal('unshare', ['--net', '--mount', 'sh', '-c', alone, 'sh', ...shell], {
    columns: 88,
    rows: 30,
  });
  onTestFinished(() => terminal.kill());
  const prompt = /> ▏[^\n]*$/;
  for (const line of [
    'backstores/fileio/ create disk0 /srv/disk0.img 20G',
    `iscsi/ create ${iqn}`,
    `cd iscsi/${iqn}/tpg1`,
    'luns/ create /backstores/fileio/disk0',
    'set attribute generate_node_acls=1',
    'ls',
  ]) {
    await terminal.until(prompt);
    terminal.type(`${line}\r`);
    await terminal.until((picture) => picture.includes(`> ${line}`) && prompt.test(picture));
  }
  // Tab shows what may come, and what each is for.
  terminal.type('se\t\t');
  await terminal.until('CHAP names and secrets');
  // The number of a process is chance.
  const svg = terminal.svg().replace(/process \d+/, 'process 4711');
  await expect(svg).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/session.svg'));
});
