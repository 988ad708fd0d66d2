// tgt's own programs, unchanged, before a tcli that speaks tgtd's management socket: recorded sessions, played again. What
// each request does to the tree: test/tgt.

import { symlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { needs, recorded } from '../support/needs.ts';
import { freePort, quickHome, run, serve, tcli, temporaryDirectory } from '../support/tcli.ts';
import { differences, play, readRecording, type Stage } from '../support/tgt-recording.ts';

/** Why a recorded line is another one here. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/^MaxRecvDataSegmentLength=/, 'a target takes 256 KiB in a PDU here, and says so'],
  [/^ +Online: /, 'a file is one unit: a second LUN of the same target on it waits until it is free'],
  [/^ +(sheepdog|ssc|smc \(bsoflags sync:direct\)|osd|changer|tape)$/, 'what is not here is not listed'],
];
/** The reasons for differences of our own tools. */
const reasonsOfTools: readonly (readonly [RegExp, string])[] = [
  [
    /^E\| +(inquiry:|sg_|read capacity|READ CAPACITY)/,
    'what a disk is, sysfs says: nothing is asked that a file cannot answer',
  ],
  [
    /initiator-(address|name) 198\.51\.100\.0\/24$/,
    'a network is dumped as an address; the other takes it for a name, and loses it',
  ],
];
/** The share of recorded lines and exit statuses that has to be equal. */
const equalShareMin = 0.97;

const recordings = ['01-seed', '02-target', '03-logicalunit', '04-account', '05-portal-sys-lld', '06-tgt-admin'];

/** A tcli in the place of a tgtd that was started with `--iscsi portal=127.0.0.1:14951`. */
async function stage(): Promise<Stage & { home: string }> {
  const folder = temporaryDirectory();
  const env = { ...process.env, TGT_IPC_SOCKET: `${folder}/socket` };
  process.env['TGT_IPC_SOCKET'] = env.TGT_IPC_SOCKET;
  const home = quickHome();
  await serve(home, '--tgtadm');
  const ports = new Map<string, string>();
  const recordedPorts = ['14951', '14952', '14953', '14954', '14959'];
  const free = await Promise.all(recordedPorts.map(() => freePort()));
  // Portals are listed in their order.
  free.sort((a, b) => a - b);
  for (const [at, port] of recordedPorts.entries()) ports.set(port, String(free[at]));
  const set = { folder, home, env, ports };
  for (const words of ['new 127.0.0.1:14951', 'delete 0.0.0.0:3260', 'delete [::]:3260']) {
    const [op, portal] = words.split(' ');
    const text = `tgtadm --op ${op} --mode portal --param portal=${portal}`;
    expect(await play(set, { kind: 'run', text, lines: [], exit: 0 })).toMatchObject({ lines: [], exit: 0 });
  }
  return set;
}

const counts = { all: 0, equal: 0 };
/** Our launcher has the names of tgt's programs in it. */
function toolsIn(folder: string): string {
  for (const name of ['tgtadm', 'tgt-admin', 'tgt-setup-lun'])
    symlinkSync(resolve(import.meta.dirname, '../../shell/bin/tcli'), `${folder}/${name}`);
  return folder;
}

/** Numbers of commands and bytes are chance. */
const masked = (line: string) => (/^( *\d+){3,}/.test(line) ? line.replace(/\d+/g, 'N').replace(/ +/g, ' ') : line);
/** The order in which Perl walks a hash is chance, too. */
const ordered = (command: string, lines: readonly string[]) =>
  / --dump$| -p /.test(command) ? lines.toSorted() : lines.slice();

const sessions = [
  ...recordings.map((name) => [name, 'tgt'] as const),
  ...['02-target', '04-account', '05-portal-sys-lld', '06-tgt-admin'].map((name) => [name, 'tcli'] as const),
];

test.each(sessions)(
  'the recorded session %s, by the programs of %s: every line that differs has its reason',
  needs('recordings', 'root', 'tgtadm', 'tgt-admin', 'tgt-setup-lun', 'iscsi-perf'),
  async (name, whose) => {
    const on = await stage();
    if (whose === 'tcli') on.env['PATH'] = `${toolsIn(on.folder)}:${on.env['PATH']}`;
    const unexplained: string[] = [];
    for (const step of readRecording(recorded(`tgt/${name}.txt`))) {
      const { lines, exit, child } = await play(on, step);
      if (child) {
        onTestFinished(() => void child.kill('SIGKILL'));
        while (
          !(await run('tgtadm', ['--op', 'show', '--mode', 'target'], { env: on.env })).stdout.includes('Initiator:')
        )
          await sleep(50);
      }
      if (step.kind !== 'run' || step.exit === undefined) continue;
      const [theirs, ours] = [step.lines, lines].map((all) => ordered(step.text, all.map(masked)));
      const { gone, come } = differences(theirs!, ours!);
      if (whose === 'tgt') counts.all += theirs!.length + 1;
      if (whose === 'tgt') counts.equal += theirs!.length + 1 - gone.length;
      for (const line of [...gone, ...come])
        if (![...reasons, ...(whose === 'tcli' ? reasonsOfTools : [])].some(([pattern]) => pattern.test(line)))
          unexplained.push(`${step.text}: ${line}`);
      expect([step.text, exit]).toEqual([step.text, step.exit]);
    }
    expect(unexplained).toEqual([]);
  },
);

test('at least 97 of 100 recorded lines and exit statuses are equal', needs('recordings', 'root', 'tgtadm'), () => {
  expect(counts.equal / counts.all).toBeGreaterThan(equalShareMin);
});

test("the three lines of the deployment guides, and the tree's own view of them", needs('tgtadm'), async () => {
  const on = await stage();
  const { home } = on;
  const said = [];
  for (const text of [
    'truncate -s 64M /srv/tgt/lun',
    'tgtadm --lld iscsi --op new --mode target --tid 1 -T iqn.1996-05.com.redhat:tt.xx',
    'tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b /srv/tgt/lun',
    'tgtadm --lld iscsi --mode target --op bind --tid 1 -I ALL',
  ])
    said.push(await play(on, { kind: 'run', text, lines: [], exit: 0 }));
  expect(said).toEqual(said.map(() => ({ lines: [], exit: 0 })));
  const { stdout } = await tcli(home, ['ls', '/iscsi']);
  expect(stdout).toContain('[gen-acls, no-auth, only 1 address]');
  expect(stdout).toContain('o- lun1 ');
  const url = `iscsi://127.0.0.1:${on.ports.get('14951')}/iqn.1996-05.com.redhat:tt.xx/1`;
  expect((await run('iscsi-inq', ['-e', '1', '-c', '128', url])).stdout).toContain('beaf11]');
  // Each request is one change: taken back by one undo, and seen by the next request.
  await tcli(home, ['undo']);
  const after = await run('tgtadm', ['--op', 'show', '--mode', 'target'], { env: on.env });
  expect(after.stdout).toMatch(/ACL information:\n$/);
});

test('a tgtd that is there keeps its socket: serve says so and does not start', needs('tgtadm'), async () => {
  const on = await stage();
  process.env['TGT_IPC_SOCKET'] = on.env['TGT_IPC_SOCKET'];
  const { status, stderr } = await tcli(temporaryDirectory(), ['serve', '--tgtadm', '0']);
  expect([status, stderr]).toEqual([1, expect.stringContaining('cannot be had: another process has it')]);
});
