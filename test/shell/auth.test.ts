// The words of the shell and the status about CHAP words that contradict one another. Their effect on a login: test/iscsi/chap.

import { beforeEach, expect, test } from 'vitest';
import { problems } from '../../src/index.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;

beforeEach(async () => {
  shell = await ownShell();
});

const said =
  'password and mutual_password are the same, and nobody is let in with them (RFC 7143 9.2.1): set another one';
const words = 'userid=a password=s3cret mutual_userid=b';

test('RFC 7143 9.2.1: one secret for both directions is said at once wherever it can be set, and as long as it is so', async () => {
  const acl = `${tpg}/acls/iqn.1994-05.com.redhat:c`;
  await shell.run(`/iscsi create ${iqn}`, `${tpg}/acls create iqn.1994-05.com.redhat:c`);
  await shell.run(`${tpg} set attribute authentication=1`);
  for (const group of [`${tpg} set auth`, `${acl} set auth`, '/iscsi set discovery_auth']) {
    expect(await shell.run(`${group} ${words} mutual_password=other`)).not.toContain(said);
    expect(await shell.run(`${group} mutual_password=s3cret`)).toBe(
      `Parameter mutual_password is now '***'.\n${said}\n`,
    );
  }
  const auths = [tpg, acl, '/iscsi discovery_auth'].map((path) => `${path}: ${said}`);
  expect(problems(shell.host).sort()).toEqual(auths.sort());
  expect(await shell.run('saveconfig', 'restoreconfig clear_existing=true')).toContain(`${auths[0]}\n`);
  expect(await shell.run(`${tpg} set auth mutual_password=other`)).not.toContain(said);
  expect(problems(shell.host)).toHaveLength(2);
});
