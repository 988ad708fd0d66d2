// Secrets that do not stand in the line: files and variables of whoever types, questions, new ones. Not here: which file a server
// may ask for (test/shell/channel/session-client), what a real terminal shows (test/shell/ui/secret).

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ownShell, type TestShell } from '../../support/own-shell.ts';

let shell: TestShell;
const tpg = '/iscsi/iqn.2003-01.org.example:t/tpg1';
const secret = 'S3cr3t-0f-0urs';

beforeEach(async () => {
  shell = await ownShell();
  await shell.run('set global auto_add_default_portal=false', '/iscsi create iqn.2003-01.org.example:t');
});

const now = async (name = 'password', at = `${tpg} get auth`) => (await shell.run(`${at} ${name}`)).trim();

/** @returns its path */
function secretFile(text: string, mode = 0o600): string {
  const path = join(shell.directory, 'secret of mine');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('a file: its text without the line break at its end; one that everybody can read is named', async () => {
  const path = secretFile(`${secret}\n`);
  expect(await shell.run(`${tpg} set auth password="@${path}"`)).toBe("Parameter password is now '***'.\n");
  expect(await now()).toBe(`password=${secret}`);
  chmodSync(path, 0o644);
  const said = await shell.run(`/iscsi set discovery_auth mutual_password="@${path}"`);
  expect(said).toContain(`E| Everybody on this machine can read ${path}, which has a secret: chmod go= ${path}\n`);
  expect(await now('mutual_password', '/iscsi get discovery_auth')).toBe(`mutual_password=${secret}`);
});

test('a variable of the environment; two @ are one that belongs to the secret', async () => {
  vi.stubEnv('TCLI_TEST_SECRET', secret);
  onTestFinished(() => void vi.unstubAllEnvs());
  await shell.run(`${tpg} set auth userid=me password=@env:TCLI_TEST_SECRET mutual_password=@@${secret}`);
  expect([await now(), await now('mutual_password')]).toEqual([`password=${secret}`, `mutual_password=@${secret}`]);
});

test('a new one is shown once, and has the 96 bits of RFC 7143 9.2.1 in what Windows takes', async () => {
  const said = await shell.run(`${tpg} set auth password=@generate`);
  const [, made = ''] = /^password is ([\w-]{16})\nParameter password is now '\*\*\*'\.\n$/.exec(said) ?? [];
  expect(await now()).toBe(`password=${made}`);
  expect(await shell.run(`${tpg} info`, '/ changes', '/ status')).not.toContain(made);
  await shell.run('/iscsi add_account fred password=@generate');
  expect(JSON.stringify(shell.host.latestOperations)).not.toContain(await now());
});

test('the name alone, or @ask, asks for it before anything is set; nobody to ask, or an empty file, sets nothing', async () => {
  shell.answer = secret;
  for (const words of ['userid=you password', 'userid=you password=@ask']) {
    await shell.run(`${tpg} set auth ${words}`);
    expect(shell.questions.pop()).toEqual({ kind: 'secret', message: 'password' });
    expect(await now()).toBe(`password=${secret}`);
    await shell.run(`${tpg} set auth password=`);
  }
  shell.answer = null;
  expect(await shell.run(`${tpg} set auth userid=me password`)).toMatch(/^E\| No password was given\.\nE\| .*@FILE/);
  expect(await shell.run(`${tpg} set auth userid=me password="@${secretFile('\n')}"`)).toContain('is empty');
  expect([await now(), await now('userid')]).toEqual(['password=', 'userid=you']);
});

test('a file or variable that cannot be read is not repeated: its name may be a secret after all', async () => {
  for (const line of [`set auth password=@${secret}`, `set auth password=@env:${secret}`]) {
    const said = await shell.run(`${tpg} ${line}`);
    expect(said).toMatch(/^E\| Cannot read the (file|variable) that password=@… names: /);
    expect(said).toContain('has two of them: @@');
    expect(said).not.toContain(secret);
  }
});

test('a setting that is named without a value says what it is, and what it can be; so does a value that is none', async () => {
  expect(await shell.run(`${tpg} set attribute authentication`)).toBe(
    'E| authentication needs a value: set attribute authentication=VALUE\nE| It is 0 now. It can be 0, 1.\n',
  );
  expect(await shell.run(`${tpg} set attribute authentication=yes`)).toContain(
    "E| Not setting authentication! Syntax error, 'yes' is not a NUMBER.\nE| It can be 0, 1.\n",
  );
  const listed = await shell.run(`${tpg} set attribute`);
  expect(listed).toMatch(/^authentication=number\n-+\n.* Now: 0\. It can be 0, 1\.$/m);
  expect(listed).toMatch(/^login_timeout=number\n-+\n.* Now: 15\. It can be 5 to 30\.$/m);
});
