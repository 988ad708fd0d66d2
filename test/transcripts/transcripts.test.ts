/**
 * Scripts of shell lines, and what the shell answers: goldens in snapshots/transcripts. In a script {home} is a folder,
 * and {target} the target that was created last. What chance made is masked in the goldens.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openShell, removeHome } from '../support/shell.ts';

const scripts = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.txt'));

/** Generated names have names of their own; lines of a tree are as wide as before. */
function mask(text: string, home: string): string {
  return text
    .replaceAll(home, '/home')
    .replace(
      /iqn\.2003-01\.org\.linux-iscsi\.[\w-]+\.\w+:sn\.[0-9a-f]{12}\b/g,
      'iqn.2003-01.org.linux-iscsi.HOST:sn.SERIAL',
    )
    .replace(/\/iscsi\/iqn\.20\.\.\.[0-9a-f]{8}\/tpg1>/g, '/iscsi/iqn.20...SERIAL/tpg1>')
    .replace(/naa\.5001405[0-9a-f]{9}\b/g, 'naa.5001405RANDOM123')
    .replace(/(?<=^Last change \()[0-9a-f]{8}(?=\):$)/gm, 'CHANGE')
    .replace(/(?<=^alias: )[0-9a-f]{10}$/gm, 'ALIAS')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/^( *(?:[| ] )*[o+]- \S+ )\.+( \[.*\])$/gm, (_line, name: string, status: string) => {
      return name + '.'.repeat(Math.max(0, 132 - name.length - status.length)) + status;
    });
}

test.each(scripts)('%s', async (script) => {
  const shell = await openShell({ saveOnExit: true });
  try {
    let transcript = '';
    let target = '';
    for (const written of readFileSync(join(import.meta.dirname, script), 'utf8')
      .split('\n')
      .slice(0, -1)) {
      const line = written.replaceAll('{home}', shell.directory).replaceAll('{target}', target);
      const { prompt } = shell.session.state;
      const answer = await shell.run(line);
      target = /^Created target (\S+)\.$/m.exec(answer)?.[1] ?? target;
      transcript += `${prompt}${line}\n${answer}`;
    }
    await expect(mask(transcript, shell.directory)).toMatchFileSnapshot(`../../snapshots/transcripts/${script}`);
  } finally {
    await shell.close();
    removeHome(shell.directory);
  }
});
