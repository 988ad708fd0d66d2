// try and confirm as they are typed. What becomes of a change on trial after a crash is tested in test/root/trials.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { answerHere } from '../../shell/channel/client-file.ts';
import type { ShellReply } from '../../shell/channel/protocol.ts';
import { serveSession } from '../../shell/channel/session-server.ts';
import { tellOfTrials } from '../../shell/process/served-session.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;

beforeEach(async () => {
  shell = await ownShell();
  await shell.run(
    'set global auto_add_default_portal=false',
    '/backstores/ramdisk create rd0 1M',
    `/iscsi create ${iqn}`,
  );
});

const plain = (text: string) =>
  text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME').replace(/\b[0-9a-f]{8}\b/g, 'CHANGE');

test('a line on trial is made at once; status says until when; confirm keeps it', async () => {
  expect(plain(await shell.run(`try 5m ${tpg}/luns create /backstores/ramdisk/rd0`))).toBe(
    'Created LUN 0.\nIt is taken back at TIME, unless you say: confirm\n',
  );
  expect(plain(await shell.run('/ status'))).toContain(
    `CHANGE is taken back at TIME unless: confirm CHANGE   (try 5m ${tpg}/luns create /backstores/ramdisk/rd0)`,
  );
  expect(await shell.run('confirm')).toBe(`Kept: try 5m ${tpg}/luns create /backstores/ramdisk/rd0\n`);
  expect(await shell.run('confirm')).toMatch(/^E\| Nothing is on trial/);
});

test('confirm keeps what was tried at that terminal; what somebody else tries is kept by its name only', async () => {
  const at = (terminal: string) => shell.another({ by: { via: 'shell', user: 'root', terminal } });
  const [one, two] = [at('pts/1'), at('pts/2')];
  await one.run(`try 5m ${tpg}/luns create /backstores/ramdisk/rd0`);
  const refused = await two.run('confirm');
  expect(plain(refused)).toBe(
    `E| Nothing that you try here is on trial.\nE| To keep it: confirm CHANGE   (root pts/1: try 5m ${tpg}/luns create /backstores/ramdisk/rd0)\n`,
  );
  await two.run(`try 5m ${tpg} disable`);
  expect(await two.run('confirm')).toBe(`Kept: try 5m ${tpg} disable\n`);
  expect(shell.host.trials.all).toHaveLength(1);
  const name = / confirm (\w+)/.exec(refused)?.[1] ?? '';
  expect(await two.complete('confirm ')).toContain(name);
  expect(await two.run(`confirm ${name}`)).toContain('Kept: ');
});

test('every open shell says that a change was taken back, and whose it was where it was somebody else’s', async () => {
  const told: Record<string, string> = {};
  for (const terminal of ['pts/1', 'pts/2']) {
    told[terminal] = '';
    tellOfTrials(shell.host, { via: 'shell', user: 'root', terminal }, (reply) => {
      if (reply.is === 'output') told[terminal] += reply.text;
    });
  }
  const ended = new Promise<void>((resolve) => shell.host.onlookers.add({ trialEnded: () => resolve() }));
  await shell.another({ by: { via: 'shell', user: 'root', terminal: 'pts/1' } }).run(`try 1s ${tpg} disable`);
  await ended;
  const line = `Nobody confirmed within 1 s: try 1s ${tpg} disable`;
  const back = 'It was taken back. To make it again: redo\n';
  expect(told).toEqual({ 'pts/1': `${line}\n${back}`, 'pts/2': `${line} (root pts/1)\n${back}` });
  expect(await shell.run(`${tpg} status`)).not.toContain('disabled');
});

test('a change that could not be taken back is not tried, and all is as it was; nor is what is no line, no time, or a trial itself', async () => {
  await shell.host.root.start();
  expect(await shell.run('try 5m /backstores/ramdisk delete rd0')).toContain(
    'what /backstores/ramdisk/rd0 holds would not come back',
  );
  expect(shell.host.root.tree.storageObject('/backstores/ramdisk/rd0')?.missing).toBeUndefined();
  expect(await shell.run('try 5m ls /iscsi 1')).toContain('Nothing was changed, so nothing is on trial.');
  expect(await shell.run('try soon ls')).toContain("'soon' is no length of time, as 90s, 5m, 2h or 3d.");
  expect(await shell.run('try 5m')).toContain('What is to be tried?');
  expect(await shell.run('try 5m try 5m ls')).toContain('try cannot be tried');
  expect(await shell.run('try 5m nosuch')).toContain('Command not found nosuch');
  expect(shell.host.trials.all).toEqual([]);
});

test('the lines of a file are one change on trial; where one fails, none is made, and it is named', async () => {
  const file = join(shell.directory, 'lines');
  writeFileSync(file, `# two lines\n${tpg}/luns create /backstores/ramdisk/rd0\n${tpg} disable\n`);
  await shell.run(`try 5m -f ${file}`);
  expect(shell.host.trials.all).toHaveLength(1);
  await shell.run('undo');
  expect(shell.host.trials.all).toEqual([]);
  writeFileSync(file, `${tpg} disable\n\n${tpg}/luns create /nosuch\n`);
  expect(await shell.run(`try 5m -f ${file}`)).toContain(`E| ${file}:3: `);
  expect(await shell.run(`${tpg} status`)).not.toContain('disabled');
});

test('a file is opened by the program of whoever typed, not by the one that serves', async () => {
  const file = join(shell.directory, 'lines');
  writeFileSync(file, `${tpg} disable\n`);
  const asked: string[] = [];
  await new Promise<void>((resolve) => {
    const server = serveSession(shell.session, (reply: ShellReply) => {
      if (reply.is === 'done') return resolve();
      if (reply.is !== 'question' || reply.question.kind !== 'file') return;
      asked.push(reply.question.path);
      void answerHere({ kind: 'file', path: file }).then((answer) =>
        server.receive({ id: reply.id, do: 'answer', answer }),
      );
    });
    server.receive({ id: 1, do: 'run', line: 'try 5m -f lines.of/mine' });
  });
  expect(asked).toEqual(['lines.of/mine']);
  expect(shell.host.trials.all).toHaveLength(1);
});
