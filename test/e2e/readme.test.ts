// The README's session, typed into a real terminal as it stands there, and what it promises after it.
// Not tested here: what the screen looks like while typing (shell/ui).

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { run, temporaryDirectory } from '../support/tcli.ts';
import { TestTerminal } from '../support/terminal.ts';

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
const session = /```\n\$ tcli\n(.*?)```/s.exec(readme)?.[1] ?? '';

/** `prompt> command` and the lines that follow it. */
function steps(text: string): { prompt: string; command: string; output: string[] }[] {
  const found: { prompt: string; command: string; output: string[] }[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const match = /^(\/\S*> )(.*)$/.exec(line);
    if (match) found.push({ prompt: match[1] ?? '', command: match[2] ?? '', output: [] });
    else found.at(-1)?.output.push(line);
  }
  return found;
}

it('the session in the README works as it is written', needs('port 3260', 'iscsi-ls'), async () => {
  const home = temporaryDirectory();
  const here = (text: string) => text.replaceAll('/tmp/disk0.img', join(home, 'disk0.img'));
  const program = resolve(import.meta.dirname, '../../dist/tcli.js');
  const terminal = new TestTerminal(process.execPath, [program, '--home', home], { columns: 120 });
  onTestFinished(() => terminal.kill());
  const all = steps(session);
  expect(all.length).toBeGreaterThan(6);
  for (const { prompt, command, output } of all) {
    await terminal.until((picture) => picture.endsWith(`\n${prompt}▏`));
    if (command === 'exit') {
      // The shell is still open: its target is served, as the README says.
      expect((await run('iscsi-ls', ['-s', 'iscsi://127.0.0.1/'])).stdout).toContain('iqn.2003-01.org.example:disk0');
    }
    terminal.type(`${here(command)}\r`);
    if (command !== 'exit')
      await terminal.until((picture) => picture.includes([`${prompt}${here(command)}`, ...output].join('\n')));
  }
  // The last shell asks; what the README's reader wants is the first answer, and this test the second.
  await terminal.until('go on serving');
  terminal.type('\x1b[B\r');
  expect(await terminal.exit()).toBe(0);
  await terminal.until(`Configuration saved to ${home}/saveconfig.json`);
});
