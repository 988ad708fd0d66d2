// Fences: an initiator is refused until a time, at a login fed by hand, and on sockets.

import { expect, it } from 'vitest';
import { rehearseOperations, treeOf } from '../../src/saved/rehearsal.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';
import { printFence } from '../../src/target/fences.ts';
import { addAcl, IscsiTarget } from '../support/iscsi-target.ts';
import { loginAt, openHome, serveDisk } from '../support/served-disk.ts';
import { freePort, iqn, temporaryDirectory } from '../support/tcli.ts';

const hour = 3_600_000;

it.each(['an ACL', 'demo mode'])(
  'whoever %s lets in is refused until the time of the fence, for now, and then let in',
  async (by) => {
    const target = new IscsiTarget();
    const { name } = target.connect().initiator;
    if (by === 'an ACL') addAcl(target.tpg, name);
    const until = target.wallClock + hour;
    target.tpg.fences = [
      printFence({ initiator: 'iqn.1994-05.com.redhat:other', until }),
      printFence({ initiator: name, until }),
    ];
    const refused = 'login refused: 3/1';
    await expect(target.login()).rejects.toThrow(refused);
    target.wallClock = until - 1;
    await expect(target.login()).rejects.toThrow(refused);
    expect(target.logged.at(-1)).toMatchObject({
      detail: { initiator: name, reason: expect.stringContaining('is fenced off') },
    });
    target.wallClock = until;
    await target.login();
  },
);

it('a login that has begun does not slip through a fence that comes meanwhile', async () => {
  const target = new IscsiTarget();
  const { initiator } = target.connect();
  await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
  target.tpg.fences = [printFence({ initiator: initiator.name, until: target.wallClock + hour })];
  const { values } = await initiator.loginStep(1, 3, {});
  expect([values['statusClass'], values['statusDetail']]).toEqual([3, 1]);
});

it.each(['', '=', 'NAME', 'NAME=', 'NAME=soon', '=2100-01-01T00:00:00Z', 'NAME=-1e99', 'NAME=2026-99-99T00:00:00Z'])(
  'a fence that says %j keeps nobody out, and who restores it is told',
  async (said) => {
    const target = new IscsiTarget();
    const { name } = target.connect().initiator;
    const word = said.replace('NAME', name);
    target.tpg.fences = [word];
    await target.login();
    const file = { targets: [{ fabric: 'iscsi', wwn: iqn, tpgs: [{ tag: 1, fences: [word] }] }] };
    const { tree, errors } = await treeOf(file);
    expect(errors).toEqual([expect.stringContaining(`'${word}' in 'fences' of TPG 1 is no fence`)]);
    // A journal may have it as well, and is loaded all the same.
    const params = { group: 'access', name: 'fences', value: word };
    await rehearseOperations(tree, [{ path: `/iscsi/${iqn}/tpg1`, verb: 'set', params }]);
    expect([...tree.tpgs()][0]!.fences).toEqual([]);
  },
);

it('of two fences of one initiator, however it is spelled, the one that stands keeps it out', async () => {
  const target = new IscsiTarget();
  const { name } = target.connect().initiator;
  target.tpg.fences = [
    printFence({ initiator: name, until: target.wallClock - hour }),
    printFence({ initiator: name.toUpperCase(), until: target.wallClock + hour }),
  ];
  await expect(target.login()).rejects.toThrow('login refused: 3/1');
});

it('sessions end, the next process keeps it, a line takes it off, and what is over is not saved', async () => {
  const directory = temporaryDirectory();
  const port = await freePort();
  const tpg = `/iscsi/${iqn}/tpg1`;
  const one = 'iqn.1994-05.com.redhat:one';
  const login = () => loginAt(port, one);
  const { host: first, apply } = await serveDisk([port], { directory });
  await login();
  await apply(tpg, 'fence', { wwn: one.toUpperCase(), until: new Date(Date.now() + hour).toISOString() });
  const sessions = async () => {
    await first.root.observe();
    return first.root.sessions();
  };
  await expect.poll(sessions).toEqual([]);
  await expect(login()).rejects.toThrow('login refused: 3/1');
  await first.close();

  const { host: second } = await openHome(directory);
  await second.root.start();
  await expect(login()).rejects.toThrow('login refused: 3/1');
  await second.root.apply({ path: tpg, verb: 'unfence', params: { wwn: one } });
  await login();
  const saved = () => JSON.stringify(dumpTree(second.root.tree));
  const fence = (ms: number) =>
    second.root.apply({
      path: tpg,
      verb: 'fence',
      params: { wwn: 'iqn.x:gone', until: new Date(Date.now() + ms).toISOString() },
    });
  await fence(hour);
  expect(saved()).toContain('"fences":["iqn.x:gone=');
  await fence(-hour);
  expect(saved()).not.toContain('fences');
});
