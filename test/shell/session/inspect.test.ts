// Notes on a line that is being typed: unknown words, sizes in bytes, colours of candidates. Not here: the time of asking and the drawing
// (ui/live.test.ts).

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShell, removeHome, type TestShell } from '../../support/shell.ts';

let shell: TestShell;
beforeAll(async () => {
  shell = await openShell();
});
afterAll(async () => {
  await shell.close();
  removeHome(shell.directory);
});

const look = (line: string) => shell.session.complete(line, line.length);
const unknownIn = async (line: string) => {
  const { unknown } = await look(line);
  return unknown && line.slice(...unknown);
};

test.each([
  ['', undefined],
  ['l', undefined],
  ['lx', 'lx'],
  ['lx ', 'lx'],
  ['ls', undefined],
  ['/isc', undefined],
  ['/isx', '/isx'],
  ['/isc ls', '/isc'],
  ['/iscsi crea', undefined],
  ['/iscsi crex', 'crex'],
  ['/backstores/ramdisk create r0 nullio=true', undefined],
  ['/backstores/ramdisk create r0 nulio=true', 'nulio'],
  ['set global anything=1', undefined],
  ['* status', undefined],
])('%j: unknown is %j', async (line, unknown) => {
  expect(await unknownIn(line)).toBe(unknown);
});

test.each([
  ['/backstores/ramdisk create r0 10G', '10G = 10,737,418,240 B'],
  ['/backstores/ramdisk create r0 size=512k', '512k = 524,288 B'],
  ['/backstores/ramdisk create r0 10G ', undefined],
  ['/backstores/ramdisk create r0 ten', undefined],
  ['/backstores/ramdisk create 10G', undefined],
])('%j: %j', async (line, note) => {
  expect((await look(line)).note).toBe(note);
});

test('candidates have the colours of the preferences', async () => {
  const colorOf = async (line: string) => (await look(line)).candidates[0]?.color;
  expect(await colorOf('pw')).toBe('cyan');
  await shell.run('set global color_command=red color_path=default');
  expect(await colorOf('pw')).toBe('red');
  expect(await colorOf('/isc')).toBeUndefined();
  await shell.run('set global color_mode=false');
  expect(await colorOf('pw')).toBeUndefined();
});
