// The completion scripts: bash's as bash runs it, with the built program; the others are checked by their shells' parsers.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { completeWords, completionScript } from '../../../shell/process/completion-script.ts';
import { needs } from '../../support/needs.ts';
import { configure, run, temporaryDirectory } from '../../support/tcli.ts';

const program = resolve(import.meta.dirname, '../../../dist/tcli.js');

test('words of the program stand beside those of the root; options are no part of the line', async () => {
  const asked: string[] = [];
  const session = {
    async complete(line: string) {
      asked.push(line);
      return { from: 0, candidates: [{ text: 'set', kind: 'command' as const, help: 'Sets.', final: true }] };
    },
  };
  expect(await completeWords(session, '--home /x --cwd=/y se')).toEqual([
    'set\tSets.',
    'serve\tServes the configuration, in the foreground.',
  ]);
  expect(asked).toEqual(['se']);
  const both = {
    complete: async () => ({
      from: 0,
      candidates: [{ text: 'share', kind: 'command' as const, help: 'Serves.', final: true }],
    }),
  };
  expect(await completeWords(both, 'sha')).toEqual(['share\tServes.']);
  expect(() => completionScript('tcsh')).toThrow('completion takes one of: bash, zsh, fish');
});

test.each([
  ['daemon start --log-format ', ['text', 'json']],
  ['daemon start --log-format=j', ['--log-format=json']],
  ['serve --tgtadm --log-l', ['--log-level']],
  ['cluster dr', ['drain']],
  ['--on-error st', ['stop']],
  ['--home /x --on-', ['--on-error']],
  ['serve --config sr', ['src/']],
  ['serve --config src/sh', []],
  ['share LIC', ['LICENSE']],
  ['-f docs/proto', ['docs/protocol.md']],
  ['--home do', ['docs/']],
  ['export --', ['--tgt']],
])('the program completes "%s" itself', async (line, words) => {
  const session = { complete: async () => ({ from: 0, candidates: [] }) };
  expect((await completeWords(session, line)).map((one) => one.split('\t')[0])).toEqual(words);
});

test('bash: commands, paths, and names with colons, of which bash wants the last part', needs('bash'), async () => {
  const home = temporaryDirectory();
  await configure(home, '/iscsi create iqn.2003-01.org.example:one', '/iscsi create iqn.2003-01.org.example:two');
  const completed = async (line: string) => {
    const script = `${completionScript('bash')}
tcli() { "${process.execPath}" "${program}" "$@"; }
COMP_WORDS=(tcli) COMP_LINE='tcli ${line}' COMP_POINT=\${#COMP_LINE}
_tcli; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['-c', script], { env: { TCLI_HOME: home } });
    return stdout.trim().split('\n');
  };
  expect(await completed('/iscsi del')).toEqual(['delete']);
  expect(await completed('/backstores/r')).toEqual(['/backstores/ramdisk/']);
  expect(await completed('/iscsi delete iqn.2003-01.org.example:')).toEqual(['one', 'two']);
  expect(await completed('set global color_mode=')).toEqual(['true', 'false']);
  expect(await completed('daemon st')).toEqual(['start', 'stop', 'status']);
  expect(await completed('completion ')).toEqual(['bash', 'zsh', 'fish']);
  expect(await completed('--no-')).toEqual(['--no-daemon']);
  expect(await completed('--json l')).toContain('ls');
});

for (const shell of ['bash', 'zsh', 'fish'] as const)
  test(`${shell} can read its script`, needs(shell), async () => {
    // fish reads no script from standard input where that is a socket.
    const script = join(temporaryDirectory(), 'completion');
    writeFileSync(script, completionScript(shell));
    const { status, stderr } = await run(shell, ['-n', script]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
