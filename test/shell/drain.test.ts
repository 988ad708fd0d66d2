// `drain` and `fence` as they are typed, shown, saved, compared and undone. What they do: test/root/drain.test.ts, test/iscsi/fence.test.ts.

import { beforeEach, expect, test } from 'vitest';
import { statusOf } from '../../src/daemon/status.ts';
import { type Host, planDescription, readDescription } from '../../src/index.ts';
import type { SessionInfo } from '../../src/target/service.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const portal = `${tpg}/portals/127.0.0.1:3260`;
const client = 'iqn.1994-05.com.redhat:client1';
let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
  await shell.run(
    'set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `${tpg}/portals create 127.0.0.1 3260`,
    `${tpg}/portals create 127.0.0.1 3261`,
    `${tpg}/acls create ${client}`,
    '/ saveconfig',
  );
});

const remarks = (host: Host): readonly string[] =>
  statusOf(host, { role: 'serve', version: '0', startedAt: '', clients: 0 } as never).remarks;

/** The sessions that the process is to have, one list for each look. */
function sessionsWillBe(...looks: readonly number[][]): void {
  const { root } = shell.host;
  let at = -1;
  const session = (id: number) =>
    ({
      ...{ id, fabric: 'iscsi', targetWwn: iqn, tpgTag: 1, initiatorWwn: client, type: 'Normal', acl: true },
      connections: [{ cid: 0, state: 'LOGGED_IN', address: '127.0.0.1:5', portal: '127.0.0.1:3260', transport: 'TCP' }],
    }) as unknown as SessionInfo;
  root.observe = async () => {
    at = Math.min(at + 1, looks.length - 1);
  };
  root.sessions = () => looks[Math.max(0, at)]!.map(session);
}

test('drain counts those that are left, says when nobody is, and is shown, saved, compared and taken off', async () => {
  sessionsWillBe([1, 2], [1, 2], [2], [2], []);
  expect(await shell.run(`${portal} drain wait=1h`)).toBe(
    [
      `${portal} is drained: new logins are refused.`,
      '2 sessions left',
      '1 session left',
      `Nobody is left at ${portal}.`,
      '',
    ].join('\n'),
  );
  expect(await shell.run(`ls ${tpg}/portals`)).toContain('[drained]');
  expect(remarks(shell.host)).toEqual([`${portal}: it is drained. To open it: ${portal} undrain`]);
  expect(await shell.run('diff')).toContain(`${portal} set attribute drain=refuse`);
  expect(await shell.run(`${portal} undrain`)).toBe(`${portal} is open again.\n`);
  expect(await shell.run('diff')).not.toContain('drain');
  expect(await shell.run(`${portal} undrain`)).toBe(`E| ${portal} is not drained.\n`);
});

test('sessions that do not leave in time are named and served on, and the line fails; the last portal is warned of', async () => {
  await shell.run(`${tpg}/portals/127.0.0.1:3261 drain`);
  sessionsWillBe([7]);
  expect(await shell.run(`${portal} drain wait=1s`)).toBe(
    [
      `${portal} is drained: new logins are refused.`,
      `No portal of ${tpg} is open now: its initiators have nowhere to go.`,
      '1 session left',
      '1 session did not leave within 1s, and is served on:',
      `  ${client}, sid 7`,
      'To go on waiting: the same line again. To end one: sessions kill SID',
      '',
    ].join('\n'),
  );
  expect(await shell.run(`ls ${tpg}/portals`)).toContain('[drained, 1 session left]');
});

test.each(['nowhere', '192.0.2.300', '192.0.2.1,permanent', '::1'])(
  'a drain to %s is refused where it is typed',
  async (to) => {
    expect(await shell.run(`${portal} drain to=${to}`)).toContain('that logins are sent to, as 192.0.2.9');
    expect(await shell.run('diff')).not.toContain('drain');
  },
);

test('acls/ delete fences off as well, in one change; it is listed, shown, compared, and taken off by a line or by undo', async () => {
  expect(await shell.run(`${tpg}/acls delete ${client} fence=10m`)).toMatch(
    new RegExp(`^Deleted Node ACL ${client}\\.\n${client} is refused until .*: ${tpg} unfence ${client}\n$`),
  );
  expect(await shell.run(`${tpg} fence`)).toMatch(new RegExp(`^${client} until \\d{4}-`));
  expect(await shell.run('ls /iscsi')).toContain('1 fenced off');
  expect(remarks(shell.host)).toEqual([expect.stringContaining(`To let it in: ${tpg} unfence ${client}`)]);
  expect(await shell.run('diff')).toContain(`set access fences=${client}=`);
  expect(await shell.run('export yaml')).not.toContain('fence');
  await shell.run('undo');
  expect(await shell.run(`${tpg} fence`)).toBe('(nobody is fenced off)\n');
  expect([...shell.host.root.tree.tpgs()][0]!.acls.has(client)).toBe(true);
  await shell.run(`${tpg} fence ${client} 1h`, `${tpg} unfence ${client}`);
  expect(await shell.run(`${tpg} unfence ${client}`)).toContain(`E| No fence keeps ${client} out of ${tpg}\n`);
});

test('a fence and an old secret may stand for as long as a length of time can be said', async () => {
  await shell.run(`${tpg}/acls/${client} set auth userid=user password=the-first-secret`);
  const said = await shell.run(`${tpg} fence ${client} 999999w`, `${tpg}/acls/${client} renew_secret overlap=999999w`);
  expect(said).not.toContain('E| ');
  expect(await shell.run(`${tpg} fence`)).toMatch(new RegExp(`^${client} until 2\\d{4}-`));
});

test('a description with prune=true takes neither a fence nor a drain away', async () => {
  await shell.run(`${tpg} fence ${client} 1h`, `${portal} set attribute drain=refuse`);
  const text = await shell.run('export json');
  const described = await readDescription(text, 'all.json', async () => '');
  expect(await planDescription(shell.host.root.tree, described, true)).toEqual([]);
});
