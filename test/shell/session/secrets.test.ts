/**
 * Secrets are repeated by nothing but `get`, asked for by name: not by answers, errors, the history, the log, suggestions, or
 * the control socket, however a line was mistyped. Not here: what a log record may hold (test/daemon/log-lines.test.ts).
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { share } from '../../../shell/nodes/share.ts';
import { mayBeKept } from '../../../shell/session/history.ts';
import { publicOfShare, showLine } from '../../../shell/session/secrets.ts';
import { dumpTree, isSecret, withoutSecrets } from '../../../src/index.ts';
import { ownShell, type TestShell } from '../../support/own-shell.ts';

let shell: TestShell;
const tpg = '/iscsi/iqn.2003-01.org.example:t/tpg1';
const secret = 'S3cr3t-0f-0urs';

beforeEach(async () => {
  shell = await ownShell();
  await shell.run(`/iscsi create iqn.2003-01.org.example:t`, `${tpg}/acls create iqn.2003-01.org.example:c`);
  await shell.run(`set global logfile=${join(shell.directory, 'log')} loglevel_file=debug`);
});

/** Lines of people who mean `set auth password=…`, and their beginnings. */
const slips = [
  `set auth password=${secret} extra words`,
  `set auth "password"=${secret}`,
  `set auth password "${secret}"`,
  `set auth password ${secret}`,
  `set auth password = ${secret}`,
  `set auth password= ${secret}`,
  `set auth password:${secret}`,
  `set auth passwd=${secret}`,
  `set auth PASSWORD=${secret}`,
  `set auth paassword=${secret}`,
  `set auth pw=${secret}`,
  `set auth password=${secret}|more`,
  `set auth password=a|${secret}`,
  `set auth password={${secret}} and more`,
  `set auth password="${secret}`,
  `set auth password='${secret} x`,
  `set auth --password=${secret}`,
  `set auth userid=x ${secret}`,
  `set auth ${secret}`,
  `set "auth password=${secret}"`,
  `set atuh password=${secret}`,
  `set password=${secret}`,
  `set attribute password=${secret}`,
  `sett auth password=${secret}`,
  `sett auth ${secret}`,
  `SET auth secret ${secret}`,
  `nosuch/path set auth password=${secret}`,
  `auth password=${secret}`,
  `password=${secret}`,
  `"password"=${secret}`,
  `create auth password=${secret}`,
  `set auth password_mutual=${secret}`,
  `set auth password=${secret} --json`,
  `set auth password="x\u202e${secret}"`,
  `get auth ${secret}`,
  `# set auth password=${secret}`,
  `help auth password=${secret}`,
  `/backstores/user:nbd create x nbd://me:${secret}@127.0.0.1/x`,
];

test.each(slips)('no answer, history or log repeats it: %s', async (line) => {
  await shell.run(`cd ${tpg}`);
  expect(await shell.run(line)).not.toContain(secret);
  expect(mayBeKept(line)).toBe(false);
  expect(showLine(line).text).not.toContain(secret);
  const log = join(shell.directory, 'log');
  expect(existsSync(log) ? readFileSync(log, 'utf8') : '').not.toContain(secret);
});

test('lines without a secret stay as they are', () => {
  for (const line of [
    'set auth userid=alice mutual_userid=bob',
    'set auth password=',
    'set discovery_auth enable=1 userid=alice',
    'get auth password',
    'get auth',
    'cd /iscsi/iqn.2003-01.org.example:password/tpg1',
    '/backstores/fileio create auto /srv/passwords.img 1G',
    'set attribute authentication=1 generate_node_acls=0',
    'set global color_mode=false',
    'help set',
    'ls /backstores depth=2',
  ])
    expect([showLine(line).text, mayBeKept(line)]).toEqual([line, true]);
});

test('the mark stands below its word also behind a secret, and behind what is written out', async () => {
  expect(await shell.run(`${tpg} set auth password="${secret}" extra words`)).toBe(
    [
      'E| Got 3 positionnal parameters, expected at most 1.',
      `E|   ${tpg} set auth password=*** *** ***`,
      `E|   ${' '.repeat(`${tpg} set auth password=*** `.length)}^^^`,
      'E| A value stands behind its name and =, in "quotes" where it has blanks.',
      'E| Syntax: set [group] [parameter=value...]',
      '',
    ].join('\n'),
  );
  expect(await shell.run('ls "\u202e" depth=x')).toContain(
    `\nE|   ls "\\u202e" depth=x\nE|   ${' '.repeat('ls "\\u202e" depth='.length)}^\n`,
  );
});

test('an operation that is answered over the control socket has none, wherever in it they stand', () => {
  const set = { path: tpg, verb: 'set', params: { group: 'auth', name: 'mutual_password', value: secret } };
  const tpgs = [{ tag: 1, chap_userid: 'u', chap_password: secret, node_acls: [{ chap_mutual_password: secret }] }];
  const saved = { targets: [{ tpgs }], fabric_modules: [{ discovery_password: secret, discovery_userid: 'u' }] };
  const restored = { path: '/', verb: 'restoreconfig', params: { configuration: saved } };
  for (const operation of [set, restored]) {
    const shown = JSON.stringify(withoutSecrets(operation));
    expect(shown).toBe(JSON.stringify(operation).replaceAll(secret, '***'));
  }
});

test('a secret is set like any setting, and listings of settings hide it; only get, asked for it by name, shows it', async () => {
  const acl = `${tpg}/acls/iqn.2003-01.org.example:c`;
  const groups = [`${tpg} set auth`, `${acl} set auth`, '/iscsi set discovery_auth'];
  for (const group of groups)
    expect(await shell.run(`${group} userid=u password=${secret} mutual_password=${secret}2 mutual_userid=`)).toBe(
      [
        "Parameter userid is now 'u'.",
        "Parameter password is now '***'.",
        "Parameter mutual_password is now '***'.",
        "Parameter mutual_userid is now ''.\n",
      ].join('\n'),
    );
  expect(JSON.stringify(dumpTree(shell.host.root.tree)).split(secret)).toHaveLength(7);
  const shown = [
    await shell.run(
      `${tpg} get auth`,
      `${tpg} info`,
      `${acl} info`,
      '/ diff',
      '/ undo dry_run=true',
      '/iscsi get discovery_auth',
    ),
    await shell.run(`${tpg} get auth --json`, `${tpg} info --json`, `${acl} info --json`, '/ diff --json', '/ status'),
    JSON.stringify(await shell.session.complete(`${tpg} set auth `, `${tpg} set auth `.length)),
    ...shell.host.latestOperations,
  ].join('\n');
  expect(shown).not.toContain(secret);
  expect(shown).toContain('chap_password: ***');
  expect(await shell.run(`${tpg} get auth password`)).toBe(`password=${secret} \n`);
  expect(await shell.run(`${tpg} get auth password --json`)).toContain(`"value": "${secret}"`);
  expect(await shell.run(`${tpg} set auth password=`, `${tpg} get auth`)).toContain("Parameter password is now ''.\n");
});

test('the audit of share keeps port, name and user of a line with a secret; only plain words are shown', () => {
  const words = share.parameters.filter(({ name }) => name !== 'path' && !isSecret(name));
  expect(words.map(({ name }) => name).sort()).toEqual([...publicOfShare].sort());
  expect(showLine(`share /a chap=fred password=${secret} port=3261`).text).toBe(
    'share /a chap=fred password=*** port=3261',
  );
  for (const slip of [
    `share /a chap=fred:${secret}x!`,
    `share /a chap=fred,${secret}`,
    `share /a password="a ${secret}" port=1`,
  ])
    expect(showLine(slip).text).not.toContain(secret);
});
