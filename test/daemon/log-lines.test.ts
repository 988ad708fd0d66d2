// The form of the log, and the secrets that never stand in it: JSON lines of the real program while real initiators log in. Not here: the
// list of events.

import { closeSync, mkdirSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { jsonLog, lineLog, linesTo, ownLogBytesMax } from '../../src/daemon/log-lines.ts';
import { needs } from '../support/needs.ts';
import { configure, freePort, iqn, openTarget, run, serve, tcli, temporaryDirectory } from '../support/tcli.ts';

const record = {
  level: 'warning',
  event: 'it happened',
  detail: { path: '/iscsi', count: 2, mutual_password: 's3cret' },
};

it('a line for people: time, level, event, name=value; lighter levels are left out, secrets are not written', () => {
  const lines: string[] = [];
  const log = lineLog(
    (line) => void lines.push(line),
    () => new Date(0),
    'warning',
  );
  log(record as never);
  log({ level: 'info', event: 'iscsi login' });
  expect(lines).toEqual(['1970-01-01T00:00:00.000Z warning it happened path="/iscsi" count=2 mutual_password="***"']);
});

it('a JSON line: level, time, pid, particulars, event; lighter levels are left out, secrets are not written', async () => {
  const lines: string[] = [];
  const log = await jsonLog({ write: (line) => void lines.push(line) }, 'warning');
  log({ level: 'info', event: 'iscsi login' });
  log(record as never);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'warning',
    time: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    pid: process.pid,
    path: '/iscsi',
    count: 2,
    mutual_password: '***',
    event: 'it happened',
  });
});

it('a reader that takes nothing is not waited for, and what it leaves unread has a limit', () => {
  const pipe = new PassThrough({ highWaterMark: 1 });
  const stream = Object.assign(pipe, { fd: 0 }) as unknown as NodeJS.WriteStream & { fd: number };
  const { write } = linesTo(stream);
  for (let count = 0; count < 200; count += 1) write('x'.repeat(65_536));
  expect(pipe.writableLength + pipe.readableLength).toBeLessThan((4 << 20) + 2 * 65_536);
});

/** A log as `tcli daemon start` opens it, and what writes to it. */
function openOwnLog() {
  const path = join(temporaryDirectory(), 'daemon.log');
  const fd = openSync(path, 'a', 0o600);
  onTestFinished(() => closeSync(fd));
  return { path, ...linesTo({ fd } as NodeJS.WriteStream & { fd: number }, path) };
}

const longLine = (count: number) => `${String(count).padStart(4, '0').padEnd(65_535, '.')}\n`;
const numbersIn = (path: string) =>
  Array.from(readFileSync(path, 'utf8').matchAll(/^\d{4}/gm), ([digits]) => Number(digits));

it('the log of the background process has a limit: what was in it before is kept once, and no line between is lost', () => {
  const { path, write } = openOwnLog();
  for (let count = 0; count < 200; count += 1) {
    write(longLine(count));
    expect(statSync(path).size).toBeLessThanOrEqual(ownLogBytesMax);
  }
  const kept = [...numbersIn(`${path}.1`), ...numbersIn(path)];
  expect(kept.length).toBeGreaterThan(ownLogBytesMax / 65_536);
  expect(kept).toEqual(kept.map((_, at) => 200 - kept.length + at));
  expect(statSync(`${path}.1`)).toMatchObject({ size: ownLogBytesMax, mode: 0o100600 });
});

it('where the copy of the log cannot be written, lines are lost; the log keeps its limit, and goes on', () => {
  const { path, write } = openOwnLog();
  mkdirSync(`${path}.1`);
  for (let count = 0; count < 100; count += 1) write(longLine(count));
  expect(numbersIn(path)).toEqual(Array.from({ length: 36 }, (_, at) => 64 + at));
});

it('a background process shortens the log that it was started with, and no other file', async () => {
  const home = temporaryDirectory();
  onTestFinished(async () => void (await tcli(home, ['daemon', 'stop', '--force'])));
  const path = join(home, 'daemon.log');
  writeFileSync(path, 'from before\n');
  truncateSync(path, ownLogBytesMax);
  expect(await tcli(home, ['daemon', 'start'])).toMatchObject({ status: 0, stderr: '' });
  const status = await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '1M']);
  expect(status.status).toBe(0);
  await tcli(home, ['daemon', 'stop']);
  expect(readFileSync(`${path}.1`, 'utf8')).toMatch(/^from before\n/);
  expect(statSync(path).size).toBeLessThan(4096);
  const ofTheUsers = openSync(join(home, 'mine.log'), 'a');
  onTestFinished(() => closeSync(ofTheUsers));
  truncateSync(join(home, 'mine.log'), ownLogBytesMax);
  linesTo({ fd: ofTheUsers } as NodeJS.WriteStream & { fd: number }).write('more\n');
  expect(statSync(join(home, 'mine.log')).size).toBe(ownLogBytesMax + 5);
});

it('lines of one session carry its number, and nothing that is written has a secret', needs('iscsi-inq'), async () => {
  const home = temporaryDirectory();
  const port = await freePort();
  const [secret, mutual, wrong] = ['hidden-one-way', 'hidden-mutual-x', 'hidden-wrong-1'];
  const auth = `userid=someone password=${secret} mutual_userid=us mutual_password=${mutual}`;
  await configure(
    home,
    '/backstores/ramdisk create rd0 1M',
    ...openTarget(port, '/backstores/ramdisk/rd0'),
    `/iscsi/${iqn}/tpg1 set attribute authentication=1`,
    `/iscsi/${iqn}/tpg1 set auth ${auth}`,
    `/iscsi set discovery_auth enable=1 ${auth}`,
    '/ saveconfig',
  );
  const served = await serve(home, '--log-format', 'json', '--log-level', 'debug');
  const login = (password: string) => run('iscsi-inq', [`iscsi://someone%${password}@127.0.0.1:${port}/${iqn}/0`]);
  expect((await login(secret)).stdout).toContain('Vendor:');
  expect((await login(wrong)).status).not.toBe(0);
  expect(await served.stop()).toBe(0);
  const lines = served
    .log()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (event: string) => lines.filter((line) => line.event === event);
  const [opened] = of('iscsi login');
  const whose = {
    session: 1,
    cid: 0,
    target: `/iscsi/${iqn}/tpg1`,
    address: opened.address,
    initiator: opened.initiator,
  };
  expect(opened).toMatchObject({ level: 'info', ...whose });
  expect(of('iscsi connection closed')).toMatchObject([whose]);
  expect(of('iscsi login refused')).toMatchObject([{ level: 'warning', initiator: opened.initiator }]);
  expect(served.log()).not.toMatch(/hidden/);
});

it('a saved file that is damaged beside a secret: what is said of it does not repeat it', async () => {
  for (const name of ['saveconfig.json', 'journal.jsonl']) {
    const home = temporaryDirectory();
    writeFileSync(join(home, name), '{\n"chap_password": hidden\n}\n');
    const { stderr, status } = await tcli(home, ['serve']);
    expect([status, stderr]).toEqual([1, expect.not.stringContaining('hidden')]);
    expect(stderr).toMatch(name === 'saveconfig.json' ? /line 2/ : /line 1/);
  }
});
