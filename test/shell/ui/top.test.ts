// `top` in a real terminal, fed by the subscription of a process that serves. Job 11 of an administrator's day: one line.
// Not here: what it makes of figures and keys (test/shell/top.test.ts).

import { resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectInitiator } from '../../support/connect-initiator.ts';
import { configure, freePort, iqn, type Served, serve, tcli, temporaryDirectory } from '../../support/tcli.ts';
import { type TerminalOptions, TestTerminal } from '../../support/terminal.ts';

const program = resolve(import.meta.dirname, '../../../dist/tcli.js');
const tpg = `/iscsi/${iqn}/tpg1`;
const initiator = 'iqn.1994-05.com.redhat:one';

async function served(): Promise<{ home: string; port: number; served: Served }> {
  const [home, port] = [temporaryDirectory(), await freePort()];
  await configure(
    home,
    '/backstores/ramdisk create rd0 1M',
    '/backstores/ramdisk create rd1 1M',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd0`,
    `${tpg}/luns create /backstores/ramdisk/rd1`,
    `${tpg}/acls create ${initiator}`,
    `${tpg}/portals delete 0.0.0.0 3260`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    `${tpg} set attribute authentication=0`,
  );
  return { home, port, served: await serve(home) };
}

const mask = (screen: string) =>
  screen.replace(/\d\d:\d\d:\d\d/, 'HH:MM:SS').replace(/(busiest thread) +\d+ %/, '$1 N %');

function open(home: string, line: string, options: TerminalOptions): TestTerminal {
  const terminal = new TestTerminal(
    process.execPath,
    [program, '--home', home, ...line.split(' ').filter(Boolean)],
    options,
  );
  onTestFinished(() => terminal.kill());
  return terminal;
}

test.each([
  ['160 columns', { columns: 160, rows: 50 }],
  ['80 columns', { columns: 80, rows: 24 }],
  ['40 columns', { columns: 40, rows: 15 }],
  ['no colour', { columns: 80, rows: 24, env: { NO_COLOR: '1' } }],
] as const)('tcli top: %s', async (_name, options) => {
  const { home } = await served();
  const terminal = open(home, 'top every=0.2', options);
  await terminal.until((picture) => picture.includes('lun1 ') && /\d\d:\d\d:\d\d/.test(picture));
  expect(mask(terminal.screen())).toMatchSnapshot();
  terminal.type('q');
  expect(await terminal.exit()).toBe(0);
});

test('in the shell: rates move with an initiator, Enter shows its way, q leads back to the prompt', async () => {
  const { home, port } = await served();
  const { initiator: one, close } = await connectInitiator(port, iqn, initiator);
  onTestFinished(close);
  const terminal = open(home, '', { columns: 100, rows: 30 });
  await terminal.until('\n/> ▏');
  terminal.type('top every=0.2 sort=name\r');
  await terminal.until('lun1 ramdisk/rd1');
  let isOver = false;
  const load = (async () => {
    while (!isOver) await one.command([0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0], { read: true, length: 4096 });
  })();
  await terminal.until((picture) => /> disk lun0 ramdisk\/rd0 +[1-9][\d.]*k?/.test(picture));
  terminal.type('\r');
  await terminal.until(`> ${initiator} by 1`);
  terminal.resize(60, 20);
  await terminal.until((picture) => picture.includes(`> ${initiator.slice(0, 12)}`));
  isOver = true;
  await load;
  terminal.type('q');
  await terminal.until(/^\/> ▏$/m);
  expect(terminal.all()).toContain('/> top every=0.2 sort=name\n');
});

test('without a terminal: lines as often as asked, and objects with --json; nothing where nothing is served', async () => {
  const { home } = await served();
  const { status, stdout } = await tcli(home, ['top', 'disks', 'every=0.2', 'count=2']);
  expect([status, stdout.match(/^disk +iops/gm)?.length, stdout.match(/^ramdisk\/rd1 +0/gm)?.length]).toEqual([
    0, 2, 2,
  ]);
  const answers = (await tcli(home, ['top', 'every=0.2', 'count=2', '--json'])).stdout.trimEnd().split('\n');
  expect(answers.map((line) => JSON.parse(line))).toMatchObject(
    [1, 2].map(() => ({ command: 'top', data: { of: 'luns', lost: 0, rows: [{ iops: 0 }, { iops: 0 }] } })),
  );
  const idle = await tcli(temporaryDirectory(), ['top', 'count=1']);
  expect(idle).toMatchObject({ status: 1, stderr: expect.stringContaining('tcli daemon start') });
});

test('TERM=dumb: lines, and nothing that moves the cursor', async () => {
  const { home } = await served();
  const terminal = open(home, 'top every=0.2 count=2', { env: { TERM: 'dumb' } });
  expect(await terminal.exit()).toBe(0);
  expect(terminal.raw).not.toContain('\x1b');
  expect(terminal.raw.match(/^lun +iops/gm)?.length).toBe(2);
});
