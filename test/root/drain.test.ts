// A portal that is emptied for work on its network, with initiators on sockets. Job 20 of an administrator's day: one line. Not here: the
// words of `drain` (test/shell/drain.test.ts).

import { expect, it } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import type { Initiator } from '../support/initiator.ts';
import { loginAt, openHome, serveDisk } from '../support/served-disk.ts';
import { freePort, iqn, temporaryDirectory } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const [one, two] = ['iqn.1994-05.com.redhat:one', 'iqn.1994-05.com.redhat:two'];
const testUnitReady = [0, 0, 0, 0, 0, 0];

/** The words of the tests for a home: to drain a portal, and what was logged. */
const wordsOf = ({ host, set, logged }: Awaited<ReturnType<typeof openHome>>) => ({
  host,
  drain: (port: number, value: string) => set(`${tpg}/portals/127.0.0.1:${port}`, 'attribute', 'drain', value),
  said: (event: string) => logged.filter((record) => record.event === event),
});

const open = async (directory: string) => wordsOf(await openHome(directory));
const serve = async (directory: string, ports: readonly number[]) => wordsOf(await serveDisk(ports, { directory }));

/** The addresses that discovery names. */
async function discovered(port: number): Promise<(string | undefined)[]> {
  const { initiator, close } = await connectInitiator(port, '', one, { SessionType: 'Discovery' });
  const { text } = await initiator.text({ SendTargets: 'All' });
  close();
  return [text['TargetAddress']];
}

const asked = ({ inbox }: Initiator): unknown[] =>
  inbox.filter(({ name }) => name === 'Asynchronous Message').map(({ values }) => values['asyncEvent']);

it('initiators of a drained portal are asked to leave and are served on, nobody comes, others notice nothing, and the end is said', async () => {
  const directory = temporaryDirectory();
  const ports = [await freePort(), await freePort()] as const;
  const { drain, said, host } = await serve(directory, ports);
  const there = await loginAt(ports[0], one);
  const elsewhere = await loginAt(ports[1], two);
  await drain(ports[0], 'refuse');
  await expect.poll(() => asked(there)).toEqual([1]);
  expect([asked(there), asked(elsewhere)]).toEqual([[1], []]);
  there.inbox.length = 0;
  expect((await there.command(testUnitReady)).status).toBeTypeOf('number');
  await expect(loginAt(ports[0], two)).rejects.toThrow('login refused: 3/1');
  expect(await discovered(ports[0])).toEqual([`127.0.0.1:${ports[1]},1`]);
  expect(said('iscsi portal drains')).toMatchObject([{ detail: { connections: 1 } }]);
  // The initiator has its reasons to stay, and no other change asks it again.
  await drain(ports[1], '');
  expect(asked(there)).toEqual([]);
  expect(said('iscsi portal drained')).toEqual([]);
  await there.logout();
  await expect.poll(() => said('iscsi portal drained')).toHaveLength(1);
  await host.root.observe();
  expect(host.root.sessions().map(({ initiatorWwn }) => initiatorWwn)).toEqual([two]);
  expect((await elsewhere.command(testUnitReady)).status).toBeTypeOf('number');
});

it('a drain sends logins to another address, outlives the process, and is over with undrain', async () => {
  const directory = temporaryDirectory();
  const port = await freePort();
  const first = await serve(directory, [port]);
  await first.drain(port, '192.0.2.9:3261');
  const sent = await connectInitiator(port, iqn, one).catch((error: Error) => error);
  expect(sent).toMatchObject({ message: expect.stringContaining('1/1') });
  await first.host.close();
  const second = await open(directory);
  await second.host.root.start();
  await expect(loginAt(port, one)).rejects.toThrow('login refused: 1/1');
  await second.drain(port, '');
  await loginAt(port, one);
});

it('a target of which every portal is drained is not named: an initiator would come to the address that it has', async () => {
  const port = await freePort();
  const { drain } = await serve(temporaryDirectory(), [port]);
  await drain(port, 'refuse');
  expect(await discovered(port)).toEqual([undefined]);
});
