/** Lines that nobody would type: the session answers each with output or an error of the operator's kind, and Tab never throws. */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShell, removeHome, type TestShell } from '../support/shell.ts';

const iqn = 'iqn.2003-01.org.example:t1';
const client = 'iqn.1994-05.com.redhat:client1';

const tpg = `/iscsi/${iqn}/tpg1`;
const paths = [
  ...['', '/', '*', '..', '@last', '/backstores', '/backstores/ramdisk', '/backstores/ramdisk/rd0', '/nosuch'],
  ...['/backstores/ramdisk/rd0/alua', '/backstores/ramdisk/rd0/alua/default_tg_pt_gp', '/iscsi', `/iscsi/${iqn}`, tpg],
  ...[`${tpg}/luns`, `${tpg}/luns/lun0`, `${tpg}/acls`, `${tpg}/acls/${client}`, `${tpg}/acls/web`, `${tpg}/portals`],
  ...[`${tpg}/acls/${client}/mapped_lun0`, `${tpg}/portals/0.0.0.0:3260`, '/loopback', '/iscsi/"a b"'],
];
/** No command here writes a file outside its home; clearconfig would make the rest dull. */
const commands = [
  ...[
    'ls',
    'cd',
    'pwd',
    'get',
    'set',
    'help',
    'status',
    'info',
    'create',
    'delete',
    'enable',
    'disable',
    'tag',
    'untag',
  ],
  ...['bookmarks', 'refresh', 'sessions', 'version', 'enable_iser', 'constructor', '', '-x'],
];
const words = [
  ...[
    'rd0',
    'rd1',
    '16M',
    'lun0',
    '0',
    '1',
    '-1',
    '65535',
    '99999999999999999999',
    'true',
    'false',
    iqn,
    client,
    'web',
  ],
  ...[
    '/backstores/ramdisk/rd0',
    'global',
    'attribute',
    'parameter',
    'auth',
    'alua',
    'discovery_auth',
    'add',
    'show',
    'here',
  ],
  ...[
    'name=rd1',
    'size=1M',
    'prompt_length=3',
    'tree_max_depth=',
    'authentication=1',
    'userid=',
    'password="a b"',
    'lun=3',
  ],
  ...[
    '=',
    '"',
    "'",
    '\\',
    '{',
    '|',
    '#',
    'é',
    '\u0000',
    '\n',
    '\t',
    '__proto__',
    'constructor',
    '__proto__=1',
    '<',
    '>',
  ],
  ...['depth=-1', 'path=/', 'action=list', 'sid=1', 'mapped_lun=0', 'tpg_lun_or_backstore=/backstores/ramdisk/rd0'],
  ...[
    '::1',
    '0.0.0.0',
    '3261',
    'emulate_tpu=1',
    'InitialR2T=no',
    'enable=1',
    'topic=ls',
    'group=auth',
    'MaxBurstLength=1',
  ],
];
const line = fc
  .tuple(
    fc.constantFrom(...paths),
    fc.constantFrom(...commands),
    fc.array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...words) }, fc.string({ maxLength: 5 })), {
      maxLength: 4,
    }),
  )
  .map(([path, command, rest]) => [path, command, ...rest].join(' '));

let shell: TestShell;
beforeAll(async () => {
  shell = await openShell();
  await shell.run(
    '/backstores/ramdisk create rd0 1M',
    `/iscsi create ${iqn}`,
    `/iscsi/${iqn}/tpg1/acls create ${client}`,
  );
});
afterAll(async () => {
  await shell.close();
  removeHome(shell.directory);
});

test('any line is answered', async () => {
  await fc.assert(
    fc.asyncProperty(line, async (typed) => {
      expect(await shell.run(typed)).not.toContain('internal error');
      await shell.complete(typed);
    }),
    { seed: 7143, numRuns: 2000 },
  );
});
