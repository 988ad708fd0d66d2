/** `direct=true` of fileio through the shell: a word by its name alone, and a key that is saved, compared, taken back and restored. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';
import { openShell, removeHome } from '../support/shell.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));

test('a direct disk', needs('temporary files on a disk', 'koffi'), async () => {
  const shell = await openShell();
  const image = join(folder, 'd0.img');
  const saveFile = join(shell.directory, 'saveconfig.json');
  await shell.run('/ saveconfig');
  expect(await shell.run(`/backstores/fileio create d0 ${image} 1M true true 1 true`)).toContain('expected at most 6.');
  expect(await shell.run(`/backstores/fileio create d0 ${image} 1M direct=true`)).toBe(
    'Created fileio d0 with size 1048576\n',
  );
  expect(await shell.run('ls /backstores/fileio')).toContain(`[${image} (1.0MiB) write-back direct deactivated]`);
  expect(await shell.run('diff')).toBe(
    `+ /backstores/fileio create name=d0 dev=${image} size=1048576 write_back=true aio=false direct=true\n`,
  );

  await shell.run('/ saveconfig');
  const saved = JSON.parse(readFileSync(saveFile, 'utf8'));
  expect(saved.storage_objects).toMatchObject([{ name: 'd0' }]);
  expect(saved.storage_objects[0]).not.toHaveProperty('direct');
  expect(saved.storage_object_attributes).toEqual({ '/backstores/fileio/d0': { direct: true } });
  expect(await shell.run('diff')).toBe(`Nothing differs from ${saveFile}\n`);

  // Without it is another disk: it is made anew, and undo takes that back.
  const other = join(folder, 'other.json');
  writeFileSync(
    other,
    JSON.stringify(saved, (key, value) => (key === 'direct' ? undefined : value)),
  );
  await shell.run(`restoreconfig ${other} clear_existing=true`);
  expect(shell.host.root.tree.storageObject('/backstores/fileio/d0')?.config).not.toHaveProperty('direct');
  await shell.run('undo');
  expect(shell.host.root.tree.storageObject('/backstores/fileio/d0')?.config).toMatchObject({ direct: true });
  await shell.close();
  removeHome(shell.directory);
});
