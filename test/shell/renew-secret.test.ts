// A CHAP secret is renewed while hosts still have the old one: logins by hand against the tree of a shell, and what is typed, shown, saved,
// compared and undone. Job 21 of an administrator's day: one line for each ACL.

import { readFileSync, statSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { examineHost, planDescription, readDescription } from '../../src/index.ts';
import { chapResponse, parseBinary } from '../../src/iscsi/chap.ts';
import { newPart } from '../../src/root/options.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';
const acl = `${tpg}/acls/${client}`;
const [old, next, third] = ['the-old-secret-of-ours', 'the-new-secret-of-ours', 'the-third-secret-of-ours'];
const day = 86_400_000;
let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
  await shell.run(
    'set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `${tpg} set attribute authentication=1`,
    `${tpg}/acls create ${client}`,
    `${acl} set auth userid=user password=${old}`,
    '/ saveconfig',
  );
});

const auth = () => [...shell.host.root.tree.tpgs()][0]!.acls.get(client)!.auth;

/** Logs in by CHAP where the words are those of the shell's ACL. @returns whether that was let in, and what was logged */
async function login(secret: string, later = 0): Promise<{ isIn: boolean; events: string[] }> {
  const target = new IscsiTarget();
  target.wallClock = Date.now() + later;
  target.tpg.attributes.set('authentication', 1);
  Object.assign(target.tpg.auth, auth());
  const { initiator } = target.connect();
  await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'CHAP' });
  const { text } = await initiator.loginStep(0, undefined, { CHAP_A: '7' });
  const challenge = { algorithm: '7', identifier: Number(text['CHAP_I']), bytes: parseBinary(text['CHAP_C']!, 1024)! };
  const response = `0x${Buffer.from(chapResponse(challenge, secret)).toString('hex')}`;
  const { values } = await initiator.loginStep(0, 1, { CHAP_N: 'user', CHAP_R: response });
  if (values['statusClass'] === 0) await initiator.loginStep(1, 3, {});
  for (const record of target.logged) shell.host.onlookers.hearing(() => {})(record);
  return { isIn: values['statusClass'] === 0, events: target.logged.map(({ event }) => event) };
}

const doctor = async () => (await examineHost(shell.host)).filter(({ check }) => check === 'old secret');

test('both secrets are taken until the time is over, and the use of the old one is told', async () => {
  const said = await shell.run(`${acl} renew_secret password=${next} overlap=7d`);
  expect(said).toMatch(/^The secret is renewed; the old one is taken as well, until \d{4}-/);
  expect(await doctor()).toMatchObject([
    { says: expect.stringContaining('nobody has used it'), mend: `${acl} end_overlap` },
  ]);
  expect(await login(next)).toMatchObject({
    isIn: true,
    events: expect.not.arrayContaining(['iscsi old secret used']),
  });
  expect(await login('another-secret')).toMatchObject({ isIn: false });
  expect(await login(old)).toMatchObject({ isIn: true, events: expect.arrayContaining(['iscsi old secret used']) });
  expect(await login(old, 7 * day)).toMatchObject({ isIn: false });
  expect(await login(next, 7 * day)).toMatchObject({ isIn: true });
});

test('why and doctor name who used it last, and end_overlap is the line that ends it', async () => {
  await shell.run(`${acl} renew_secret password=${next}`);
  expect(await login(old, 400 * day)).toMatchObject({ isIn: true });
  shell.host.onlookers.hearing(() => {})({
    ...{ level: 'info', event: 'iscsi old secret used' },
    detail: { owner: acl, initiator: client },
  });
  const told = `the old secret of ${acl} is still taken until somebody ends it; ${client} used it last, at `;
  expect(await doctor()).toMatchObject([{ says: expect.stringContaining(told) }]);
  expect(await shell.run(`${acl} end_overlap`)).toBe('The old secret is not taken any more.\n');
  expect(await login(old)).toMatchObject({ isIn: false });
  expect(await doctor()).toEqual([]);
  expect(await shell.run(`${acl} end_overlap`)).toContain('E| No old secret is taken here.\n');
});

test('a user of an old secret is forgotten with it, and where nobody is let in by one, nobody is told of it', async () => {
  await shell.run(`${acl} renew_secret password=${next}`);
  const detail = { owner: acl, initiator: client };
  shell.host.onlookers.hearing(() => {})({ level: 'info', event: 'iscsi old secret used', detail });
  expect(await doctor()).toMatchObject([{ says: expect.stringContaining('used it last') }]);
  await shell.run(`${acl} renew_secret password=${third}`);
  expect(await doctor()).toMatchObject([{ says: expect.stringContaining('nobody has used it') }]);
  await shell.run(`${acl} set auth userid=`);
  expect(await doctor()).toEqual([]);
});

test('lines that why names are of nodes that there are, where ACLs are one node by their tag', async () => {
  await shell.run(`${tpg}/acls tag ${client} hosts`);
  const group = `${tpg}/acls/hosts`;
  await shell.run(`${group} renew_secret password=${next}`, `${tpg}/portals create 127.0.0.1`);
  const rules = async () => {
    const answer = JSON.parse(await shell.run(`why ${client} ${iqn} --json`));
    return answer.data.walks[0].verdicts as { rule: string; says: string; mend?: string }[];
  };
  const find = async (rule: string) => (await rules()).find((one) => one.rule === rule)!;
  expect((await find('old secret')).says).toContain(`(${group} end_overlap)`);
  expect((await find('chap back')).says).toContain(`(${group} set auth mutual_userid=`);
  await shell.run(`${group} set auth userid= password=`);
  expect((await find('chap')).mend).toBe(`${group} set auth userid=NAME password=SECRET`);
});

test('secrets are in the saved file beside the keys of LIO, and in no answer, difference, log or audit', async () => {
  const said = await shell.run(
    `${acl} renew_secret password=${next} overlap=7d`,
    'diff',
    `${acl} info`,
    `${acl} get auth`,
  );
  await shell.run('/ saveconfig');
  const { saveFile } = shell.host.home;
  const [{ node_acls }] = JSON.parse(readFileSync(saveFile, 'utf8')).targets[0].tpgs;
  expect(node_acls[0]).toMatchObject({ chap_password: next, chap_old_password: old, chap_old_until: auth().old_until });
  expect(statSync(saveFile).mode & 0o777).toBe(0o600);
  const audit = await shell.run('changes', 'changes --json', 'export yaml');
  for (const text of [said, audit]) for (const secret of [old, next]) expect(text).not.toContain(secret);
  expect(said).toContain('old_until=');
  await shell.run(`${acl} renew_secret password=${third}`, 'undo');
  expect(auth()).toMatchObject({ password: next, old_password: old });
  await shell.run('undo');
  expect(auth()).toMatchObject({ password: old, old_password: '', old_until: '' });
});

test('a description with prune=true does not end an overlap', async () => {
  await shell.run(`${acl} renew_secret password=${next} overlap=7d`);
  const described = await readDescription(await shell.run('export json secrets=true'), 'all.json', async () => '');
  expect(await planDescription(shell.host.root.tree, described, true)).toEqual([]);
});

test.each(['soon', '', '2100', 'told '])(
  'an old secret of a file that ends %j is not taken: nobody knows until when',
  async (until) => {
    const words = { chap_userid: 'user', chap_password: next, chap_old_password: old, chap_old_until: until };
    const tpgs = [{ tag: 1, enable: true, node_acls: [{ node_wwn: client, ...words }] }];
    const configuration = { targets: [{ fabric: 'iscsi', wwn: iqn, tpgs }] };
    const params = { configuration, clear_existing: true };
    await shell.host.root.apply({ path: '/', verb: 'restoreconfig', params }, false, newPart());
    expect(await login(old)).toMatchObject({ isIn: false });
    expect(await login(next)).toMatchObject({ isIn: true });
  },
);

test('a secret that is generated is shown once, and there must be one that it replaces', async () => {
  expect(await shell.run(`${acl} renew_secret overlap=1h`)).toMatch(/^password is \S{16}\n/);
  expect(await shell.run(`${acl} renew_secret`)).toContain('The one before the old one is not taken any more.');
  expect(await shell.run(`${tpg} renew_secret`)).toContain('E| There is no secret that could be renewed.\n');
  await shell.run(
    '/iscsi set discovery_auth enable=1 userid=disc password=the-secret-of-discovery',
    '/iscsi renew_secret overlap=2h',
  );
  expect(shell.host.root.tree.fabrics.get('iscsi')!.discoveryAuth.old_password).toBe('the-secret-of-discovery');
});
