// The manual page is made of the records: every command and preference is in it, and neither groff nor mandoc has anything to say against it.
// Not here: the options of the program (program.test.ts).

import { expect, test } from 'vitest';
import { manual } from '../../../shell/process/manual.ts';
import { preferenceTable } from '../../../shell/session/preferences.ts';
import { needs } from '../../support/needs.ts';
import { run } from '../../support/tcli.ts';

test('commands, preferences and examples', async () => {
  const page = await manual(new Date(0));
  const plain = page.replaceAll('\\-', '-');
  for (const name of ['restoreconfig', 'sessions', 'untag', 'enable_iser', 'bookmarks'])
    expect(plain).toContain(`.B ${name}`);
  for (const name of Object.keys(preferenceTable)) expect(plain).toContain(`.B ${name}\n`);
  expect([...page.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title)).toEqual([
    ...['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'WORDS OF THE PROGRAM', 'COMMANDS OF EVERY NODE', 'NODES'],
    ...['PREFERENCES', 'ENVIRONMENT', 'FILES', 'EXIT STATUS', 'EXAMPLES', 'SEE ALSO'],
  ]);
  expect(plain).not.toContain('/tmp/');
  expect(page.split('\n').filter((line) => /^'|^\.(?!TH|ad l$|SH|SS|TP|PP|B |I |br$|sp$|nf$|fi$)/.test(line))).toEqual(
    [],
  );
});

test('groff formats it without a warning', needs('groff'), async () => {
  const { status, stderr } = await run('groff', ['-man', '-Tutf8', '-ww', '-K', 'utf8', '-z'], {
    input: await manual(new Date(0)),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('mandoc finds nothing that it would write in another way', needs('mandoc'), async () => {
  const { status, stdout, stderr } = await run('mandoc', ['-T', 'lint', '-W', 'style'], {
    input: await manual(new Date(0)),
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});
