// The cost of a further property of a LUN: one row of a table. The test adds a row, and asks whether all that is done with properties is
// done with this one. Effects of properties are tested by their subjects.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { text } from '../../src/attribute.ts';
import { lunAttributes } from '../../src/target/fields.ts';
import { openShell, removeHome } from '../support/shell.ts';

const row = text({ doc: 'What it is for.', default: '', foreign: true, effect: 'none: for people' });
const [iqn, lun] = ['iqn.2003-01.org.example:t', '/iscsi/iqn.2003-01.org.example:t/tpg1/luns/lun0'];

test('an attribute of a LUN is set, shown, compared, undone, journaled, and saved where it differs, by its row alone', async () => {
  Object.assign(lunAttributes, { purpose: row });
  let shell = await openShell();
  const saved = () => readFileSync(join(shell.directory, 'saveconfig.json'), 'utf8');
  const again = async () => {
    await shell.close();
    shell = await openShell({ directory: shell.directory });
  };
  await shell.run('/backstores/ramdisk create rd 1M', `/iscsi create ${iqn}`);
  await shell.run(`/iscsi/${iqn}/tpg1/luns create /backstores/ramdisk/rd`, '/ saveconfig');
  expect(saved()).not.toContain('purpose');

  expect(await shell.run(`${lun} set attribute purpose="the mail"`)).toBe("Parameter purpose is now 'the mail'.\n");
  expect(await shell.run('diff')).toBe(`~ ${lun} set attribute purpose="the mail" (was empty)\n`);
  await again();
  expect(await shell.run(`${lun} get attribute purpose`)).toBe('purpose=the mail \n');
  expect(await shell.run('undo')).toContain(`${lun} set attribute purpose=\n`);
  expect(await shell.run('diff')).toMatch(/^Nothing differs/);

  await shell.run(`${lun} set attribute purpose=mail`, '/ saveconfig');
  expect(JSON.parse(saved()).targets[0].tpgs[0].luns[0]).toMatchObject({ purpose: 'mail' });
  await again();
  expect(await shell.run(`${lun} info`)).toContain('purpose: mail\n');
  expect(JSON.parse(await shell.run(`${lun} info --json`)).data).toMatchObject({ purpose: 'mail' });
  await shell.close();
  removeHome(shell.directory);
});
