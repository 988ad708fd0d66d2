// The words of `why`. What it finds out is tested by test/root/why.test.ts.

import { expect, it } from 'vitest';
import { ownShell } from '../support/own-shell.ts';
import { freePort, iqn } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const one = 'iqn.1994-05.com.redhat:one';

async function served() {
  const port = await freePort();
  const shell = await ownShell();
  await shell.run(
    '/backstores/ramdisk create rd0 1M',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd0`,
    `${tpg}/portals delete 0.0.0.0 3260`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    `${tpg} set attribute authentication=0`,
  );
  await shell.host.root.start();
  const run = async (line: string) => (await shell.run(line)).replaceAll(String(port), 'PORT');
  return { shell, run };
}

it('why INITIATOR TARGET from ADDRESS: every rule, the first that refuses, and the line, which changes it', async () => {
  const { run } = await served();
  const refused = await run(`why ${one} ${iqn} from 192.0.2.7`);
  expect(refused).toMatchInlineSnapshot(`
    "iqn.1994-05.com.redhat:one at /iscsi/iqn.2003-01.org.example:disk/tpg1: refused (acl)
      serving      passes   targets are served
      portal       passes   127.0.0.1:PORT
      enabled      passes   /iscsi/iqn.2003-01.org.example:disk/tpg1 is enabled
      access list  passes   there is no access list: everybody may come
      redirect     passes   logins stay here
      limits       passes   0 of 4096 connections are open in its thread
      fence        passes   no fence keeps it out
      acl          refuses  no ACL for iqn.1994-05.com.redhat:one in /iscsi/iqn.2003-01.org.example:disk/tpg1, and generate_node_acls=0
    To change it: /iscsi/iqn.2003-01.org.example:disk/tpg1/acls create iqn.1994-05.com.redhat:one
    "
  `);
  const [, mend = ''] = /^To change it: (.*)$/m.exec(refused)!;
  await run(mend);
  expect(await run(`why ${one} ${iqn}`)).toMatchInlineSnapshot(`
    "iqn.1994-05.com.redhat:one at /iscsi/iqn.2003-01.org.example:disk/tpg1: nothing here refuses it
      serving      passes  targets are served
      portal       passes  127.0.0.1:PORT
      enabled      passes  /iscsi/iqn.2003-01.org.example:disk/tpg1 is enabled
      access list  passes  there is no access list: everybody may come
      redirect     passes  logins stay here
      limits       passes  0 of 4096 connections are open in its thread
      fence        passes  no fence keeps it out
      acl          passes  it has an ACL
      chap         passes  no CHAP is asked for, or possible
      luns         passes  it sees 1
      LUN 0  /backstores/ramdisk/rd0  reads and writes
    "
  `);
  expect(await run(`why ${one} from 192.0.2.7`)).toBe(await run(`why ${one} from=192.0.2.7`));
  expect(await run(`why ${one} from`)).toContain('E| An address stands behind from.');
});

it('why alone: who was refused lately, when, how often, and why', async () => {
  const { shell, run } = await served();
  expect(await run('why')).toBe('Nobody was refused since this process began.\n');
  const detail = {
    initiator: one,
    target: iqn,
    address: '192.0.2.7:40001',
    portal: '192.0.2.1:3260',
    reason: 'no ACL',
  };
  for (let count = 0; count < 3; count += 1) shell.host.log({ level: 'warning', event: 'iscsi login refused', detail });
  const text = await run('why');
  expect(text.replace(/\d{4}-\d\d-\d\dT[\d:]{8}Z/g, 'TIME')).toMatchInlineSnapshot(`
    "TIME, 3 times since TIME  iqn.1994-05.com.redhat:one at iqn.2003-01.org.example:disk from 192.0.2.7 to 192.0.2.1:3260
        iscsi login refused: no ACL
    "
  `);
  expect(JSON.parse(await run('why --json')).data).toMatchObject([{ initiator: one, address: '192.0.2.7', count: 3 }]);
});

it('why at a LUN and at a storage object: who holds it, who uses it, who may', async () => {
  const { run } = await served();
  await run(`${tpg}/acls create ${one}`);
  const text = await run(`${tpg}/luns/lun0 why`);
  expect(text).toMatchInlineSnapshot(`
    "/iscsi/iqn.2003-01.org.example:disk/tpg1/luns/lun0 (/backstores/ramdisk/rd0)
      Reserved: by nobody
      Used by: nobody who is logged in
      Who may:
        iqn.1994-05.com.redhat:one as LUN 0: reads and writes
    "
  `);
  expect(await run('/backstores/ramdisk/rd0 why')).toBe(text);
  expect(JSON.parse(await run(`${tpg}/luns/lun0 why --json`)).data).toMatchObject({ may: [{ initiator: one }] });
});
