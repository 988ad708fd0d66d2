// The manual page is made of the records: every command and preference is in it, and groff has nothing to say against it.

import { expect, test } from 'vitest';
import { manual } from '../../../shell/process/manual.ts';
import { preferenceTable } from '../../../shell/session/preferences.ts';
import { needs } from '../../support/needs.ts';
import { run } from '../../support/tcli.ts';

test('commands, preferences and examples', async () => {
  const page = await manual();
  const plain = page.replaceAll('\\-', '-');
  for (const name of ['restoreconfig', 'sessions', 'untag', 'enable_iser', 'bookmarks'])
    expect(plain).toContain(`.B ${name}`);
  for (const name of Object.keys(preferenceTable)) expect(plain).toContain(`.B ${name}\n`);
  expect(plain).not.toContain('/tmp/');
  expect(page.split('\n').filter((line) => /^'|^\.(?!TH|ad l$|SH|SS|TP|B |I |br$|sp$|nf$|fi$)/.test(line))).toEqual([]);
});

test('groff formats it without a warning', needs('groff'), async () => {
  const { status, stderr } = await run('groff', ['-man', '-Tutf8', '-ww', '-K', 'utf8', '-z'], {
    input: await manual(),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
