/** Lines with several commands, filters and files, run on a real session by a front end. Not here: how a line is cut (statements). */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { completeStatement, runTyped } from '../../../shell/channel/run-line.ts';
import { ownShell } from '../../support/own-shell.ts';

async function typing() {
  const shell = await ownShell({ terminal: { color: true } });
  const client = {
    run: (line: string, to: Parameters<typeof shell.session.run>[1]) =>
      shell.session.run(line, to, new AbortController().signal),
    complete: (line: string, cursor: number) => shell.session.complete(line, cursor),
  };
  return {
    client,
    directory: shell.directory,
    async type(line: string) {
      let text = '';
      const result = await runTyped(client, line, {
        write: (piece, stream) => {
          text += stream === 'error' ? `E| ${piece}` : piece;
        },
        ask: async () => null,
      });
      return { ...result, text };
    },
  };
}

test('commands of a line run in order; the first that fails ends it', async () => {
  const { type } = await typing();
  const made = await type('cd /backstores/ramdisk; create a 1M; create a 1M; create b 1M');
  expect(made).toMatchObject({ ok: false, exit: false });
  expect((await type('cd /backstores/ramdisk; pwd')).text).toBe('/backstores/ramdisk\n');
  expect((await type('ls | grep -c "o- [ab] "')).text).toBe('1\n');
  expect(await type('pwd; exit; pwd')).toEqual({ ok: true, exit: true, text: '/backstores/ramdisk\n' });
});

test('output goes to a file without colours, errors do not; >> adds to it', async () => {
  const { type, directory } = await typing();
  const file = join(directory, 'out');
  expect(await type(`ls / 1 | grep back > ${file}; pwd >> ${file}`)).toEqual({ ok: true, exit: false, text: '' });
  expect(readFileSync(file, 'utf8')).toMatch(/^ {2}o- backstores \.+ \[\.\.\.\]\n(?: {2}o- loopback .*\n)?\/\n$/);
  // The output may have secrets.
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await type(`nosuch > ${file}`)).text).toMatch(/^E\| .*Command not found nosuch/);
  expect(readFileSync(file, 'utf8')).toBe('');
  const refused = await type(`pwd > ${directory}/no/such; /backstores/ramdisk create a 1M`);
  expect(refused.ok).toBe(false);
  expect(refused.text).toMatch(/^E\| Cannot write .*no\/such: /);
  expect(existsSync(join(directory, 'no'))).toBe(false);
});

test('completion is of the command that the cursor stands in', async () => {
  const { client } = await typing();
  const line = 'ls; cd /backstores/ra';
  const { from, candidates } = await completeStatement(client, line, line.length);
  expect(line.slice(0, from)).toBe('ls; cd ');
  expect(candidates.map(({ text }) => text)).toEqual(['/backstores/ramdisk/']);
});

test('a live view is none where its output goes into a file or through grep', async () => {
  const asked: unknown[] = [];
  const client = {
    run: async (_line: string, to: Parameters<typeof runTyped>[2]) => {
      asked.push(await to.ask({ kind: 'top', message: '', view: 'luns', sort: 'iops', filter: '', everyMs: 200 }));
      return { ok: true, exit: false };
    },
  };
  const to = { write: () => {}, ask: async () => null };
  for (const line of ['top', 'top | grep x', 'top > /dev/null']) await runTyped(client, line, to);
  expect(asked).toEqual([null, 'lines', 'lines']);
});
